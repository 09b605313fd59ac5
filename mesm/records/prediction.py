"""Hold the scores of one clip and the trace of the attention that led to them. Numpy only, no tensors."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mesm.vocabulary import flag_sentences


@dataclass(frozen=True)
class LayerTrace:
    """Hold one attention layer's maps on S segments of one modality.

    Attributes:
        attention: (S, H, W) float32, each segment sums to 1 over its active sites; 0 elsewhere.
        kept: (S, H, W) bool, the nucleus.
        active: (S, H, W) bool, sites that were there to choose from.
        backends: what ran each of the block's two convolutions, e.g. ("gather", "dense").
        padding: (S, H, W) bool, sites after the end of the sound; None where it is unknown or there is none.
    """

    attention: np.ndarray
    kept: np.ndarray
    active: np.ndarray
    backends: tuple[str, ...] = ()
    padding: np.ndarray | None = None

    @property
    def has_padding(self) -> bool:
        """Return True if any site is known to be padding."""
        return self.padding is not None and bool(self.padding.any())

    @property
    def kept_inside(self) -> np.ndarray:
        """Return (S, H, W) bool: the kept sites without padding."""
        return self.kept if self.padding is None else self.kept & ~self.padding

    @property
    def counts(self) -> tuple[int, int]:
        """Return the number of kept sites and of all sites, without padding."""
        padding = 0 if self.padding is None else int(self.padding.sum())
        return int(self.kept_inside.sum()), self.kept.size - padding

    @property
    def share(self) -> float:
        """Return the share of the sites that is kept, without padding, in [0, 1]."""
        kept, sites = self.counts
        return kept / max(sites, 1)


@dataclass(frozen=True)
class Trace:
    """Hold the attention of one forward pass, per modality ("visual", "acoustic"), layer after layer."""

    layers: dict[str, tuple[LayerTrace, ...]]
    top_p: float


@dataclass(frozen=True)
class Prediction:
    """Hold the scores of one clip.

    Attributes:
        labels: emotion names, the order of every score list.
        scores: (E,) fused probabilities in [0, 1].
        thresholds: (E,) decision thresholds of the checkpoint; NaN for a label without a decision.
        modality_scores: modality -> (E,) probabilities of that branch alone; absent branches are missing.
        fusion_weights: modality -> weight used for this clip (renormalised when a branch is absent).
        flags: codes of `mesm.vocabulary.FLAGS`: everything known of the clip that qualifies its scores.
        macs: stage name -> multiply-adds of this clip (see `mesm.analysis.cost`); empty if not counted.
    """

    clip_id: str
    labels: tuple[str, ...]
    scores: np.ndarray
    thresholds: np.ndarray
    modality_scores: dict[str, np.ndarray]
    fusion_weights: dict[str, float]
    flags: tuple[str, ...] = ()
    trace: Trace | None = None
    macs: dict[str, int] = field(default_factory=dict)

    @property
    def layers(self) -> dict[str, tuple[LayerTrace, ...]]:
        """Return modality -> traced layers; empty for a model without attention."""
        return self.trace.layers if self.trace is not None else {}

    @property
    def top_p(self) -> float | None:
        """Return the nucleus mass of the trace; None for a model without attention."""
        return self.trace.top_p if self.trace is not None else None

    @property
    def flag_sentences(self) -> tuple[str, ...]:
        """Return the flags, each as a sentence."""
        return flag_sentences(self.flags)

    @property
    def decided(self) -> tuple[str, ...]:
        """Return the labels whose score reaches their threshold."""
        return tuple(n for n, s, t in zip(self.labels, self.scores, self.thresholds, strict=True) if s >= t)
