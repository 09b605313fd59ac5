"""Build the tables of a sweep: its points, the cost of every layer, the cost of every clip."""

from __future__ import annotations

from mesm.figures.tables import Row, Table
from mesm.records.base import Record
from mesm.records.sweep import Sweep
from mesm.studies.evaluation.tables import undefined_lines
from mesm.studies.sweep.chart_data import SWEEP, SweepChart, layer_costs


def points_table(sweep: Sweep) -> Table:
    """Return the scores, the cost and the time at every top-p, and FE2E's on the last line."""
    columns = ("model", "top-p", "WAcc", "F1", "share of FE2E's MACs", "ms per clip", "elbow")
    rows = [
        Row(("MESM", p.top_p, p.average.wacc, p.average.f1, p.macs_ratio, p.ms_per_clip,
             "elbow" if p.top_p == sweep.elbow else ""))
        for p in sweep.points
    ]  # fmt: skip
    if sweep.reference is not None:
        p = sweep.reference.point
        name = sweep.reference.checkpoint
        rows.append(Row((name, None, p.average.wacc, p.average.f1, p.macs_ratio, p.ms_per_clip, ""), ranked=False))
    return Table(columns, tuple(rows), digits=2)


def notes(sweep: Sweep) -> tuple[str, ...]:
    """Return sentences on the clips, and one for each kind of value that is undefined in a sweep, with the reason."""
    positives = dict(zip(sweep.labels, sweep.positives, strict=False))
    undecided = [label for i, label in enumerate(sweep.labels) if any(p.thresholds[i] is None for p in sweep.points)]
    intervals = any(point.interval for point in sweep.points)
    lines = undefined_lines(sweep.split, positives, sweep.clips, None if intervals else sweep.speakers, undecided)
    if sweep.own_thresholds:
        lines += ("the corpus has no validation split: every top-p is scored with the checkpoint's own thresholds",)
    if sweep.elbow is None:
        lines += ("no elbow: it takes three points with different WAcc and cost",)
    return (*sweep.notes, *lines)


def chart_table(chart: SweepChart) -> Table:
    """Return the points of a chart as numbers."""
    columns = ("model", "top-p", chart.x_title, chart.y_title, "95 % from", "to", "elbow")
    rows = []
    for line in chart.lines:
        for p in line.points:
            cells = (line.name, p.top_p, p.x, p.y, p.low, p.high, "elbow" if p.elbow else "")
            rows.append(Row(cells, ranked=line.kind == SWEEP))
    return Table(columns, tuple(rows), digits=3 if chart.view.relative else 2)


def layers_table(record: Record[Sweep], unit: str) -> Table:
    """Return the cost of every layer of every modality at every top-p.

    Raises:
        DataError: the record has no layers.
    """
    rows = tuple(Row((w.modality, w.stage, w.layer, *w.amounts)) for w in layer_costs(record, unit))
    return Table(("modality", "stage", "layer", *_top_p_columns(record)), rows, digits=4)


def clip_cost_table(record: Record[Sweep]) -> Table:
    """Return a line per clip and a column per top-p: multiply-adds as a share of FE2E's."""
    ratios = zip(*(point.per_clip_ratio for point in record.data.points), strict=True)
    rows = tuple(Row((clip, *row)) for clip, row in zip(record.data.clip_ids, ratios, strict=False))
    return Table(("clip", *_top_p_columns(record)), rows, digits=4)


def _top_p_columns(record: Record[Sweep]) -> tuple[str, ...]:
    return tuple(f"p = {point.top_p:g}" for point in record.data.points)
