"""TensorBoard's own reader finds in the event files what the trainer reported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mesm.config import FE2EConfig, RunConfig, TrainConfig
from mesm.errors import BackendUnavailable
from mesm.records.training_log import read_log
from mesm.training.progress import EpochReport, StepReport
from mesm.training.tensorboard_log import FOLDER, TensorBoardLog
from mesm.training.trainer import Trainer
from tests.training.corpora import LABELS, tinted_corpus

RUN = FE2EConfig(labels=LABELS, modalities=("text",))


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / FOLDER))
    events.Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_a_run_in_tensorboard_is_its_log(tmp_path: Path) -> None:
    corpus = tinted_corpus(tmp_path / "tinted", train=12, valid=6, test=0)
    folder = tmp_path / "run"
    Trainer(
        RunConfig(RUN, TrainConfig(corpus=str(corpus), batch_size=6, epochs=2)), folder, TensorBoardLog(folder)
    ).fit()
    found, rows = scalars(folder), list(read_log(folder))
    assert [step for step, _ in found["step/loss"]] == [1, 2, 3, 4]
    assert [step for step, _ in found["epoch/valid_f1"]] == [2, 4]
    for key in ("loss", "valid_f1", "valid_wacc", "lr", "seconds"):
        assert [v for _, v in found[f"epoch/{key}"]] == pytest.approx([getattr(row, key) for row in rows])


def test_a_resumed_run_replaces_the_steps_after_its_start(tmp_path: Path) -> None:
    def steps(log: TensorBoardLog, epochs: range, loss: float) -> None:
        for epoch in epochs:
            for batch in (1, 2):
                log(StepReport(epoch, batch, 2, 6, loss, 0.0))
            log(EpochReport(epoch, loss, None, None, None, 1.0, 1e-3))

    steps(TensorBoardLog(tmp_path), range(3), 1.0)
    steps(TensorBoardLog(tmp_path), range(1, 3), 2.0)  # resumed after the first epoch
    assert scalars(tmp_path)["step/loss"] == [(1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0), (5, 2.0), (6, 2.0)]


def test_without_tensorboard_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto", None)
    with pytest.raises(BackendUnavailable, match=r"pip install 'mesm\[train\]"):
        TensorBoardLog(tmp_path)
