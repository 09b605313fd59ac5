"""Checkpoints survive the trip, and bad ones say what is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mesm.analysis.checkpoints import read_facts
from mesm.batch import Batch
from mesm.config import upgrade_training
from mesm.errors import CheckpointError, DataError
from mesm.models import EmotionModel, build_model, load_checkpoint, save_checkpoint
from mesm.models.checkpoint import CONFIG, WEIGHTS, warm_start
from mesm.records.checkpoint import ADAPTER, METRICS, CheckpointMetrics, read_metrics, weights_sha256
from mesm.runtime import assets
from tests.models.model_fixtures import TINY, random_batch


def test_round_trip(tmp_path: Path, batch: Batch) -> None:
    model = build_model(TINY).eval()
    folder = save_checkpoint(tmp_path / "one", model, CheckpointMetrics(thresholds=(0.5,) * 6), "# card\n")
    found = load_checkpoint(folder)
    assert (
        found.config == TINY and found.metrics == CheckpointMetrics(thresholds=(0.5,) * 6) and found.card == "# card\n"
    )
    with torch.no_grad():
        assert torch.equal(found.model(batch, 0.5).logits_BE, model(batch, 0.5).logits_BE)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one"]


@pytest.mark.parametrize("name", ["marionette-fe2e", "marionette-mesm"])
def test_a_shipped_checkpoint_saved_anew_has_the_same_scores_to_the_bit(name: str, tmp_path: Path) -> None:
    shipped = load_checkpoint(assets() / "checkpoints" / name)
    again = load_checkpoint(save_checkpoint(tmp_path / name, shipped.model, shipped.metrics, shipped.card, half=True))
    assert (again.config, again.metrics, again.card) == (shipped.config, shipped.metrics, shipped.card)
    stored, own = (json.loads((c.folder / METRICS).read_text()) for c in (shipped, again))
    assert own.pop("train") == upgrade_training(stored.pop("train"), json.loads((shipped.folder / CONFIG).read_text()))
    assert without_none(own) == without_none(stored), "the file keeps its form"
    batch = random_batch([3, 1], [2, 4], text_dim=384)
    with torch.no_grad():
        for top_p in (0.3, 0.7):
            assert torch.equal(again.model(batch, top_p).logits_BE, shipped.model(batch, top_p).logits_BE)


def without_none(content: Any) -> Any:
    """A JSON value without keys that hold null."""
    if isinstance(content, dict):
        return {key: without_none(value) for key, value in content.items() if value is not None}
    return content


def test_keys_of_another_version_are_kept(tmp_path: Path) -> None:
    content = {
        "trained_on": "x",
        "later": [1],
        "valid": {"accuracy": 1.0, "wacc": None, "f1": 2.0, "kappa": 0.5, "n": 3},
    }
    metrics = CheckpointMetrics.from_json(content)  # type: ignore[arg-type]
    assert metrics.other == {"later": [1]} and metrics.valid is not None and metrics.valid.other == {"kappa": 0.5}
    assert without_none(metrics.to_json()) == without_none(content)
    (tmp_path / METRICS).write_text('{"thresholds": "high"}')
    with pytest.raises(DataError, match=r"metrics\.json\.thresholds is str"):
        read_metrics(tmp_path)


def test_half_precision_keeps_the_scores(tmp_path: Path, batch: Batch) -> None:
    torch.manual_seed(0)
    model = build_model(TINY.as_model("fe2e")).eval()
    small = load_checkpoint(save_checkpoint(tmp_path / "half", model, CheckpointMetrics(), "", half=True))
    full = save_checkpoint(tmp_path / "full", model, CheckpointMetrics(), "")
    assert (small.folder / WEIGHTS).stat().st_size < 0.6 * (full / WEIGHTS).stat().st_size
    with torch.no_grad():
        torch.testing.assert_close(small.model(batch).scores_BE, model(batch).scores_BE, atol=5e-3, rtol=0)


def test_a_newer_checkpoint_replaces_the_older_whole(tmp_path: Path) -> None:
    model = build_model(TINY)
    save_checkpoint(tmp_path / "c", model, CheckpointMetrics(other={"n": 1}), "old")
    (tmp_path / "c" / "stray").write_text("left from before")
    save_checkpoint(tmp_path / "c", model, CheckpointMetrics(other={"n": 2}), "new")
    assert load_checkpoint(tmp_path / "c").metrics.other == {"n": 2}
    assert not (tmp_path / "c" / "stray").exists()


def test_bad_checkpoints_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "nowhere")
    folder = save_checkpoint(tmp_path / "c", build_model(TINY), CheckpointMetrics(), "")
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


def test_an_adapter_is_a_file_of_its_own(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = replace(TINY.as_model("fe2e"), text_dim=384, text_adapter=2)
    adapted = build_model(config).eval()
    assert isinstance(adapted, EmotionModel) and adapted.text_encoder is not None
    for update in adapted.text_encoder.parameters():
        torch.nn.init.normal_(update, std=0.02)
    folder = save_checkpoint(tmp_path / "adapted", adapted, CheckpointMetrics(), "")
    plain = build_model(replace(config, text_adapter=0))
    warm_start(plain, adapted.state_dict())
    without = save_checkpoint(tmp_path / "plain", plain, CheckpointMetrics(), "")
    assert (folder / WEIGHTS).read_bytes() == (without / WEIGHTS).read_bytes() and not (without / ADAPTER).exists()
    found = load_checkpoint(folder).model
    assert isinstance(found, EmotionModel) and found.text_encoder is not None
    assert torch.equal(found.text_encoder.vectors(["so glad"]), adapted.text_encoder.vectors(["so glad"]))

    facts = read_facts(folder)
    assert facts.sha256 == weights_sha256(folder, config.is_adapted) != read_facts(without).sha256
    whole = (folder / ADAPTER).read_bytes()
    stored = (folder / CONFIG).read_text()
    (folder / CONFIG).write_text(stored.replace('"text_adapter": 2', '"text_adapter": 0'))
    for load in (load_checkpoint, read_facts):
        with pytest.raises(
            CheckpointError, match=r"config\.json lacks text_adapter beside text_adapter\.safetensors; copy"
        ):
            load(folder)
    (folder / CONFIG).write_text(stored)
    (folder / ADAPTER).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert weights_sha256(folder, config.is_adapted) != facts.sha256, "another adapter is another model"
    for damaged in (whole[: len(whole) // 2], None):
        (folder / ADAPTER).unlink()
        if damaged is not None:
            (folder / ADAPTER).write_bytes(damaged)
        for load in (load_checkpoint, read_facts):
            with pytest.raises(CheckpointError, match="cannot be read"):
                load(folder)


def test_warm_start_refuses_another_width() -> None:
    dense = build_model(TINY.as_model("fe2e"))
    with pytest.raises(CheckpointError, match="same width"):
        warm_start(build_model(replace(TINY, width=0.25)), dense.state_dict())


def test_a_start_with_more_modalities_gives_its_branches() -> None:
    whole, part = (build_model(replace(TINY, modalities=m)) for m in (TINY.modalities, ("text", "visual")))
    with torch.no_grad():
        whole.fusion.weight.fill_(0.5)  # type: ignore[union-attr, operator]
    left = warm_start(part, whole.state_dict())
    assert left == ["fusion.weight"] and torch.equal(part.fusion.weight, torch.ones(2))  # type: ignore[union-attr]
    for name, value in part.state_dict().items():
        assert name == "fusion.weight" or torch.equal(value, whole.state_dict()[name])
