"""Define the settings of one training run, and the upgrade of those that older versions stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from mesm.config.base import JsonConfig, check_choice, check_top_p
from mesm.config.model import SHUFFLED_IN_TRAINING, ModelConfig
from mesm.config.objectives import (
    AttentionSupervisionConfig,
    AuxiliaryTargetsConfig,
    BranchLossConfig,
    LabelLossConfig,
    NeutralFacesConfig,
    TwoTextsConfig,
)
from mesm.errors import ConfigError
from mesm.json_form import Json, members

FUSIONS = ("learned", "held_out")
TRAINING_QUERIES = ("own", "shuffled")

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
    epochs: int = 10
    """Passes over the training split."""
    batch_size: int = 16
    """Utterances per step and process."""
    max_clips: int = 0
    """Number of clips of the training split to train on, the same ones for every seed; 0 = all."""
    accumulate: int = 1
    """Batches per optimiser step."""
    optimizer: str = "adamw"
    """adam (the paper) or adamw."""
    lr: float = 1e-3
    """Peak learning rate of the trunk."""
    text_lr_factor: float = 0.1
    """Factor for the text encoder when it is trainable."""
    attention_lr_factor: float = 5.0
    """Factor for the cross-modal attention's parameters, except the matrix U of its bilinear score."""
    bilinear_lr_factor: float = 0.25
    """Factor for the matrix U of the bilinear score x . U q. Adam moves each of the many products in that sum by the
    learning rate, so the score diverges at the attention's rate."""
    weight_decay: float = 1e-3
    """Not applied to the attention."""
    schedule: str = "one_cycle"
    """one_cycle, cosine or constant, after `warmup` of the steps."""
    warmup: float = 0.15
    """Share of the steps over which the learning rate rises."""
    clip_norm: float = 2.0
    """Gradient norm limit, for each parameter group (trunk, attention, bilinear, text) on its own."""
    top_p_range: tuple[float, ...] = ()
    """(low, high): top_p is drawn uniformly from it for every batch; empty: the model's own top_p."""
    queries: str = "own"
    """Text that queries the attention about each clip in training: its `own`, or, `shuffled`, another clip's of the
    batch, so that a mask that depends on the text carries no information on the label."""
    augment: bool = True
    """Flip, shift and brightness of faces; gain and masked bands of mels."""
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
    freeze_attention: bool = False
    """Keep the attention as it is at the start and train the other layers."""
    freeze_stem: bool = False
    """Keep the CNNs' dense stems as `init_from` has them, which saves a quarter of a step."""
    freeze_text: bool = False
    """Keep the text branch and the fusion weights as `init_from` has them; neither depends on a mask."""
    cnn_weights: str = ""
    """For cnn=vgg11: `imagenet` (torchvision's, downloaded once), a file of them, or empty for random ones."""
    init_from: str = ""
    """Checkpoint with the initial weights of the trunk (MESM from FE2E)."""
    fusion: str = "learned"
    """Fusion weights: `learned` with the rest (the paper), or `held_out`, fitted again on the validation split at the end."""
    keep: str = "best"
    """Epoch that becomes the checkpoint: the best by valid average F1 (the paper), or the last of the schedule."""
    patience: int = 0
    """Stop after so many epochs without a better valid average F1; 0 = never."""
    precision: str = "float32"
    """float32 or bfloat16 (mixed)."""
    seed: int = 0
    """Seed of the initial weights, the order and the augmentation."""

    def __post_init__(self) -> None:
        check_choice("optimizer", self.optimizer, ("adam", "adamw"))
        check_choice("schedule", self.schedule, ("one_cycle", "cosine", "constant"))
        check_choice("queries", self.queries, TRAINING_QUERIES)
        check_choice("keep", self.keep, ("best", "last"))
        check_choice("fusion", self.fusion, FUSIONS)
        check_choice("precision", self.precision, ("float32", "bfloat16"))
        for p in self.top_p_range:
            check_top_p(p)
        if len(self.top_p_range) not in (0, 2):
            raise ConfigError("top_p_range must be empty or hold two numbers, low and high")
        if self.patience and self.keep == "last":
            raise ConfigError("patience waits for a better epoch, and keep is last; set keep=best or patience=0")
        for name in ("epochs", "batch_size", "accumulate"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1")

    @classmethod
    def from_dict(cls, data: Mapping[str, Json]) -> Self:
        """Build a config from a stored dict of this or an older version (`upgrade_training`).

        Raises:
            ConfigError: a setting that no version has had, or a value out of range.
        """
        return super().from_dict(upgrade_training(data))

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
            ConfigError: a setting that no version has had, or a value out of range.
        """
        return super().from_dict({**data, "train": upgrade_training(members(data["train"]), members(data["model"]))})

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
