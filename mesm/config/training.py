"""Settings of one training run."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Self

from mesm.config.base import JsonConfig, check_choice, check_top_p
from mesm.config.model import SHUFFLED_IN_TRAINING, ModelConfig
from mesm.errors import ConfigError

FUSIONS = ("learned", "held_out")


@dataclass(frozen=True)
class TrainConfig(JsonConfig):
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
    queries: str = "own"
    """Text that queries the attention about each clip in training: its `own`, or, `shuffled`, another clip's of the
    batch, so that a mask that depends on the text carries no information on the label."""
    augment: bool = True
    """Flip, shift, brightness of faces; gain and shift of mels."""
    cause_loss: float = 0.0
    """Weight of predicting each clip's causes where the corpus knows them (Marionette), see mesm/training/auxiliary_targets.py."""
    neutral_faces: int = 0
    """Neutral faces with emotive texts per batch (Marionette), see mesm/training/attention_supervision.py."""
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
        check_choice("optimizer", self.optimizer, ("adam", "adamw"))
        check_choice("schedule", self.schedule, ("one_cycle", "cosine", "constant"))
        check_choice("positive_weight", self.positive_weight, ("balanced", "none"))
        check_choice("queries", self.queries, ("own", "shuffled"))
        check_choice("keep", self.keep, ("best", "last"))
        check_choice("fusion", self.fusion, FUSIONS)
        check_choice("precision", self.precision, ("float32", "bfloat16"))
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
class RunConfig(JsonConfig):
    """A model and its training, as stored in a run's folder."""

    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        shuffled = {"queries": "shuffled"} if data["model"].get("query") == SHUFFLED_IN_TRAINING else {}
        return cls(ModelConfig.from_dict(data["model"]), TrainConfig.from_dict({**data["train"], **shuffled}))
