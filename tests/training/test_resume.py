"""A run that was stopped, killed, damaged or moved: the weights and the log of an unbroken one, or one sentence."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mesm.cli import main
from mesm.config import FE2EConfig, RunConfig, TrainConfig
from mesm.data.importers.resplit import resplit
from mesm.errors import ConfigError, DataError
from mesm.locks import FolderLock, read_owner
from mesm.records.training_log import LOG_NAME, EpochReport, read_log
from mesm.stopping import Stopped
from mesm.training.progress import StepReport
from mesm.training.run_folder import RunFolder
from mesm.training.trainer import Trainer, resume
from tests.training.corpora import LABELS, tinted_corpus

WORDS = FE2EConfig(
    labels=LABELS, modalities=("text",), width=0.125, head_dim=16, transformer_dim=16,
    transformer_layers=1, transformer_feedforward=16, dropout=0.1,
)  # fmt: skip
EPOCHS, STEPS = 3, 4


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tinted_corpus(tmp_path_factory.mktemp("corpus") / "tinted", train=16, valid=8, test=8)


@pytest.fixture(scope="module")
def run(corpus: Path) -> RunConfig:
    return RunConfig(WORDS, TrainConfig(corpus=str(corpus), batch_size=4, epochs=EPOCHS, lr=3e-3))


@pytest.fixture(scope="module")
def unbroken(run: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unbroken")
    Trainer(run, folder).fit()
    return folder


def assert_same_run(one: Path, other: Path) -> None:
    a, b = (load_file(folder / "checkpoint" / "model.safetensors") for folder in (one, other))
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
    first, second = ([replace(report, seconds=None) for report in read_log(folder)] for folder in (one, other))
    assert first == second and len(first) == EPOCHS
    assert not list(other.rglob(".*")), "no lock and no part of a file is left"


def at_step(epoch: int, batch: int, act: Callable[[], object]) -> Callable[[StepReport | EpochReport], None]:
    def progress(report: StepReport | EpochReport) -> None:
        if isinstance(report, StepReport) and (report.epoch, report.batch) == (epoch, batch):
            act()

    return progress


def stop_at(run: RunConfig, folder: Path, epoch: int, batch: int, number: int = signal.SIGTERM) -> Stopped:
    with pytest.raises(Stopped) as stopped:
        Trainer(run, folder, at_step(epoch, batch, lambda: os.kill(os.getpid(), number))).fit()
    return stopped.value


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_the_state(run: RunConfig, unbroken: Path, tmp_path: Path, number: int, status: int) -> None:
    before = signal.getsignal(number)
    stopped = stop_at(run, tmp_path / "run", 1, 3, number)
    assert str(stopped) == "stopped after epoch 2 step 3" and stopped.status == status
    assert signal.getsignal(number) == before and read_owner(tmp_path / "run") is None
    seen: list[StepReport | EpochReport] = []
    resume(tmp_path / "run", seen.append)
    assert isinstance(seen[0], StepReport) and (seen[0].epoch, seen[0].batch) == (1, 4), "nothing is trained twice"
    assert_same_run(unbroken, tmp_path / "run")


def test_a_signal_waits_for_the_accumulated_gradients(run: RunConfig, tmp_path: Path) -> None:
    double = RunConfig(run.model, replace(run.train, accumulate=2, epochs=EPOCHS))
    Trainer(double, tmp_path / "unbroken").fit()
    assert str(stop_at(double, tmp_path / "run", 1, 1)) == "stopped after epoch 2 step 2"
    resume(tmp_path / "run")
    assert_same_run(tmp_path / "unbroken", tmp_path / "run")


def test_a_signal_during_validation(
    run: RunConfig, unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch, pytest.raises(Stopped, match=f"epoch 1 step {STEPS}"):
        patch.setattr("mesm.training.trainer.Validation.of", interrupt)
        Trainer(run, tmp_path / "run").fit()
    resume(tmp_path / "run")
    assert_same_run(unbroken, tmp_path / "run")


def test_the_command_prints_how_to_resume(
    run: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my run"
    RunFolder(folder).path.mkdir()
    RunFolder(folder).open(run)
    progress = at_step(0, 2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    monkeypatch.setattr("mesm.cli.train.progress_of", lambda _: progress)
    assert main(["train", "--resume", str(folder)]) == 143
    assert capsys.readouterr().err == (
        f"mesm train: stopped after epoch 1 step 2; go on with: mesm train --resume '{folder}'\n"
    )
    assert main(["train", "--resume", str(folder), "--seed", "3"]) == 2
    assert "leave out --seed" in capsys.readouterr().err


def test_the_second_trainer_is_refused(run: RunConfig, tmp_path: Path) -> None:
    with FolderLock(tmp_path / "run", "run"), pytest.raises(DataError, match="run run is being written by process"):
        Trainer(run, tmp_path / "run").fit()
    assert not (tmp_path / "run").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write in"):
        Trainer(run, tmp_path / "file")


@pytest.mark.slow
def test_two_commands_in_one_folder(run: RunConfig, unbroken: Path, tmp_path: Path) -> None:
    """The second of two real processes ends with one sentence; the first one's run is not touched."""
    RunFolder(tmp_path / "run").path.mkdir()
    RunFolder(tmp_path / "run").open(run)

    def second() -> None:
        command = [sys.executable, "-m", "mesm", "train", "--resume", str(tmp_path / "run")]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 2 and done.stderr.startswith("mesm train: run run is being written by process ")

    resume(tmp_path / "run", at_step(1, 1, second))
    assert_same_run(unbroken, tmp_path / "run")


def torn_log(folder: Path) -> None:
    with (folder / LOG_NAME).open("a") as log:
        log.write('{"epoch": 1, "loss": 3.2')


def doubled_log(folder: Path) -> None:
    (folder / LOG_NAME).write_text(2 * (folder / LOG_NAME).read_text())


def damaged_best(folder: Path) -> None:
    weights = bytearray((folder / "best" / "model.safetensors").read_bytes())
    weights[-5] ^= 4
    (folder / "best" / "model.safetensors").write_bytes(weights)


def killed_while_best_is_replaced(folder: Path) -> None:
    (folder / "best").rename(folder / ".best.old")
    (folder / ".best.abcdefgh.part").mkdir()
    (folder / ".state.pt.abcdefgh.part").write_bytes(b"half")


def no_log(folder: Path) -> None:
    (folder / LOG_NAME).unlink()


@pytest.mark.parametrize(
    "damage", [torn_log, doubled_log, no_log, damaged_best, killed_while_best_is_replaced], ids=lambda d: d.__name__
)
def test_damage_that_the_state_repairs(
    run: RunConfig, unbroken: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    stop_at(run, tmp_path / "run", 2, 1)
    damage(tmp_path / "run")
    resume(tmp_path / "run")
    assert_same_run(unbroken, tmp_path / "run")


def test_a_log_without_a_state_is_begun_again(run: RunConfig, unbroken: Path, tmp_path: Path) -> None:
    shutil.copytree(unbroken, tmp_path / "run")
    (tmp_path / "run" / "state.pt").unlink()
    resume(tmp_path / "run")
    assert_same_run(unbroken, tmp_path / "run")


@pytest.mark.parametrize("content", ["", '{"model": {"na', "[]", "[" * 10**5, '{"model": 1, "train": 2}', "\xff\x00"])
def test_a_damaged_config_is_one_sentence(
    unbroken: Path, tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str], run: RunConfig
) -> None:
    shutil.copytree(unbroken, tmp_path / "run")
    (tmp_path / "run" / "config.json").write_bytes(content.encode("latin-1"))
    assert main(["train", "--resume", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "config.json is damaged" in error
    (tmp_path / "run" / "config.json").unlink()  # the remedy of the sentence
    RunFolder(tmp_path / "run").open(run)
    assert RunFolder(tmp_path / "run").read_config() == run


def test_a_damaged_state_is_one_sentence(unbroken: Path, tmp_path: Path) -> None:
    """Any flipped bit: it is refused, or what is read is the same."""
    whole = (unbroken / "state.pt").read_bytes()
    state = tmp_path / "state.pt"
    chance = random.Random(0)
    # Names, sizes and offsets lie at the end; tensors, of which most bytes are, anywhere.
    places = [chance.randrange(len(whole)) for _ in range(30)] + [len(whole) - n for n in range(1, 4000, 67)]
    refused = 0
    original = RunFolder(unbroken).load_state("cpu")
    assert original is not None
    for place in places:
        content = bytearray(whole)
        content[place] ^= 1 << chance.randrange(8)
        state.write_bytes(content)
        try:
            read = RunFolder(tmp_path).load_state("cpu")
        except DataError as error:
            assert "\n" not in str(error) and "delete it to start the run over" in str(error)
            refused += 1
        else:
            assert read is not None and read["log"] == original["log"] and read["position"] == original["position"]
            assert all(torch.equal(read["model"][name], value) for name, value in original["model"].items())
    assert refused > len(places) / 2
    for content in (whole[:-30], whole[: len(whole) // 2], b"", b"hello"):
        state.write_bytes(content)
        with pytest.raises(DataError, match="is damaged"):
            RunFolder(tmp_path).load_state("cpu")


def test_a_state_of_something_else_is_one_sentence(run: RunConfig, unbroken: Path, tmp_path: Path) -> None:
    for name, changes in {"less": {"model": {}}, "short": {"position": [1]}, "no": {"optimizer": 3}}.items():
        folder = RunFolder(tmp_path / name)
        folder.path.mkdir()
        folder.open(run)
        folder.save_state({**(RunFolder(unbroken).load_state("cpu") or {}), **changes})
        with pytest.raises(DataError, match="not of this run or this version"):
            resume(folder.path)
    wider = RunConfig(run.model, replace(run.train, lr=1.0))
    (tmp_path / "less" / "config.json").unlink()
    with pytest.raises(ConfigError, match="of a run with other settings"):
        Trainer(wider, tmp_path / "less").fit()


def test_a_run_and_its_corpus_move(
    run: RunConfig, corpus: Path, unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "one"
    place.mkdir()
    shutil.copytree(corpus, place / "tinted")
    monkeypatch.chdir(place)
    here = RunConfig(run.model, replace(run.train, corpus="tinted"))
    stop_at(here, Path("run"), 1, 2)
    assert json.loads(Path("run/config.json").read_text())["train"]["corpus"] == str(place / "tinted")
    monkeypatch.chdir(tmp_path)
    place.rename(tmp_path / "two")
    with pytest.raises(DataError, match="is not there; give its new place with --corpus"):
        resume("two/run")
    resplit(corpus, tmp_path / "other", "random", seed=3)
    with pytest.raises(DataError, match="has other clips or splits"):
        resume("two/run", corpus=tmp_path / "other")
    shutil.copytree("two/run", "three")
    resume("two/run", corpus="two/tinted")
    assert RunFolder("two/run").read_config().train.corpus == str(tmp_path / "two" / "tinted")
    assert_same_run(unbroken, tmp_path / "two" / "run")
    Trainer(RunConfig(run.model, replace(run.train, corpus="two/tinted")), "three").fit()  # --out with the new place
    assert_same_run(unbroken, tmp_path / "three")


def test_the_first_checkpoint_may_be_gone(run: RunConfig, unbroken: Path, tmp_path: Path) -> None:
    shutil.copytree(unbroken / "checkpoint", tmp_path / "first")
    warm = RunConfig(run.model, replace(run.train, init_from=str(tmp_path / "first")))
    Trainer(warm, tmp_path / "whole").fit()
    stop_at(warm, tmp_path / "run", 0, 2)
    shutil.rmtree(tmp_path / "first")
    resume(tmp_path / "run")
    assert_same_run(tmp_path / "whole", tmp_path / "run")


def test_a_run_that_ended_by_patience_stays_ended(run: RunConfig, tmp_path: Path) -> None:
    patient = RunConfig(run.model, replace(run.train, epochs=9, lr=1e-12, patience=1))
    Trainer(patient, tmp_path).fit()
    seen: list[StepReport | EpochReport] = []
    resume(tmp_path, seen.append)
    assert not seen and len(list(read_log(tmp_path))) == 2
