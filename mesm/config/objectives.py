"""Define the settings of the objectives whose sum a training minimises: one config each, nested in `TrainConfig`."""

from __future__ import annotations

from dataclasses import dataclass

from mesm.config.base import JsonConfig, check_choice
from mesm.errors import ConfigError

POSITIVE_WEIGHTS = ("balanced", "none")


def _check_not_negative(name: str, value: float) -> None:
    if value < 0:
        raise ConfigError(f"{name} is {value}; it must be at least 0, and 0 switches the objective off")


@dataclass(frozen=True)
class LabelLossConfig(JsonConfig):
    """Set the binary cross entropy of the fused scores, which is always part of the loss."""

    positive_weight: str = "balanced"
    """`balanced` = negatives / positives per class of the training split (the paper), or `none`."""
    smoothing: float = 0.0
    """Label smoothing: targets move from 0 and 1 by this much, in [0, 0.5)."""

    def __post_init__(self) -> None:
        check_choice("label.positive_weight", self.positive_weight, POSITIVE_WEIGHTS)
        if not 0 <= self.smoothing < 0.5:
            raise ConfigError(f"label.smoothing is {self.smoothing}; it must lie in [0, 0.5)")


@dataclass(frozen=True)
class BranchLossConfig(JsonConfig):
    """Set the mean binary cross entropy of each modality's own scores, which keeps every branch learning."""

    weight: float = 0.5
    """Factor of the loss; 0 switches it off (the paper has none)."""

    def __post_init__(self) -> None:
        _check_not_negative("branch.weight", self.weight)


@dataclass(frozen=True)
class AttentionSupervisionConfig(JsonConfig):
    """Set the divergence between each layer's attention and a target map (Liu et al. 2016).

    The face's target lies on the regions of the active action units and of the query's emotion, the voice's on its
    loudest mel values.
    """

    weight: float = 0.0
    """Factor of the loss; above 0 the corpus must have the regions of its faces."""
    target_shares: tuple[float, ...] = (0.3, 0.1, 0.2)
    """Shares of the target's mass: on a face's active regions, on the regions of the query's emotion, and on a voice's
    loud cells. The rest is spread evenly; larger shares make smaller nuclei."""
    emotion_specificity: float = 1.0
    """In [0, 1]: weight of the reduction that a cell gets which many emotions move. 0: every active region counts alike;
    1: mostly the regions that differ between the emotions."""

    def __post_init__(self) -> None:
        _check_not_negative("attention.weight", self.weight)
        shares = self.target_shares
        if len(shares) != 3 or min(shares) < 0 or shares[0] + shares[1] >= 1 or shares[2] >= 1:
            raise ConfigError(
                f"attention.target_shares is {shares}; it must be three shares: of a face's active regions and of the "
                "query's regions, together below 1, and of the voice's loud cells, below 1"
            )
        if not 0 <= self.emotion_specificity <= 1:
            raise ConfigError(f"attention.emotion_specificity is {self.emotion_specificity}; it must lie in [0, 1]")


@dataclass(frozen=True)
class AuxiliaryTargetsConfig(JsonConfig):
    """Set the prediction of each clip's action units, prosody and text emotion from the branches (Caruana 1997)."""

    weight: float = 0.0
    """Factor of the loss; above 0 the corpus must have these targets."""

    def __post_init__(self) -> None:
        _check_not_negative("auxiliary.weight", self.weight)


@dataclass(frozen=True)
class NeutralFacesConfig(JsonConfig):
    """Set how many neutral faces with emotive texts join each batch, labelled with the class frequencies."""

    per_batch: int = 0
    """Neutral faces per batch; above 0 the corpus must have neutral faces."""

    def __post_init__(self) -> None:
        _check_not_negative("neutral.per_batch", self.per_batch)


@dataclass(frozen=True)
class TwoTextsConfig(JsonConfig):
    """Set the divergence between a clip's branch scores under its own and under a random text."""

    weight: float = 0.0
    """Factor of the loss; above 0 it doubles the work of the sparse layers."""

    def __post_init__(self) -> None:
        _check_not_negative("two_texts.weight", self.weight)
