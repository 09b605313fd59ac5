"""An IEMOCAP-like release: every stored field, every reason, then one step of training."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mesm.cli import main
from mesm.data.importers import find_release
from mesm.data.importers.decode import Settings, _Picture
from mesm.data.importers.engine import import_release
from mesm.data.importers.iemocap import speaker_side
from mesm.data.importers.screen_halves import crop_half
from mesm.data.ingest.audio import mel_filters
from mesm.data.ingest.faces import FACE_SIZE_PX
from mesm.data.sources import SourceSpan, read_sources
from mesm.data.store import Corpus
from mesm.errors import DataError
from mesm.vocabulary import CORPUS_LABELS
from tests.data.importers.trees import LEFT_HZ, RIGHT_HZ

STORED = ("Ses01F_impro01_F000", "Ses01F_impro01_M000", "Ses01F_impro01_M001", "Ses05M_script01_1b_M000")
REASONS = {
    "Ses01F_impro01_F001": "label_not_used",
    "Ses01F_impro01_F002": "empty_text",
    "Ses01F_impro01_FXX0": "no_label",
    "Ses01F_impro01_M002": "misaligned",
    "Ses01F_impro01_M003": "label_not_used",
    "Ses05M_impro02_F000": "missing_video",
    "Ses05M_script01_1b_F000": "missing_sound",
}


def loudest_hz(mel: np.ndarray) -> float:
    """Centre of the band that holds most of a clip's power."""
    power = (10.0 ** mel.astype(np.float64)).sum(axis=(0, 2))
    return float(mel_filters()[int(power.argmax())].argmax() * 40.0)


@pytest.fixture(scope="module")
def corpus(iemocap_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    out = tmp_path_factory.mktemp("corpora") / "iemocap"
    report = import_release(find_release("iemocap", iemocap_tree), iemocap_tree, out, workers=0, progress=False)
    assert report.utterances == 11 and report.stored == 4 and report.stored + sum(report.quarantined.values()) == 11
    return Corpus(out)


def test_sides() -> None:
    assert speaker_side("Ses03F_impro05_F018") == "left" == speaker_side("Ses03M_script01_1b_M018")
    assert speaker_side("Ses03F_impro05_M018") == "right" == speaker_side("Ses05M_impro02_F000")
    assert speaker_side("something else") == ""
    frame = np.arange(2 * 6 * 3).reshape(2, 6, 3)
    np.testing.assert_array_equal(np.concatenate([crop_half(frame, "left"), crop_half(frame, "right")], axis=1), frame)


def test_what_is_stored(corpus: Corpus) -> None:
    assert corpus.labels == CORPUS_LABELS["iemocap"] and corpus.name == "iemocap"
    assert corpus.ids() == STORED
    for clip_id, label, text, speaker in (
        (STORED[0], "neutral", "Excuse me.", "Ses01F"),
        (STORED[1], "anger", "No: I said “no”: it's over.", "Ses01M"),
        (STORED[2], "frustrated", "¡Olé!", "Ses01M"),
        (STORED[3], "happiness", "Yes.", "Ses05M"),
    ):
        sample = corpus[clip_id]
        assert (sample.text, sample.speaker) == (text, speaker)
        assert sample.labels == {name: float(name == label) for name in corpus.labels}
        assert sample.face_found.all() and sample.quality == ()
        np.testing.assert_allclose(sample.face_times_s, 0.5 * np.arange(len(sample.faces)))
        assert sample.duration_s == pytest.approx(1.1 if clip_id != STORED[2] else 1.0, abs=0.11)
        assert len(sample.mel) == 3
        assert [word.text for word in sample.words] == text.split()


def test_the_speakers_half_and_channel(corpus: Corpus) -> None:
    for clip_id, side, hz in zip(STORED[:3], ("left", "right", "right"), (LEFT_HZ, RIGHT_HZ, RIGHT_HZ), strict=True):
        sample = corpus[clip_id]
        red, blue = sample.faces[..., 0].mean(), sample.faces[..., 2].mean()
        assert (red > blue) == (side == "left"), "a face in its own colours sits left"
        assert loudest_hz(sample.mel) == pytest.approx(hz, rel=0.1)
        # The whole box lies in its half, which is 200 px wide.
        assert sample.face_boxes[:, 2].max() <= 200
    assert loudest_hz(corpus[STORED[3]].mel) == pytest.approx(LEFT_HZ, rel=0.1), "the sentence's own file is mono"
    assert corpus[STORED[3]].faces.shape[1:] == (FACE_SIZE_PX, FACE_SIZE_PX, 3)


def test_frames_are_those_of_the_utterance(iemocap_tree: Path, left_half: np.ndarray) -> None:
    release = find_release("iemocap", iemocap_tree)
    utterance = next(u for u in release.utterances if u.id == STORED[1])
    frames = list(_Picture(utterance, Settings().limits()))
    assert [time for time, _ in frames] == [0.0, 0.5, 1.0]
    for time, frame in frames:  # 2.0, 2.5 and 3.0 s of the recording; B-frames in an AVI are shown a frame late
        level = 1 - 0.08 * int(2.0 + time - 0.1)
        assert frame.mean() == pytest.approx(left_half.mean() * level, rel=0.02)


def test_what_is_not_stored_and_why(corpus: Corpus) -> None:
    rows = [json.loads(line) for line in (corpus.folder / "quarantine.jsonl").read_text().splitlines()]
    assert {row["id"]: row["reason"] for row in rows} == REASONS
    assert "xxx" in rows[0]["detail"] and "9.90 s" in rows[3]["detail"]
    assert not any(str(corpus.folder.parent) in json.dumps(row) for row in rows)


def test_manifest_and_sources(corpus: Corpus) -> None:
    manifest = corpus.manifest
    assert manifest.sources["sample_rates_hz"] == {"16000": 4} and manifest.sources["fps"] == {"10.0": 4}
    assert manifest.sources["utterances"] == 11 and sum(manifest.sources["quarantined"].values()) == 7
    assert manifest.meta["publish_faces"] is False and manifest.meta["splits"]["rule"] == "random"
    row = read_sources(corpus.folder)[STORED[1]]
    assert row.dialogue == "Ses01F_impro01" and row.session == "Ses01" and row.side == "right"
    assert row.video == SourceSpan("Session1/dialog/avi/DivX/Ses01F_impro01.avi", 2.0, 3.1)
    assert row.channels == 2 and (row.width, row.height) == (400, 240)


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds nothing of IEMOCAP.*Session1 to Session5"):
        find_release("iemocap", tmp_path)
    with pytest.raises(DataError, match="is not a folder"):
        find_release("iemocap", tmp_path / "no such folder")


def test_training_starts_with_the_papers_preset(
    corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["train", "--preset", "iemocap-mesm", "--corpus", str(corpus.folder), "--out", str(tmp_path / "run")]
    small = {"model.width": "0.0625", "model.text_source": "minilm", "model.text_dim": "384", "train.epochs": "1"}
    more = {"model.transformer_layers": "1", "model.head_dim": "32", "model.text_trainable": "false"}
    settings = [part for key, value in (small | more).items() for part in ("--set", f"{key}={value}")]
    assert main([*run, *settings]) == 0
    log = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert len(log) == 1 and np.isfinite(json.loads(log[0])["loss"])
    assert "checkpoint" in capsys.readouterr().out
