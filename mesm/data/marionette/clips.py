"""Make a clip from its plan: sentence, voice, face over time, and the truth of every crop that the ingestion cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from scipy import signal

from mesm.batch import FACE_SIZE_PX, FRAME_INTERVAL_MS, SAMPLE_RATE_HZ, Sample, Truth, Word
from mesm.data.ingest import ingest_arrays
from mesm.data.marionette.action_units import AU_NUMBERS
from mesm.data.marionette.head import Head
from mesm.data.marionette.identities import Identity
from mesm.data.marionette.landmarks import landmarks
from mesm.data.marionette.performance import Performance, perform
from mesm.data.marionette.problem import ClipPlan, generator
from mesm.data.marionette.prosody import PARAMETERS, colour_voice, record_in_room
from mesm.data.marionette.scene import Frame, render
from mesm.data.marionette.voices import SpokenSentence, speak
from mesm.data.marionette.words import NEUTRAL, draw_sentence

FRAME_PX = 176
LARGE_PX = 96
SHORTEST_S, LONGEST_S = 2.0, 6.0
#: Purposes of `problem.generator`.
_WORDS, _SOUND, _FACE = 1, 2, 3


@dataclass(frozen=True)
class Take:
    """Hold a clip before it is filmed: sentence, sound, and times.

    Attributes:
        waveform: (samples,) float32 at 16 kHz with lead and tail, as the microphone heard it.
        lead_s: silence before the utterance.
        prosody: every parameter's value, the speaker's own departure included.
    """

    plan: ClipPlan
    text: str
    template: str
    utterance: SpokenSentence
    waveform: np.ndarray
    lead_s: float
    duration_s: float
    words: tuple[Word, ...]
    prosody: dict[str, float]
    room: dict[str, float]


def _speak(plan: ClipPlan, who: Identity, seed: int, room_s: float) -> tuple[str, str, SpokenSentence]:
    """Draw sentences until one fits into the clip; return the shortest of twelve if none does."""
    rng = generator(seed, plan.number, _WORDS)
    kind = next(iter(plan.displays["text"]), NEUTRAL)
    pitch, rate, spread = plan.prosody[:3]
    shortest: tuple[str, str, SpokenSentence] | None = None
    for _ in range(12):
        text, template = draw_sentence(kind, plan.split, rng)
        utterance = speak(text, who.voice, pitch, rate, spread)
        if shortest is None or len(utterance.waveform) < len(shortest[2].waveform):
            shortest = (text, template, utterance)
        if len(utterance.waveform) / utterance.sample_rate_hz <= room_s:
            return text, template, utterance
    assert shortest is not None
    return shortest


def rehearse(plan: ClipPlan, who: Identity, seed: int) -> Take:
    """Choose the words, speak them, and place them in time."""
    rng = generator(seed, plan.number, _SOUND)
    lead_s, tail_s = float(rng.uniform(0.2, 0.6)), float(rng.uniform(0.25, 0.8))
    text, template, utterance = _speak(plan, who, seed, LONGEST_S - lead_s - tail_s)
    rate_hz = utterance.sample_rate_hz
    spoken_s = len(utterance.waveform) / rate_hz
    duration_s = float(np.clip(lead_s + spoken_s + tail_s, SHORTEST_S, LONGEST_S))
    own = {"pitch": who.voice.pitch, "rate": who.voice.rate, "range": who.voice.range, "volume": who.voice.volume}
    values = {name: float(shift) + own.get(name, 0.0) for name, shift in zip(PARAMETERS, plan.prosody, strict=True)}
    coloured = colour_voice(utterance.waveform, rate_hz, values, rng)
    waveform = np.zeros(round(duration_s * rate_hz), np.float32)
    start = round(lead_s * rate_hz)
    coloured = coloured[: len(waveform) - start]
    waveform[start : start + len(coloured)] = coloured
    room = {
        "reverberation_s": float(rng.uniform(0.08, 0.5)),
        "wet": float(rng.uniform(0.03, 0.35)),
        "noise_db": float(rng.uniform(-66, -44)),
    }
    words = tuple(
        Word(word.text, min(word.start_s + lead_s, duration_s), min(word.end_s + lead_s, duration_s))
        for word in utterance.words
    )
    heard = signal.resample_poly(
        record_in_room(waveform, rate_hz, **room, rng=rng), SAMPLE_RATE_HZ // 50, rate_hz // 50
    )
    return Take(plan, text, template, utterance, heard.astype(np.float32), lead_s, duration_s, words, values, room)


def act(take: Take, times_s: np.ndarray, seed: int) -> Performance:
    """Return the performance of the face at the given times."""
    rng = generator(seed, take.plan.number, _FACE)
    return perform(take.plan.apex, take.utterance, take.lead_s, take.duration_s, times_s, rng)


def film(head: Head, who: Identity, performance: Performance, size_px: int = FRAME_PX) -> Iterator[Frame]:
    """Yield the rendered frames of a performance."""
    for units, rounding, view in zip(performance.units, performance.rounding, performance.views, strict=True):
        yield render(head, who, units, view, size_px, float(rounding))


def frame_times(duration_s: float, interval_s: float = FRAME_INTERVAL_MS / 1000) -> np.ndarray:
    """Return (F,) times of frames from 0 on, all before the clip's end."""
    return np.arange(0, duration_s - 1e-6, interval_s)


def crop_maps(maps: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Crop maps of a frame in the crop's pixels, by the crop's own resampling. (..., P, P) in [0, 1] -> (..., 48, 48) uint8.

    Values are multiples of 17, sixteen levels from 0 to 255: enough for a share, and it stores in half the space.
    """
    flat = (maps.reshape(-1, *maps.shape[-2:]) * 255 + 0.5).astype(np.uint8)
    x0, y0, x1, y1 = (int(edge) for edge in box)
    size = (FACE_SIZE_PX, FACE_SIZE_PX)
    cut = [
        np.asarray(Image.fromarray(one).crop((x0, y0, x1, y1)).resize(size, Image.Resampling.BILINEAR)) for one in flat
    ]
    levels = (np.stack(cut).astype(np.uint16) + 8) // 17 * 17
    return levels.astype(np.uint8).reshape(*maps.shape[:-2], *size)


def _truth(
    head: Head, frames: list[Frame], sample: Sample, take: Take, performance: Performance, who: Identity
) -> Truth:
    regions, heads, points = [], [], []
    for frame, box in zip(frames, sample.face_boxes, strict=True):
        regions.append(crop_maps(frame.regions(head), box))
        heads.append(crop_maps(frame.head_share(), box))
        scale = FACE_SIZE_PX / np.array([box[2] - box[0], box[3] - box[1]])
        points.append((landmarks(head, frame.points) - box[:2]) * scale)
    plan = take.plan
    return Truth(
        au_numbers=AU_NUMBERS,
        au_intensity=performance.units.astype(np.float32),
        au_emotion_intensity=performance.emotion_units.astype(np.float32),
        au_region=np.stack(regions),
        head=np.stack(heads),
        landmarks=np.stack(points).astype(np.float32),
        pose=np.array([[view.yaw, view.pitch, view.roll] for view in performance.views], np.float32),
        informative=dict(plan.informative),
        displays=plan.displays,
        prosody={name: round(value, 4) for name, value in take.prosody.items()},
        extra={
            "apex": {str(number): round(float(x), 4) for number, x in zip(AU_NUMBERS, plan.apex, strict=True) if x},
            "envelope": [round(float(x), 4) for x in performance.envelope],
            "room": {name: round(value, 4) for name, value in take.room.items()},
            "voice": who.voice.name,
            "template": take.template,
            "speaker": {"sex": who.sex, "ancestry": who.ancestry, "age": round(who.age, 3), "hair": who.style},
        },
    )


def clip_name(seed: int, number: int) -> str:
    """Return the clip's id."""
    return f"m{seed}-{number:05d}"


def make_clip(head: Head, who: Identity, plan: ClipPlan, seed: int) -> Sample:
    """Make one clip of the corpus, through the ingestion that any clip goes through."""
    take = rehearse(plan, who, seed)
    times_s = frame_times(take.duration_s)
    performance = act(take, times_s, seed)
    frames = list(film(head, who, performance))
    sample = ingest_arrays(
        [frame.image for frame in frames],
        times_s.tolist(),
        take.waveform,
        SAMPLE_RATE_HZ,
        take.text,
        clip_id=clip_name(seed, plan.number),
        duration_s=take.duration_s,
        words=take.words,
        labels={name: float(value) for name, value in plan.labels.items()},
        speaker=who.name,
        split=plan.split,
        large_px=LARGE_PX,
    )
    return replace(sample, truth=_truth(head, frames, sample, take, performance, who))
