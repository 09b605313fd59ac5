"""Tables, sentences and exports of the faithfulness record."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mesm.estimate import Estimate
from mesm.figures.export import render
from mesm.records.base import CorpusId, Record, new_provenance
from mesm.records.faithfulness import Faithfulness, NeutralTexts, ShuffledTexts
from mesm.studies.faithfulness import tables
from mesm.studies.faithfulness.exports import TESTS, faithfulness_export
from tests.figures.facs_records_made import faithfulness_record, record_of


@pytest.fixture(scope="module")
def record() -> Record[Faithfulness]:
    return Record("faithfulness", new_provenance(CorpusId("noise"), "tiny", ("0" * 64,)), faithfulness_record())


def test_the_summary_has_each_test_with_its_interval(record: Record[Faithfulness]) -> None:
    lines = tables.summary_table(record.data).to_text().splitlines()
    rows = {tuple(part.strip() for part in line.split("  ") if part.strip()) for line in lines}
    assert ("accuracy lost with shuffled texts, points", "face", "1.5 (0.5 to 2.5)", "0") in rows
    assert ("score of the nucleus - of random sites", "voice", "0.050 (0.030 to 0.070)", "0") in rows
    assert ("random order - deletion, area", "face", "0.020 (0.010 to 0.030)", "0") in rows
    assert ("loudness of kept over active sites, L3", "voice", "1.00 (0.90 to 1.10)", "1") in rows
    assert ("smallest sufficient p, median (quartiles)", "all", "0.5 (0.3 to 0.8)") in rows


def test_a_missing_branch_has_no_row(record: Record[Faithfulness]) -> None:
    face_only = replace(record.data.control, branches={"visual": record.data.control.branches["visual"]})
    assert {row.cells[0] for row in tables.control_table(face_only).rows} == {"face"}


def test_leaks_that_were_not_measured_are_named_so(record: Record[Faithfulness]) -> None:
    sentence = tables.leak_sentence(record.data.shuffled_text, record.data.neutral_text)
    assert "of the face branch on 20 clips changes by -1.5 (-2.5 to -0.5) percentage points" in sentence
    assert "0.531 (0.511 to 0.551)" in sentence
    nothing = tables.leak_sentence(ShuffledTexts(0, 0, 5, {}), NeutralTexts("", (), "no face branch"))
    assert nothing == "Leak of the text: not measured."


@pytest.mark.parametrize("what", TESTS)
def test_every_export_names_its_command_and_its_source(record: Record[Faithfulness], what: str) -> None:
    export = faithfulness_export(record, what)
    assert (
        export.command == f"mesm figure faithfulness tiny@noise --what {what}" and export.name == f"{what}-tiny-noise"
    )
    assert export.table is not None and export.table.rows
    assert b"tiny" in render(export, "json") and render(export, "csv").count(b"\n") == len(export.table.rows) + 1


def test_the_control_names_how_its_weights_were_drawn(record: Record[Faithfulness]) -> None:
    assert (
        "attention weights redrawn with the trained mean and spread" in faithfulness_export(record, "redrawn").caption
    )
    other = replace(record.data, control=replace(record.data.control, control="reinitialised"))
    assert "re-initialised attention" in faithfulness_export(replace(record, data=other), "redrawn").caption


def test_a_mask_no_better_than_random_sites_is_said() -> None:
    record = faithfulness_record()
    assert all(fine for fine, _ in tables.mask_sentences(record))
    lost = replace(record.keep_only.branches["acoustic"], nucleus_gain=Estimate(-0.034, -0.086, 0.015))
    keep_only = replace(record.keep_only, branches={**record.keep_only.branches, "acoustic": lost})
    face, voice = tables.mask_sentences(replace(record, keep_only=keep_only))
    assert face[0] and not voice[0]
    assert voice[1] == (
        "Voice: the kept sites do better than as many random ones (accuracy 70.0 %, random 70.0 %), but not in: "
        "score -0.034 (-0.086 to 0.015)."
    )


def test_the_caption_names_the_followed_label() -> None:
    record = faithfulness_record()
    old = faithfulness_export(record_of("faithfulness", record), "keep-only").caption
    assert "the label that is first at p = 1," in old
    new = replace(record, keep_only=replace(record.keep_only, label_at=0.5))
    assert (
        "the label that is first at p = 0.5,"
        in faithfulness_export(record_of("faithfulness", new), "keep-only").caption
    )
