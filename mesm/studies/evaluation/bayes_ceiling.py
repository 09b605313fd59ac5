"""Compare a model with the ideal observer of a corpus of known design (its Bayes ceiling)."""

from __future__ import annotations

from collections.abc import Sequence

from mesm.data.known_truth import observer_scores
from mesm.data.store import Corpus

#: WAcc of both trivial answers and of chance.
CHANCE_WACC = 50.0


def ceiling_wacc(corpus: Corpus, modalities: Sequence[str], labels: Sequence[str], clips: int = 6000) -> float | None:
    """Return the average WAcc in percent of the ideal observer of these modalities; None where no design is known.

    The ceilings are those of this version's design; a Marionette of another version of the generator has none.

    Args:
        labels: those that were scored; fewer than the corpus's would have another average.
        clips: simulated clips, see `mesm.data.known_truth.observer_scores`.
    """
    scores = observer_scores(corpus, clips) if set(labels) == set(corpus.labels) else None
    return None if scores is None else round(scores[tuple(modalities)], 3)


def share_of_bayes_wacc(wacc: float, ceiling: float) -> float:
    """Return the share of the way from chance to the ideal observer: 0 at WAcc 50, 1 at the observer's."""
    return round((wacc - CHANCE_WACC) / (ceiling - CHANCE_WACC), 4)
