"""Runs on a small learnable corpus: learning, resuming after SIGKILL, two processes, bad news in one sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mesm.config import FE2EConfig, RunConfig, TrainConfig
from mesm.errors import ConfigError, DataError
from mesm.models import load_checkpoint
from mesm.records.training_log import read_log
from mesm.training.run_folder import RunFolder
from mesm.training.trainer import Trainer, resume
from tests.training.corpora import LABELS, tinted_corpus

SMALL = FE2EConfig(
    labels=LABELS, width=0.125, head_dim=16, transformer_dim=16, transformer_layers=1,
    transformer_feedforward=16, dropout=0.1,
)  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tinted_corpus(tmp_path_factory.mktemp("corpus") / "tinted")


def config(corpus: Path, **train: object) -> RunConfig:
    return RunConfig(SMALL, TrainConfig(corpus=str(corpus), batch_size=8, **train))  # type: ignore[arg-type]


def test_mesm_starts_from_fe2e_and_both_learn(corpus: Path, tmp_path: Path) -> None:
    dense = config(corpus, epochs=6, lr=3e-3)
    first = Trainer(dense, tmp_path / "fe2e").fit()
    rows = list(read_log(tmp_path / "fe2e"))
    assert [row.epoch for row in rows] == list(range(6))
    assert rows[-1].loss < 0.7 * rows[0].loss
    found = load_checkpoint(first)
    assert found.metrics.trained_on == "tinted" and len(found.metrics.thresholds) == 6
    assert found.config.text_sha256
    sparse = RunConfig(
        SMALL.as_model("mesm"),
        replace(dense.train, epochs=1, lr=1e-4, init_from=str(first), top_p_range=(0.3, 1.0)),
    )
    Trainer(sparse, tmp_path / "mesm").fit()
    assert load_checkpoint(tmp_path / "mesm" / "checkpoint").metrics.train["init_from"] == "fe2e"
    warm = next(iter(read_log(tmp_path / "mesm"))).loss
    assert warm < 0.8 * rows[0].loss, "a warm start begins where the dense model ended"


def test_another_config_in_the_same_folder_is_refused(corpus: Path, tmp_path: Path) -> None:
    Trainer(config(corpus, epochs=1), tmp_path).fit()
    with pytest.raises(ConfigError, match="other settings"):
        Trainer(config(corpus, epochs=2), tmp_path).fit()


def test_a_nan_loss_names_the_batch(corpus: Path, tmp_path: Path) -> None:
    trainer = Trainer(config(corpus, epochs=1), tmp_path)
    with torch.no_grad():
        next(trainer.model.parameters()).fill_(float("nan"))
    with pytest.raises(DataError, match=r"loss is nan in epoch 1, batch 1 \(clips train"):
        trainer.fit()


def test_a_full_disk_leaves_the_last_state(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path)
    folder.open(config(corpus, epochs=2))
    folder.save_state({"weight": torch.ones(3)})
    before = (tmp_path / "state.pt").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left"):
        folder.save_state({"weight": torch.zeros(3)})
    assert (tmp_path / "state.pt").read_bytes() == before
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def start(script: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", script, *arguments], env={**os.environ, "OMP_NUM_THREADS": "1"})


RUN = """
import sys, json, torch
from pathlib import Path
torch.set_num_threads(1)
from mesm.config import RunConfig
from mesm.training.trainer import Trainer
def note(report):
    if hasattr(report, "batch"):
        Path(sys.argv[3]).write_text(f"{report.epoch} {report.batch}")
Trainer(RunConfig.from_dict(json.loads(Path(sys.argv[1]).read_text())), sys.argv[2], note).fit(save_minutes=0)
"""


@pytest.mark.slow
def test_a_killed_run_ends_with_the_weights_of_an_unbroken_one(corpus: Path, tmp_path: Path) -> None:
    run = config(corpus, epochs=3, lr=2e-3)
    run = RunConfig(run.model.as_model("mesm"), replace(run.train, top_p_range=(0.3, 1.0)))
    (tmp_path / "run.json").write_text(json.dumps(run.to_dict()))
    torch.set_num_threads(1)
    unbroken = Trainer(run, tmp_path / "unbroken").fit()
    for moment in ("0 2", "1 1", "2 3"):
        mark = tmp_path / "mark"
        mark.write_text("")
        process = start(RUN, str(tmp_path / "run.json"), str(tmp_path / "killed"), str(mark))
        while mark.read_text() < moment and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
    broken = resume(tmp_path / "killed")
    a, b = (load_file(folder / "model.safetensors") for folder in (unbroken, broken))
    assert a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
    logs = [[replace(report, seconds=None) for report in read_log(tmp_path / f)] for f in ("unbroken", "killed")]
    assert logs[0] == logs[1]


THREE_STEPS = """
import sys, json, torch
from dataclasses import replace
from pathlib import Path
torch.set_num_threads(1)
# In float64: the order of float32 sums alone can decide which of two nearly equal values a max-pool takes.
torch.set_default_dtype(torch.float64)
from mesm.config import RunConfig
from mesm.training.trainer import Trainer
trainer = Trainer(RunConfig.from_dict(json.loads(Path(sys.argv[1]).read_text())), sys.argv[2])
trainer.wrapped.train()
# Plain gradient descent: Adam divides by the gradient's size and would turn rounding of a tiny one into a whole step.
trainer.optimizer = torch.optim.SGD(trainer.model.parameters(), lr=0.05)
trainer.schedule = torch.optim.lr_scheduler.ConstantLR(trainer.optimizer, 1.0)
for index, batch in zip(range(3), trainer.train_loader.epoch(0)):
    trainer.step(replace(batch, text_vectors=batch.text_vectors.double()), index)
if trainer.accelerator.is_main_process:
    from mesm.models import save_checkpoint
    from mesm.records.checkpoint import CheckpointMetrics
    save_checkpoint(sys.argv[2], trainer.model, CheckpointMetrics(), "")
trainer.accelerator.end_training()
"""


@pytest.mark.slow
def test_two_processes_equal_one_with_the_same_global_batch(corpus: Path, tmp_path: Path) -> None:
    base = config(corpus, epochs=1, augment=False, weight_decay=0.0)
    base = RunConfig(base.model.as_model("mesm", dropout=0.0), base.train)
    (tmp_path / "script.py").write_text(THREE_STEPS)
    for name, processes, size in (("one", 1, 8), ("two", 2, 4)):
        run = RunConfig(base.model, replace(base.train, batch_size=size))
        (tmp_path / f"{name}.json").write_text(json.dumps(run.to_dict()))
        command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", str(processes)]
        command += ["--master_addr", "127.0.0.1", "--master_port", "29517", str(tmp_path / "script.py")]
        command += [str(tmp_path / f"{name}.json"), str(tmp_path / name)]
        done = subprocess.run(
            command,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-2000:]
    a, b = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    for key in a:
        if a[key].is_floating_point():
            torch.testing.assert_close(a[key], b[key], atol=1e-4, rtol=1e-4, msg=key)
