"""The designed problem has the stated chances, and its ideal observer is one."""

import importlib.util

import numpy as np
import pytest

pytest.importorskip("numba")
if importlib.util.find_spec("anny") is None:
    pytest.skip("needs mesm[marionette]", allow_module_level=True)

from mesm.data.marionette import ceiling, problem
from mesm.data.marionette.performance import blink_track, emotion_track
from mesm.vocabulary import MODALITIES

CLIPS = 2400


@pytest.fixture(scope="module")
def plans() -> list[problem.ClipPlan]:
    return [problem.plan_clip(seed=11, number=number, speakers=60) for number in range(CLIPS)]


def test_a_plan_depends_on_seed_and_number_only() -> None:
    one, again, other = (problem.plan_clip(seed, 17, 60) for seed in (3, 3, 4))
    assert one.labels == again.labels and np.array_equal(one.apex, again.apex)
    assert not np.array_equal(one.prosody, other.prosody)


def test_modalities_are_informative_as_often_as_stated_and_independently(plans: list[problem.ClipPlan]) -> None:
    shown = np.array([[plan.informative[name] for name in MODALITIES] for plan in plans], float)
    assert shown.mean(axis=0) == pytest.approx([problem.INFORMATIVE[name] for name in MODALITIES], abs=0.03)
    assert np.abs(np.corrcoef(shown.T) - np.eye(3)).max() < 0.06


def test_an_uninformative_modality_never_shows_the_label(plans: list[problem.ClipPlan]) -> None:
    odd = 0
    for plan in plans:
        present = {name for name, level in plan.labels.items() if level}
        for name in MODALITIES:
            if plan.informative[name]:
                assert set(plan.displays[name]) <= present
                assert bool(plan.displays[name]) == bool(present)
            else:
                assert not set(plan.displays[name]) & present
                odd += bool(plan.displays[name])
    silent = sum(not plan.informative[name] for plan in plans for name in MODALITIES)
    assert odd / silent == pytest.approx(problem.AT_ODDS, abs=0.03)


def test_balance_is_that_of_mosei(plans: list[problem.ClipPlan]) -> None:
    counts = {name: sum(plan.labels[name] > 0 for plan in plans) for name in problem.LABELS}
    assert max(counts, key=counts.__getitem__) == "happiness"
    assert counts["happiness"] > counts["sadness"] > counts["disgust"] > counts["fear"]
    assert {level for plan in plans for level in plan.labels.values()} == {0, 1, 2, 3}
    several = np.mean([sum(level > 0 for level in plan.labels.values()) for plan in plans] == np.array(2))
    assert several == pytest.approx(problem.TWO_EMOTIONS, abs=0.03)


def test_speakers_stay_in_one_split(plans: list[problem.ClipPlan]) -> None:
    splits: dict[int, set[str]] = {}
    for plan in plans:
        splits.setdefault(plan.speaker, set()).add(plan.split)
    assert len(splits) == 60 and all(len(result) == 1 for result in splits.values())
    shares = np.unique([plan.split for plan in plans], return_counts=True)
    assert dict(zip(shares[0], shares[1] / CLIPS, strict=True)) == pytest.approx(
        {"train": 0.7, "valid": 0.1, "test": 0.2}, abs=0.01
    )


def test_chances_sum_to_one() -> None:
    assert ceiling.prior().sum() == pytest.approx(1)
    for name in MODALITIES:
        assert ceiling.display_chances(name).sum(axis=1) == pytest.approx(1)


def test_the_observer_is_calibrated(plans: list[problem.ClipPlan]) -> None:
    """Of the clips to which an exact observer gives probability p, a share p has the emotion: any error in the
    likelihoods shows here."""
    rng = np.random.default_rng(0)
    own = np.array([ceiling.SPEAKER_SPREAD.get(name, 0.0) for name in ceiling.PARAMETERS])
    prosody = np.stack([plan.prosody for plan in plans]) + rng.normal(0, 1, (CLIPS, len(own))) * own
    truth = np.array([[plan.labels[name] > 0 for name in problem.LABELS] for plan in plans])
    for subset, scores in ceiling.posteriors(plans, prosody).items():
        for low, high in ((0, 0.05), (0.05, 0.25), (0.25, 0.6), (0.6, 0.95), (0.95, 1.01)):
            inside = (scores >= low) & (scores < high)
            if inside.sum() < 100:
                continue
            error = 4 * np.sqrt(scores[inside].mean() * (1 - scores[inside].mean()) / inside.sum()) + 0.004
            assert truth[inside].mean() == pytest.approx(scores[inside].mean(), abs=error), (subset, low)


def test_no_modality_suffices_and_all_three_help() -> None:
    rows = {row.modalities: row.f1["average"] for row in ceiling.ceilings(2000)}
    whole = rows.pop(MODALITIES)
    assert whole > max(rows.values()) + 2
    for pair in (names for names in rows if len(names) == 2):
        assert rows[pair] > max(rows[(name,)] for name in pair) + 3
    assert max(rows[(name,)] for name in MODALITIES) < whole - 10


def test_f1_and_weighted_accuracy_by_hand() -> None:
    truth = np.array([1, 1, 0, 0, 0, 0], bool)
    predicted = np.array([1, 0, 1, 0, 0, 0], bool)
    f1, weighted = ceiling.f1_and_weighted_accuracy(predicted, truth)
    assert f1 == pytest.approx(0.5)
    assert weighted == pytest.approx((0.5 + 0.75) / 2)


def test_an_emotion_has_onset_and_apex() -> None:
    times = np.arange(0, 4, 0.02)
    track, envelope = emotion_track(np.array([0.0, 1.0]), times, 4.0, np.random.default_rng(3))
    assert not track[:, 0].any()
    assert envelope.max() == pytest.approx(1, abs=1e-6)
    assert 0.85 < track[:, 1].max() < 1.15
    assert np.abs(np.diff(track[:, 1])).max() < 0.15  # nothing jumps


def test_what_is_drawn_does_not_depend_on_the_frame_rate() -> None:
    coarse, fine = np.arange(0, 4, 0.5), np.arange(0, 4, 1 / 12)
    for track in (
        lambda t: emotion_track(np.ones(5), t, 4.0, np.random.default_rng(1))[0],
        lambda t: blink_track(t, 4.0, np.random.default_rng(1)),
    ):
        assert track(fine)[::6] == pytest.approx(track(coarse), abs=1e-9)
