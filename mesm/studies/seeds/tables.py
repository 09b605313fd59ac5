"""Tabulate one model's seeds and the difference of two models."""

from __future__ import annotations

from mesm.estimate import decimal_text
from mesm.figures.tables import Row, Table
from mesm.records.comparison import Comparison
from mesm.records.seeds import SeedsSummary
from mesm.statistics import MIN_SPEAKERS, few_speakers
from mesm.studies.evaluation.tables import METRIC_WORDS, share_cell

_METRICS = ("wacc", "f1", "accuracy", "auc")


def seeds_table(summary: SeedsSummary) -> Table:
    """Tabulate the runs, their mean and their spread (sample standard deviation)."""
    rows = [Row((run.checkpoint, run.seed, *(getattr(run.average, m) for m in _METRICS))) for run in summary.runs]
    means = tuple(getattr(summary.average, m) for m in _METRICS)
    spread = tuple(summary.spread.get(m) for m in _METRICS)
    rows += [Row(("mean", None, *means), ranked=False), Row(("spread", None, *spread), ranked=False)]
    return Table(("run", "seed", *(METRIC_WORDS[m] for m in _METRICS)), tuple(rows), digits=2)


def comparison_table(comparison: Comparison) -> Table:
    """Tabulate both models, and their difference with its interval over speakers."""
    rows = []
    for model in (comparison.first, comparison.second):
        top_p = None if model.top_p is None else f"{model.top_p:g}"
        rows.append(Row((model.name, model.wacc, model.f1, share_cell(model.macs_ratio), top_p, model.runs)))
    by_metric = [comparison.difference[metric] for metric in ("wacc", "f1")]
    blank = (None, None, None)
    rows += [
        Row(
            (
                "difference",
                *(None if d.value is None else decimal_text(d.value, 2, sign=True) for d in by_metric),
                *blank,
            ),
            ranked=False,
        ),
        Row(("95 % interval", *(d.interval_text(2) for d in by_metric), *blank), ranked=False),
        Row(("first is better, % of draws", *(_percent(d.share_better) for d in by_metric), *blank), ranked=False),
    ]
    return Table(("model", "WAcc", "F1", "work", "top-p", "seeds"), tuple(rows), digits=2)


def _percent(share: float | None) -> str | None:
    return None if share is None else decimal_text(100 * share, 0)


def comparison_notes(comparison: Comparison) -> tuple[str, ...]:
    """Return a sentence for each kind of value that is undefined in a comparison, with the reason."""
    lines = []
    if comparison.undecided:
        lines.append(
            f"{', '.join(comparison.undecided)}: left out of both sides, since one of the models has no decision for it"
        )
    if comparison.one_sided:
        lines.append(
            f"{', '.join(comparison.one_sided)}: all of the clips show it or none does, so there is no WAcc of it"
        )
    lines += few_speakers(comparison.speakers)
    if comparison.speakers >= MIN_SPEAKERS and all(
        d.share_better is None and d.value == 0 for d in comparison.difference.values()
    ):
        lines.append("no draw differs: both models decide every emotion equally well in each")
    return tuple(lines)
