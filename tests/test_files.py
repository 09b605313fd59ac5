"""Files: whole or not at all, under safe names; the labels that a prediction decides for."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from mesm.errors import DataError
from mesm.files import slug, write_atomic
from mesm.records.prediction import Prediction


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
