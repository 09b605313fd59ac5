"""FACS as exhibits: agreement with a codebook, average faces, controls, the paper's statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mesm.figures.bibliography import PAPER, corpus_cites
from mesm.figures.export import Exhibit, origin_of
from mesm.figures.tables import Row, Table
from mesm.files import slug
from mesm.studies.facs.chart_data import (
    LOOK_WORDS,
    MAP_WORDS,
    canonical_faces,
    colour_range,
    control_series,
    heat_cells,
    is_difference,
    own_other_series,
    view_words,
)
from mesm.studies.facs.paper import plot_canonical, plot_heat_map, plot_layers, plot_statements, statement_lines

Record = Mapping[str, Any]
CITES = (PAPER, "ekman-friesen-1978", "barrett-etal-2019")
#: What `controls` can show -> title of its axis.
CONTROLS: dict[str, str] = {"active": "lift over chance", "own": "own over others"}


def heat_map(record: Record, book: Any, layer: int, whose: str = "checkpoint", look: str = "kept") -> Exhibit:
    """Emotion x region: lift over chance.

    Args:
        book: `analysis.facs.codebooks.Codebook`.
        layer: from 0.
        whose: one of the record's maps.
        look: "kept" or "attention".
    """
    data = record["data"]
    cells = heat_cells(data, layer, map_name=whose, look=look, units=book.units)
    rows = tuple(
        Row((c.emotion, c.region, c.lift, c.low, c.high, c.q, "listed" if c.marked else ""))
        for row in cells
        for c in row
    )
    return Exhibit(
        name=f"facs-{slug(book.name)}-L{layer + 1}-{whose}-{look}-{_names(record)}",
        title=f"Agreement with {book.title}, layer {layer + 1}",
        caption=(
            f"Lift of {LOOK_WORDS[look]} ({MAP_WORDS[whose]}) on each region over the region's share of the crop, layer "
            f"{layer + 1}, in faces that show the emotion; 1 is chance. Hatched: does not differ from chance "
            f"(false-discovery rate 5 %). Framed: listed by {book.title}. {_counts(data)}"
        ),
        command=f"mesm figure facs {_target(record)} --codebook {book.name} --layer {layer + 1} --map {whose} --of {look}",
        origin=origin_of(record, layer=layer + 1, codebook=f"{book.title}: {book.citation}"),
        draw=lambda width: plot_heat_map(cells, width),
        table=Table(("emotion", "region", "lift", "95 % from", "to", "q", "codebook"), rows, digits=3),
        cites=(*CITES, *corpus_cites(_corpus(record))),
    )


def canonical(record: Record, view: str = "kept") -> Exhibit:
    """Average faces: a row per layer, a column per emotion; no participant is shown."""
    data = record["data"]
    layers = [canonical_faces(data, layer, view) for layer in range(3)]
    values = colour_range([face for faces in layers for face in faces], view)
    reading = "Faded where the difference is not significant; blue is less, orange more." if is_difference(view) else ""
    return Exhibit(
        name=f"faces-{slug(view)}-{_names(record)}",
        title=f"On the average face: {view_words(data)[view]}",
        caption=(
            f"{view_words(data)[view].capitalize()}, on one template face, each speaker once. {reading} "
            f"{data['frames']} faces of {data['speakers']} speakers."
        ),
        command=f"mesm figure faces {_target(record)} --view {view}",
        origin=origin_of(record, layers=[1, 2, 3]),
        draw=lambda width: plot_canonical(data, layers, view, values, width),
        cites=(*CITES, *corpus_cites(_corpus(record))),
    )


def controls(record: Record, which: str) -> Exhibit:
    """The checkpoint beside attention that learnt nothing, layer after layer.

    Args:
        which: one of `CONTROLS`.
    """
    data, axis = record["data"], CONTROLS[which]
    series = control_series(data) if which == "active" else own_other_series(data)
    rows = tuple(
        Row((name, f"L{i + 1}", e["value"], e["low"], e["high"]))
        for name, found in series.items()
        for i, e in enumerate(found)
    )
    title = "Truly active units" if which == "active" else "Own emotion against others"
    return Exhibit(
        name=f"facs-{which}-{_names(record)}",
        title=f"{title}, beside attention that learnt nothing",
        caption=f"{axis.capitalize()} of kept sites per layer, 95 % intervals over speakers; 1 is chance. {_counts(data)}",
        command=f"mesm figure controls {_target(record)} --what {which}",
        origin=origin_of(record, layers=[1, 2, 3]),
        draw=lambda width: plot_layers(series, axis, width),
        table=Table(("attention", "layer", axis, "95 % from", "to"), rows, digits=3),
        cites=(*CITES, *corpus_cites(_corpus(record))),
    )


def statements(records: Sequence[Record], table: Sequence[Mapping[str, Any]]) -> Exhibit:
    """The paper's statements with their verdicts.

    Args:
        records: those that were measured, at least one.
        table: `analysis.statements.statements` of their data.
    """
    columns = ("about", "statement", "region", "L1 / L2 / L3", "verdict", "control")
    return Exhibit(
        name=f"statements-{_names(records[0])}",
        title="What the paper says it looks at",
        caption=(
            "Statements of Dai et al. (2021), section 6.2; lift of kept sites over the region's share of the crop in each "
            "layer with its 95 % interval over speakers, a verdict by rule, and the verdict of attention drawn anew."
        ),
        command=f"mesm figure statements {_target(records[0])}",
        origin=origin_of(*records),
        draw=lambda width: plot_statements(table, width),
        table=Table(columns, tuple(Row(line) for line in statement_lines(table))),
        cites=(*CITES, *corpus_cites(_corpus(records[0]))),
    )


def _counts(data: Mapping[str, Any]) -> str:
    counts = data["counts"]
    return (
        f"{counts['frames_used']} faces of {counts['speakers']} speakers, p = {data['top_p']:g}; "
        f"{counts.get('frames_without_face', 0)} frames without a face left out."
    )


def _corpus(record: Record) -> str:
    return str(record["provenance"]["corpus"])


def _target(record: Record) -> str:
    return f"{record['provenance']['checkpoint']}@{_corpus(record)}"


def _names(record: Record) -> str:
    return f"{slug(record['provenance']['checkpoint'])}-{slug(_corpus(record))}"
