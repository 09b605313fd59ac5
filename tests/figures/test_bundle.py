"""The files for paper, read back: exact boxes, no Type 3 font, provenance inside and beside, the same bytes again."""

from __future__ import annotations

import io
import json
import re
import zipfile

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from pypdf import PdfReader

from mesm.errors import ConfigError
from mesm.figures.export import ExportItem, FigureExport, full_command, make_zip, provenance_of, render
from mesm.figures.page import WIDTHS_IN, new_figure
from mesm.figures.tables import Row, Table
from mesm.studies.evaluation.chart_data import confusion_chart, reliability_chart
from mesm.studies.evaluation.exports import matrix_export, reliability_export
from mesm.studies.reproduction.exports import scores_export
from mesm.studies.sweep.chart_data import SweepView
from mesm.studies.sweep.exports import clip_cost_export, layers_export, sweep_export
from tests.figures.exhibit_records import evaluation_record, figure_case
from tests.studies.sweep.made_sweeps import made_sweep


def everything() -> list[FigureExport]:
    record, scored = made_sweep(), evaluation_record()
    return [
        sweep_export([record], SweepView()),
        layers_export(record),
        clip_cost_export(record),
        scores_export([scored], 4),
        matrix_export(scored, confusion_chart(scored.data)),
        reliability_export(scored, reliability_chart(scored.data)),
        figure_case("none"),
    ]


NAMES = ("sweep", "layers", "clip cost", "table", "matrix", "reliability", "case")


def pdf(exhibit: FigureExport, width: str = "acl-column") -> PdfReader:
    return PdfReader(io.BytesIO(render(exhibit, "pdf", width)))


@pytest.mark.parametrize("number", range(len(NAMES)), ids=NAMES)
def test_a_pdf_fits_its_column_and_says_where_it_comes_from(number: int) -> None:
    exhibit = everything()[number]
    for width in ("acl-column", "ieee-text")[number % 2 :]:
        reader = pdf(exhibit, width)
        assert len(reader.pages) == 1
        box = reader.pages[0].mediabox
        assert float(box.width) == pytest.approx(72 * WIDTHS_IN[width], abs=0.5)
        assert 30 < float(box.height) < 72 * 9
    for font in fonts(reader):
        assert font["/Subtype"] in {"/Type0", "/TrueType", "/CIDFontType2"}, "a publisher refuses Type 3"
    said = json.loads(reader.metadata["/Keywords"])  # type: ignore[index]
    assert said == provenance_of(exhibit, "pdf", "ieee-text")
    assert said["command"].startswith("mesm figure ") and said["software"]["version"]


def fonts(reader: PdfReader) -> list[dict]:
    found = []
    resources = reader.pages[0]["/Resources"]
    for font in resources.get("/Font", {}).values():  # type: ignore[union-attr]
        found.append(font.get_object())
        found += [f.get_object() for f in font.get_object().get("/DescendantFonts", [])]
    assert found
    return found


def test_every_named_width_is_exact() -> None:
    exhibit = FigureExport("x", "X", "x", "mesm figure x", draw=lambda width: new_figure(width, 1.0))
    for name, inches in WIDTHS_IN.items():
        assert float(pdf(exhibit, name).pages[0].mediabox.width) == pytest.approx(72 * inches, abs=0.01)
        picture = Image.open(io.BytesIO(render(exhibit, "png", name)))
        assert picture.width == pytest.approx(300 * inches, abs=1)
        assert picture.info["dpi"][0] == pytest.approx(300, abs=0.1)
    assert float(pdf(exhibit, "4.25").pages[0].mediabox.width) == pytest.approx(306)
    for wrong in ("acl", "0", "99", "nan"):
        with pytest.raises(ConfigError, match="--width"):
            render(exhibit, "pdf", wrong)


@pytest.mark.slow
def test_the_same_input_gives_the_same_bytes() -> None:
    for exhibit in (everything()[2], figure_case("blur")):
        for form in exhibit.formats:
            assert render(exhibit, form) == render(exhibit, form), (exhibit.name, form)


def test_png_and_svg_carry_the_provenance() -> None:
    exhibit = clip_cost_export(made_sweep())
    picture = Image.open(io.BytesIO(render(exhibit, "png")))
    assert json.loads(picture.info["Comment"]) == provenance_of(exhibit, "png", "acl-column")
    svg = render(exhibit, "svg").decode()
    assert "made by hand" not in svg and exhibit.title in svg and "<text" not in svg
    width = re.search(r'width="([\d.]+)pt"', svg)
    assert width is not None and float(width[1]) == pytest.approx(72 * 3.03, abs=0.5)


def test_the_date_is_the_records() -> None:
    exhibit = clip_cost_export(made_sweep())
    assert pdf(exhibit).metadata.creation_date.isoformat() == made_sweep().provenance.created  # type: ignore[union-attr]
    undated = FigureExport("x", "X", "x", "mesm figure x", draw=lambda width: new_figure(width, 1.0))
    assert "/CreationDate" not in pdf(undated).metadata  # type: ignore[operator]


def test_the_provenance_names_what_was_used() -> None:
    record = made_sweep()
    (source,) = provenance_of(clip_cost_export(record), "pdf", "acl-column")["sources"]
    for key in ("checkpoint", "checkpoint_sha256", "config", "seed", "corpus", "split", "n", "clip_ids", "top_p"):
        assert source[key] or source[key] == 0, key
    case = provenance_of(figure_case("blur"), "pdf", "acl-column")
    assert case["privacy"] == "blur" and case["layers"] == [1, 2, 3] and case["top_p"] == 0.5
    assert case["clip_ids"] == ["clip00"] and case["cost_unit"]


def test_a_zip_holds_files_citations_and_commands() -> None:
    exhibit = clip_cost_export(made_sweep())
    items = [
        ExportItem(exhibit, ("pdf", "csv"), "acl-text"),
        ExportItem(figure_case("sketch"), ("png",)),
        ExportItem(exhibit, ("svg",)),
    ]
    data = make_zip(items)
    assert data == make_zip(items)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        assert len(names) == len(set(names)) == 2 * 4 + 4
        assert f"{exhibit.name}-2/{exhibit.name}.svg" in names
        assert archive.read(f"{exhibit.name}/{exhibit.name}.pdf") == render(exhibit, "pdf", "acl-text")
        beside = json.loads(archive.read(f"{exhibit.name}/{exhibit.name}.pdf.json"))
        assert beside["width_in"] == WIDTHS_IN["acl-text"]
        assert archive.read("references.bib").count(b"@inproceedings{dai-etal-2021-multimodal") == 1
        commands = archive.read("commands.txt").decode().splitlines()
    assert commands[0] == full_command(exhibit, "pdf", "acl-text") and len(commands) == 4


def test_a_figure_is_not_cut_to_its_ink() -> None:
    def draw(width: float) -> Figure:
        figure = new_figure(width, 2.0)
        figure.text(0.5, 0.5, "small")
        return figure

    box = pdf(FigureExport("x", "X", "x", "mesm figure x", draw=draw)).pages[0].mediabox
    assert float(box.height) == pytest.approx(144)


def test_grey_print_tells_lines_apart() -> None:
    """The first curves differ in their sign and their dashes, and colours in their lightness."""
    from mesm.figures.page import COLOURS, DASHES, MARKERS

    assert len(set(MARKERS)) == len(MARKERS) and len({str(d) for d in DASHES}) == len(DASHES)
    assert len(set(COLOURS)) == len(COLOURS)
    pictures = np.asarray(Image.open(io.BytesIO(render(everything()[0], "png"))).convert("L"))
    assert (pictures < 140).sum() > 500


def test_paper_is_white_whatever_the_screen() -> None:
    from mesm.studies.case.mosaic import MosaicStyle

    assert render(figure_case("none", MosaicStyle(dark=True)), "png") == render(figure_case("none"), "png")


def test_a_format_that_there_is_not() -> None:
    table = FigureExport("t", "T", "a table", "mesm figure t", table=Table(("model",), (Row(("a",)),)))
    with pytest.raises(ConfigError, match="can be had as"):
        render(table, "npz")
    with pytest.raises(ConfigError, match="jpeg"):
        render(figure_case("none"), "jpeg")


def test_a_table_alone_is_a_picture_too() -> None:
    table = Table(("model", "F1"), (Row(("a_b", 1.25)), Row(("c", None))))
    exhibit = FigureExport("t", "T", "5 % & more", "mesm figure t", table=table)
    assert set(exhibit.formats) == {"pdf", "svg", "png", "csv", "tex", "json"}
    assert "a_b" in pdf(exhibit).pages[0].extract_text()
    assert rb"a\_b" in render(exhibit, "tex") and rb"5 \% \& more" in render(exhibit, "tex")
