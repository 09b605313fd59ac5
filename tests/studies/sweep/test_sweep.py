"""The sweep equals single evaluations; the elbow is where a picture shows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mesm.analysis.predictor import Predictor
from mesm.data.store import Corpus
from mesm.errors import ConfigError
from mesm.models import build_model, load_checkpoint, save_checkpoint
from mesm.records.checkpoint import CheckpointMetrics
from mesm.studies.evaluation.measure import evaluate
from mesm.studies.sweep.measure import elbow, parse_range, sweep
from tests.analysis.small_model import CONFIG
from tests.training.corpora import tinted_corpus

NONE = CheckpointMetrics()


def test_ranges() -> None:
    assert parse_range("0.1:1.0:0.1") == tuple(round(0.1 * i, 6) for i in range(1, 11))
    assert parse_range("0.3,0.5") == (0.3, 0.5)
    for bad in ("a", "0.1:1", "0:1:0.5", "0.5,1.5", "0.1:1:0"):
        with pytest.raises(ConfigError):
            parse_range(bad)


def test_the_elbow_of_a_bent_line() -> None:
    # Rises steeply to the third point and hardly after it.
    assert elbow([0.2, 0.3, 0.4, 0.6, 0.9], [50, 60, 70, 71, 72]) == 2
    assert elbow([0.9, 0.6, 0.4, 0.3, 0.2], [72, 71, 70, 60, 50]) == 2


def test_each_row_is_an_evaluation(tmp_path: Path) -> None:
    corpus = Corpus(tinted_corpus(tmp_path / "tinted", train=1, valid=6, test=6))
    predictor = Predictor(load_checkpoint(save_checkpoint(tmp_path / "c", build_model(CONFIG), NONE, "")), device="cpu")
    data = sweep(predictor, corpus, (0.3, 0.8), draws=20)
    for row in data["rows"]:
        predictor.thresholds = np.array(row["thresholds"])
        alone = evaluate(predictor, corpus, top_p=row["top_p"], draws=20)
        assert row["macs_ratio"] == pytest.approx(alone["macs_ratio"], abs=2e-3)
        assert row["auc"] == pytest.approx(alone["auc"], abs=0.5)
        assert row["interval"].keys() == alone["interval"].keys()
    with pytest.raises(ConfigError, match="no attention"):
        dense = build_model(CONFIG.as_model("fe2e"))
        sweep(
            Predictor(load_checkpoint(save_checkpoint(tmp_path / "d", dense, NONE, "")), device="cpu"), corpus, (0.5,)
        )


def test_layers_add_up_and_fe2e_is_measured_alike(tmp_path: Path) -> None:
    corpus = Corpus(tinted_corpus(tmp_path / "tinted", train=1, valid=4, test=4))
    dense = build_model(CONFIG.as_model("fe2e"))
    fe2e = Predictor(load_checkpoint(save_checkpoint(tmp_path / "d", dense, NONE, "")), device="cpu")
    mesm = Predictor(load_checkpoint(save_checkpoint(tmp_path / "c", build_model(CONFIG), NONE, "")), device="cpu")
    calls: list[tuple[int, int]] = []
    data = sweep(mesm, corpus, (0.2, 1.0), against=fe2e, draws=5, progress=lambda *call: calls.append(call))
    assert calls[-1] == (16, 16)
    for row in (*data["rows"], data["against"]):
        layers = row["macs_by_layer"]
        assert sum(entry["macs"] for entry in layers) == pytest.approx(row["macs"]["total"], abs=len(layers))
        assert row["ms_per_clip"] > 0
    assert data["against"]["macs_ratio"] == 1 and data["against"]["checkpoint"] == fe2e.name
    assert data["rows"][0]["macs"]["conv"] < data["rows"][1]["macs"]["conv"]
    with pytest.raises(ConfigError, match="compare the sweep with an FE2E"):
        sweep(mesm, corpus, (0.5,), against=mesm)
