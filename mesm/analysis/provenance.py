"""Name the sources of a figure of one clip: checkpoint, weights, settings, corpus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesm.analysis.checkpoints import CheckpointFacts
from mesm.analysis.supervision import supervision_of
from mesm.json_form import Json
from mesm.records.base import CorpusId

if TYPE_CHECKING:
    from mesm.analysis.predictor import Predictor


def clip_origin(
    predictor: Predictor | CheckpointFacts, corpus: CorpusId | None = None, licence: str = "", key: str = ""
) -> dict[str, Json]:
    """Return checkpoint, weights, settings and seed; corpus and its licence.

    Args:
        corpus: None for an uploaded clip, or for a figure that needs none.
        key: opens the corpus on the command line, if its name does not.
    """
    origin: dict[str, Json] = {
        "checkpoint": predictor.name,
        "checkpoint_sha256": predictor.sha256,
        "config": predictor.config.to_dict(),
        "seed": predictor.metrics.seed,
        "trained_on": predictor.trained_on,
        "corpus": corpus.name if corpus is not None else "",
        "licence": licence,
    }
    if predictor.config.has_attention:
        origin["attention_supervision"] = " ".join(supervision_of(predictor.metrics.train).sentences)
    if corpus is not None and corpus.digest:
        origin["corpus_digest"] = corpus.digest
    return origin | ({"corpus_key": key} if key else {})
