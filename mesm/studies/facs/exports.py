"""Build the FACS exports: agreement with a codebook, average faces, controls, targets, the paper's statements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mesm.figures.bibliography import PAPER, corpus_cites
from mesm.figures.export import FigureExport, origin_of
from mesm.files import slug
from mesm.records.base import Record
from mesm.records.canonical import CanonicalFaces
from mesm.records.facs import Codebook, FacsStudy
from mesm.studies.facs import tables
from mesm.studies.facs.chart_data import KIND_WORDS, MAP_WORDS, Control, face_grid, heat_map, layer_series
from mesm.studies.facs.paper import plot_faces, plot_heat_map, plot_layers, plot_statements
from mesm.studies.facs.statements import Statement

CITES = (PAPER, "ekman-friesen-1978", "barrett-etal-2019")


def heat_map_export(
    record: Record[FacsStudy], codebook: Codebook, layer: int, map_name: str = "checkpoint", kind: str = "kept"
) -> FigureExport:
    """Return the heat map emotion x region of lift over chance.

    Args:
        layer: from 0.
        map_name: one of the record's maps.
        kind: "kept" or "attention".
    """
    study = record.data
    heat = heat_map(study, layer, codebook, map_name=map_name, kind=kind)
    return FigureExport(
        name=f"facs-{slug(codebook.name)}-L{layer + 1}-{map_name}-{kind}-{_names(record)}",
        title=f"Agreement with {codebook.title}, layer {layer + 1}",
        caption=(
            f"Lift of {KIND_WORDS[kind]} ({MAP_WORDS[map_name]}) on each region over the region's share of the crop, layer "
            f"{layer + 1}, in faces that show the emotion; 1 is chance. Hatched: does not differ from chance "
            f"(false-discovery rate 5 %). Framed: listed by {codebook.title}. {tables.counts_line(study)}"
        ),
        command=(
            f"mesm figure facs {_target(record)} --codebook {codebook.name} --layer {layer + 1} --map {map_name} --of {kind}"
        ),
        origin=origin_of(record, layer=layer + 1, codebook=f"{codebook.title}: {codebook.citation}"),
        draw=lambda width: plot_heat_map(heat, width),
        table=tables.heat_map_table(heat),
        cites=_cites(record),
    )


def faces_export(record: Record[CanonicalFaces], view: str = "kept") -> FigureExport:
    """Return the average faces: a row per layer, a column per emotion; no participant is shown."""
    faces = record.data
    grid = face_grid(faces, view)
    reading = "Faded where the difference is not significant; blue is less, orange more." if grid.signed else ""
    return FigureExport(
        name=f"faces-{slug(view)}-{_names(record)}",
        title=f"On the average face: {grid.words}",
        caption=(
            f"{grid.words.capitalize()}, on one template face, each speaker once. {reading} "
            f"{faces.frames} faces of {faces.speakers} speakers."
        ),
        command=f"mesm figure faces {_target(record)} --view {view}",
        origin=origin_of(record, layers=_layers(faces.layers)),
        draw=lambda width: plot_faces(grid, width),
        cites=_cites(record),
    )


def controls_export(record: Record[FacsStudy], control: Control) -> FigureExport:
    """Return the checkpoint beside untrained attention, layer after layer."""
    series = layer_series(record.data, control)
    return FigureExport(
        name=f"facs-{control}-{_names(record)}",
        title=f"{series.title}, against untrained attention",
        caption=(
            f"{series.axis.capitalize()} of kept sites per layer, 95 % intervals over speakers; 1 is chance. Controls: "
            f"re-initialised attention, with the checkpoint's gate and with the paper's hard gate. "
            f"{tables.counts_line(record.data)}"
        ),
        command=f"mesm figure controls {_target(record)} --what {control}",
        origin=origin_of(record, layers=_layers(record.data.layers)),
        draw=lambda width: plot_layers(series, width),
        table=tables.series_table(series),
        cites=_cites(record),
    )


def targets_export(record: Record[FacsStudy]) -> FigureExport:
    """Return the targets of the attention with what was measured."""
    return FigureExport(
        name=f"targets-{_names(record)}",
        title="Targets of this attention",
        caption="Targets that were set before training, and the measured values with 95 % intervals, layer after layer.",
        command=f"mesm figure faithfulness {_target(record)} --what targets",
        origin=origin_of(record),
        table=tables.targets_table(record.data),
        cites=(PAPER, *corpus_cites(record.provenance.corpus.name)),
    )


def statements_export(records: Sequence[Record[Any]], statements: Sequence[Statement], layers: int) -> FigureExport:
    """Return the paper's statements with their verdicts.

    Args:
        records: those that were measured, at least one.
        layers: number of attention layers.
    """
    table = tables.statement_table(statements, layers)
    return FigureExport(
        name=f"statements-{_names(records[0])}",
        title="The paper's statements about its attention",
        caption=(
            "Statements of Dai et al. (2021), section 6.2; lift of kept sites over the region's share of the crop in each "
            "layer with its 95 % interval over speakers, a verdict by a fixed rule, and the verdict of re-initialised "
            "attention under the same rule."
        ),
        command=f"mesm figure statements {_target(records[0])}",
        origin=origin_of(*records),
        draw=lambda width: plot_statements(table, width),
        table=table,
        cites=_cites(records[0]),
    )


def _layers(count: int) -> list[int]:
    return list(range(1, count + 1))


def _cites(record: Record[Any]) -> tuple[str, ...]:
    return (*CITES, *corpus_cites(record.provenance.corpus.name))


def _target(record: Record[Any]) -> str:
    return record.provenance.source


def _names(record: Record[Any]) -> str:
    return f"{slug(record.provenance.checkpoint)}-{slug(record.provenance.corpus.name)}"
