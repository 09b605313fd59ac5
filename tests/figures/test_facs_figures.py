"""FACS figures: what is drawn is what the records say."""

from __future__ import annotations

import numpy as np
import pytest

from mesm.figures.page import paper_style
from mesm.studies.facs.chart_data import (
    canonical_faces,
    colour_range,
    control_series,
    heat_cells,
    own_other_series,
    unpack,
    unpack_mask,
    view_words,
)
from mesm.studies.facs.paper import plot_canonical, plot_heat_map, plot_layers, plot_statements, statement_lines
from mesm.studies.facs.screen import chart_canonical, chart_heat_map, chart_layers
from tests.figures.facs_records_made import GROUPS, LABELS, canonical_record, facs_record, faithfulness_record

UNITS = {"happiness": (6, 12), "anger": (4,)}


def test_cells_say_what_was_measured_and_what_the_codebook_lists() -> None:
    rows = heat_cells(facs_record(), 1, units=UNITS)
    assert [row[0].emotion for row in rows] == list(LABELS) and len(rows[0]) == len(GROUPS)
    marked = {(c.emotion, c.region) for row in rows for c in row if c.marked}
    assert marked == {("happiness", "AU 12/15"), ("anger", "AU 4")}
    happiness = rows[LABELS.index("happiness")][0]
    assert happiness.lift == 2.0 and happiness.significant and happiness.shade == pytest.approx(0.5)
    fear = rows[LABELS.index("fear")][0]
    assert fear.lift is None and fear.shade is None and not fear.significant


@pytest.mark.parametrize("dark", [False, True])
def test_the_heat_map_hatches_only_what_is_not_significant(dark: bool) -> None:
    data = facs_record()
    chart = chart_heat_map(heat_cells(data, 0, units=UNITS), dark)
    fear = LABELS.index("fear")
    strokes = [y for y in chart.data[1].y if y is not None]
    assert strokes and all(abs(y - fear) < 0.5 for y in strokes)
    bar = chart.data[0].colorbar
    assert bar.title.text == "lift" and bar.ticktext == ("0.25×", "0.5×", "chance", "2×", "4×")
    assert chart.layout.xaxis.title.text == "action units" and "12/15" in chart.layout.xaxis.ticktext
    assert len(chart.layout.shapes) == 2 and chart.data[0].z[0][0] > 0
    everywhere = chart_heat_map(heat_cells(data, 0, map_name="random", units={}), dark)
    assert len([x for x in everywhere.data[1].x if x is None]) == 3 * len(LABELS) * len(GROUPS)


def test_maps_are_read_as_they_were_packed() -> None:
    pytest.importorskip("torch")
    from mesm.studies.facs.canonical import pack

    values = np.array([[0.25, np.nan], [-1.5, 0.0]])
    assert np.array_equal(unpack(pack(values)), values, equal_nan=True)
    assert unpack_mask(["01", "10"]).tolist() == [[False, True], [True, False]]


def test_a_difference_is_faint_where_it_is_not_significant() -> None:
    data = canonical_record()
    faces = canonical_faces(data, 0, "others")
    assert colour_range(faces, "others") == (-0.25, 0.25)
    chart = chart_canonical(data, faces, "others", (-0.25, 0.25))
    assert chart.layout.coloraxis.colorbar.title.text == "difference of the shares"
    heats = [t for t in chart.data if t.type == "heatmap"]
    assert len(heats) == 2 * len(LABELS) and heats[0].opacity == 0.25
    strong = np.array(heats[1].z, float)
    assert np.isfinite(strong).sum() == 1 and strong[1, 0] == 0.25
    assert chart.layout.yaxis.range == (1.75, -1.05)  # y runs down
    assert "too few" in canonical_faces(data, 0, "wrong")[0].title
    assert set(view_words(data)) == {"kept", "attention", "others", "wrong", "random"}


def test_the_charts_of_the_controls_stand_side_by_side() -> None:
    data = facs_record()
    chart = chart_layers(control_series(data), "lift")
    assert [t.name for t in chart.data] == [
        "this checkpoint",
        "untrained, the paper's hard gate",
        "attention drawn anew",
    ]
    assert chart.data[0].error_y.array[0] == pytest.approx(0.1)
    assert own_other_series(data)["this checkpoint"][0]["value"] == 1.0
    data["maps"]["checkpoint"]["kept"]["active"] = None
    assert "this checkpoint" not in control_series(data)
    assert len(chart_layers({}, "lift").data) == 0


def test_the_printed_figures_draw_the_same() -> None:
    data, faces = facs_record(), canonical_record()
    pytest.importorskip("torch")
    from mesm.studies.facs.statements import statements

    rows = statements(data, faithfulness_record())
    with paper_style():
        heat = plot_heat_map(heat_cells(data, 0, units=UNITS), 6.3)
        hatched = [p for p in heat.axes[0].patches if p.get_hatch()]
        assert len(hatched) == len(GROUPS) and len(heat.axes[0].patches) == len(GROUPS) + 2
        layers = [canonical_faces(faces, layer, "others") for layer in range(3)]
        drawn = plot_canonical(faces, layers, "others", (-0.25, 0.25), 6.3)
        assert len([a for a in drawn.axes if a.images]) >= 3 * len(LABELS)
        controls = plot_layers(control_series(data), "lift", 3.03)
        assert controls.get_size_inches()[0] == pytest.approx(3.03)
        table = plot_statements(rows, 6.3)
    said = [t.get_text() for t in table.axes[0].texts]
    assert "the lips are attended" in said and "+ supported" in said
    lines = statement_lines(rows)
    assert lines[1][:3] == ("", "", "AU 23/24/25")
