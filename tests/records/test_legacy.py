"""Records and files: whole or not at all, one name, one schema."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from mesm.errors import DataError
from mesm.files import slug, write_atomic
from mesm.records.legacy import find_records, read_record, record_path, write_record
from mesm.records.prediction import Prediction
from mesm.runtime import record_folders


def test_round_trip(tmp_path: Path) -> None:
    data = {"f1": np.float32(0.5), "counts": np.arange(3), "none": None}
    path = write_record(tmp_path, "evaluate", "my model", "a/b corpus", data, seed=3)
    assert (
        path
        == record_path(tmp_path, "evaluate", "my model", "a/b corpus")
        == tmp_path / "evaluate_my-model_b-corpus.json"
    )
    found = read_record(path)
    assert found["data"] == {"f1": 0.5, "counts": [0, 1, 2], "none": None}
    assert found["provenance"]["seed"] == 3 and found["provenance"]["checkpoint"] == "my model"


@pytest.mark.parametrize("content", ["", "[]", "{", '{"schema": 99, "data": {}}'])
def test_what_is_not_a_record_says_so(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(DataError, match="make it again"):
        read_record(tmp_path / "x.json")


def test_nan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_record(tmp_path, "k", "c", "d", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


def test_an_interrupted_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = write_atomic(tmp_path / "a.json", b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left on device; free some space"):
        write_atomic(target, b"new")
    assert target.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


def test_slugs_are_safe() -> None:
    assert slug("../../etc/pass wd") == "pass-wd" and slug("///") == "unnamed"


def test_decided_labels() -> None:
    made = Prediction("c", ("anger", "fear"), np.array([0.4, 0.6]), np.array([0.4, 0.7]), {}, {})
    assert made.decided == ("anger",)


def test_a_record_of_no_one_checkpoint_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESM_HOME", str(tmp_path))
    made = write_record(tmp_path / "records", "ablation", "", "tinted", {})
    other = write_record(tmp_path / "records", "ablation", "", "other", {})
    assert made.name == "ablation_tinted.json"
    assert find_records(record_folders(), "ablation", corpus="tinted") == [made]
    assert find_records(record_folders(), "ablation", "some-model", "tinted") == []
    assert {made, other} <= set(find_records(record_folders(), "ablation"))
