"""Define the settings of the objectives whose sum a training minimises: one config each, nested in `TrainConfig`."""

from __future__ import annotations

from dataclasses import dataclass

from mesm.config.base import JsonConfig, bounded, chosen
from mesm.errors import ConfigError

ATTENTION_TARGETS = ("regions", "units", "points", "saliency", "face_saliency")
#: Those that need the dense model in `train.init_from`.
SALIENCY_TARGETS = ("saliency", "face_saliency")
AUXILIARY_TARGETS = ("truth", "units")
POSITIVE_WEIGHTS = ("balanced", "none")


@dataclass(frozen=True)
class LabelLossConfig(JsonConfig):
    """Set the binary cross entropy of the fused scores, which is always part of the loss."""

    PREFIX = "label."
    positive_weight: str = chosen("balanced", POSITIVE_WEIGHTS)
    """`balanced` = negatives / positives per class of the training split (the paper), or `none`."""
    smoothing: float = bounded(0.0, 0, 0.5)
    """Label smoothing: targets move from 0 and 1 by this much, in [0, 0.5)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.smoothing == 0.5:
            raise ConfigError(f"label.smoothing is {self.smoothing}; it must lie in [0, 0.5)")


@dataclass(frozen=True)
class BranchLossConfig(JsonConfig):
    """Set the mean binary cross entropy of each modality's own scores, which keeps every branch learning."""

    PREFIX = "branch."
    weight: float = bounded(0.5, 0, 1e6)
    """Factor of the loss; 0 switches it off (the paper has none)."""


@dataclass(frozen=True)
class AttentionSupervisionConfig(JsonConfig):
    """Set the divergence between each layer's attention and a target map (Liu et al. 2016).

    The face's target lies on the regions of the active action units and of the query's emotion, the voice's on its
    loudest mel values.
    """

    PREFIX = "attention."
    weight: float = bounded(0.0, 0, 1e6)
    """Factor of the loss; above 0 the corpus must have what `target` needs."""
    target_shares: tuple[float, ...] = bounded((0.3, 0.1, 0.2), 0, 1)
    """Shares of the target's mass: on a face's active regions, on the regions of the query's emotion (with known regions
    only), and on a voice's loud cells. The rest is spread evenly; larger shares make smaller nuclei."""
    emotion_specificity: float = bounded(1.0, 0, 1)
    """In [0, 1]: weight of the reduction that a cell gets which many emotions move. 0: every active region counts alike;
    1: mostly the regions that differ between the emotions."""
    target: str = chosen("regions", ATTENTION_TARGETS)
    """Map that a face's active regions are: known `regions` of a rendered face; those of the `units` that a detector
    reads (`train.action_units`); where units lie in general, laid by the five `points`; the `saliency` of the dense
    model in `init_from`, which is the voice's target too; or `face_saliency`, of the face its product with `points`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        shares = self.target_shares
        if len(shares) != 3 or min(shares) < 0 or shares[0] + shares[1] >= 1 or shares[2] >= 1:
            raise ConfigError(
                f"attention.target_shares is {shares}; it must be three shares: of a face's active regions and of the "
                "query's regions, together below 1, and of the voice's loud cells, below 1"
            )


@dataclass(frozen=True)
class AuxiliaryTargetsConfig(JsonConfig):
    """Set the prediction of each clip's action units, prosody and text emotion from the branches (Caruana 1997)."""

    PREFIX = "auxiliary."
    weight: float = bounded(0.0, 0, 1e6)
    """Factor of the loss; above 0 the corpus must have these targets."""
    target: str = chosen("truth", AUXILIARY_TARGETS)
    """`truth`: the renderer's units, prosody and text emotion, where a clip has them; `units`: those that a detector reads
    in each frame (`train.action_units`) and no other."""


@dataclass(frozen=True)
class NeutralFacesConfig(JsonConfig):
    """Set how many neutral faces with emotive texts join each batch, labelled with the class frequencies."""

    PREFIX = "neutral."
    per_batch: int = bounded(0, 0, 4096)
    """Neutral faces per batch; above 0 the corpus must have neutral faces."""


@dataclass(frozen=True)
class TwoTextsConfig(JsonConfig):
    """Set the divergence between a clip's branch scores under its own and under a random text."""

    PREFIX = "two_texts."
    weight: float = bounded(0.0, 0, 1e6)
    """Factor of the loss; above 0 it doubles the work of the sparse layers."""


@dataclass(frozen=True)
class DistillationConfig(JsonConfig):
    """Set the cross entropy of each branch's scores against a dense model's."""

    PREFIX = "distillation."
    weight: float = bounded(0.0, 0, 1e6)
    """Factor of the loss; above 0 it adds a forward pass of the dense model to every step."""
    checkpoint: str = ""
    """The dense model's checkpoint, by its name or folder; empty: `train.init_from`."""
