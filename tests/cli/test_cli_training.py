"""The verbs around training, from the command line: train, seeds, evaluate, compare, search, ablate."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mesm import presets
from mesm.cli import main
from mesm.config import AuxiliaryTargetsConfig, RunConfig
from mesm.data.store import Corpus
from mesm.models import load_checkpoint
from mesm.models.checkpoint import update_checkpoint
from mesm.records.base import Record, read_record
from mesm.records.evaluation import Scores
from mesm.vocabulary import CORPUS_LABELS
from tests.figures.exhibit_records import made_evaluation
from tests.training.corpora import tinted_corpus


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with the tinted corpus, and presets that learn its words in a moment."""
    monkeypatch.setenv("MESM_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    tinted_corpus(tmp_path / "corpora" / "tinted", train=16, valid=8, test=12)
    given = presets.PRESETS["marionette-fe2e"]
    model = replace(given.model, labels=CORPUS_LABELS["mosei"], modalities=("text",))
    train = replace(given.train, auxiliary=AuxiliaryTargetsConfig(0.0), batch_size=8, epochs=2)
    monkeypatch.setitem(presets.PRESETS, "tinted-fe2e", RunConfig(model, train))
    monkeypatch.setitem(
        presets.PRESETS, "tinted-mesm", RunConfig(model.as_model("mesm"), replace(train, top_p_range=(0.3, 1.0)))
    )
    return tmp_path


def stored(home: Path, name: str) -> Record[Any]:
    """The only record whose file's name starts like this."""
    (path,) = (home / "records").glob(f"{name}*.json")
    return read_record(path)


def mesm(line: str) -> int:
    return main(shlex.split(line))


def test_seeds_are_trained_scored_together_and_compared(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = "train --preset tinted-fe2e --corpus tinted"
    assert mesm(f"{train} --seed 0 --out runs/words-0 --tensorboard") == 0
    assert list((home / "runs" / "words-0" / "tensorboard").glob("events.*"))
    assert mesm(f"{train} --seed 1 --out runs/words-1") == 0
    assert mesm("seeds runs/words-0 runs/words-1 --corpus tinted --name words") == 0
    seeds = stored(home, "seeds_words_tinted")
    assert [(run.checkpoint, run.seed) for run in seeds.data.runs] == [("words-0", 0), ("words-1", 1)]
    assert len(seeds.provenance.checkpoint_sha256) == 2
    assert mesm("evaluate runs/words-0/checkpoint --corpus tinted --update") == 0
    capsys.readouterr()
    paths = [str(next((home / "records").glob(f"{name}*.json"))) for name in ("seeds_words", "evaluate_words-0")]
    assert mesm(f"compare {' '.join(paths)}") == 0
    printed = capsys.readouterr().out
    record = stored(home, "compare_words-to-words-0_tinted")
    assert (record.data.first.runs, record.data.second.runs) == (2, 1)
    assert [origin.checkpoint for origin in record.provenance.compared] == ["words", "words-0"]
    assert f"{record.data.difference['wacc'].value:+.2f}" in printed
    assert mesm(f"{train} --seed 2 --set train.lr=0.01 --out runs/other") == 0
    assert mesm("seeds runs/words-0 runs/other --corpus tinted") == 2
    assert "differ in lr" in capsys.readouterr().err


def test_the_ceiling_reaches_the_card(home: Path) -> None:
    assert mesm("train --preset tinted-fe2e --corpus tinted --set train.epochs=1 --out runs/a") == 0
    folder = home / "runs" / "a" / "checkpoint"
    before = load_checkpoint(folder).metrics
    average = Scores(60.0, 65.0, 40.0, 50.0, 70.0)
    data = replace(made_evaluation(None), average=average, macs_ratio=None, clips=12)
    update_checkpoint(folder, data, 70.0, 0.75)
    after = load_checkpoint(folder).metrics
    for name in ("thresholds", "train", "valid", "trained_on"):
        assert getattr(after, name) == getattr(before, name), name
    assert after.test is not None
    assert (after.wacc, after.test.wacc, after.test.n) == (65.0, 65.0, 12)
    assert "per_clip" not in after.test.other and after.test.interval["wacc"] == (68.0, 72.0)
    found = load_checkpoint(folder)
    assert found.metrics.ceiling_share == 0.75 and "75 % of the way from chance" in found.card
    update_checkpoint(folder, data)
    assert load_checkpoint(folder).metrics.ceiling_share is None
    assert "of the way" not in load_checkpoint(folder).card


def test_a_search_prints_a_command_that_trains(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = home / "space.toml"
    space.write_text("[train]\nlr = {low = 1e-3, high = 1e-1, log = true}\n[model]\ntext_hidden = [0, 8]\n")
    search = f"search --preset tinted-fe2e --corpus tinted --space {space} --set train.epochs=1 --out searches/a"
    assert mesm(f"{search} --trials 1") == 0
    assert mesm(f"{search} --trials 2") == 0
    record = stored(home, "search_tinted-fe2e_tinted").data
    assert len(record.trials) == 2 and record.base["train"]["corpus"] == "tinted"
    assert str(home) not in next((home / "records").glob("search_*.json")).read_text()
    command = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("mesm train"))
    assert command == record.best_command and mesm(command.removeprefix("mesm ")) == 0
    found = json.loads((home / "runs" / "best" / "config.json").read_text())
    best = next(trial for trial in record.trials if trial.number == record.best)
    assert found["train"]["lr"] == json.loads(best.values["train.lr"]) and found["train"]["epochs"] == 1


@pytest.mark.slow
def test_an_ablation_row_by_row(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mesm("ablate --corpus tinted --preset tinted --out ab --list") == 0
    assert "gate-hard" in capsys.readouterr().out
    line = "ablate --corpus tinted --preset tinted --out ab --clips 8 --epochs 1 --rows fe2e-T"
    assert mesm(line) == 0
    record = stored(home, "ablation_tinted")
    assert [row.row for row in record.data.rows] == ["fe2e-TAV", "fe2e-T"]
    assert (record.data.setup.clips, record.data.setup.epochs, record.data.setup.width) == (8, 1, 0.125)
    assert "8 training clips" in capsys.readouterr().out
    assert mesm(f"{line} --seeds a") == 2
    assert Corpus(home / "corpora" / "tinted").name == record.provenance.corpus.name
