"""How far a model came on a corpus of known design: its share of the way from chance to the ideal observer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from mesm.data.store import Corpus

#: WAcc of both trivial answers and of chance.
CHANCE_WACC = 50.0


@lru_cache(maxsize=2)
def _ceilings(clips: int) -> dict[tuple[str, ...], float]:
    """Modalities -> the observer's average WAcc; about 13 s of one core for 6000 clips."""
    from mesm.data.marionette.ceiling import ceilings

    return {row.modalities: row.weighted_accuracy["average"] for row in ceilings(clips)}


def ceiling_wacc(corpus: Corpus, modalities: Sequence[str], labels: Sequence[str], clips: int = 6000) -> float | None:
    """Average WAcc in percent of the ideal observer of these modalities, or None where no design is known.

    The ceilings are those of this version's design; a Marionette of another version of the generator has none.

    Args:
        labels: those that were scored; fewer than the corpus's would have another average.
        clips: simulated clips, see `mesm.data.marionette.ceiling.ceilings`.
    """
    from mesm.data.marionette.build import GENERATOR

    if corpus.manifest.meta.get("generator") != GENERATOR or set(labels) != set(corpus.labels):
        return None
    return round(_ceilings(clips)[tuple(modalities)], 3)


def ceiling_share(wacc: float, ceiling: float) -> float:
    """Share of the way from chance to the ideal observer: 0 at WAcc 50, 1 at the observer's."""
    return round((wacc - CHANCE_WACC) / (ceiling - CHANCE_WACC), 4)
