"""What splits share."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mesm.batch import Sample
from mesm.data.audit import Overlap, SplitAudit, audit_splits, audit_text
from mesm.data.store import Corpus, CorpusWriter
from mesm.errors import DataError
from mesm.json_form import from_json, to_json
from tests.data.made_samples import make_sample


def corpus_of(folder: Path, clips: list[Sample]) -> Corpus:
    with CorpusWriter(folder, "tiny") as writer:
        for clip in clips:
            writer.add(clip)
    return Corpus(folder)


def clip(number: int, split: str, speaker: str, text: str, seed: int | None = None) -> Sample:
    return make_sample(f"c{number}", seed=number if seed is None else seed, split=split, speaker=speaker, text=text)


def test_leaks_are_found(tmp_path: Path) -> None:
    report = audit_splits(
        corpus_of(
            tmp_path,
            [
                clip(0, "test", "A", "Hello, you!"),
                clip(1, "train", "A", "something"),
                clip(2, "train", "A", "hello  you"),
                clip(3, "train", "B", "other", seed=1),
                clip(4, "valid", "C", "more", seed=2),
                clip(5, "valid", "", "last"),
            ],
        )
    )
    assert list(report.clips) == ["train", "valid", "test"]
    assert report.speakers["train-test"] == Overlap(shared=1, clips=1, examples=(("c1", "c0"),))
    assert report.speakers["train-valid"].shared == 0
    assert report.transcripts["train-test"].examples == (("c2", "c0"),)
    assert report.duplicates is not None and report.duplicates["train-valid"].examples == (("c2", "c4"),)
    assert report.duplicates_within == {"train": 1, "valid": 0, "test": 0}
    assert report.unknown_speakers == 1 and report.clean is False
    assert from_json(SplitAudit, json.loads(json.dumps(to_json(report)))) == report


def test_clean(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, [clip(0, "train", "A", "x"), clip(1, "test", "B", "x")])
    report = audit_splits(corpus)
    assert report.clean and report.transcripts["train-test"].shared == 1
    assert audit_splits(corpus, contents=False).duplicates is None


def test_silent_clips_without_a_picture_are_no_duplicates(tmp_path: Path) -> None:
    empty = make_sample("a", frames=0, chunks=0, split="train")
    report = audit_splits(corpus_of(tmp_path, [empty, replace(empty, clip_id="b", split="test")]))
    assert report.duplicates is not None and report.duplicates["train-test"].shared == 0


def test_nothing_to_audit(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no clips to audit"):
        audit_splits(corpus_of(tmp_path, []))


def test_as_a_page(tmp_path: Path) -> None:
    clips = [clip(0, "test", "A", "Hello, you!"), clip(1, "train", "A", "hello you"), clip(2, "train", "", "x", seed=1)]
    page = audit_text(audit_splits(corpus_of(tmp_path, clips)))
    assert page.startswith("tiny: train 2, test 1") and "speakers, train-test: e.g. c1 and c0" in page
    assert "repeated within train 1" in page and "1 clip without a speaker, so" in page
    assert page.endswith("splits share some of speakers, duplicates"), "a repeated sentence alone is no leak"
