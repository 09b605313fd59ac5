"""Build the figures of `mesm figure sweep`, `work` and `spread` with captions, tables and provenance."""

from __future__ import annotations

from collections.abc import Sequence

from mesm.figures.bibliography import PAPER, corpus_cites
from mesm.figures.export import FigureExport, origin_of
from mesm.files import slug
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
)
from mesm.studies.sweep.paper import plot_clip_cost, plot_layers, plot_sweep
from mesm.studies.sweep.tables import chart_table, clip_cost_table, layers_table

UNIT_SENTENCES = {
    "share": "Cost: multiply-adds of convolutions and attention, as a share of those of FE2E of the same width.",
    "gmac": "Cost: multiply-adds (MAC) of convolutions and attention, without the text encoder.",
    "gflop": "Cost: two FLOP per multiply-add of convolutions and attention, without the text encoder.",
    "ms": "Cost: measured time, without reading files and without the text encoder.",
}


def sweep_export(
    records: Sequence[Record[Sweep]],
    view: SweepView,
    evaluations: Sequence[Record[Evaluation]] = (),
    reported: Sequence[tuple[float, float, float]] = (),
) -> FigureExport:
    """Build the figure of scores over cost, a point per top-p."""
    chart = sweep_chart(records, view, evaluations, reported)
    metric = METRICS[view.metric].capitalize()
    caption = (
        f"{metric} over cost, a point per top-p. Bands: 95 % intervals over speakers. Star: FE2E. Ring: elbow, the point "
        f"furthest above the chord of WAcc over cost. {UNIT_SENTENCES[view.axis]}"
    )
    if any(line.kind == REPORTED for line in chart.lines):
        caption += " Grey: the curve reported in the paper, on another corpus, as shares of its FE2E."
    options = f"--metric {view.metric} --axis {view.axis}{' --relative' * view.relative}{' --log' * view.log}"
    corpora = dict.fromkeys(record.provenance.corpus.name for record in records)
    references = [evaluation for record in records if (evaluation := reference_evaluation(record, evaluations))]
    return FigureExport(
        name=f"sweep-{view.metric}-{view.axis}-{_names(records)}",
        title=f"{metric} over cost, a point per top-p",
        caption=caption,
        command=f"mesm figure sweep {_targets(records)} {options}",
        origin=origin_of(*records, *references, cost_unit=UNIT_SENTENCES[view.axis]),
        draw=lambda width: plot_sweep(chart, width),
        table=chart_table(chart),
        cites=(PAPER, "satopaa-etal-2011", *(key for corpus in corpora for key in corpus_cites(corpus))),
    )


def layers_export(record: Record[Sweep], unit: str = "gmac") -> FigureExport:
    """Build the figure of the cost by layer and modality."""
    chart = layers_chart(record, unit)
    words = "GMAC" if unit == "gmac" else "GFLOP, two per multiply-add"
    return FigureExport(
        name=f"work-{unit}-{_names([record])}",
        title="Cost by layer",
        caption=(
            f"Mean cost per clip ({words}) of each part of {record.provenance.checkpoint} at each top-p. "
            "Plain bars: face; hatched: voice. Without the text encoder, whose cost does not depend on top-p."
        ),
        command=f"mesm figure work {_targets([record])} --axis {unit}",
        origin=origin_of(record, cost_unit=f"{OPERATIONS[unit]} per multiply-add"),
        draw=lambda width: plot_layers(chart, width),
        table=layers_table(record, unit),
    )


def clip_cost_export(record: Record[Sweep]) -> FigureExport:
    """Build the figure of the cost of every clip."""
    chart = clip_cost_chart(record)
    return FigureExport(
        name=f"spread-{_names([record])}",
        title="Cost of each clip",
        caption=(
            f"Multiply-adds of each of {record.data.clips} clips as a share of FE2E's, at each top-p. Boxes: the middle "
            "half of the clips; whiskers: 95 %; line: the median."
        ),
        command=f"mesm figure spread {_targets([record])}",
        origin=origin_of(record, cost_unit=UNIT_SENTENCES["share"]),
        draw=lambda width: plot_clip_cost(chart, width),
        table=clip_cost_table(record),
    )


def _names(records: Sequence[Record[Sweep]]) -> str:
    parts = (part for r in records for part in (r.provenance.checkpoint, r.provenance.corpus.name))
    return "-".join(dict.fromkeys(map(slug, parts)))


def _targets(records: Sequence[Record[Sweep]]) -> str:
    """Return checkpoints and corpora as the command line takes them."""
    return " ".join(dict.fromkeys(record.provenance.source for record in records))
