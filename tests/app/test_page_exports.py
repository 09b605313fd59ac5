"""What can be taken along: everything that a page draws, the same as the command's; faces only as the licence lets."""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pypdf import PdfReader
from streamlit.testing.v1 import AppTest

from mesm.cli import main
from mesm.data.store import CorpusWriter
from mesm.figures.export import ExportItem, FigureExport, make_zip, render
from mesm.files import file_sha256
from mesm.presets import PRESETS
from mesm.records import base as records
from mesm.records.base import CorpusId
from mesm.ui import export_menu
from mesm.ui.case_studies import notebook, notebook_export, notebook_view
from mesm.ui.case_studies.notebook import Entry
from mesm.ui.facs.view import SECTIONS
from tests.app.app_page import open_page
from tests.app.conftest import LABELS, make_sample
from tests.figures.exhibit_records import evaluation_record, made_provenance
from tests.figures.facs_records_made import write_records
from tests.studies.sweep.made_sweeps import made_sweep

CASE = {"checkpoint": "tiny-mesm", "corpus": "noise", "clip": "clip04", "p": "0.4", "units-shown": "true"}


def offered(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> list[FigureExport]:
    """What the page offers for export, in order."""
    found: list[FigureExport] = []
    with monkeypatch.context() as patch:
        patch.setattr(export_menu, "offer", lambda export, key: found.append(export))
        page.run()
    assert [e.message for e in page.exception] + [e.value for e in page.error] == []
    return found


@pytest.fixture
def recorded(home: Path) -> Iterator[Path]:
    """Every kind of record of the tiny checkpoint, and a run of two epochs."""
    digest = file_sha256(home / "checkpoints" / "tiny-mesm" / "model.safetensors")
    origin = made_provenance("tiny-mesm", digest, CorpusId("noise"))
    records.write_record(home / "records", replace(evaluation_record(), provenance=origin))
    write_records(home / "records", "tiny-mesm", "noise", digest)
    records.write_record(home / "records", made_sweep("tiny-mesm", CorpusId("noise"), digest))
    place = home / "runs" / "short"
    place.mkdir(parents=True, exist_ok=True)
    (place / "config.json").write_text(json.dumps(PRESETS["marionette-mesm"].to_dict()))
    lines = ({"epoch": e, "loss": 1 - e / 4, "valid_f1": 40 + e, "valid_wacc": 60, "valid_auc": 61} for e in range(2))
    (place / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    yield home
    for path in (home / "records").glob("*.json"):
        path.unlink()
    for path in place.glob("*"):
        path.unlink()
    place.rmdir()


@pytest.mark.parametrize(
    ("file", "link", "pictures"),
    [
        ("pages/overview.py", {}, 2),
        ("pages/case_studies.py", {**CASE, "versus": "another p", "over-p": "true"}, 2),
        *(("pages/facs.py", {"section": name}, 0) for name in SECTIONS.values()),
        ("pages/efficiency.py", {}, 0),
        ("pages/results.py", {}, 0),
        ("pages/results.py", {"show": "emotions"}, 0),
        ("pages/results.py", {"show": "confusion"}, 0),
        ("pages/results.py", {"show": "calibration"}, 0),
        ("pages/runs.py", {"runs": "short"}, 0),
    ],
)
def test_everything_drawn_can_be_taken_along(
    recorded: Path, monkeypatch: pytest.MonkeyPatch, file: str, link: dict[str, str], pictures: int
) -> None:
    """As many menus as charts, tables and mosaics (faces and voice are one)."""
    page = open_page(file, **{"checkpoint": "tiny-mesm", "corpus": "noise"} | link)
    exhibits = offered(page, monkeypatch)
    drawn = len(page.get("plotly_chart")) + len(page.dataframe) + len(page.table) + pictures
    assert len(exhibits) == drawn, [e.name for e in exhibits]
    assert len({e.command for e in exhibits}) == len(exhibits)


def same_as_the_command(exhibit: FigureExport, form: str, folder: Path) -> None:
    words = [*exhibit.command.split()[1:], "--format", form, "--width", "acl-column", "--out", str(folder)]
    assert main(words) == 0, exhibit.command
    assert (folder / f"{exhibit.name}.{form}").read_bytes() == render(exhibit, form), exhibit.command


@pytest.mark.slow
def test_the_command_makes_the_same_files_of_two_answers(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = open_page("pages/case_studies.py", **CASE, **{"versus": "another p", "versus-p": "0.9", "over-p": "true"})
    by_name = {e.name.split("-clip04")[0]: e for e in offered(page, monkeypatch)}
    assert by_name["difference"].command.endswith("--top-p 0.4 --other-p 0.9 --privacy blur")
    for name, form in (("over-p", "csv"), ("pair", "csv"), ("pair", "pdf"), ("difference", "png"), ("units", "csv")):
        same_as_the_command(by_name[name], form, tmp_path)
    for versus, option in (("random attention", "--random 1"), ("another checkpoint", "--other tiny-fe2e")):
        page.segmented_control(key="versus").set_value(versus).run()
        pair = next(e for e in offered(page, monkeypatch) if e.name.startswith("pair-"))
        assert pair.command.endswith(option)
        same_as_the_command(pair, "csv", tmp_path)


def test_the_command_makes_the_same_tables_of_records_and_runs(
    recorded: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    link = {"checkpoint": "tiny-mesm", "corpus": "noise", "section": SECTIONS["tests"]}
    tests = offered(open_page("pages/facs.py", **link), monkeypatch)
    assert [e.command.split()[-1] for e in tests] == ["leak", "neutral", "keep-only", "order", "redrawn"]
    for exhibit in [*tests, *offered(open_page("pages/runs.py", runs="short"), monkeypatch)]:
        same_as_the_command(exhibit, "csv", tmp_path)
        same_as_the_command(exhibit, "tex", tmp_path)


def test_a_comparison_that_cannot_be_is_one_sentence(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        ("pair tiny-fe2e@noise --clip clip04 --other-p 0.5", "has no attention"),
        ("pair tiny-mesm@noise --clip clip04 --other-p 7", "top_p"),
        ("difference tiny-mesm@noise --clip clip04 --other tiny-fe2e", "no mask to compare"),
        ("regions tiny-mesm@noise --clip clip04", "no region can be placed"),
        ("faithfulness tiny-mesm@noise --what leak", "mesm faithfulness tiny-mesm --corpus noise"),
        ("runs nowhere", "no readable config.json"),
    ):
        assert main(["figure", *words.split()]) == 2, words
        assert said in capsys.readouterr().err, words


def roughness(picture: np.ndarray) -> float:
    """Mean difference of neighbouring pixels; the corpus is of noise, so a face that shows is rough."""
    return float(np.abs(np.diff(picture.astype(float), axis=1)).mean())


def faces_of(png: bytes) -> np.ndarray:
    """The first row of faces of a screen's mosaic."""
    whole = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    return whole[110:150, 160:230]


def embedded(file: bytes) -> list[bytes]:
    """The pictures of a notebook, in HTML or in a zip with Markdown."""
    if zipfile.is_zipfile(io.BytesIO(file)):
        archive = zipfile.ZipFile(io.BytesIO(file))
        return [archive.read(name) for name in archive.namelist() if name.endswith(".png")]
    return [base64.b64decode(found) for found in re.findall(rb"data:image/png;base64,([A-Za-z0-9+/=]+)", file)]


def words(file: bytes) -> bytes:
    """The text of the same."""
    if zipfile.is_zipfile(io.BytesIO(file)):
        file = zipfile.ZipFile(io.BytesIO(file)).read("notebook.md")
    return file.replace(b"\\", b"")


@pytest.mark.parametrize("write", [notebook_export.as_html, notebook_export.as_markdown])
def test_the_notebooks_files_show_no_face_that_the_licence_keeps(home: Path, tmp_path: Path, write: object) -> None:
    with CorpusWriter(tmp_path / "given", "given", LABELS, {"licence": "CC0-1.0"}, shard_clips=8) as writer:
        writer.add(make_sample(4))
    place = home / "corpora" / "given"
    place.symlink_to(tmp_path / "given")
    try:
        kept, given = (Entry(corpus, "clip04", "tiny-mesm", 0.4) for corpus in ("noise", "given"))
        found = {}
        for name, entry, privacy in (
            ("kept", kept, notebook_view.BY_LICENCE),
            ("given", given, notebook_view.BY_LICENCE),
            ("asked", kept, "none"),
            ("sketched", given, "sketch"),
        ):
            file = notebook_view.file_of([entry], write, privacy)
            (faces, _voice) = embedded(file)
            found[name] = roughness(faces_of(faces))
            assert (b"Faces are blurred" in words(file)) == (name == "kept")
        assert found["kept"] < found["given"] / 4 and found["sketched"] < found["given"] / 4
        assert found["asked"] == found["given"]
    finally:
        place.unlink()
        notebook.path().unlink(missing_ok=True)


def test_no_file_of_a_case_shows_a_face_that_the_licence_keeps(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = open_page("pages/case_studies.py", **CASE, versus="another p")
    shown = [e for e in offered(page, monkeypatch) if e.privacy]
    assert [e.name.split("-")[0] for e in shown] == ["case", "difference"]
    for exhibit in shown:
        assert exhibit.privacy == "blur" and exhibit.private is not None
        for form in ("png", "pdf"):
            blurred, bare = (first_faces(render(e, form), form) for e in (exhibit, exhibit.private("none")))
            assert blurred < bare / 4, (exhibit.name, form)
        archive = zipfile.ZipFile(io.BytesIO(make_zip([ExportItem(exhibit, ("png",))])))
        inside = archive.read(next(name for name in archive.namelist() if name.endswith(".png")))
        assert inside == render(exhibit, "png")


def first_faces(file: bytes, form: str) -> float:
    """Roughness of the first face in a printed case, on its own grid of 48 px."""
    if form == "pdf":
        first = PdfReader(io.BytesIO(file)).pages[0].images[0].image.convert("RGB")
    else:
        whole = Image.open(io.BytesIO(file)).convert("RGB")
        # The words and the axis above are thin; the first row of faces is the first 60 rows without the paper's white.
        left = 210
        dark = np.asarray(whole)[:, left : left + 60].mean((1, 2)) < 230
        top = next(y for y in range(len(dark)) if dark[y : y + 60].all()) + 10
        first = whole.crop((left, top, left + 80, top + 40))
    side = first.width * 48 // first.width if form == "pdf" else 16
    return roughness(np.asarray(first.resize((side, side), Image.Resampling.BOX)))
