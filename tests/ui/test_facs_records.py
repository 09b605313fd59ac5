"""The FACS page finds the record of the chosen weights and the chosen corpus, whatever the names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mesm.records.base import CorpusId, write_record
from mesm.records.store import RecordStore
from mesm.ui.facs import facs_records
from tests.figures.facs_records_made import facs_study, record_of

SHIPPED, OWN = "a" * 16, "b" * 16
WEIGHTS, OTHER = "1" * 64, "2" * 64


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    workspace, bundled = tmp_path / "workspace", tmp_path / "bundled"
    store = RecordStore([workspace, bundled])
    monkeypatch.setattr(facs_records, "records", lambda: store)
    return workspace, bundled


def put(folder: Path, digest: str, clips: int, sha256: str = WEIGHTS) -> Path:
    """Write a study of `clips` clips of a corpus named marionette."""
    study = facs_study()
    record = record_of("facs", replace(study, counts=replace(study.counts, clips=clips)), "m", "marionette", sha256)
    provenance = replace(record.provenance, corpus=CorpusId("marionette", digest))
    return write_record(folder, replace(record, provenance=provenance))


def look_up(digest: str, sha256: str = WEIGHTS) -> facs_records.RecordLookup[Any]:
    model: Any = SimpleNamespace(facts=SimpleNamespace(name="m", sha256=sha256, has_attention=True))
    opened: Any = SimpleNamespace(corpus=SimpleNamespace(id=CorpusId("marionette", digest)))
    return facs_records.find_record("facs", model, opened)


@pytest.mark.parametrize("shipped", [SHIPPED, ""])
def test_eight_clips_of_another_corpus_do_not_replace_the_shipped_record(
    folders: tuple[Path, Path], shipped: str
) -> None:
    workspace, bundled = folders
    put(bundled, shipped, 600)
    assert put(workspace, OWN, 8).name == f"facs_m_marionette-{OWN[:8]}.json"
    lookup = look_up(SHIPPED)
    assert lookup.data is not None and lookup.data.clips == 600 and not lookup.of_other_weights
    own = look_up(OWN)
    assert own.data is not None and own.data.clips == 8
    assert look_up(OWN).command == f"mesm facs m --corpus marionette@{OWN[:8]}"


def test_a_record_of_other_weights_is_named_and_not_shown(folders: tuple[Path, Path]) -> None:
    workspace, _ = folders
    assert look_up(SHIPPED).remedy.startswith("There is no record yet")
    put(workspace, SHIPPED, 8, OTHER)
    lookup = look_up(SHIPPED)
    assert lookup.record is None and lookup.remedy.startswith("The record is of other weights")
