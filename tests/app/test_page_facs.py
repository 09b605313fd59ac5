"""The FACS page: with records, without, with records of other weights; its state in the link."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mesm.files import file_sha256
from mesm.records.legacy import write_record
from tests.app.app_page import open_page, texts
from tests.figures.facs_records_made import canonical_record, facs_record, write_faithfulness

PAGE = "pages/facs.py"


def trouble(page: object) -> list[str]:
    return [e.message for e in page.exception] + [e.value for e in page.error]  # type: ignore[attr-defined]


@pytest.fixture
def recorded(home: Path) -> Iterator[Path]:
    """The three records of the tiny checkpoint."""
    digest = file_sha256(home / "checkpoints" / "tiny-mesm" / "model.safetensors")
    for kind, data in (
        ("facs", facs_record()),
        ("canonical", canonical_record()),
    ):
        write_record(home / "records", kind, "tiny-mesm", "noise", data, checkpoint_sha256=digest)
    write_faithfulness(home / "records", "tiny-mesm", "noise", digest)
    yield home
    for path in (home / "records").glob("*.json"):
        path.unlink()


def test_without_records_it_says_the_commands(home: Path) -> None:
    page = open_page(PAGE, checkpoint="tiny-mesm")
    assert trouble(page) == []
    said = texts(page)
    for verb in ("facs", "faithfulness", "canonical"):
        assert f"mesm {verb} tiny-mesm --corpus noise" in said
    assert "neither reliable nor specific" in said


def test_fe2e_has_nothing_to_look_at(home: Path) -> None:
    page = open_page(PAGE, checkpoint="tiny-fe2e")
    assert trouble(page) == [] and "no attention" in texts(page)


def test_with_records_every_section_shows(recorded: Path) -> None:
    page = open_page(PAGE, checkpoint="tiny-mesm")
    assert trouble(page) == []
    said = texts(page)
    assert "There is no record yet" not in said
    assert said.count("cost the face branch 1.5 (0.5 to 2.5) percentage points of accuracy") == 4
    assert "scores is 0.531 (0.511 to 0.551)" in said
    assert "Friesen & Ekman 1983" in said
    assert "the words hardly move them" in said and "kept 1.00 / 1.00 / 1.00 times" in said
    statements = next(d.value for d in page.table if "the paper says" in d.value.columns)
    verdicts = dict(
        zip(zip(statements["about"], statements["the paper says"], strict=True), statements["verdict"], strict=True)
    )
    assert verdicts["happiness", "the lips are attended"] == "supported"
    assert verdicts["anger", "the gap between the eyes is sometimes missed"] == "not supported"
    assert verdicts["fear", "the brows are attended"] == "not measured"
    assert verdicts["voice", "later layers keep fewer points"] == "supported"
    assert "correctness" not in said.lower()


def test_the_link_holds_the_view(recorded: Path) -> None:
    link = {
        "codebook": "The paper's own words",
        "facs-layer": "L3",
        "of": "attention",
        "whose": "attention drawn anew",
        "faces-view": "kept sites: right clips minus wrong clips",
    }
    page = open_page(PAGE, checkpoint="tiny-mesm", **link)
    assert trouble(page) == []
    assert page.selectbox(key="codebook").value == "paper" and page.selectbox(key="whose").value == "random"
    assert page.segmented_control(key="facs-layer").value == "L3"
    assert page.selectbox(key="faces-view").value == "wrong"
    assert "NAACL" in texts(page)


def test_a_record_of_other_weights_is_not_shown(home: Path) -> None:
    path = write_record(home / "records", "facs", "tiny-mesm", "noise", facs_record(), checkpoint_sha256="0" * 64)
    try:
        page = open_page(PAGE, checkpoint="tiny-mesm")
        assert trouble(page) == [] and "record is of other weights" in texts(page)
    finally:
        path.unlink()


def test_a_damaged_record_is_one_sentence(home: Path) -> None:
    path = home / "records" / "facs_tiny-mesm.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text("{")
    try:
        page = open_page(PAGE, checkpoint="tiny-mesm")
        assert not page.exception and any("make it again" in e for e in trouble(page))
    finally:
        path.unlink()


def test_a_case_shows_its_masks_against_action_units(home: Path) -> None:
    page = open_page("pages/case_studies.py", **{"checkpoint": "tiny-mesm", "clip": "clip05", "units-mask": "true"})
    assert trouble(page) == []
    said = texts(page)
    assert "no region can be laid on it" in said  # the corpus of noise has no face points
