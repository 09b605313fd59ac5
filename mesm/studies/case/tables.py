"""Build the tables of one clip from its prediction, its label flip, its regions and its rendered action units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mesm.batch import ACTIVE_INTENSITY, Truth
from mesm.figures.style import MODALITY_WORDS, STAGE_WORDS
from mesm.figures.tables import Row, Table
from mesm.records.prediction import Prediction
from mesm.studies.case.chart_data import PairChart, ScoresChart
from mesm.studies.case.label_flip import FlipReport
from mesm.vocabulary import ACTION_UNITS

if TYPE_CHECKING:
    from mesm.studies.case.regions import Region

#: Units whose intensity stays below this all along are not listed.
AU_SHOWN_FROM = 0.05


def scores_table(chart: ScoresChart) -> Table:
    """Return scores per emotion: fused, of each modality alone, threshold, true intensity."""
    columns = ("emotion", "fused", *(MODALITY_WORDS[m] for m in chart.alone), "threshold", "truth")
    numbers = np.stack([chart.scores, *chart.alone.values(), chart.thresholds, np.array(chart.truth)], axis=1)
    rows = tuple(Row((name, *cells)) for name, cells in zip(chart.labels, numbers.tolist(), strict=True))
    return Table(columns, rows, digits=2)


def work_table(prediction: Prediction) -> Table:
    """Return the multiply-adds of every stage in 10⁹, their sum, and those of FE2E's convolutions."""
    macs = prediction.macs
    rows = [Row((STAGE_WORDS[stage], macs[stage] / 1e9)) for stage in STAGE_WORDS if stage in macs]
    rows.append(Row(("all", macs.get("total", 0) / 1e9)))
    rows.append(Row(("FE2E's convolutions", macs.get("fe2e_conv_stack", 0) / 1e9), ranked=False))
    return Table(("stage", "GMAC"), tuple(rows), digits=4)


def scores_over_p_table(report: FlipReport) -> Table:
    """Return scores and cost at every top-p."""
    rows = tuple(
        Row((float(p), *map(float, scores), None if np.isnan(work) else float(work)))
        for p, scores, work in zip(report.top_ps, report.scores, report.work, strict=True)
    )
    return Table(("p", *report.labels, "work, share of FE2E"), rows, digits=3)


def pair_table(chart: PairChart) -> Table:
    """Return the scores and the cost of two predictions with their differences."""
    rows = [Row((label, a, b, b - a)) for label, a, b in zip(chart.labels, *chart.scores.tolist(), strict=True)]
    rows.append(Row(("work, GMAC", *chart.gmacs, chart.gmacs[1] - chart.gmacs[0]), ranked=False))
    return Table(("emotion", *chart.names, "change"), tuple(rows), digits=3)


def regions_table(regions: Sequence[Region], layers: int) -> Table:
    """Return the share of each region that every layer keeps, and its multiple of chance.

    Chance is the share that as many kept sites, spread over the whole map, would cover.
    """
    known = any(region.active is not None for region in regions)
    columns = ("units", "movement", *(("active",) if known else ()))
    columns += tuple(f"L{i + 1}{suffix}" for i in range(layers) for suffix in ("", " / chance"))
    rows = []
    for region in sorted(regions, key=lambda r: -(r.active or 0)):
        active = ("yes" if (region.active or 0) >= ACTIVE_INTENSITY else "no",) if known else ()
        shares = zip(region.covered, region.chance, strict=True)
        numbers = tuple(n for covered, chance in shares for n in (covered, covered / max(chance, 1e-9)))
        rows.append(Row((region.name, ", ".join(ACTION_UNITS[n] for n in region.units), *active, *numbers)))
    return Table(columns, tuple(rows), digits=2)


def units_table(truth: Truth) -> Table:
    """Return the highest intensity over the faces of every action unit that a rendered face moved."""
    order = sorted(enumerate(truth.au_numbers), key=lambda n: -truth.au_emotion_intensity[:, n[0]].max())
    rows = tuple(
        Row((number, ACTION_UNITS.get(number, ""), float(emotion), float(whole)))
        for a, number in order
        for emotion, whole in [(truth.au_emotion_intensity[:, a].max(), truth.au_intensity[:, a].max())]
        if whole > AU_SHOWN_FROM
    )
    return Table(("AU", "movement", "for the emotion", "with speech and blinks"), rows, digits=2)
