"""The voices say their words in time, and sound as the literature says emotions sound."""

import types

import numpy as np
import pytest

pytest.importorskip("espeakng_loader")
pytest.importorskip("numba")

from mesm.data.marionette.clips import SHORTEST_S, Take, rehearse
from mesm.data.marionette.problem import LABELS, ClipPlan, draw_prosody
from mesm.data.marionette.prosody import EFFECTS, PARAMETERS, colour_voice, effect, record_in_room
from mesm.data.marionette.voices import Voice, draw_voice, speak
from mesm.errors import DataError

TEXT = "I left the keys on the shelf in the kitchen."


def test_a_sentence_sounds_the_same_whatever_was_said_before() -> None:
    voice = Voice("en-us+f2")
    first = speak(TEXT, voice, pitch=1.0).waveform
    speak("Something else altogether.", Voice("en-us+m3"), rate=0.2)
    assert np.array_equal(first, speak(TEXT, voice, pitch=1.0).waveform)


def test_words_follow_each_other() -> None:
    spoken = speak(TEXT, Voice("en-us+m3"))
    assert [word.text for word in spoken.words] == TEXT.split()
    times = np.array([(word.start_s, word.end_s) for word in spoken.words])
    assert (times[:, 1] >= times[:, 0]).all() and (times[1:, 0] >= times[:-1, 0]).all()
    assert times[-1, 1] <= len(spoken.waveform) / spoken.sample_rate_hz + 1e-3
    assert len(spoken.phonemes) > 15


def test_an_unknown_voice_is_an_error() -> None:
    with pytest.raises(DataError, match="no voice 'xx-nobody'"):
        speak(TEXT, Voice("xx-nobody"))


def test_two_emotions_meet_between_their_effects() -> None:
    both = effect({"anger": 1.0, "sadness": 1.0})
    assert both == pytest.approx((np.array(EFFECTS["anger"]) + np.array(EFFECTS["sadness"])) / 2)
    assert effect({"anger": 0.5}) == pytest.approx(0.5 * np.array(EFFECTS["anger"]))
    assert not effect({}).any()


def test_the_level_is_the_one_asked_for() -> None:
    rng = np.random.default_rng(0)
    sound = (rng.standard_normal(22050) * 0.1).astype(np.float32)
    flat = dict.fromkeys(PARAMETERS, 0.0)
    soft, loud = (colour_voice(sound, 22050, {**flat, "volume": db}, rng) for db in (-6, 6))
    assert 20 * np.log10(loud.std() / soft.std()) == pytest.approx(12, abs=0.01)


def test_a_room_adds_echo_and_noise() -> None:
    click = np.zeros(16000, np.float32)
    click[1000] = 0.5
    dry = record_in_room(click, 16000, 0.0, 0.0, -60, np.random.default_rng(0))
    wet = record_in_room(click, 16000, 0.4, 0.3, -60, np.random.default_rng(0))
    assert dry[:900].std() == pytest.approx(1e-3, rel=0.1)
    assert np.abs(wet[1100:4000]).mean() > 2 * np.abs(dry[1100:4000]).mean()


def rehearsal(emotion: str, speaker: int) -> Take:
    voice = draw_voice(np.random.default_rng([2, speaker]), ("female", "male")[speaker % 2], 0.2)
    display = {emotion: 1.0} if emotion else {}
    prosody = draw_prosody(display, np.random.default_rng([4, speaker]))
    plan = ClipPlan(speaker, speaker, "train", {}, {}, {"text": {}, "acoustic": display}, np.zeros(18), prosody)
    return rehearse(plan, types.SimpleNamespace(voice=voice), seed=1)


def pitch_hz(take: Take) -> float:
    """Median over loud frames of the autocorrelation's best lag, below 700 Hz where breath is weak."""
    spectrum = np.fft.rfft(take.waveform)
    spectrum[np.fft.rfftfreq(len(take.waveform), 1 / 16000) > 700] = 0
    low = np.fft.irfft(spectrum, len(take.waveform))
    length, result = 640, []
    for start in range(0, len(low) - length, 320):
        frame = low[start : start + length] - low[start : start + length].mean()
        match = np.correlate(frame, frame, "full")[length - 1 :]
        lag = 32 + int(np.argmax(match[32:230]))
        if frame.std() > low.std() and match[lag] > 0.5 * match[0]:
            result.append(16000 / lag)
    return float(np.median(result))


@pytest.fixture(scope="module")
def measured() -> dict[str, dict[str, float]]:
    """Of eight speakers, the same ones and the same sentences for every emotion: pitch against their own neutral
    pitch (median ratio), level in decibels, letters a second."""
    table = {}
    calm = [pitch_hz(rehearsal("", speaker)) for speaker in range(8)]
    for emotion in ("", *LABELS):
        takes = [rehearsal(emotion, speaker) for speaker in range(8)]
        spoken = [take.waveform[round(take.lead_s * 16000) :] for take in takes]
        table[emotion] = {
            "pitch": float(np.median([pitch_hz(take) / own for take, own in zip(takes, calm, strict=True)])),
            "level": float(np.mean([20 * np.log10(sound.std()) for sound in spoken])),
            "tempo": float(
                np.mean([len(t.text) * t.utterance.sample_rate_hz / len(t.utterance.waveform) for t in takes])
            ),
            "duration": min(take.duration_s for take in takes),
        }
    return table


def test_emotions_sound_as_the_literature_says(measured: dict[str, dict[str, float]]) -> None:
    """Juslin & Laukka (2003), table 7; Scherer (2003), table 2: signs against neutral speech, and their order."""
    calm = measured[""]
    for emotion in ("anger", "fear", "happiness", "surprise"):
        assert measured[emotion]["pitch"] > 1.08
    for emotion in ("sadness", "disgust"):
        assert measured[emotion]["pitch"] < 0.95
    for emotion in ("anger", "happiness"):
        assert measured[emotion]["level"] > calm["level"] + 2
    assert measured["anger"]["level"] > measured["happiness"]["level"] + 2
    assert measured["sadness"]["level"] < calm["level"] - 4
    for emotion in ("anger", "fear", "happiness"):
        assert measured[emotion]["tempo"] > 1.05 * calm["tempo"]
    for emotion in ("sadness", "disgust"):
        assert measured[emotion]["tempo"] < 0.92 * calm["tempo"]


def test_clips_keep_their_length(measured: dict[str, dict[str, float]]) -> None:
    assert min(row["duration"] for row in measured.values()) >= SHORTEST_S
