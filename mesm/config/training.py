"""Define the settings of one training run, and the upgrade of those that older versions stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from mesm.config.base import JsonConfig, bounded, chosen
from mesm.config.model import MODEL_CONFIGS, SHUFFLED_IN_TRAINING, ModelConfig
from mesm.config.objectives import (
    AttentionSupervisionConfig,
    AuxiliaryTargetsConfig,
    BranchLossConfig,
    DistillationConfig,
    LabelLossConfig,
    NeutralFacesConfig,
    TwoTextsConfig,
)
from mesm.errors import ConfigError, DataError
from mesm.json_form import Json, members, short_repr

FUSIONS = ("learned", "held_out")
TRAINING_QUERIES = ("own", "shuffled")
AUGMENTATIONS = ("light", "broad")
TRUTHS = ("known", "hidden")

#: Name of a setting in older versions -> its name now.
RENAMED_SETTINGS: dict[str, str] = {
    "positive_weight": "label.positive_weight",
    "label_smoothing": "label.smoothing",
    "branch_loss": "branch.weight",
    "look": "attention.weight",
    "look_shares": "attention.target_shares",
    "look_specific": "attention.emotion_specificity",
    "cause_loss": "auxiliary.weight",
    "neutral_faces": "neutral.per_batch",
    "text_kl": "two_texts.weight",
    "steering_lr_factor": "bilinear_lr_factor",
}
#: Settings of older versions that nothing stands for now.
REMOVED_SETTINGS = ("guide", "guide_margin")


def upgrade_training(stored: Mapping[str, Json], model: Mapping[str, Json] | None = None) -> dict[str, Json]:
    """Convert a stored training of any older version to the present names; one of the present version is unchanged.

    Args:
        stored: `TrainConfig.to_dict()` of some version, in a run's config.json or a checkpoint's metrics.json.
        model: the model config stored with it; there older versions kept whether the queries were shuffled in training.
    """
    upgraded: dict[str, Json] = {}
    nested: dict[str, dict[str, Json]] = {}
    for name, value in stored.items():
        if name in REMOVED_SETTINGS:
            continue
        head, _, key = RENAMED_SETTINGS.get(name, name).partition(".")
        if key:
            nested.setdefault(head, {})[key] = value
        else:
            upgraded[head] = value
    upgraded |= {head: {**members(upgraded.get(head, {})), **values} for head, values in nested.items()}
    if model is not None and model.get("query") == SHUFFLED_IN_TRAINING:
        upgraded.setdefault("queries", "shuffled")
    return upgraded


@dataclass(frozen=True)
class TrainConfig(JsonConfig):
    """Set the data, the optimisation, the schedule and the objectives of a training."""

    corpus: str = ""
    """Folder of the corpus."""
    epochs: int = bounded(10, 1, 10_000)
    """Passes over the training split."""
    batch_size: int = bounded(16, 1, 4096)
    """Utterances per step and process."""
    max_clips: int = bounded(0, 0, 10**9)
    """Number of clips of the training split to train on, the same ones for every seed; 0 = all."""
    accumulate: int = bounded(1, 1, 4096)
    """Batches per optimiser step."""
    optimizer: str = chosen("adamw", ("adam", "adamw"))
    """adam (the paper) or adamw."""
    lr: float = bounded(1e-3, 0, 10)
    """Peak learning rate of the trunk."""
    text_lr_factor: float = bounded(0.1, 0, 1000)
    """Factor for the text encoder when it is trainable."""
    attention_lr_factor: float = bounded(5.0, 0, 1000)
    """Factor for the cross-modal attention's parameters, except the matrix U of its bilinear score."""
    bilinear_lr_factor: float = bounded(0.25, 0, 1000)
    """Factor for the matrix U of the bilinear score x . U q. Adam moves each of the many products in that sum by the
    learning rate, so the score diverges at the attention's rate."""
    weight_decay: float = bounded(1e-3, 0, 10)
    """Not applied to the attention."""
    schedule: str = chosen("one_cycle", ("one_cycle", "cosine", "constant"))
    """one_cycle, cosine or constant, after `warmup` of the steps."""
    warmup: float = bounded(0.15, 0, 0.99)
    """Share of the steps over which the learning rate rises."""
    clip_norm: float = bounded(2.0, 0, 1e6, above=True)
    """Gradient norm limit, for each parameter group (trunk, attention, bilinear, text) on its own."""
    top_p_range: tuple[float, ...] = bounded((), 0, 1, above=True)
    """(low, high): top_p is drawn uniformly from it for every batch; empty: the model's own top_p."""
    top_p_start: float = bounded(0.0, 0, 1)
    """top_p of the first step, from which it moves linearly to its usual value over the first half of the training; 0: the
    usual value from the start."""
    queries: str = chosen("own", TRAINING_QUERIES)
    """Text that queries the attention about each clip in training: its `own`, or, `shuffled`, another clip's of the
    batch, so that a mask that depends on the text carries no information on the label."""
    augment: bool = True
    """Augment the training batches."""
    augmentation: str = chosen("light", AUGMENTATIONS)
    """`light`: flip, shift and brightness of faces, gain and masked bands of mels, for clips of one studio. `broad`: also
    scale, colour, blur, noise, compression and occlusion; recording level, noise, room and response of the voice."""
    action_units: str = ""
    """Folder of `<clip id>.csv` by OpenFace, py-feat or `mesm corpus units`; empty: `action_units/` in the corpus."""
    label: LabelLossConfig = field(default_factory=LabelLossConfig)
    """Label loss."""
    branch: BranchLossConfig = field(default_factory=BranchLossConfig)
    """Branch loss."""
    attention: AttentionSupervisionConfig = field(default_factory=AttentionSupervisionConfig)
    """Attention supervision."""
    auxiliary: AuxiliaryTargetsConfig = field(default_factory=AuxiliaryTargetsConfig)
    """Auxiliary targets."""
    neutral: NeutralFacesConfig = field(default_factory=NeutralFacesConfig)
    """Neutral faces."""
    two_texts: TwoTextsConfig = field(default_factory=TwoTextsConfig)
    """Two texts per clip."""
    distillation: DistillationConfig = field(default_factory=DistillationConfig)
    """Distillation of the dense model's scores."""
    freeze_attention: bool = False
    """Keep the attention as it is at the start and train the other layers."""
    freeze_stem: bool = False
    """Keep the CNNs' dense stems as `init_from` has them, which saves a quarter of a step."""
    freeze_text: bool = False
    """Keep the text encoder, the text branch and the fusion weights as `init_from` has them; none depends on a mask."""
    freeze_branches: bool = False
    """Keep all branches and the fusion weights as `init_from` has them, and train the text encoder or its adapter alone."""
    cnn_weights: str = ""
    """For cnn=vgg11: `imagenet` (torchvision's, downloaded once), a file of them, or empty for random ones."""
    init_from: str = ""
    """Checkpoint with the initial weights of the trunk (MESM from FE2E)."""
    fusion: str = chosen("learned", FUSIONS)
    """Fusion weights: `learned` with the rest (the paper), or `held_out`, fitted again on the validation split at the end."""
    keep: str = chosen("best", ("best", "last"))
    """Epoch that becomes the checkpoint: the best by valid average F1 (the paper), or the last of the schedule."""
    patience: int = bounded(0, 0, 10_000)
    """Stop after so many epochs without a better valid average F1; 0 = never."""
    precision: str = chosen("float32", ("float32", "bfloat16"))
    """float32 or bfloat16 (mixed)."""
    truth: str = chosen("known", TRUTHS)
    """`hidden`: the training reads labels only, also where the corpus has more known truth."""
    seed: int = bounded(0, 0, 2**32 - 1)
    """Seed of the initial weights, the order and the augmentation."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.top_p_range) not in (0, 2) or tuple(sorted(self.top_p_range)) != self.top_p_range:
            raise ConfigError(f"top_p_range is {self.top_p_range}; it must be empty or hold two numbers, low and high")
        if self.patience and self.keep == "last":
            raise ConfigError("patience waits for a better epoch, and keep is last; set keep=best or patience=0")

    @classmethod
    def from_dict(cls, data: Mapping[str, Json]) -> Self:
        """Build a config from a stored dict of this or an older version (`upgrade_training`).

        Raises:
            ConfigError: a setting that no version has had, or a value out of range.
        """
        return super().from_dict(upgrade_training(data) if isinstance(data, Mapping) else data)

    def with_settings(self, settings: Mapping[str, str]) -> Self:
        """Return a copy with `key=value` strings applied; a name of an older version is refused with its present one."""
        for name in settings:
            if name in RENAMED_SETTINGS:
                raise ConfigError(f"no setting {name!r}; it is called {RENAMED_SETTINGS[name]} now")
        return super().with_settings(settings)


@dataclass(frozen=True)
class RunConfig(JsonConfig):
    """Hold a model and its training, as stored in a run's folder."""

    model: ModelConfig = field(default_factory=ModelConfig)
    """Model."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """Training."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Json]) -> Self:
        """Build a run from a stored config.json of this or an older version.

        Raises:
            ConfigError: a setting that no version has had, or a value of another type or out of range.
        """
        if not isinstance(data, Mapping) or not {"model", "train"} <= set(data):
            raise ConfigError(f"{short_repr(data)} is no run: it must hold the settings of model and train")
        try:
            train = upgrade_training(members(data["train"]), members(data["model"]))
        except DataError as error:
            raise ConfigError(f"the settings of model and train must stand under their names ({error})") from error
        return super().from_dict({**data, "train": train})

    def with_settings(self, settings: Mapping[str, str]) -> Self:
        """Return a copy with `model.width=0.5` or, where only one of the two has it, `width=0.5` applied.

        Raises:
            ConfigError: a setting that does not exist, or a value of another type or out of range.
        """
        return super().with_settings({self._qualified(name): text for name, text in settings.items()})

    def _qualified(self, name: str) -> str:
        """Return the dotted name of a setting that may lack its first part."""
        head = name.partition(".")[0]
        if head in ("model", "train"):
            return name
        return f"model.{name}" if head in self.model.to_dict() else f"train.{name}"


def _form_settings() -> frozenset[str]:
    names = set()
    parts: list[tuple[str, Any]] = [("model.", kind()) for kind in MODEL_CONFIGS.values()]
    parts.append(("train.", TrainConfig()))
    while parts:
        prefix, config = parts.pop()
        for one in fields(config):
            value = getattr(config, one.name)
            if isinstance(value, JsonConfig):
                parts.append((f"{prefix}{one.name}.", value))
            elif isinstance(value, bool) or "low" in one.metadata or "choices" in one.metadata:
                names.add(prefix + one.name)
    return frozenset(names)


#: Settings that a visitor of the app may change: truth values, bounded numbers and words of a list. A setting that is a
#: path, a URL, a hub id or any other free text is not among them.
FORM_SETTINGS = _form_settings()
