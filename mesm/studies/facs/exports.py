"""Build the FACS exports: agreement with a codebook, average faces, controls, targets, the paper's statements."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from mesm.estimate import counted
from mesm.figures.export import FigureExport, origin_of, record_export
from mesm.records.base import Record
from mesm.records.canonical import CanonicalFaces
from mesm.records.facs import Codebook, FacsStudy
from mesm.records.supervision import supervision_text
from mesm.studies.facs import tables
from mesm.studies.facs.chart_data import (
    CHANCE,
    KIND_WORDS,
    MAP_WORDS,
    OTHERS,
    Control,
    HeatMap,
    face_grid,
    heat_map,
    layer_series,
)
from mesm.studies.facs.paper import plot_faces, plot_heat_map, plot_layers
from mesm.studies.facs.statements import Statement

_CITES = ("ekman-friesen-1978", "barrett-etal-2019")


def heat_map_export(
    record: Record[FacsStudy],
    codebook: Codebook,
    layer: int,
    map_name: str = "checkpoint",
    kind: str = "kept",
    against: str = CHANCE,
) -> FigureExport:
    """Return the heat map emotion x region of one of the record's maps, over chance or minus the other emotions.

    Args:
        layer: from 0.
        against: a key of `AGAINST`.
    """
    study = record.data
    heat = heat_map(study, layer, codebook, map_name=map_name, kind=kind, against=against)
    notes = " ".join(tables.supervision_notes(study, map_name))
    return record_export(
        [record],
        "facs",
        f"Agreement with {codebook.title}, layer {layer + 1}",
        f"{heat_map_caption(study, heat, codebook, layer, map_name, kind)} {notes}",
        name=f"facs-{codebook.name}-L{layer + 1}-{map_name}-{kind}{'-own' * (against == OTHERS)}",
        options=f" --codebook {codebook.name} --layer {layer + 1} --map {map_name} --of {kind}"
        + f" --against {against}" * (against != CHANCE),
        origin=origin_of(
            record, layer=layer + 1, codebook=f"{codebook.title}: {codebook.citation}", attention_supervision=notes
        ),
        draw=partial(plot_heat_map, heat),
        table=tables.heat_map_table(heat),
        cites=_CITES,
    )


def heat_map_caption(study: FacsStudy, heat: HeatMap, codebook: Codebook, layer: int, map_name: str, kind: str) -> str:
    """Return the caption of a heat map, for the page and for paper."""
    minus = ", minus the mean lift of the other emotions on it" if heat.against == OTHERS else ""
    return (
        f"Lift of {KIND_WORDS[kind]} ({MAP_WORDS[map_name]}) on each region over the region's share of the crop, layer "
        f"{layer + 1}, in faces that show the emotion{minus}; {heat.reading} Framed: listed by {codebook.title}. "
        f"{tables.counts_line(study)}"
    )


def baselines_export(
    record: Record[FacsStudy], codebook: Codebook, map_name: str = "checkpoint", kind: str = "kept"
) -> FigureExport:
    """Return the lift on the codebook's units beside the two baselines: shuffled labels and centre bias."""
    study = record.data
    notes = " ".join(tables.supervision_notes(study, map_name))
    return record_export(
        [record],
        "baselines",
        f"Lift on the units of {codebook.title}, beside two baselines",
        f"Lift of {KIND_WORDS[kind]} ({MAP_WORDS[map_name]}) on the regions that {codebook.title} lists for the emotion, in "
        "faces that show it, layer after layer. Shuffled: the same with the emotions shuffled over clips. Centre bias: lift "
        "of the mean map of the other clips. * differs from chance, + exceeds shuffled labels (false-discovery rate 5 %). "
        f"{tables.counts_line(study)} {notes}",
        name=f"baselines-{codebook.name}-{map_name}-{kind}",
        options=f" --codebook {codebook.name} --map {map_name} --of {kind}",
        origin=origin_of(record, codebook=f"{codebook.title}: {codebook.citation}", attention_supervision=notes),
        table=tables.codebook_table(study, map_name, kind, codebook.name),
        cites=_CITES,
    )


def faces_export(record: Record[CanonicalFaces], view: str = "kept", layer: int | None = None) -> FigureExport:
    """Return the average faces: a row per layer, a column per emotion; no participant is shown.

    Args:
        layer: from 0, to have it alone; None for all.
    """
    faces = record.data
    grid = face_grid(faces, view, None if layer is None else [layer])
    alone = "" if layer is None else f", layer {layer + 1}"
    reading = " Faded where the difference is not significant; blue is less, orange more." if grid.signed else ""
    return record_export(
        [record],
        "faces",
        f"On the average face: {grid.words}{alone}",
        f"{grid.words.capitalize()}{alone}, on one template face, each speaker once.{reading} "
        f"{counted(faces.frames, 'face')} of {counted(faces.speakers, 'speaker')}.{supervision_text(faces.supervision)}",
        name=f"faces-{view}" + ("" if layer is None else f"-L{layer + 1}"),
        options=f" --view {view}" + ("" if layer is None else f" --layer {layer + 1}"),
        origin=origin_of(record, layers=[int(name[1:]) for name in grid.layers]),
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
        f"{tables.counts_line(record.data)}{supervision_text(record.data.supervision)}",
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
        "Targets that were set before training, and the measured values with 95 % intervals, layer after layer."
        + supervision_text(record.data.supervision),
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
        "layer with its 95 % interval over speakers, a verdict by a fixed rule (not specific: attended, but no more than on "
        "the faces of other emotions), and the verdict of re-initialised attention under the same rule."
        + supervision_text(next((record.data.supervision for record in records), None)),
        origin=origin_of(*records),
        table=table,
        cites=_CITES,
    )
