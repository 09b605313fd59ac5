"""Describe the origin of a figure of one clip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mesm.analysis.checkpoints import CheckpointFacts

if TYPE_CHECKING:
    from mesm.analysis.predictor import Predictor


def clip_origin(predictor: Predictor | CheckpointFacts, corpus: str, licence: str) -> dict[str, Any]:
    """Return checkpoint, weights, settings and seed; corpus and its licence.

    Args:
        corpus: its name; "" for a visitor's own clip.
    """
    return {
        "checkpoint": predictor.name,
        "checkpoint_sha256": predictor.sha256,
        "config": predictor.config.to_dict(),
        "seed": predictor.metrics.seed,
        "trained_on": predictor.trained_on,
        "corpus": corpus,
        "licence": licence,
    }
