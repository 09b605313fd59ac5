"""FACS figures draw the records' numbers, the same for paper and screen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesm.figures.page import paper_style
from mesm.figures.table_picture import plot_table
from mesm.records.base import Record
from mesm.records.canonical import pack, unpack, unpack_mask
from mesm.records.facs import Codebook
from mesm.studies.facs import exports, tables
from mesm.studies.facs.chart_data import face_grid, heat_map, layer_series, view_words
from mesm.studies.facs.codebooks import CODEBOOKS
from mesm.studies.facs.paper import plot_faces, plot_heat_map, plot_layers
from mesm.studies.facs.screen import chart_faces, chart_heat_map, chart_layers
from mesm.studies.facs.statements import statements
from tests.figures.facs_records_made import (
    GROUPS,
    LABELS,
    canonical_faces,
    facs_study,
    record_of,
    without_active_units,
)

BOOK = Codebook("test", "Test", {"happiness": (6, 12), "anger": (4,)}, "nobody")
EMPTY = Codebook("empty", "Empty", {}, "nobody")


def test_cells_hold_the_measurement_and_the_codebook() -> None:
    heat = heat_map(facs_study(), 1, BOOK)
    assert heat.emotions == list(LABELS) and heat.regions == list(GROUPS)
    listed = {(c.emotion, c.region) for row in heat.rows for c in row if c.listed}
    assert listed == {("happiness", "AU 12/15"), ("anger", "AU 4")}
    happiness = heat.rows[LABELS.index("happiness")][0]
    assert happiness.lift == 2.0 and happiness.significant and happiness.shade == pytest.approx(0.5)
    assert happiness.hover == "happiness, AU 1 (inner brow raiser): 2.00 (1.90 to 2.10), q = 0.001"
    fear = heat.rows[LABELS.index("fear")][0]
    assert fear.lift is None and fear.shade is None and not fear.significant and "not measured" in fear.hover


@pytest.mark.parametrize("dark", [False, True])
def test_the_heat_map_hatches_only_what_is_not_significant(dark: bool) -> None:
    study = facs_study()
    chart = chart_heat_map(heat_map(study, 0, BOOK), dark)
    fear = LABELS.index("fear")
    strokes = [y for y in chart.data[1].y if y is not None]
    assert strokes and all(abs(y - fear) < 0.5 for y in strokes)
    bar = chart.data[0].colorbar
    assert bar.title.text == "lift" and bar.ticktext == ("0.25×", "0.5×", "chance", "2×", "4×")
    assert chart.layout.xaxis.title.text == "action units" and "12/15<br>lip<br>corner" in chart.layout.xaxis.ticktext
    assert len(chart.layout.shapes) == 2 and chart.data[0].z[0][0] > 0 and chart.data[0].z[fear][0] is None
    everywhere = chart_heat_map(heat_map(study, 0, EMPTY, map_name="random"), dark)
    assert len([x for x in everywhere.data[1].x if x is None]) == 3 * len(LABELS) * len(GROUPS)


def test_maps_are_unpacked_as_they_were_packed() -> None:
    values = np.array([[0.25, np.nan], [-1.5, 0.0]])
    assert np.array_equal(unpack(pack(values)), values, equal_nan=True)
    assert unpack_mask(("01", "10")).tolist() == [[False, True], [True, False]]


def test_a_difference_is_faint_where_it_is_not_significant() -> None:
    faces = canonical_faces()
    grid = face_grid(faces, "others", [0])
    assert (grid.low, grid.high) == (-0.25, 0.25) and grid.layers == ("L1",) and grid.signed
    chart = chart_faces(grid)
    assert chart.layout.coloraxis.colorbar.title.text == "difference of the shares"
    heats = [t for t in chart.data if t.type == "heatmap"]
    assert len(heats) == 2 * len(LABELS) and heats[0].opacity == 0.25
    strong = np.array(heats[1].z, float)
    assert np.isfinite(strong).sum() == 1 and strong[1, 0] == 0.25
    assert chart.layout.yaxis.range == (1.75, -1.05)  # y runs down
    assert "too few" in face_grid(faces, "wrong").rows[0][0].title
    words = view_words(faces)
    assert set(words) == {"kept", "attention", "others", "wrong", "random"}
    assert words["random"] == "kept sites: minus re-initialised attention"


def test_a_grid_has_the_layers_of_the_record_in_order() -> None:
    faces = canonical_faces()
    one = faces.maps["checkpoint"].kept["anger"][0]
    rows = tuple(tuple(row.replace("50", str(10 * (k + 1))) for row in one) for k in range(2))
    kept = dict.fromkeys(faces.maps["checkpoint"].kept, rows)
    maps = {"checkpoint": replace(faces.maps["checkpoint"], kept=kept)}
    grid = face_grid(replace(faces, layers=2, maps=maps), "kept")
    assert grid.layers == ("L1", "L2") and (grid.low, grid.high) == (0.1, 0.2)
    assert [np.nanmax(row[0].values) for row in grid.rows] == [0.1, 0.2]


def test_the_charts_of_the_controls_stand_side_by_side() -> None:
    study = facs_study()
    series = layer_series(study, "active")
    chart = chart_layers(series)
    assert [t.name for t in chart.data] == [
        "this checkpoint",
        "re-initialised attention with the paper's hard gate",
        "re-initialised attention",
    ]
    assert chart.data[0].error_y.array[0] == pytest.approx(0.1) and chart.layout.xaxis.ticktext == ("L1", "L2", "L3")
    assert layer_series(study, "own").series["this checkpoint"][0].value == 1.0
    none = layer_series(without_active_units(study), "active")
    assert none.series == {} and len(chart_layers(none).data) == 0


def test_a_conclusion_names_the_controls_below_chance() -> None:
    study = facs_study()
    assert layer_series(study, "active").conclusion().count("Above chance in no layer") == 2
    high = replace(study, maps=study.maps | {"hard": study.maps["checkpoint"]})
    conclusion = layer_series(high, "active").conclusion()
    assert conclusion.startswith("Above chance in L1, L2 and L3: re-initialised attention with the paper's hard gate")
    series = layer_series(study, "active")
    halved = {n: tuple(replace(e, value=0.5, low=0.4, high=0.6) for e in row) for n, row in series.series.items()}
    conclusion = replace(series, series=halved).conclusion()
    assert conclusion.startswith("Below chance in every layer: ") and "this checkpoint" not in conclusion


def test_the_printed_figures_draw_the_same() -> None:
    study, faces = facs_study(), canonical_faces()
    table = tables.statement_table(statements(study, None), study.layers)
    with paper_style():
        heat = plot_heat_map(heat_map(study, 0, BOOK), 6.3)
        hatched = [p for p in heat.axes[0].patches if p.get_hatch()]
        assert len(hatched) == len(GROUPS) and len(heat.axes[0].patches) == len(GROUPS) + 2
        drawn = plot_faces(face_grid(faces, "others"), 6.3)
        assert len([a for a in drawn.axes if a.images]) >= 3 * len(LABELS)
        controls = plot_layers(layer_series(study, "active"), 3.03)
        assert controls.get_size_inches()[0] == pytest.approx(3.03)
        xs = [float(line.get_xdata()[0]) for line in controls.axes[0].lines if len(line.get_xdata()) == 3]
        picture = plot_table(table, 6.3)
    assert xs[:1] == pytest.approx([-0.16])
    words = [t.get_text() for t in picture.axes[0].texts]
    assert words.count("the lips are attended") == 2 and "+ supported" in words
    assert table.rows[1].cells[:3] == ("happiness", "the lips are attended", "AU 23/24/25")
    assert table.columns[3] == "L1 / L2 / L3"


def test_every_export_names_the_control_and_its_record() -> None:
    facs, canonical = record_of("facs", facs_study()), record_of("canonical", canonical_faces())
    heat = exports.heat_map_export(facs, CODEBOOKS["paper"], 2, "random", "attention")
    assert heat.name == "facs-paper-L3-random-attention-tiny-mesm-noise"
    assert "re-initialised attention" in heat.caption and "90 faces of 3 speakers" in heat.caption
    assert heat.command.endswith("--codebook paper --layer 3 --map random --of attention")
    assert 'happiness,AU 12/15,"lip corner puller, lip corner depressor",1.0' in heat.table.to_csv()  # type: ignore[arg-type]
    assert "re-initialised attention" in exports.controls_export(facs, "own").caption
    assert "kept sites: minus re-initialised" in exports.faces_export(canonical, "random").title
    faces = exports.faces_export(canonical, "random", 1)
    assert faces.command.endswith("--view random --layer 2") and faces.origin["layers"] == [2]
    assert faces.draw is not None and len([a for a in faces.draw(6.3).axes if a.images]) == len(LABELS)
    rows = statements(facs.data, None)
    assert "re-initialised" in exports.statements_export([facs], rows, 3).caption
    assert exports.targets_export(facs).table == tables.targets_table(facs.data)
    with_digest: Record = replace(
        facs, provenance=replace(facs.provenance, corpus=replace(facs.provenance.corpus, digest="0123456789abcdef"))
    )
    assert "tiny-mesm@noise@01234567" in exports.targets_export(with_digest).command


def test_supervision_is_noted_under_the_checkpoint_alone() -> None:
    study = facs_study()
    both = tables.supervision_notes(study)
    assert len(both) == 2 and "true AU regions" in both[0] and "named in the text" in both[1]
    for control in ("random", "hard"):
        (note,) = tables.supervision_notes(study, control)
        assert "not trained" in note and "was supervised" not in note
        caption = exports.heat_map_export(record_of("facs", study), CODEBOOKS["emfacs"], 1, control).caption
        assert note in caption and "was supervised" not in caption
    only = replace(study, supervision=replace(study.supervision, text_regions=False))
    assert tables.supervision_notes(only) == both[:1]


def test_the_terminal_prints_the_tables() -> None:
    study = facs_study()
    text = tables.summary(study)
    assert "30 clips, 3 speakers, 90 of 94 frames (4 without a face left out)" in text
    assert "best layer: 1, 2.00 (1.90 to 2.10)" in text and "mean of 2 re-initialisations" in text
    happiness = next(line for line in text.splitlines() if line.startswith("happiness"))
    assert happiness.split() == ["happiness", "6+12", *["2.00*"] * 3, *["1.90"] * 3, *["1.60"] * 3]
    assert "shuffled L1" in text and "centre bias L3" in text and "not reached" in text
    bare = tables.summary(without_active_units(study))
    assert "No action units are known of these faces" in bare and "best layer" not in bare
