"""Build the figures of `mesm figure sweep`, `work` and `spread` with captions, tables and provenance."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mesm.estimate import counted
from mesm.figures.export import FigureExport, origin_of, record_export
from mesm.records.base import Record
from mesm.records.evaluation import Evaluation
from mesm.records.sweep import Sweep
from mesm.studies.sweep.chart_data import (
    METRICS,
    OPERATIONS,
    REPORTED,
    SweepView,
    clip_cost_chart,
    layers_chart,
    reference_evaluation,
    sweep_chart,
    time_sentence,
)
from mesm.studies.sweep.paper import plot_clip_cost, plot_layers, plot_sweep
from mesm.studies.sweep.tables import chart_table, clip_cost_table, layers_table, notes

UNIT_SENTENCES = {
    "share": "Cost: multiply-adds of convolutions and attention, as a share of those of FE2E of the same width.",
    "gmac": "Cost: multiply-adds (MAC) of convolutions and attention, without the text encoder.",
    "gflop": "Cost: two FLOP per multiply-add of convolutions and attention, without the text encoder.",
    "ms": "Cost: median time of one clip alone, without reading files and without the text encoder.",
    "top_p": "FE2E, which computes every site, stands at 1.",
}


def sweep_export(
    records: Sequence[Record[Sweep]],
    view: SweepView,
    evaluations: Sequence[Record[Evaluation]] = (),
    reported: Sequence[tuple[float, float, float]] = (),
) -> FigureExport:
    """Build the figure of scores over cost, a point per top-p."""
    chart = sweep_chart(records, view, evaluations, reported)
    metric = METRICS[view.metric][:1].upper() + METRICS[view.metric][1:]
    title = f"{metric} over top-p" if view.axis == "top_p" else f"{metric} over cost, a point per top-p"
    caption = (
        f"{title}. Bands: 95 % intervals over speakers. Star: FE2E. Ring: elbow, the point furthest above the chord of "
        f"{METRICS[view.metric]} over multiply-adds. {UNIT_SENTENCES[view.axis]}"
    )
    if view.axis == "ms":
        caption += "".join(f" {line}" for record in records if (line := time_sentence(record)) is not None)
    caption += "".join(f" {line[0].upper()}{line[1:]}." for record in records for line in notes(record.data))
    if any(line.kind == REPORTED for line in chart.lines):
        caption += " Grey: the curve reported in the paper, on another corpus, as shares of its FE2E."
    options = f" --metric {view.metric} --axis {view.axis}{' --relative' * view.relative}{' --log' * view.log}"
    references = [evaluation for record in records if (evaluation := reference_evaluation(record, evaluations))]
    return record_export(
        records,
        "sweep",
        title,
        caption,
        name=f"sweep-{view.metric}-{view.axis}",
        options=options,
        origin=origin_of(*records, *references, cost_unit=UNIT_SENTENCES[view.axis]),
        draw=partial(plot_sweep, chart),
        table=chart_table(chart),
        cites=("satopaa-etal-2011",),
    )


def layers_export(record: Record[Sweep], unit: str = "gmac") -> FigureExport:
    """Build the figure of the cost by layer and modality."""
    chart = layers_chart(record, unit)
    words = "GMAC" if unit == "gmac" else "GFLOP, two per multiply-add"
    return record_export(
        [record],
        "work",
        "Cost by layer",
        f"Mean cost per clip ({words}) of each part of {record.provenance.checkpoint} at each top-p. "
        "Plain bars: face; hatched: voice. Without the text encoder, whose cost does not depend on top-p.",
        name=f"work-{unit}",
        options=f" --axis {unit}",
        origin=origin_of(record, cost_unit=f"{OPERATIONS[unit]} per multiply-add"),
        draw=partial(plot_layers, chart),
        table=layers_table(record, unit),
    )


def clip_cost_export(record: Record[Sweep]) -> FigureExport:
    """Build the figure of the cost of every clip."""
    chart = clip_cost_chart(record)
    return record_export(
        [record],
        "spread",
        "Cost of each clip",
        f"Multiply-adds of each of {counted(record.data.clips, 'clip')} as a share of FE2E's, at each top-p. Boxes: the middle "
        "half of the clips; whiskers: 95 %; line: the median.",
        origin=origin_of(record, cost_unit=UNIT_SENTENCES["share"]),
        draw=partial(plot_clip_cost, chart),
        table=clip_cost_table(record),
    )
