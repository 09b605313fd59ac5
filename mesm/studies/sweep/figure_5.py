"""Build the paper's Figure 5: a score over top-p above the cost over top-p, beside the paper's own curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from mesm.errors import ConfigError, DataError
from mesm.estimate import counted
from mesm.figures.export import FigureExport, origin_of, record_export
from mesm.figures.page import COLOURS, FAINT, INK, guide, new_figure
from mesm.figures.tables import Row, Table
from mesm.records.base import Record
from mesm.records.evaluation import Evaluation
from mesm.records.sweep import Sweep, SweepPoint
from mesm.studies.sweep.chart_data import METRICS, find_reference, reference_evaluation, score_of
from mesm.studies.sweep.tables import notes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: (top-p, accuracy in percent, GFLOPs) as reported; the last is FE2E.
Reported = Sequence[tuple[float, float, float]]


@dataclass(frozen=True)
class PPoint:
    """Hold score and cost at one top-p; `low` and `high` are the ends of the 95 % interval, NaN where there is none."""

    top_p: float
    score: float
    low: float
    high: float
    cost: float


@dataclass(frozen=True)
class PCurve:
    """Hold the points of one source: MESM over top-p, and FE2E, which the paper draws at p = 1.

    Attributes:
        title: source of the numbers.
        score_title: of the upper axis.
        cost_title: of the lower axis.
    """

    title: str
    score_title: str
    cost_title: str
    sparse: tuple[PPoint, ...]
    dense: PPoint | None


def measured_curve(record: Record[Sweep], evaluations: Sequence[Record[Evaluation]], metric: str) -> PCurve:
    """Return the curve of a sweep and its FE2E.

    Raises:
        ConfigError: an unknown metric.
        DataError: the record counted shares only.
    """
    if metric not in METRICS:
        raise ConfigError(f"--metric {metric!r} must be one of {', '.join(METRICS)}")
    name = record.provenance.checkpoint
    points = [_point(point, metric, name, point.top_p or 1.0) for point in record.data.points]
    reference = find_reference(record, evaluations)
    dense = None if reference is None else _point(reference[1], metric, reference[0], 1.0)
    title = f"{name}, {record.provenance.corpus.name}"
    return PCurve(title, f"{METRICS[metric]}, %", "GFLOPs per clip", tuple(p for p in points if p is not None), dense)


def _point(measured: SweepPoint | Evaluation, metric: str, name: str, top_p: float) -> PPoint | None:
    """Return a point; None where the metric is undefined. One operation per multiply-add, as the paper counts."""
    if not measured.macs:
        raise DataError(f"the sweep of {name} counted shares only; make it again for amounts")
    score = score_of(measured.average, metric)
    if score is None:
        return None
    interval = measured.interval.get(metric)
    low, high = (math.nan, math.nan) if interval is None else (interval.low, interval.high)
    return PPoint(top_p, score, low, high, measured.macs["conv_stack"] / 1e9)


def reported_curve(reported: Reported) -> PCurve:
    """Return the paper's own curve."""
    points = [PPoint(p, score, math.nan, math.nan, gflops) for p, score, gflops in reported]
    return PCurve("paper, IEMOCAP", "accuracy, %", "GFLOPs", tuple(points[:-1]), points[-1])


def figure_5_export(
    record: Record[Sweep],
    metric: str = "accuracy",
    evaluations: Sequence[Record[Evaluation]] = (),
    reported: Reported = (),
) -> FigureExport:
    """Build the figure of score and cost over top-p, MESM and FE2E, with the reported curve beside it.

    Args:
        evaluations: of FE2E, for a sweep that did not measure it itself.
        reported: `reproduction.reported.FIGURE_5`.
    """
    curve, data = measured_curve(record, evaluations, metric), record.data
    curves = [curve, *([reported_curve(reported)] if reported else [])]
    evaluation = reference_evaluation(record, evaluations)
    beside = (
        " Right: as reported by Dai et al. (2021), Figure 5, on IEMOCAP, read off to 0.2 points; another corpus, input and "
        "width, so only the shapes compare."
        if reported
        else ""
    )
    remarks = "".join(f" {line[0].upper()}{line[1:]}." for line in notes(data))
    return record_export(
        [record],
        "topp",
        "Score and cost over top-p (Figure 5)",
        f"{METRICS[metric].capitalize()} (top) and operations of convolutions and attention (bottom, one per multiply-add) "
        f"over top-p, {data.split} split, {counted(data.clips, 'clip')}; thresholds chosen at each p. "
        f"Lines: MESM; star: FE2E; bands "
        f"and bars: 95 % intervals over speakers.{beside}{remarks}",
        name=f"topp-{metric}",
        options=f" --metric {metric}",
        origin=origin_of(record, *([evaluation] if evaluation else []), cost_unit="one FLOP per multiply-add"),
        draw=partial(plot_figure_5, curves),
        table=_table(curves),
    )


def plot_figure_5(curves: Sequence[PCurve], width: float) -> Figure:
    """Draw the score above the cost for each source, beside each other on one scale of top-p."""
    figure = new_figure(width, 2.6 if width < 4.5 else 3.0)
    grid: Any = figure.subplots(2, len(curves), sharex=True, squeeze=False)
    for column, curve in enumerate(curves):
        upper, lower = grid[0, column], grid[1, column]
        colour = COLOURS[0] if column == 0 else FAINT
        for axes in (upper, lower):
            guide(axes, "both")
        x = [p.top_p for p in curve.sparse]
        upper.fill_between(
            x, [p.low for p in curve.sparse], [p.high for p in curve.sparse], color=colour, alpha=0.2, linewidth=0
        )
        upper.plot(x, [p.score for p in curve.sparse], color=colour, marker="o", markersize=2.6, label="MESM")
        lower.plot(x, [p.cost for p in curve.sparse], color=colour, marker="o", markersize=2.6)
        highest = max(p.cost for p in (*curve.sparse, *([curve.dense] if curve.dense else [])))
        if curve.dense is not None:
            _draw_dense(upper, lower, curve.dense)
        upper.set_title(curve.title, fontsize=6.5)
        upper.set_ylabel(curve.score_title, fontsize=7)
        lower.set_ylabel(curve.cost_title, fontsize=7)
        lower.set(xlabel="top-p", xlim=(0, 1.08), xticks=[0.2, 0.4, 0.6, 0.8, 1.0], ylim=(0, 1.12 * highest))
        for axes in (upper, lower):
            axes.tick_params(labelsize=6.5)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def _draw_dense(upper: Axes, lower: Axes, dense: PPoint) -> None:
    style: dict[str, Any] = {"color": INK, "marker": "*", "markersize": 7, "linestyle": "none", "zorder": 4}
    error = [[dense.score - dense.low], [dense.high - dense.score]]
    upper.errorbar([dense.top_p], [dense.score], yerr=error, capsize=2, elinewidth=0.8, label="FE2E", **style)
    lower.plot([dense.top_p], [dense.cost], **style)


def _table(curves: Sequence[PCurve]) -> Table:
    rows = [
        Row((model, p.top_p, p.score, p.low, p.high, p.cost), curve.title, ranked=False)
        for curve in curves
        for model, points in (("MESM", curve.sparse), ("FE2E", () if curve.dense is None else (curve.dense,)))
        for p in points
    ]
    return Table(
        ("model", "top-p", curves[0].score_title, "95 % from", "to", curves[0].cost_title), tuple(rows), digits=3
    )
