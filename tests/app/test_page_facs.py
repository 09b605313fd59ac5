"""The FACS page: with records, without, with records of other weights; its state in the link."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from mesm.files import file_sha256
from mesm.records.base import write_record
from mesm.ui.facs.view import SECTIONS
from tests.app.app_page import open_page, texts
from tests.figures.facs_records_made import (
    estimate,
    facs_study,
    faithfulness_record,
    record_of,
    write_records,
)

PAGE = "pages/facs.py"


def sections(**link: str) -> Iterator[AppTest]:
    """The page with each of its sections open."""
    for name in SECTIONS.values():
        yield open_page(PAGE, checkpoint="tiny-mesm", section=name, **link)


def trouble(page: object) -> list[str]:
    return [e.message for e in page.exception] + [e.value for e in page.error]  # type: ignore[attr-defined]


@pytest.fixture
def recorded(home: Path) -> Iterator[Path]:
    """The three records of the tiny checkpoint."""
    digest = file_sha256(home / "checkpoints" / "tiny-mesm" / "model.safetensors")
    write_records(home / "records", "tiny-mesm", "noise", digest)
    yield home
    for path in (home / "records").glob("*.json"):
        path.unlink()


def test_without_records_it_says_the_commands(home: Path) -> None:
    pages = list(sections())
    assert [trouble(page) for page in pages] == [[]] * len(SECTIONS)
    said = "".join(map(texts, pages))
    for verb in ("facs", "faithfulness", "canonical"):
        assert f"mesm {verb} tiny-mesm --corpus noise" in said
    assert "neither reliable nor specific" in said


def test_fe2e_has_nothing_to_look_at(home: Path) -> None:
    page = open_page(PAGE, checkpoint="tiny-fe2e")
    assert trouble(page) == [] and "no attention" in texts(page)


def test_with_records_every_section_shows(recorded: Path) -> None:
    codebook, faces, controls, rows, tests = sections()
    assert [trouble(page) for page in (codebook, faces, controls, rows, tests)] == [[]] * 5
    said = "".join(map(texts, (codebook, faces, controls, rows, tests)))
    assert "There is no record yet" not in said
    assert said.count("of the face branch on 30 clips changes by -1.0 (-1.8 to -0.2) percentage points") == 1
    assert "scores is 0.520 (0.510 to 0.530)" in said
    assert "Friesen & Ekman 1983" in said
    assert "little on the words" in said and "kept 1.00 / 1.00 / 1.00 times" in said
    statements = next(d.value for d in rows.table if "statement" in d.value.columns)
    verdicts = dict(
        zip(zip(statements["about"], statements["statement"], strict=True), statements["verdict"], strict=True)
    )
    assert verdicts["happiness", "the lips are attended"] == "= not specific"
    assert verdicts["anger", "the gap between the eyes is sometimes missed"] == "− not supported"
    assert verdicts["fear", "the brows are attended"] == "not measured"
    assert verdicts["voice", "later layers keep fewer points"] == "\\+ supported"
    assert all(cell for column in statements for cell in statements[column]), "no blank cells"
    assert codebook.segmented_control(key="against").value == "others"
    assert faces.selectbox(key="faces-view").value == "others"
    plain = said.replace("\\", "")
    assert "disgust: no more specific than chance (lift 2.00 / 2.00 / 2.00; shuffled labels 1.90 / 1.90 / 1.90" in plain
    assert "centre bias 1.60" in plain and "0: as much as with other emotions" in said
    assert said.count("the accuracy of the face branch") == 1, "the leak is said once"
    assert "do better than as many random ones" in texts(tests).replace("\\", "")
    assert "correctness" not in said.lower()
    assert "supervised with true AU regions" in said and "Below chance in every layer: re-initialised" in said


def test_a_mask_no_better_than_random_is_flagged_in_words(recorded: Path) -> None:
    digest = file_sha256(recorded / "checkpoints" / "tiny-mesm" / "model.safetensors")
    record = faithfulness_record()
    worse = replace(record.keep_only.branches["acoustic"], nucleus_gain=estimate(-0.03, 0.05))
    branches = {**record.keep_only.branches, "acoustic": worse}
    record = replace(record, keep_only=replace(record.keep_only, branches=branches))
    write_record(recorded / "records", record_of("faithfulness", record, sha256=digest))
    page = open_page(PAGE, checkpoint="tiny-mesm", section=SECTIONS["tests"])
    assert trouble(page) == [] and not page.warning, "a result is no fault of the page"
    sentence = "random ones (accuracy 70.0 %, random 70.0 %), but not in: score -0.030 ("
    assert sentence in texts(page).replace("\\", "")
    overview = open_page("pages/overview.py", checkpoint="tiny-mesm")
    assert sentence in texts(overview).replace("\\", "")


def test_a_small_trial_leaves_the_choice_of_the_large_record(recorded: Path) -> None:
    digest = file_sha256(recorded / "checkpoints" / "tiny-mesm" / "model.safetensors")
    study = facs_study()
    trial = replace(study, counts=replace(study.counts, clips=8, frames_used=17))
    record = record_of("facs", trial, sha256=digest)
    path = write_record(recorded / "records", record)
    path.rename(path.with_name("facs_trial.json"))
    write_records(recorded / "records", "tiny-mesm", "noise", digest)
    page = open_page(PAGE, checkpoint="tiny-mesm")
    assert trouble(page) == [] and "90 faces of 3 speakers" in texts(page)
    picker = page.selectbox(key="record-facs")
    picker.set_value(next(option for option in picker.options if option.startswith("8 clips"))).run()
    assert trouble(page) == [] and "17 faces of 3 speakers" in texts(page)


def test_the_link_holds_the_view(recorded: Path) -> None:
    link = {
        "codebook": "The paper's own words",
        "facs-layer": "L3",
        "of": "attention",
        "whose": "re-initialised attention",
        "faces-view": "kept sites: right clips minus wrong clips",
    }
    page, faces, *_ = sections(**link)
    assert trouble(page) == []
    assert page.selectbox(key="codebook").value == "paper" and page.selectbox(key="whose").value == "random"
    assert page.segmented_control(key="facs-layer").value == "L3"
    assert faces.selectbox(key="faces-view").value == "wrong"
    said = texts(page)
    assert "NAACL" in said and "(re-initialised attention)" in said
    notes = [c.value for c in page.caption if c.value.startswith(":material/school:")]
    assert "re-initialised, not trained" in notes[0] and not any("was supervised with" in note for note in notes)
    assert "little on the words" not in said  # of the checkpoint


def test_a_record_of_other_weights_is_not_shown(home: Path) -> None:
    path = write_record(home / "records", record_of("facs", facs_study(), sha256="0" * 64))
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
    assert "No region can be placed" in said and "no face was detected in this clip" not in said.lower()  # no points
