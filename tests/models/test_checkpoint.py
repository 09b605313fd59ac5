"""Checkpoints survive the trip, and bad ones say what is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mesm.batch import Batch
from mesm.errors import CheckpointError
from mesm.models import build_model, load_checkpoint, save_checkpoint
from mesm.models.checkpoint import CONFIG, WEIGHTS, warm_start
from tests.models.model_fixtures import TINY


def test_round_trip(tmp_path: Path, batch: Batch) -> None:
    model = build_model(TINY).eval()
    folder = save_checkpoint(tmp_path / "one", model, {"thresholds": [0.5] * 6}, "# card\n")
    found = load_checkpoint(folder)
    assert found.config == TINY and found.metrics == {"thresholds": [0.5] * 6} and found.card == "# card\n"
    with torch.no_grad():
        assert torch.equal(found.model(batch, 0.5).logits_BE, model(batch, 0.5).logits_BE)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one"]


def test_half_precision_keeps_the_scores(tmp_path: Path, batch: Batch) -> None:
    torch.manual_seed(0)
    model = build_model(replace(TINY, name="fe2e")).eval()
    small = load_checkpoint(save_checkpoint(tmp_path / "half", model, {}, "", half=True))
    full = save_checkpoint(tmp_path / "full", model, {}, "")
    assert (small.folder / WEIGHTS).stat().st_size < 0.6 * (full / WEIGHTS).stat().st_size
    with torch.no_grad():
        torch.testing.assert_close(small.model(batch).scores_BE, model(batch).scores_BE, atol=5e-3, rtol=0)


def test_a_newer_checkpoint_replaces_the_older_whole(tmp_path: Path) -> None:
    model = build_model(TINY)
    save_checkpoint(tmp_path / "c", model, {"n": 1}, "old")
    (tmp_path / "c" / "stray").write_text("left from before")
    save_checkpoint(tmp_path / "c", model, {"n": 2}, "new")
    assert load_checkpoint(tmp_path / "c").metrics == {"n": 2}
    assert not (tmp_path / "c" / "stray").exists()


def test_bad_checkpoints_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "nowhere")
    folder = save_checkpoint(tmp_path / "c", build_model(TINY), {}, "")
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(folder)
    (folder / WEIGHTS).write_bytes(whole)
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(config | {"width": 0.25}))
    with pytest.raises(CheckpointError, match="do not fit"):
        load_checkpoint(folder)
    (folder / CONFIG).write_text(json.dumps(config | {"color": 1}))
    with pytest.raises(CheckpointError, match="no setting 'color'"):
        load_checkpoint(folder)


def test_warm_start_refuses_another_width() -> None:
    dense = build_model(replace(TINY, name="fe2e"))
    with pytest.raises(CheckpointError, match="same width"):
        warm_start(build_model(replace(TINY, width=0.25)), dense.state_dict())
