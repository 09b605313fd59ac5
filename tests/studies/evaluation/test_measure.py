"""Evaluations use the checkpoint's thresholds, trivial rows are told apart, and a checkpoint keeps its other metrics."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mesm.analysis.predictor import Predictor
from mesm.data.store import Corpus
from mesm.estimate import Estimate
from mesm.models import build_model, load_checkpoint, save_checkpoint
from mesm.models.checkpoint import update_checkpoint
from mesm.records.base import Record, new_provenance, write_record
from mesm.records.checkpoint import CheckpointMetrics, SplitMetrics
from mesm.records.evaluation import Evaluation, Scores, intervals_from
from mesm.studies.evaluation.measure import evaluate, trivial_scores
from mesm.studies.reproduction import measure as reproduction
from mesm.studies.reproduction.measure import find_or_evaluate
from mesm.studies.reproduction.table_jobs import TableJob
from mesm.training import metrics
from tests.analysis.small_model import CONFIG
from tests.figures.exhibit_records import made_evaluation
from tests.training.corpora import tinted_corpus

THRESHOLDS = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    torch.manual_seed(0)
    tinted_corpus(home / "tinted", train=1, valid=1, test=6)
    save_checkpoint(
        home / "small", build_model(CONFIG), CheckpointMetrics(thresholds=THRESHOLDS, trained_on="tinted"), ""
    )
    return home


@pytest.fixture(scope="module")
def predictor(home: Path) -> Predictor:
    return Predictor(load_checkpoint(home / "small"), device="cpu")


def test_decisions_use_the_checkpoints_thresholds(home: Path, predictor: Predictor) -> None:
    corpus = Corpus(home / "tinted")
    data = evaluate(predictor, corpus, draws=10)
    assert data.thresholds == pytest.approx(THRESHOLDS)
    clips = data.per_clip
    expected = metrics.summarise(clips.scores, clips.truth, np.array(THRESHOLDS), data.labels)
    assert data.average.accuracy == expected["accuracy"] and data.average.f1 == expected["f1"]
    assert data.per_class["fear"].positives == clips.truth[:, data.labels.index("fear")].sum()
    assert data.macs_ratio == pytest.approx(clips.conv_stack_ratio.mean(), abs=1e-3) and data.seeds == 1


def test_trivial_answers_are_told_apart() -> None:
    truth = np.array([[1, 0], [0, 0], [0, 0], [0, 1]])
    rows = trivial_scores(truth, ("anger", "fear"))
    assert (rows["never"].accuracy, rows["never"].f1) == (75.0, 0.0)
    assert (rows["always"].accuracy, rows["always"].f1) == (25.0, 40.0)
    assert rows["never"].wacc == rows["always"].wacc == rows["chance"].wacc == 50.0


def test_an_undefined_interval_is_left_out() -> None:
    intervals = intervals_from({"wacc": Estimate(1.5, 1.0, 2.0), "f1": Estimate(1.5)})
    assert list(intervals) == ["wacc"] and (intervals["wacc"].low, intervals["wacc"].high) == (1.0, 2.0)


def test_an_update_keeps_the_other_metrics(home: Path) -> None:
    known = CheckpointMetrics(
        thresholds=THRESHOLDS, valid=SplitMetrics(None, None, 1.0, n=3), other={"of_a_later_version": 1}
    )
    folder = save_checkpoint(home / "updated", build_model(CONFIG), known, "")
    data = replace(made_evaluation(), average=Scores(60.0, 65.0, 40.0, 50.0, 70.0))
    update_checkpoint(folder, data, 70.0, 0.75)
    content = json.loads((folder / "metrics.json").read_text())
    assert content["thresholds"] == list(THRESHOLDS) and content["valid"]["f1"] == 1.0
    assert content["of_a_later_version"] == 1
    assert (content["wacc"], content["test"]["f1"], content["ceiling_share"]) == (65.0, 40.0, 0.75)
    update_checkpoint(folder, replace(data, split="valid", average=Scores(1.0, 2.0, 3.0, 4.0, 5.0)))
    content = json.loads((folder / "metrics.json").read_text())
    assert content["wacc"] == 65.0 and content["valid"]["wacc"] == 2.0, "only the test split is the headline"


def test_a_recorded_evaluation_of_another_top_p_is_not_taken(
    home: Path, predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, one = Corpus(home / "tinted"), made_evaluation()
    ids = corpus.ids("test")
    scores, truth, speakers = (getattr(one.per_clip, name)[: len(ids)] for name in ("scores", "truth", "speakers"))
    clips = replace(one.per_clip, ids=tuple(ids), scores=scores, truth=truth, speakers=speakers)
    same = replace(one, top_p=predictor.config.top_p, per_clip=clips)
    monkeypatch.setenv("MESM_HOME", str(tmp_path))
    made = replace(same, clips=1)
    monkeypatch.setattr(reproduction, "evaluate", lambda *_, **__: made)

    def scored_clips(data: Evaluation, sha256: str = predictor.sha256) -> int:
        """Clips of the evaluation that is used beside this record alone."""
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        write_record(folder, Record("evaluate", new_provenance(corpus.id, "x", (sha256,)), data))
        return find_or_evaluate(predictor, corpus, "test", folder).clips

    assert scored_clips(same) == same.clips
    assert scored_clips(replace(same, top_p=0.123)) == 1, "another top-p"
    assert scored_clips(replace(same, split="valid")) == 1, "another split"
    assert scored_clips(replace(same, per_clip=replace(clips, ids=tuple(ids[::-1])))) == 1, "other clips"
    assert scored_clips(same, "1" * 64) == 1, "other weights"


def test_each_seed_has_its_own_checkpoint(home: Path) -> None:
    save_checkpoint(home / "seed-1", build_model(CONFIG), CheckpointMetrics(thresholds=THRESHOLDS), "")
    folders = [str(home / "small"), str(home / "seed-1")]
    job = TableJob(Corpus(home / "tinted"), home / "runs", (0, 1), checkpoints={"MESM": folders})
    assert [str(job.existing_checkpoint("MESM", seed)) for seed in (0, 1)] == folders
