"""Two rendered people side by side: the half whose mouth moves with the sound is the speaker's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mesm.batch import SAMPLE_RATE_HZ
from mesm.data.importers.decode import Settings, make_outcomes
from mesm.data.importers.plan import MediaSpan, Utterance
from mesm.data.importers.screen_halves import mouth_correlations, other_half_speaks
from mesm.data.ingest.search import CoarseToFine
from mesm.data.marionette.build import identity
from mesm.data.marionette.clips import Take, act, film, frame_times, rehearse
from mesm.data.marionette.head import shared_head
from mesm.data.marionette.problem import plan_clip
from tests.data.made_clips import write_clip, write_sounds

SECONDS, SIZE = 6.0, 128


@pytest.fixture(scope="module")
def takes() -> list[Take]:
    """A sentence of each of two people."""
    plans = [plan_clip(0, number, 12) for number in (0, 1)]
    return [rehearse(plan, identity(0, plan.speaker), 0) for plan in plans]


@pytest.fixture(scope="module")
def recording(takes: list[Take], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A split screen: each person speaks a sentence of its own, again and again."""
    halves = []
    for take in takes:
        performance = act(take, frame_times(take.duration_s, 0.1), 0)
        halves.append([f.image for f in film(shared_head(), identity(0, take.plan.speaker), performance, SIZE)])
    frames = [np.concatenate([half[i % len(half)] for half in halves], axis=1) for i in range(round(10 * SECONDS))]
    return write_clip(tmp_path_factory.mktemp("screen") / "both.mp4", frames, options={"crf": "18"})


def repeated(take: Take) -> np.ndarray:
    """Repeat a take's sound as its film is repeated."""
    once = np.zeros(len(frame_times(take.duration_s, 0.1)) * SAMPLE_RATE_HZ // 10, np.float32)
    once[: len(take.waveform)] = take.waveform[: len(once)]
    return np.resize(once, round(SECONDS * SAMPLE_RATE_HZ))


@pytest.mark.parametrize(("side", "wrong"), [("left", False), ("right", True)])
def test_whose_mouth_moves_with_the_sound(takes: list[Take], recording: Path, side: str, wrong: bool) -> None:
    # The first person's lips move clearly (correlation .69); a mumbling second one (.35) is never decisive.
    waveform, detector = repeated(takes[0]), CoarseToFine()
    assert other_half_speaks(MediaSpan(recording), side, waveform, detector) is wrong


def test_a_mouth_that_hardly_moves_decides_nothing(takes: list[Take], recording: Path) -> None:
    waveform = repeated(takes[1])
    own, other = mouth_correlations(MediaSpan(recording), "left", waveform, CoarseToFine())
    assert own is not None and other is not None and own[0] < other[0] < other[1]
    assert not other_half_speaks(MediaSpan(recording), "left", waveform, CoarseToFine())


def test_a_sound_of_neither_and_a_sound_too_short_decide_nothing(takes: list[Take], recording: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, round(SECONDS * SAMPLE_RATE_HZ)).astype(np.float32)
    for waveform in (noise, noise * 0, repeated(takes[0])[:20_000]):
        assert not other_half_speaks(MediaSpan(recording), "right", waveform, CoarseToFine())
    assert not other_half_speaks(MediaSpan(recording.with_name("none.mp4")), "left", noise, CoarseToFine())


@pytest.mark.slow
def test_an_import_flags_the_wrong_half(takes: list[Take], recording: Path, tmp_path: Path) -> None:
    sound = write_sounds(tmp_path / "a.wav", repeated(takes[0]), rate_hz=SAMPLE_RATE_HZ)
    utterances = [
        Utterance(side, "words", MediaSpan(recording), sound=MediaSpan(sound), side=side) for side in ("left", "right")
    ]
    outcomes = make_outcomes(utterances, Settings(large_px=0), CoarseToFine())
    flags = {outcome.id: outcome.sample.quality for outcome in outcomes if outcome.sample is not None}
    assert flags == {"left": (), "right": ("other_half_speaks",)}
