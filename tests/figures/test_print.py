"""Every exhibit goes to print untouched: the type of its PDF is large enough, nothing overlaps or leaves the page."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mesm.figures.export import FigureExport, fitting_width, print_notes, render
from mesm.figures.fit import LEAST_PT, type_faults
from mesm.figures.page import new_figure, paper_style, width_in
from mesm.figures.table_latex import latex_layout, to_latex
from mesm.figures.table_layout import break_lines
from mesm.figures.tables import LATIN, MATH, Row, Table
from mesm.records.base import read_record
from mesm.runtime import assets
from mesm.studies.ablation.tables import ablation_export
from mesm.studies.evaluation.chart_data import confusion_chart, cooccurrence_chart, reliability_chart
from mesm.studies.evaluation.exports import classes_export, matrix_export, reliability_export
from mesm.studies.facs.codebooks import codebook
from mesm.studies.facs.exports import controls_export, faces_export, heat_map_export, statements_export, targets_export
from mesm.studies.facs.statements import statements
from mesm.studies.faithfulness.exports import TESTS, faithfulness_export
from mesm.studies.reproduction.exports import (
    modalities_export,
    models_export,
    reported_modalities_export,
    scores_export,
)
from mesm.studies.reproduction.reported import FIGURE_5, figure_5_shares
from mesm.studies.sweep.chart_data import SweepView
from mesm.studies.sweep.exports import clip_cost_export, layers_export, sweep_export
from mesm.studies.sweep.figure_5 import figure_5_export
from tests.figures.exhibit_records import figure_case
from tests.figures.printed_text import read_page


def _record(name: str):
    return read_record(next((assets() / "records").glob(f"{name}*.json")))


def _exhibits() -> dict[str, FigureExport]:
    sweep, scored = _record("sweep_marionette-mesm"), _record("evaluate_marionette-mesm")
    facs, canonical, faith = (_record(f"{kind}_marionette-mesm") for kind in ("facs", "canonical", "faithfulness"))
    ablation = _record("ablation")
    scores = [_record(f"evaluate_marionette-{name}") for name in ("mesm", "fe2e", "mult")]
    seeds = [_record(f"seeds_marionette-{name}") for name in ("mesm", "fe2e")]
    lines = [_record(f"reproduce_{name}_") for name in ("MESM", "FE2E", "MulT")]
    claims = statements(facs.data, faith.data)
    made = {
        "topp": figure_5_export(sweep, reported=FIGURE_5),
        "sweep": sweep_export([sweep], SweepView()),
        "sweep-log": sweep_export([sweep], SweepView("f1", "share", True, True), (), figure_5_shares()),
        "work": layers_export(sweep),
        "spread": clip_cost_export(sweep),
        "facs": heat_map_export(facs, codebook("emfacs"), 1),
        "faces": faces_export(canonical),
        "controls": controls_export(facs, "active"),
        "targets": targets_export(facs),
        "statements": statements_export([facs, faith], claims, facs.data.layers),
        "table-4": scores_export([*scores, *seeds], 4),
        "table-5": modalities_export(ablation),
        "table-5-reported": reported_modalities_export(),
        "ablation": ablation_export(ablation),
        "models": models_export(lines),
        "classes": classes_export(scored),
        "confusion": matrix_export(scored, confusion_chart(scored.data)),
        "cooccurrence": matrix_export(scored, cooccurrence_chart(scored.data)),
        "reliability": reliability_export(scored, reliability_chart(scored.data, "")),
        "case": figure_case("none"),
    }
    return made | {f"faithfulness-{test}": faithfulness_export(faith, test) for test in TESTS}


EXHIBITS = _exhibits()


@pytest.mark.parametrize("name", EXHIBITS)
def test_an_exhibit_prints_untouched_at_column_and_text_width(name: str) -> None:
    export = EXHIBITS[name]
    for width in {fitting_width(export, "acl-column"), "acl-text"}:
        page = read_page(render(export, "pdf", width))
        assert page.smallest_pt >= LEAST_PT - 1e-6, width
        assert not page.overlaps() and not page.cut(), width
        assert page.size_pt[0] == pytest.approx(72 * width_in(width), abs=0.5)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXHIBITS)
def test_an_exhibit_prints_untouched_at_the_other_widths_and_in_serif(name: str) -> None:
    for font, width in (
        ("sans", "acl-column"), ("sans", "neurips-text"), ("sans", "ieee-column"), ("sans", "ieee-text"),
        ("serif", "acl-column"),
    ):  # fmt: skip
        export = replace(EXHIBITS[name], font=font)
        page = read_page(render(export, "pdf", width))
        assert page.smallest_pt >= LEAST_PT - 1e-6, (font, width)
        assert not page.overlaps() and not page.cut(), (font, width)
        assert page.size_pt[0] == pytest.approx(72 * width_in(fitting_width(export, width)), abs=0.5)


def test_what_is_too_wide_for_a_column_takes_the_text_and_says_so() -> None:
    for name, wide in (("facs", True), ("table-4", True), ("sweep", False), ("table-5-reported", False)):
        export = EXHIBITS[name]
        assert fitting_width(export, "acl-column") == ("acl-text" if wide else "acl-column"), name
        assert ("Too wide for a column" in " ".join(print_notes(export, "acl-column"))) == wide
        assert fitting_width(export, "ieee-column") in ("ieee-column", "ieee-text")
        assert fitting_width(export, "2.5") == "2.5"
    assert b"--width acl-text" in render(EXHIBITS["table-4"], "tex", "acl-column").splitlines()[0]


def test_the_measure_sees_small_type_overlaps_and_cut_words() -> None:
    with paper_style():
        figure = new_figure(3, 2)
        figure.set_layout_engine("none")
        figure.text(0.5, 0.5, "one", fontsize=5)
        figure.text(0.51, 0.5, "over it", fontsize=8)
        figure.text(0.97, 0.1, "leaves")
        faults = " ".join(type_faults(figure))
    assert "“one” is set in 5.0 pt" in faults and "“leaves” leaves the page" in faults
    assert "“one” and “over it” overlap" in faults and "“leaves” and" not in faults


def test_a_wide_table_is_broken_into_panels_that_all_fit() -> None:
    columns = ("model", *(f"score {i}" for i in range(30)))
    table = Table(columns, (Row(("a", *map(float, range(30)))), Row(("b", *[None] * 30))))
    export = FigureExport("wide", "", "", "mesm figure x", table=table)
    for width in ("acl-column", "neurips-text", "2"):
        page = read_page(render(export, "pdf", width))
        assert page.smallest_pt >= LEAST_PT and not page.overlaps() and not page.cut()
        assert sum(run.text == "29.0" for run in page.runs) == 1
    latex = to_latex(table, width="acl-text")
    assert latex.startswith(r"\begin{table*}") and latex.count(r"\begin{tabular}{") == len(
        latex_layout(table, "acl-text").panels
    )


def test_an_interval_stays_in_one_line() -> None:
    assert break_lines("0.49 (0.46 to 0.52)", 10) == ["0.49", "(0.46 to 0.52)"]
    assert break_lines("one two three", 7) == ["one two", "three"] and break_lines("one two", 0) == ["one two"]


@pytest.mark.parametrize("name", [name for name, export in EXHIBITS.items() if export.table and not export.draw])
@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no LaTeX is installed (pdflatex)")
def test_latex_compiles_within_the_page(name: str, tmp_path: Path) -> None:
    _compile(render(EXHIBITS[name], "tex").decode(), tmp_path)


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no LaTeX is installed (pdflatex)")
def test_latex_prints_every_sign(tmp_path: Path) -> None:
    signs = [*LATIN, *MATH, *"–—“”…"]
    rows = tuple(Row((" ".join(signs[start : start + 12]), 0.0)) for start in range(0, len(signs), 12))
    _compile(to_latex(Table(("signs", "number"), rows)), tmp_path)


def _compile(body: str, tmp_path: Path) -> None:
    (tmp_path / "t.tex").write_text(
        "\\documentclass[10pt,twocolumn]{article}\\usepackage[textwidth=6.3in,columnsep=0.24in]{geometry}"
        f"\\usepackage{{booktabs,times}}\\begin{{document}}\n{body}\n\\end{{document}}\n"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "t.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        errors="replace",
    )
    assert done.returncode == 0 and "Overfull \\hbox" not in done.stdout, done.stdout[-2000:]


@pytest.mark.parametrize("name", [name for name, export in EXHIBITS.items() if export.table and not export.draw])
def test_latex_is_whole(name: str) -> None:
    """Every row of every tabular has as many cells as the tabular has columns, and every environment ends."""
    body = render(EXHIBITS[name], "tex").decode()
    for kind in ("table", "table*", "tabular"):
        assert body.count(f"\\begin{{{kind}}}") == body.count(f"\\end{{{kind}}}")
    assert r"\tiny" not in body
    for spec, rows in re.findall(r"\\begin\{tabular\}\{@\{\}([lr]+)@\{\}\}\n\\toprule(.*?)\\bottomrule", body, re.S):
        for line in rows.splitlines():
            if line.endswith(r"\\") and r"\multicolumn" not in line:
                assert len(re.findall(r"(?<!\\)&", line)) == len(spec) - 1, line


def test_serif_letters_and_text_that_stays_text() -> None:
    export = EXHIBITS["table-5-reported"]
    serif = read_page(render(replace(export, font="serif"), "pdf"))
    assert all("STIX" in run.font for run in serif.runs)
    assert b"<text" in render(replace(export, font="document"), "svg") and b"<text" not in render(export, "svg")
    assert b"--font serif" in render(replace(export, font="serif"), "pdf")


def test_letters_that_no_font_has_are_left_out_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from mesm.figures import page

    monkeypatch.setattr(page, "_installed_fallbacks", lambda: ())
    table = Table(("words", "n"), (Row(("最後 end", 1)),))
    export = FigureExport("x", "", "", "mesm figure x", table=table)
    (note,) = print_notes(export, "acl-column")
    assert "最 後" in note and "Noto Sans CJK" in note
    texts = [run.text for run in read_page(render(export, "pdf")).runs]
    assert "… end" in texts
