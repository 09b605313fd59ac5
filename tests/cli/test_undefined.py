"""A corpus whose validation and test clips all show the same emotion: every command ends with nulls and sentences."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mesm import presets
from mesm.cli import main
from mesm.config import AuxiliaryTargetsConfig, RunConfig
from mesm.data.manifest import Manifest
from mesm.data.store import Corpus, CorpusWriter
from mesm.models import load_checkpoint
from mesm.records.base import read_record
from mesm.studies.sweep.chart_data import SweepView
from mesm.studies.sweep.exports import sweep_export
from tests.training.corpora import LABELS, tinted_sample


def one_class_corpus(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    with CorpusWriter(folder, "one", LABELS) as writer:
        for split, number in (("train", 8), ("valid", 3), ("test", 2)):
            for i in range(number):
                shown = ("happiness", "sadness", "fear")[i % 3 if split == "train" else 0]
                labels = np.array([name == shown for name in LABELS], int)
                writer.add(tinted_sample(f"{split}{i}", labels, split, rng))
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the corpus and a run of MESM on it."""
    home = tmp_path_factory.mktemp("home")
    one_class_corpus(home / "corpora" / "one")
    return home


@pytest.fixture(autouse=True)
def workspace(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESM_HOME", str(home))
    monkeypatch.chdir(home)
    given = presets.PRESETS["marionette-fe2e"]
    model = replace(given.model, labels=LABELS, modalities=("text", "visual"), width=0.125, head_dim=16,
                    transformer_dim=16, transformer_layers=1, transformer_feedforward=16)  # fmt: skip
    train = replace(
        given.train, auxiliary=AuxiliaryTargetsConfig(0.0), batch_size=8, epochs=2, keep="best", fusion="learned"
    )
    monkeypatch.setitem(presets.PRESETS, "small-fe2e", RunConfig(model, train))
    monkeypatch.setitem(presets.PRESETS, "small-mesm", RunConfig(model.as_model("mesm"), train))


def mesm(line: str) -> int:
    return main(shlex.split(line))


def test_every_command_ends_with_nulls_and_sentences(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = "--set model.labels=happiness,sadness,fear"
    for seed in (0, 1):
        assert mesm(f"train --preset small-mesm --corpus one {labels} --seed {seed} --out runs/m{seed}") == 0
    note = capsys.readouterr().err
    assert "happiness, sadness, fear: the validation split has no clip that shows it, or none that does not" in note
    folder = home / "runs" / "m0" / "checkpoint"
    checkpoint = load_checkpoint(folder)
    assert checkpoint.metrics.thresholds == (None, None, None) and checkpoint.metrics.epoch == 1
    assert "No decision for happiness, sadness, fear" in checkpoint.card
    json.loads((folder / "metrics.json").read_text(), parse_constant=pytest.fail)

    for line in (
        "evaluate m0 --corpus one --update",
        "seeds runs/m0 runs/m1 --corpus one --name m",
        "sweep m0 --corpus one --top-p 0.3,0.5,1",
    ):
        assert mesm(line) == 0, line
        printed = capsys.readouterr().out
        assert "happiness: every test clip shows it" in printed and "sadness, fear: no test clip shows it" in printed
        assert "no intervals: 2 speakers" in printed and "nan" not in printed.lower()
    assert mesm("compare records/evaluate_m0_one*.json records/evaluate_m0_one*.json") == 2  # no shell here
    (evaluated,) = (home / "records").glob("evaluate_m0*.json")
    assert mesm(f"compare {evaluated} {evaluated}") == 0
    printed = capsys.readouterr().out
    assert "left out of both sides" in printed and "nan" not in printed.lower()
    for path in (home / "records").glob("*.json"):
        json.loads(path.read_text(), parse_constant=pytest.fail)
        read_record(path)

    data = read_record(evaluated).data
    assert data.average.wacc is None and data.thresholds == (None,) * 3 and data.interval == {}
    assert data.per_class["sadness"].auc is None and data.per_class["sadness"].positives == 0
    (swept,) = (home / "records").glob("sweep_m0*.json")
    record = read_record(swept)
    assert record.data.elbow is None and record.data.elbow_point is None and record.data.positives == (2, 0, 0)
    export = sweep_export([record], SweepView())
    assert "No elbow" in export.caption and export.draw is not None
    export.draw(3.5)  # points without a score are left out
    assert mesm("faithfulness m0 --corpus one --clips 2") == 2
    assert "has a decision for none of happiness, sadness, fear" in capsys.readouterr().err


def test_a_checkpoint_with_other_labels_starts_a_training(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mesm("train --preset small-fe2e --corpus one --set epochs=1 --out runs/six") == 0
    capsys.readouterr()
    train = "train --preset small-mesm --corpus one --set epochs=1 --set lr=0 --set weight_decay=0 --init six"
    assert mesm(f"{train} --set model.labels=sadness,happiness,fear --out runs/three") == 0
    assert "six has other labels" in (err := capsys.readouterr().err) or "labels" in err
    assert "its last layers are left out and start at random" in err
    six, three = (load_checkpoint(home / "runs" / run / "checkpoint").model.state_dict() for run in ("six", "three"))
    learned = [name for name in six if name in three and ".out." not in name and "running" not in name]
    floats = [name for name in learned if six[name].is_floating_point() and not name.startswith("fusion")]
    assert len(floats) > 20
    assert [name for name in floats if not torch.allclose(six[name], three[name], atol=1e-3)] == []
    # The same number of labels in another order is no reason to keep the rows.
    reordered = ",".join(LABELS[::-1])
    assert mesm(f"{train} --set model.labels={reordered} --out runs/reordered") == 0
    assert "last layers are left out" in capsys.readouterr().err
    assert mesm(f"{train} --set freeze_text=true --set model.labels={reordered} --out runs/frozen") == 2
    assert "set freeze_text=false" in capsys.readouterr().err


def test_an_unfinished_corpus_is_named_and_is_not_the_whole(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = one_class_corpus(home / "corpora" / "part")
    manifest = Manifest.read(folder)
    generated = replace(manifest, name="part", meta={"generator": "made"})
    replace(generated, complete=False).write(folder)
    assert Corpus(folder).digest != generated.digest
    assert mesm(f"evaluate six --corpus {folder} --out unfinished") == 0
    assert "corpus 'part' is unfinished" in capsys.readouterr().err
    generated.write(folder)
    assert mesm(f"evaluate six --corpus {folder} --out unfinished") == 0
    assert "unfinished:" not in capsys.readouterr().err


def test_a_corpus_with_test_clips_only_is_evaluated_and_swept(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with CorpusWriter(home / "corpora" / "only", "only", LABELS) as writer:
        for i in range(4):
            writer.add(tinted_sample(f"test{i}", np.eye(6, dtype=int)[i], "test", np.random.default_rng(i)))
    assert mesm("evaluate m0 --corpus only") == 0
    assert mesm("sweep m0 --corpus only --top-p 0.5,1") == 0
    assert "every top-p is scored with the checkpoint's own thresholds" in capsys.readouterr().out
    (path,) = (home / "records").glob("sweep_m0_only*.json")
    assert read_record(path).data.own_thresholds
