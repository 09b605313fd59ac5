"""The sweep equals single evaluations; the elbow is where a picture shows it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mesm.analysis.predictor import Predictor
from mesm.data.store import Corpus
from mesm.errors import ConfigError, DataError
from mesm.models import build_model, load_checkpoint, save_checkpoint
from mesm.records.base import Record, read_record, write_record
from mesm.records.checkpoint import CheckpointMetrics
from mesm.studies.evaluation.measure import evaluate, labelled_batches
from mesm.studies.evaluation.timing import time_models
from mesm.studies.sweep.measure import measure_sweep
from mesm.studies.sweep.top_ps import find_elbow, parse_top_ps
from mesm.training.metrics import choose_thresholds
from mesm.training.scoring import score_batches
from tests.analysis.small_model import CONFIG
from tests.studies.sweep.made_sweeps import TOY, made_provenance
from tests.training.corpora import tinted_corpus


def test_ranges() -> None:
    assert parse_top_ps("0.1:1.0:0.1") == tuple(round(0.1 * i, 6) for i in range(1, 11))
    assert parse_top_ps("0.3,0.5") == (0.3, 0.5)
    for bad in (
        "a",
        "0.1:1",
        "0:1:0.5",
        "0.5,1.5",
        "0.1:1:0",
        "0.1:1:1e-9",
        "0.1:1:nan",
        "0.1:inf:0.1",
        "1:0.1:0.1",
        "nan",
    ):
        with pytest.raises(ConfigError):
            parse_top_ps(bad)


def test_the_elbow_of_a_bent_line() -> None:
    # Rises steeply to the third point and hardly after it.
    assert find_elbow([0.2, 0.3, 0.4, 0.6, 0.9], [50, 60, 70, 71, 72]) == 2
    assert find_elbow([0.9, 0.6, 0.4, 0.3, 0.2], [72, 71, 70, 60, 50]) == 2


def test_no_elbow_without_a_bend() -> None:
    assert find_elbow([0.2, 0.5], [50, 60]) is None and find_elbow([], []) is None
    assert find_elbow([0.2, 0.5, 0.9], [60, 60, 60]) is None and find_elbow([0.2, 0.2, 0.2], [50, 60, 70]) is None
    assert find_elbow([0.2, 0.5, 0.9], [None, 60, 70]) is None
    assert find_elbow([0.1, 0.2, 0.3, 0.4, 0.9], [None, 50, 70, 71, 72]) == 2


def predictor(folder: Path, **changes: object) -> Predictor:
    name = str(changes.pop("name", CONFIG.name))
    model = build_model(CONFIG.as_model(name, **changes))
    return Predictor(load_checkpoint(save_checkpoint(folder, model, CheckpointMetrics(), "")), device="cpu")


def test_each_point_is_an_evaluation(tmp_path: Path) -> None:
    corpus = Corpus(tinted_corpus(tmp_path / "tinted", train=1, valid=6, test=6))
    mesm = predictor(tmp_path / "c")
    sweep = measure_sweep(mesm, corpus, (0.3, 0.8), draws=20)
    assert sweep.clip_ids == tuple(corpus.ids("test")) and sweep.clips == 6
    for point in sweep.points:
        mesm.thresholds = np.array(point.thresholds)
        alone = evaluate(mesm, corpus, top_p=point.top_p, draws=20)
        assert point.macs_ratio == pytest.approx(alone.macs_ratio, abs=2e-3)
        assert point.average.auc == pytest.approx(alone.average.auc, abs=0.5)
        assert point.average.wacc == pytest.approx(alone.average.wacc, abs=0.5)
        assert point.interval.keys() == alone.interval.keys()
        assert all(interval.low <= interval.high for interval in point.interval.values())
        assert point.macs == pytest.approx(alone.macs, rel=2e-3)
    with pytest.raises(ConfigError, match="no attention"):
        measure_sweep(predictor(tmp_path / "d", name="fe2e"), corpus, (0.5,))


def test_thresholds_come_from_the_validation_split(tmp_path: Path) -> None:
    corpus = Corpus(tinted_corpus(tmp_path / "tinted", train=1, valid=6, test=6))
    mesm = predictor(tmp_path / "c")
    (point,) = measure_sweep(mesm, corpus, (0.4,), draws=5).points
    chosen = {}
    for split in ("valid", "test"):
        batches = labelled_batches(mesm, corpus, split, mesm.labels, 16).epoch(0)
        scored = score_batches(mesm.model, batches, 0.4, device="cpu")
        chosen[split] = tuple(choose_thresholds(scored.scores, scored.truth).tolist())
    assert chosen["valid"] != chosen["test"], "the two splits must lead to different thresholds for this test to tell"
    assert point.thresholds == chosen["valid"]


def test_at_the_checkpoints_own_p_the_point_is_its_evaluation(tmp_path: Path) -> None:
    """One number for one thing: thresholds that differ from the checkpoint's gave 85.8 beside 86.0."""
    corpus = Corpus(tinted_corpus(tmp_path / "tinted", train=1, valid=6, test=6))
    mesm = predictor(tmp_path / "c")
    own = tuple(0.31 + 0.07 * i for i in range(len(mesm.labels)))
    mesm.metrics = replace(mesm.metrics, thresholds=own, trained_on=corpus.name, thresholds_top_p=0.4)
    mesm.thresholds = np.array(own)
    at_own, other = measure_sweep(mesm, corpus, (0.4, 0.7), draws=20).points
    alone = evaluate(mesm, corpus, top_p=0.4, draws=20)
    assert at_own.thresholds == alone.thresholds and at_own.thresholds != other.thresholds
    assert at_own.average.wacc == pytest.approx(alone.average.wacc, abs=0.5)
    mesm.metrics = replace(mesm.metrics, trained_on="elsewhere")
    assert (
        measure_sweep(mesm, corpus, (0.4,), draws=5).points[0].thresholds != own
    )  # this corpus's own validation split


def test_layers_add_up_and_fe2e_is_measured_alike(tmp_path: Path) -> None:
    corpus = Corpus(tinted_corpus(tmp_path / "tinted", train=1, valid=4, test=4))
    fe2e, mesm = predictor(tmp_path / "d", name="fe2e"), predictor(tmp_path / "c")
    calls: list[tuple[int, int]] = []
    sweep = measure_sweep(mesm, corpus, (0.2, 1.0), against=fe2e, draws=5, progress=lambda *call: calls.append(call))
    assert calls[-1] == (16, 16)
    assert sweep.reference is not None and sweep.reference.checkpoint == fe2e.name
    assert sweep.timed_on is not None and sweep.timed_on.machine and sweep.timed_on.threads > 0
    for point in (*sweep.points, sweep.reference.point):
        assert sum(layer.macs for layer in point.macs_by_layer) == pytest.approx(
            point.macs["total"], abs=len(point.macs_by_layer)
        )
        assert point.ms_per_clip > 0 and len(point.per_clip_ratio) == 4
        low, middle, high = point.macs_ratio_range
        assert low <= middle <= high and low <= point.macs_ratio <= high
    assert sweep.reference.point.macs_ratio == 1 and sweep.reference.point.top_p is None
    assert sweep.points[0].macs["conv"] < sweep.points[1].macs["conv"]
    assert sweep.points[0].macs_ratio < sweep.points[1].macs_ratio < 1
    with pytest.raises(ConfigError, match="compare the sweep with an FE2E"):
        measure_sweep(mesm, corpus, (0.5,), against=mesm)
    record = Record("sweep", made_provenance("sweep", "m", TOY, "0" * 64), sweep)
    assert read_record(write_record(tmp_path / "records", record)) == record


def test_models_are_timed_in_turn_at_every_p(tmp_path: Path) -> None:
    corpus = Corpus(tinted_corpus(tmp_path / "tinted", train=1, valid=1, test=4))
    fe2e, mesm = predictor(tmp_path / "d", name="fe2e"), predictor(tmp_path / "c")
    calls: list[tuple[int, int]] = []
    timing = time_models([mesm, fe2e], (0.2, 1.0), corpus, progress=lambda *call: calls.append(call))
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [(m.checkpoint, m.top_p) for m in timing.models] == [("c", 0.2), ("c", 1.0), ("d", None)]
    assert all(m.ms_per_clip > 0 for m in timing.models) and timing.ms(mesm.sha256, 0.2) == timing.models[0].ms_per_clip
    assert timing.ms(fe2e.sha256, 1.0) is None and timing.timed_on.machine and timing.timed_on.date
    with pytest.raises(DataError, match="one valid clip"):
        time_models([mesm], (0.2,), corpus, "valid")
    with pytest.raises(DataError, match="no split 'other'"):
        time_models([mesm], (0.2,), corpus, "other")
