"""Slices, confusion, co-occurrence and calibration, against counts made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesm.data.store import IndexRow
from mesm.errors import ConfigError
from mesm.records.evaluation import ClipScores
from mesm.studies.evaluation.breakdown import (
    NONE,
    ScoredClips,
    bin_clips,
    confusion,
    confusion_clips,
    cooccurrence,
    reliability,
    scored_clips,
    slice_clips,
    slices,
    split_counts,
)
from mesm.studies.reproduction.reported import FIGURE_5, TABLE_3, TABLE_4, figure_5_shares
from mesm.studies.reproduction.reported import scores as reported_scores
from mesm.studies.reproduction.reported import split_counts as reported_counts
from tests.figures.exhibit_records import made_evaluation

LABELS = ("anger", "fear")


def make(scores: list[list[float]], truth: list[list[int]]) -> ScoredClips:
    ids = tuple(f"c{i}" for i in range(len(scores)))
    return ScoredClips(ids, LABELS, np.array(scores), np.array(truth, bool), np.array([0.5, 0.5]))


def row(number: int, present: dict[str, float], duration_s: float = 2.0, speaker: str = "") -> IndexRow:
    return IndexRow(f"c{number}", "test", speaker or f"s{number % 3}", "two words", duration_s, present, (), "", 4, 5)


def test_confusion_by_hand() -> None:
    found = make([[0.9, 0.1], [0.6, 0.8], [0.1, 0.2], [0.7, 0.2]], [[1, 0], [1, 1], [0, 1], [0, 0]])
    names, counts = confusion(found)
    assert names == (*LABELS, NONE)
    assert counts.tolist() == [[1, 1, 0], [0, 1, 1], [1, 0, 0]]


def test_each_cell_of_the_confusion_and_each_slice_leads_to_its_clips() -> None:
    clips = make([[0.9, 0.1], [0.6, 0.8], [0.1, 0.2], [0.7, 0.2]], [[1, 0], [1, 1], [0, 1], [0, 0]])
    names, counts = confusion(clips)
    for i, true in enumerate(names):
        for j, top in enumerate(names):
            assert len(confusion_clips(clips, true, top)) == counts[i, j]
    assert confusion_clips(clips, "anger", "fear") == ("c1",) and confusion_clips(clips, NONE, "anger") == ("c3",)
    present = [{"anger": 1.0}, {"anger": 2.0, "fear": 1.0}, {"fear": 3.0}, {}]
    rows = {f"c{i}": row(i, of_clip, 1.0 + i) for i, of_clip in enumerate(present)}
    for one in slices(clips, rows):
        assert len(slice_clips(clips, rows, one.group, one.name)) == one.clips, one
    assert slice_clips(clips, rows, "emotions", "several") == ("c1",)
    assert slice_clips(clips, {"c2": rows["c2"]}, "all", "all") == ("c2",)
    with pytest.raises(ConfigError, match="no 'joy'; it has anger, fear, none"):
        confusion_clips(clips, "joy", NONE)
    with pytest.raises(ConfigError, match="no slice speaker 's9'"):
        slice_clips(clips, rows, "speaker", "s9")


def test_cooccurrence_by_hand() -> None:
    assert cooccurrence(np.array([[1, 0], [1, 1], [1, 1], [0, 0]], bool)).tolist() == [[3, 2], [2, 2]]


def test_reliability_by_hand() -> None:
    found = make([[0.05, 0.95], [0.05, 0.95], [0.05, 0.95], [0.05, 1.0]], [[0, 1], [0, 1], [1, 0], [0, 1]])
    result = reliability(found)
    assert [(b.count, b.share_true) for b in result.bins] == [(4, 0.25), (4, 0.75)]
    assert result.bins[1].mean_score == pytest.approx(0.9625)
    assert result.ece == pytest.approx(0.5 * 0.2 + 0.5 * 0.2125)
    alone = reliability(found, "fear")
    assert len(alone.bins) == 1 and alone.brier == pytest.approx((2 * 0.05**2 + 0.95**2) / 4)


def test_slices_are_evaluations_of_their_clips() -> None:
    rng = np.random.default_rng(0)
    truth = np.array([[i % 2, (i // 2) % 2] for i in range(24)])
    found = make((0.5 * truth + 0.5 * rng.random((24, 2))).tolist(), truth.tolist())
    index = {
        f"c{i}": row(i, {"anger": float(t[0] * (1 + i % 3)), "fear": float(t[1])}, 1.0 + (i % 4), f"s{i % 20}")
        for i, t in enumerate(truth.tolist())
    }
    made = slices(found, index)
    assert (made[0].group, made[0].clips, made[0].speakers) == ("all", 24, 20)
    for group in ("emotions", "length", "speaker"):
        assert sum(s.clips for s in made if s.group == group) == 24
    short = next(s for s in made if s.group == "length")
    chosen = [i for i in range(24) if 1.0 + (i % 4) <= 2.5]
    own = slices(make(found.scores_NE[chosen].tolist(), truth[chosen].tolist()),
                 {f"c{n}": row(n, {"anger": 1.0}, speaker=index[f"c{i}"].speaker) for n, i in enumerate(chosen)})  # fmt: skip
    assert short.wacc == own[0].wacc and short.f1 == own[0].f1 and short.clips == len(chosen)
    assert short.interval is not None and short.interval.low <= (short.wacc or 0) <= short.interval.high
    few = slices(found, {name: replace(one, speaker=f"s{int(name[1:]) % 7}") for name, one in index.items()})
    assert few[0].speakers == 7 and few[0].wacc == made[0].wacc and few[0].interval is None


def test_few_clips_are_counted_but_not_scored() -> None:
    found = make([[0.9, 0.1]] * 3, [[1, 0]] * 3)
    (only,) = [s for s in slices(found, {"c0": row(0, {"anger": 1.0}), "elsewhere": row(1, {})}) if s.group == "all"]
    assert only.clips == 1 and only.wacc is None


def test_splits_are_counted() -> None:
    (found,) = split_counts([row(0, {"anger": 2.0, "fear": 1.0}), row(1, {"anger": 0.0})], LABELS)
    assert (found.clips, found.speakers, found.words, found.duration_s) == (2, 2, 2.0, 2.0)
    assert found.per_emotion == {"anger": 1, "fear": 1}


def test_an_evaluation_without_clips() -> None:
    clips = ClipScores((), (), np.array([]), np.array([]), np.array([]))
    empty = scored_clips(replace(made_evaluation(), labels=LABELS, thresholds=(0.5, 0.6), per_clip=clips))
    assert empty.scores_NE.shape == (0, 2) and reliability(empty).brier is None


def test_reported_numbers_are_those_of_the_paper() -> None:
    assert len(TABLE_3.rows) == len(TABLE_4.rows) == 6
    assert TABLE_3.rows[-1].scores["frustrated"] == (74.9, 58.4) and TABLE_4.rows[-1].average == (66.8, 46.8)
    for table in (TABLE_3, TABLE_4):
        for reported in table.rows:
            mean = np.mean([pair[0] for pair in reported.scores.values()])
            assert abs(mean - reported.average[0]) < 0.15, reported.model  # printed averages are rounded
    assert figure_5_shares()[-1] == (1.0, 1.0, 1.0) and figure_5_shares()[4][1] == pytest.approx(0.5017, abs=1e-3)
    assert [p for p, *_ in FIGURE_5] == pytest.approx(np.arange(1, 11) / 10)
    assert sum(reported_counts(1)[s]["clips"] for s in ("train", "valid", "test")) == 7380
    assert sum(reported_counts(2)[s]["clips"] for s in ("train", "valid", "test")) == 20477
    assert reported_scores(3).accuracy == "accuracy" and reported_scores(4).corpus == "CMU-MOSEI"


@pytest.mark.parametrize("emotion", ["", "anger"])
def test_the_clips_of_a_bin_are_those_whose_scores_it_counts(emotion: str) -> None:
    random = np.random.default_rng(0)
    scores = np.append(random.random((19, 2)), [[1.0, 0.0]], axis=0)
    ids = tuple(f"c{i}" for i in range(20))
    clips = ScoredClips(ids, ("anger", "fear"), scores, scores > random.random(scores.shape), np.full(2, 0.5))
    for one in reliability(clips, emotion).bins:
        chosen = bin_clips(clips, emotion, round(10 * one.low))
        inside = (scores[:, :1] if emotion else scores)[[ids.index(clip) for clip in chosen]]
        own = (inside >= one.low) & ((inside < one.high) | (one.high == 1))
        assert own.any(axis=1).all() and own.sum() == one.count
    assert "c19" in bin_clips(clips, emotion, 9)
    for wrong in (-1, 10):
        with pytest.raises(ConfigError, match="0 to 9"):
            bin_clips(clips, emotion, wrong)
