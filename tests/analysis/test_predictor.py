"""From a checkpoint on disk to scores, records and the command line, on a small trained model."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mesm.analysis.predictor import Predictor, find_checkpoints, load
from mesm.cli import main
from mesm.data.store import Corpus
from mesm.errors import CheckpointError, ConfigError, DataError
from mesm.models import build_model, load_checkpoint, save_checkpoint
from mesm.records.base import read_record
from mesm.records.checkpoint import CheckpointMetrics
from mesm.studies.evaluation.measure import evaluate
from mesm.vocabulary import FLAGS, NEUTRAL_QUERY
from tests.analysis.small_model import CONFIG
from tests.data.made_clips import grey, tone, write_clip
from tests.training.corpora import tinted_corpus


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    torch.manual_seed(0)
    tinted_corpus(home / "corpora" / "tinted", train=2, valid=2, test=6)
    for name in ("mesm", "fe2e"):
        metrics = CheckpointMetrics(thresholds=(0.5,) * 6, trained_on="tinted")
        save_checkpoint(home / "checkpoints" / f"small-{name}", build_model(CONFIG.as_model(name)), metrics, "")
    return home


@pytest.fixture(autouse=True)
def use_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESM_HOME", str(home))


@pytest.fixture(scope="module")
def predictor(home: Path) -> Predictor:
    return Predictor(load_checkpoint(home / "checkpoints" / "small-mesm"), device="cpu")


@pytest.fixture
def corpus(home: Path) -> Corpus:
    return Corpus(home / "corpora" / "tinted")


def test_checkpoints_are_found_by_name() -> None:
    assert {"small-mesm", "small-fe2e"} <= set(find_checkpoints())
    assert load("small-fe2e").name == "small-fe2e"
    with pytest.raises(CheckpointError, match=r"there are .*small-fe2e"):
        load("nothing")


def test_a_prepared_clip_gives_the_same_at_every_top_p(predictor: Predictor, corpus: Corpus) -> None:
    sample = corpus["test00"]
    prepared = predictor.prepare(sample)
    ratios = []
    for top_p in (0.2, 0.5, 0.9):
        one = predictor.run(prepared, top_p)
        again = predictor.predict(sample, top_p=top_p, trace=True)
        assert np.array_equal(one.scores, again.scores)
        assert one.trace is not None and one.trace.layers["visual"][0].kept.shape == (2, 24, 24)
        ratios.append(one.macs["conv_stack"] / one.macs["fe2e_conv_stack"])
    assert ratios == sorted(ratios) and ratios[0] < 0.6 < ratios[-1]


def test_another_text_asks_another_question(predictor: Predictor, corpus: Corpus) -> None:
    sample = corpus["test00"]
    a = predictor.run(predictor.prepare(sample)).trace
    b = predictor.run(predictor.prepare(sample, "The tide comes in at noon")).trace
    assert a is not None and b is not None
    assert not np.array_equal(a.layers["visual"][0].attention, b.layers["visual"][0].attention)
    silent, neutral = (predictor.run(predictor.prepare(sample, text)) for text in (" ", NEUTRAL_QUERY))
    assert silent.trace is not None and neutral.trace is not None
    assert np.array_equal(silent.trace.layers["visual"][0].attention, neutral.trace.layers["visual"][0].attention)
    assert silent.flags[-2:] == ("no_words", "neutral_query") and "neutral_query" not in neutral.flags
    assert set(silent.modality_scores) == {"visual", "acoustic"}
    with pytest.raises(ConfigError, match="top_p is 0"):
        predictor.run(predictor.prepare(sample), 0.0)


def test_flags_say_what_is_missing(predictor: Predictor, corpus: Corpus) -> None:
    sample = corpus["test00"]
    faceless = replace(sample, faces=sample.faces[:0], face_boxes=sample.face_boxes[:0])
    found = predictor.predict(faceless, text="word " * 80)
    assert found.flags == ("no_video", "text_cut")
    assert found.flag_sentences[0] == "there is no picture" and "only its first part" in found.flag_sentences[1]
    assert set(found.modality_scores) == {"text", "acoustic"}


def test_a_prediction_carries_what_ingestion_knows(predictor: Predictor, corpus: Corpus) -> None:
    known = ("no_face", "silence", "no_words", "cut_off", "language")
    sample = replace(corpus["test00"], quality=known)
    assert predictor.predict(sample).flags == ("no_face", "silence", "cut_off")  # the text has words, in English
    assert predictor.predict(sample, "Je suis tellement contente de te voir.").flags[-1] == "language"
    assert set(known) <= FLAGS.keys()


def test_a_model_without_words_needs_no_text_encoder(home: Path, corpus: Corpus) -> None:
    config = replace(CONFIG.as_model("fe2e"), modalities=("visual", "acoustic"), text_source="nowhere/to-be-had")
    save_checkpoint(home / "wordless", build_model(config), CheckpointMetrics(), "")
    predictor, sample = Predictor(load_checkpoint(home / "wordless"), device="cpu"), corpus[next(iter(corpus.ids()))]
    french = predictor.predict(sample, "Je suis tellement contente de te voir.")
    assert np.array_equal(french.scores, predictor.predict(sample).scores) and "language" not in french.flags


def test_no_clip_is_scored_without_its_flags(home: Path, tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", [grey(90)] * 6, waveform=tone(0.6) * 0)
    (tmp_path / "list.csv").write_text("path,text\na.mp4,hello there\na.mp4,\n")
    command = ["predict", str(tmp_path / "list.csv"), "--out", str(tmp_path / "o.csv"), "--checkpoint", "small-fe2e"]
    assert main(command) == 0
    with (tmp_path / "o.csv").open() as file:
        flags = [row["flags"] for row in csv.DictReader(file)]
    assert all("no_face" in one and "silence" in one for one in flags)
    assert ["no_words" in one for one in flags] == [False, True]
    assert set(load("small-fe2e").predict(tmp_path / "a.mp4").flags) == {"no_face", "silence", "no_words"}


def test_evaluate_agrees_with_single_clips(predictor: Predictor, corpus: Corpus) -> None:
    data = evaluate(predictor, corpus, draws=50)
    clips = data.per_clip
    assert data.clips == 6 and len(clips.ids) == 6
    for clip_id, scores, ratio in zip(clips.ids, clips.scores, clips.conv_stack_ratio, strict=True):
        one = predictor.predict(corpus[clip_id], trace=True)
        # An untrained attention is nearly flat: rounding may move one site of a small map across the nucleus's edge.
        np.testing.assert_allclose(scores, one.scores, atol=5e-3)
        assert ratio == pytest.approx(one.macs["conv_stack"] / one.macs["fe2e_conv_stack"], abs=1e-2)
    with pytest.raises(DataError, match="no split 'dev'"):
        evaluate(predictor, corpus, "dev")


def test_other_labels_are_scored_on_the_intersection(home: Path, corpus: Corpus) -> None:
    labels = ("anger", "excited", "happiness")
    folder = save_checkpoint(home / "elsewhere", build_model(replace(CONFIG, labels=labels)), CheckpointMetrics(), "")
    data = evaluate(Predictor(load_checkpoint(folder), device="cpu"), corpus, draws=10)
    assert data.labels == ("anger", "happiness") and data.left_out == ("excited",)
    truth = [[corpus[c].labels[n] > 0 for n in data.labels] for c in data.per_clip.ids]  # type: ignore[index]
    assert np.array_equal(np.array(truth), data.per_clip.truth.astype(bool))


def test_the_commands_write_records_and_tables(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "small-mesm", "--corpus", "tinted", "--top-p", "0.4"]) == 0
    (path,) = (home / "records").glob("evaluate_small-mesm_tinted*.json")
    record = read_record(path)
    assert record.data.top_p == 0.4 and record.provenance.checkpoint == "small-mesm"
    assert record.provenance.command.endswith("small-mesm --corpus tinted --split test --top-p 0.4")
    assert "of FE2E's multiply-adds" in capsys.readouterr().out
    assert main(["evaluate", "small-mesm", "--corpus", "tinted", "--update"]) == 0
    found = load_checkpoint(home / "checkpoints" / "small-mesm")
    assert found.metrics.test.wacc == found.metrics.wacc and found.metrics.thresholds == (0.5,) * 6
    assert f"| test | {found.metrics.wacc:.1f} |" in found.card and "## Limits" in found.card
    capsys.readouterr()
    assert main(["evaluate", "nothing", "--corpus", "tinted"]) == 2
    assert capsys.readouterr().err.startswith("mesm evaluate: no checkpoint named 'nothing'")


def test_predict_goes_on_after_a_bad_clip(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"not a video")
    (tmp_path / "list.csv").write_text("path,text\nbroken.mp4,hello there\nmissing.mp4,hello\n")
    assert (
        main(["predict", str(tmp_path / "list.csv"), "--out", str(tmp_path / "o.csv"), "--checkpoint", "small-mesm"])
        == 1
    )
    with (tmp_path / "o.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 and all(row["error"] for row in rows)
    assert main(["predict", str(tmp_path / "no"), "--out", "x.csv"]) == 2
    assert "does not exist" in capsys.readouterr().err
