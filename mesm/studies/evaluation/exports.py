"""Build the exports of one evaluation: scores per emotion and per slice, confusion, co-occurrence, reliability."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from mesm.estimate import Estimate, counted
from mesm.figures.export import FigureExport, record_export
from mesm.figures.tables import Table
from mesm.records.base import Record
from mesm.records.evaluation import Evaluation
from mesm.studies.evaluation import tables
from mesm.studies.evaluation.breakdown import Slice
from mesm.studies.evaluation.chart_data import MatrixChart, ReliabilityChart
from mesm.studies.evaluation.paper import plot_matrix, plot_reliability

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MATRIX_WORDS = {
    "confusion": (
        "Confusion of the highest score",
        "Clips that show the emotion of the row, by the emotion with the highest score; none: no score reaches its "
        "threshold, or the clip shows no emotion. Shades are shares of the row; a clip with several emotions counts in "
        "each of its rows.",
    ),
    "cooccurrence": (
        "Co-occurrence of emotions",
        "Clips that have both emotions, by their labels (true) and by the model's decisions (decided). Shades are shares "
        "of the clips that have the emotion of the row.",
    ),
}


def classes_export(record: Record[Evaluation]) -> FigureExport:
    """Export every metric of every emotion."""
    caption = "Percent per emotion; clips: those that show it; threshold: chosen on the validation split."
    return _export(record, "classes", "Scores per emotion", caption, tables.classes_table(record.data))


def slices_export(record: Record[Evaluation], slices: Sequence[Slice]) -> FigureExport:
    """Export the scores of slices of the split."""
    scored = max((s.clips for s in slices), default=0)
    part = (
        ""
        if scored >= record.data.clips
        else f"Slices of the {counted(scored, 'clip')} that this copy of the corpus has. "
    )
    caption = (
        f"{part}Averages over the emotions in percent, for clips that share a property; intervals over speakers. "
        "WAcc and F1 skip emotions without positives in the slice, WAcc those without negatives too; very small slices are "
        "not scored."
    )
    return _export(record, "slices", "Scores of slices", caption, tables.slices_table(slices), clips=scored)


def matrix_export(record: Record[Evaluation], chart: MatrixChart) -> FigureExport:
    """Export a confusion or co-occurrence matrix."""
    title, caption = _MATRIX_WORDS[chart.kind]
    return _export(record, chart.kind, title, caption, tables.matrix_table(chart), partial(plot_matrix, chart))


def reliability_export(record: Record[Evaluation], chart: ReliabilityChart) -> FigureExport:
    """Export a reliability diagram (Guo et al. 2017)."""
    caption = (
        f"Share of true answers among scores of the same size, {chart.subject}, with Wilson's 95 % interval; on the "
        "dashed line the score equals the share. Bars: number of scores. Expected calibration error "
        f"{Estimate(chart.result.ece).words(3)}, Brier score {Estimate(chart.result.brier).words(3)}."
    )
    return _export(
        record,
        "reliability",
        f"Reliability of the scores: {chart.subject}",
        caption,
        tables.reliability_table(chart),
        partial(plot_reliability, chart),
        chart.emotion,
    )


def _export(
    record: Record[Evaluation],
    kind: str,
    title: str,
    caption: str,
    table: Table,
    draw: Callable[[float], Figure] | None = None,
    emotion: str = "",
    clips: int | None = None,
) -> FigureExport:
    corpus, data = record.provenance.corpus.name, record.data
    among = "" if clips in (None, data.clips) else f"{clips} of "
    undefined = "".join(f" {line[0].upper()}{line[1:]}." for line in tables.undefined_in(data))
    return record_export(
        [record],
        kind,
        title,
        f"{caption} {tables.model_name(record)} on the {data.split} split of {corpus}, "
        f"{among}{counted(data.clips, 'clip')}.{undefined}",
        name=f"{kind}-{emotion}" if emotion else kind,
        options=f" --emotion {emotion}" if emotion else "",
        draw=draw,
        table=table,
        cites=("guo-etal-2017",) if kind == "reliability" else (),
    )
