"""Build the FACS exports: agreement with a codebook, average faces, controls, targets, the paper's statements."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from mesm.figures.export import FigureExport, origin_of, record_export
from mesm.records.base import Record
from mesm.records.canonical import CanonicalFaces
from mesm.records.facs import Codebook, FacsStudy
from mesm.studies.facs import tables
from mesm.studies.facs.chart_data import KIND_WORDS, MAP_WORDS, Control, face_grid, heat_map, layer_series
from mesm.studies.facs.paper import plot_faces, plot_heat_map, plot_layers
from mesm.studies.facs.statements import Statement

_CITES = ("ekman-friesen-1978", "barrett-etal-2019")


def heat_map_export(
    record: Record[FacsStudy], codebook: Codebook, layer: int, map_name: str = "checkpoint", kind: str = "kept"
) -> FigureExport:
    """Return the heat map emotion x region of the lift over chance of one of the record's maps; `layer` counts from 0."""
    study = record.data
    heat = heat_map(study, layer, codebook, map_name=map_name, kind=kind)
    return record_export(
        [record],
        "facs",
        f"Agreement with {codebook.title}, layer {layer + 1}",
        f"Lift of {KIND_WORDS[kind]} ({MAP_WORDS[map_name]}) on each region over the region's share of the crop, layer "
        f"{layer + 1}, in faces that show the emotion; 1 is chance. Hatched: does not differ from chance "
        f"(false-discovery rate 5 %). Framed: listed by {codebook.title}. {tables.counts_line(study)}",
        name=f"facs-{codebook.name}-L{layer + 1}-{map_name}-{kind}",
        options=f" --codebook {codebook.name} --layer {layer + 1} --map {map_name} --of {kind}",
        origin=origin_of(record, layer=layer + 1, codebook=f"{codebook.title}: {codebook.citation}"),
        draw=partial(plot_heat_map, heat),
        table=tables.heat_map_table(heat),
        cites=_CITES,
    )


def faces_export(record: Record[CanonicalFaces], view: str = "kept") -> FigureExport:
    """Return the average faces: a row per layer, a column per emotion; no participant is shown."""
    faces = record.data
    grid = face_grid(faces, view)
    reading = " Faded where the difference is not significant; blue is less, orange more." if grid.signed else ""
    return record_export(
        [record],
        "faces",
        f"On the average face: {grid.words}",
        f"{grid.words.capitalize()}, on one template face, each speaker once.{reading} "
        f"{faces.frames} faces of {faces.speakers} speakers.",
        name=f"faces-{view}",
        options=f" --view {view}",
        origin=origin_of(record, layers=[*range(1, faces.layers + 1)]),
        draw=partial(plot_faces, grid),
        cites=_CITES,
    )


def controls_export(record: Record[FacsStudy], control: Control) -> FigureExport:
    """Return the checkpoint beside untrained attention, layer after layer."""
    series = layer_series(record.data, control)
    return record_export(
        [record],
        "controls",
        f"{series.title}, against untrained attention",
        f"{series.axis.capitalize()} of kept sites per layer, 95 % intervals over speakers; 1 is chance. Controls: "
        f"re-initialised attention, with the checkpoint's gate and with the paper's hard gate. "
        f"{tables.counts_line(record.data)}",
        name=f"facs-{control}",
        options=f" --what {control}",
        origin=origin_of(record, layers=[*range(1, record.data.layers + 1)]),
        draw=partial(plot_layers, series),
        table=tables.series_table(series),
        cites=_CITES,
    )


def targets_export(record: Record[FacsStudy]) -> FigureExport:
    """Return the targets of the attention with what was measured."""
    return record_export(
        [record],
        "faithfulness",
        "Targets of this attention",
        "Targets that were set before training, and the measured values with 95 % intervals, layer after layer.",
        name="targets",
        options=" --what targets",
        table=tables.targets_table(record.data),
    )


def statements_export(records: Sequence[Record[Any]], statements: Sequence[Statement], layers: int) -> FigureExport:
    """Return the paper's statements with their verdicts."""
    table = tables.statement_table(statements, layers)
    return record_export(
        records[:1],
        "statements",
        "The paper's statements about its attention",
        "Statements of Dai et al. (2021), section 6.2; lift of kept sites over the region's share of the crop in each "
        "layer with its 95 % interval over speakers, a verdict by a fixed rule, and the verdict of re-initialised "
        "attention under the same rule.",
        origin=origin_of(*records),
        table=table,
        cites=_CITES,
    )
