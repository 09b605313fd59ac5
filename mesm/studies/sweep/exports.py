"""Sweeps as exhibits: the frontier, where the work goes, how it differs between utterances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mesm.figures.bibliography import PAPER, corpus_cites
from mesm.figures.export import Exhibit, origin_of
from mesm.files import slug
from mesm.studies.sweep.chart_data import (
    METRICS,
    REPORTED,
    UNITS,
    View,
    bands_of,
    frontier_table,
    layers_of,
    layers_table,
    read_curves,
    spread_of,
    spread_table,
)
from mesm.studies.sweep.paper import plot_frontier, plot_layers, plot_spread

Record = Mapping[str, Any]
UNIT_SENTENCES = {
    "share": "Work counts multiply-adds of convolutions and attention, as a share of what FE2E of the same width needs.",
    "gmac": "Work counts multiply-adds (MAC) of convolutions and attention; the text encoder is left out.",
    "gflop": "Work counts two FLOP per multiply-add of convolutions and attention; the text encoder is left out.",
    "ms": "Time is measured, without reading files and without the text encoder.",
}


def frontier(
    records: Sequence[Record],
    view: View,
    dense: Mapping[str, Record] | None = None,
    reported: Sequence[tuple[float, float, float]] = (),
) -> Exhibit:
    """What is gained against what it costs, over top-p."""
    curves = read_curves(records, view, dense, reported)
    caption = (
        f"{METRICS[view.metric].capitalize()} against work over top-p, with 95 % intervals over speakers; "
        f"the star is FE2E, the ring the elbow. {UNIT_SENTENCES[view.axis]}"
    )
    if any(curve.kind == REPORTED for curve in curves):
        caption += " Grey: the curve that the paper reports, on another corpus, as shares of its FE2E."
    options = f"--metric {view.metric} --axis {view.axis}{' --relative' * view.relative}{' --log' * view.log}"
    corpora = dict.fromkeys(record["provenance"]["corpus"] for record in records)
    used = [dense[c] for c in corpora if dense and c in dense]
    return Exhibit(
        name=f"sweep-{view.metric}-{view.axis}-{_names(records)}",
        title=f"{METRICS[view.metric].capitalize()} against work over top-p",
        caption=caption,
        command=f"mesm figure sweep {_targets(records)} {options}",
        origin=origin_of(*records, *used, cost_unit=UNIT_SENTENCES[view.axis]),
        draw=lambda width: plot_frontier(curves, view, width),
        table=frontier_table(curves, view),
        cites=(PAPER, "satopaa-etal-2011", *(key for corpus in corpora for key in corpus_cites(corpus))),
    )


def layers(record: Record, unit: str = "gmac") -> Exhibit:
    """Where the work goes: layer by layer, modality by modality."""
    top_ps, found = layers_of(record, unit)
    bands = bands_of(found)
    word = "GMAC" if unit == "gmac" else "GFLOP, two per multiply-add"
    return Exhibit(
        name=f"work-{unit}-{_names([record])}",
        title="Where the work goes",
        caption=(
            f"Mean work per clip ({word}) of each part of {record['provenance']['checkpoint']} over top-p. "
            "Plain bars: face; hatched: voice. The text encoder, the same for every top-p, is left out."
        ),
        command=f"mesm figure work {_targets([record])} --axis {unit}",
        origin=origin_of(record, cost_unit=f"{UNITS[unit]} per multiply-add"),
        draw=lambda width: plot_layers(top_ps, bands, unit, width),
        table=layers_table(record, unit),
    )


def spread(record: Record) -> Exhibit:
    """How the work differs from utterance to utterance."""
    shares = spread_of(record)
    return Exhibit(
        name=f"spread-{_names([record])}",
        title="Work of each utterance",
        caption=(
            f"Work of each of {len(shares[0][1])} utterances as a share of FE2E's, over top-p. Boxes: the middle half; "
            "whiskers: 95 %; line: the median."
        ),
        command=f"mesm figure spread {_targets([record])}",
        origin=origin_of(record, cost_unit=UNIT_SENTENCES["share"]),
        draw=lambda width: plot_spread(shares, width),
        table=spread_table(record),
    )


def _names(records: Sequence[Record]) -> str:
    return "-".join(dict.fromkeys(slug(r["provenance"][k]) for r in records for k in ("checkpoint", "corpus")))


def _targets(records: Sequence[Record]) -> str:
    """Checkpoints and corpora as the command line takes them."""
    found = dict.fromkeys(f"{r['provenance']['checkpoint']}@{r['provenance']['corpus']}" for r in records)
    return " ".join(found)
