"""What a figure of one clip says about where it comes from."""

from __future__ import annotations

from typing import Any

from mesm.analysis.predictor import Predictor
from mesm.data.store import Corpus


def clip_origin(predictor: Predictor, corpus: Corpus | None) -> dict[str, Any]:
    """Checkpoint, weights, settings and seed; corpus, its licence and the seed it was made with.

    Args:
        corpus: None for a visitor's own clip.
    """
    meta = corpus.manifest.meta if corpus is not None else {}
    return {
        "checkpoint": predictor.name,
        "checkpoint_sha256": predictor.sha256,
        "config": predictor.config.to_dict(),
        "seed": predictor.metrics.get("train", {}).get("seed"),
        "trained_on": predictor.trained_on,
        "corpus": corpus.name if corpus is not None else "own clip",
        "licence": str(meta.get("licence", "")),
    }
