"""Convert one raw clip into one `Sample`: decode, detect faces, compute mel, words and quality flags."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from mesm.batch import SAMPLE_RATE_HZ, Sample, Word
from mesm.data.ingest.audio import mel_chunks, read_sound, sound_flags, to_mono_16k
from mesm.data.ingest.faces import Detector, FaceTrack, track_faces
from mesm.data.ingest.media import Limits, existing_file, is_picture, measured_s, open_media
from mesm.data.ingest.text import clean_text, known_or_spread
from mesm.data.ingest.video import FrameSampler, read_picture
from mesm.data.quality import face_flags
from mesm.errors import DataError

#: Called with the stage of the work, in words, and the share of the whole that is done, in [0, 1].
StageProgress = Callable[[str, float], None]
#: A file whose picture and sound end this much before the length that it declares was cut off.
CUT_OFF_S = 1.0


def ingest_arrays(
    frames: Iterable[np.ndarray],
    frame_times_s: Sequence[float],
    waveform: np.ndarray | None,
    sample_rate_hz: int,
    text: str,
    *,
    clip_id: str,
    duration_s: float | None = None,
    words: Sequence[Word] = (),
    labels: Mapping[str, float] | None = None,
    speaker: str = "",
    split: str = "",
    large_px: int = 96,
    detector: Detector | None = None,
) -> Sample:
    """Convert frames and sound in memory into a `Sample`, through the functions that files go through.

    Args:
        frames: (H, W, 3) uint8 RGB, taken as they are: one every 500 ms in this project.
        frame_times_s: their times.
        waveform: (samples,) float32 mono in [-1, 1], or None for no sound.
        sample_rate_hz: of the waveform; other rates than 16 kHz are resampled.
        text: the transcript; may be empty.
        duration_s: length of the clip; by default the longer of picture and sound.
        words: word times; spread over the clip and marked approximate when none are given.
        labels: emotion name -> intensity.
        large_px: side of the larger crops; 0 for none.
        detector: MTCNN unless given.
    """
    track = track_faces(zip(frame_times_s, frames, strict=True), large_px=large_px, detector=detector)
    sound = None if waveform is None else to_mono_16k(waveform, sample_rate_hz)
    if duration_s is None:
        picture_s = float(track.times_s[-1]) if len(track.times_s) else 0.0
        duration_s = max(picture_s, 0.0 if sound is None else len(sound) / SAMPLE_RATE_HZ)
    return assemble(
        clip_id,
        text,
        track,
        sound,
        duration_s=duration_s,
        words=words,
        labels=labels,
        speaker=speaker,
        split=split,
    )


def ingest_clip(
    path: str | os.PathLike[str],
    text: str,
    *,
    clip_id: str | None = None,
    audio_path: str | os.PathLike[str] | None = None,
    large_px: int = 96,
    detector: Detector | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    face_at: tuple[float, float, float] | None = None,
    progress: StageProgress | None = None,
    limits: Limits | None = None,
) -> Sample:
    """Convert a video, a sound, or a picture with a sound beside it into a `Sample`.

    Args:
        path: the file; its content decides what it is, not its name.
        text: the transcript; may be empty.
        clip_id: the file's name without extension unless given.
        audio_path: take the sound from here instead.
        start_s: with `end_s`, use only this part of the file; times in the sample count from it.
        face_at: stay with this face, a `FaceChoice.at`; see `mesm.data.ingest.faces.FaceFollower`.
        progress: called as decoding goes on.
        limits: see `Limits`.

    Raises:
        DataError: the file is missing, empty, not media, damaged beyond use, or too large; one sentence.
    """
    path, limits = existing_file(path), limits or Limits()
    begin = start_s or 0.0
    if begin < 0 or (end_s is not None and end_s <= begin):
        raise DataError(f"the part from {begin} s to {end_s} s of {path} is empty; give 0 <= start < end")
    report = progress or (lambda what, share: None)
    still = is_picture(path)
    sampler = FrameSampler(path, start_s=start_s, end_s=end_s, limits=limits)
    frames = [(0.0, read_picture(path, limits))] if still else _reporting(sampler, report)
    track = track_faces(frames, large_px=large_px, detector=detector, face_at=face_at)
    report("reading the sound", 0.9)
    source = audio_path or (None if still else path)
    sound = None if source is None else read_sound(source, start_s=start_s, end_s=end_s, limits=limits)
    sound_s = 0.0 if sound is None else len(sound.waveform) / SAMPLE_RATE_HZ
    if len(track.faces) == 0 and sound_s == 0:
        raise DataError(f"{path} holds neither a picture nor a sound that can be decoded; record or convert it again")
    flags = list(sampler.flags)
    if sound is not None:
        flags += sound.flags
    if sampler.broken or sampler.declared_s - max(sampler.end_s, sound_s) > CUT_OFF_S:
        flags.append("cut_off")
    if begin > 0 or (end_s is not None and source is not None and _goes_on(source, end_s)):
        flags.append("shortened")
    report("done", 1.0)
    return assemble(
        clip_id or path.stem,
        text,
        track,
        None if sound is None else sound.waveform,
        duration_s=max(sampler.end_s, sound_s),
        flags=tuple(flags),
    )


def _goes_on(path: str | os.PathLike[str], end_s: float) -> bool:
    """Return whether a file is longer than the part that ends at `end_s`, by more than rounding."""
    with open_media(path) as container:
        return measured_s(container) > end_s + 0.1


def _reporting(sampler: FrameSampler, report: StageProgress) -> Iterator[tuple[float, np.ndarray]]:
    for time_s, frame in sampler:
        share = time_s / sampler.declared_s if sampler.declared_s else 0.0
        report(f"finding faces, {time_s:.1f} s", 0.9 * min(share, 1.0))
        yield time_s, frame


def assemble(
    clip_id: str,
    text: str,
    track: FaceTrack,
    sound: np.ndarray | None,
    *,
    duration_s: float,
    words: Sequence[Word] = (),
    labels: Mapping[str, float] | None = None,
    speaker: str = "",
    split: str = "",
    flags: tuple[str, ...] = (),
) -> Sample:
    """Assemble a `Sample` from crops and a 16 kHz waveform; every ingestion ends here, and sets its flags.

    Args:
        flags: known of the file, beside those of the crops, the waveform and the text.
    """
    heard = ("no_audio",) if sound is None or len(sound) == 0 else sound_flags(sound)
    line = clean_text(text)
    sample = Sample(
        clip_id=clip_id,
        text=line,
        faces=track.faces,
        mel=mel_chunks(np.zeros(0, np.float32) if sound is None else sound),
        duration_s=duration_s,
        faces_large=track.faces_large,
        face_times_s=track.times_s,
        face_boxes=track.boxes,
        face_points=track.points,
        face_found=track.face_found,
        labels=None if labels is None else {name: float(value) for name, value in labels.items()},
        words=known_or_spread(words, line, duration_s),
        speaker=speaker,
        split=split,
    )
    spoken = () if line else ("no_words",)
    return replace(sample, quality=(*track.flags(), *heard, *flags, *face_flags(sample), *spoken))
