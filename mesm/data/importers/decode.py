"""Decode utterances into samples: the work of one worker, on any machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mesm.batch import FRAME_INTERVAL_MS, SAMPLE_RATE_HZ, Sample
from mesm.data.importers.headers import examine
from mesm.data.importers.plan import MediaSpan, Problem, Utterance
from mesm.data.importers.screen_halves import crop_half, other_half_speaks
from mesm.data.importers.still_pictures import read_still
from mesm.data.ingest.audio import Sound, read_sound
from mesm.data.ingest.clip import CUT_OFF_S, assemble
from mesm.data.ingest.faces import Detector, FaceTrack, WholeFrame, shared_detector
from mesm.data.ingest.many import track_clips
from mesm.data.ingest.media import Limits, is_picture
from mesm.data.ingest.video import FrameSampler, read_picture
from mesm.data.sources import SourceFacts, SourceRow, SourceSpan
from mesm.errors import DataError


@dataclass(frozen=True)
class Settings:
    """Hold the settings of an import; they go to the manifest."""

    large_px: int = 96
    """Side of the crops for display; 0 for none."""
    keep_incomplete: bool = False
    """Store utterances without words, picture, sound or label too; those without a label are in no split."""
    max_minutes: float = 10.0
    """Longest utterance."""

    def limits(self) -> Limits:
        """Return the limits on one clip."""
        seconds = 60 * self.max_minutes
        return Limits(max_duration_s=seconds, max_frames=round(seconds * 1000 / FRAME_INTERVAL_MS) + 1)


@dataclass(frozen=True)
class Outcome:
    """Hold the result of one utterance, a sample or a problem, and the facts of its sources."""

    id: str
    facts: SourceFacts
    sample: Sample | None = None
    problem: Problem | None = None


class _Picture:
    """Iterate over the frames of one utterance; an error of decoding is kept as `problem`, not raised."""

    def __init__(self, utterance: Utterance, limits: Limits, advance: Callable[[], None] = lambda: None) -> None:
        self.utterance, self.limits, self.advance = utterance, limits, advance
        self.problem: Problem | None = None
        self.end_s, self.declared_s, self.broken = 0.0, 0.0, False
        self.flags: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[tuple[float, np.ndarray]]:
        try:
            for time_s, frame in self._frames():
                self.advance()
                yield time_s, crop_half(frame, self.utterance.side)
        except DataError as error:
            self.problem = Problem("broken_video", str(error))

    def _frames(self) -> Iterator[tuple[float, np.ndarray]]:
        part, interval_s = self.utterance.video, FRAME_INTERVAL_MS / 1000
        if "visual" not in self.utterance.modalities:
            return
        if part is None:
            for index, path in enumerate(self.utterance.pictures):
                yield index * interval_s, read_still(path, self.limits)
            self.end_s = len(self.utterance.pictures) * interval_s
        elif is_picture(part.path):
            yield 0.0, read_picture(part.path, self.limits)
        else:
            sampler = FrameSampler(part.path, start_s=part.start_s, end_s=part.end_s, limits=self.limits)
            yield from sampler
            self.end_s, self.declared_s, self.broken = sampler.end_s, sampler.declared_s, sampler.broken
            self.flags = sampler.flags


def make_outcomes(
    utterances: Sequence[Utterance],
    settings: Settings,
    detector: Detector | None = None,
    advance: Callable[[], None] = lambda: None,
) -> list[Outcome]:
    """Decode utterances and detect their faces: one outcome per utterance, in order.

    Frames of several utterances share the detector's batches; decoding runs ahead in a thread.

    Args:
        advance: called at every header, frame and sound.
    """
    limits, outcomes = settings.limits(), {}
    pictures: dict[int, tuple[SourceFacts, _Picture]] = {}
    for number, utterance in enumerate(utterances):
        advance()
        facts, problem = examine(utterance, limits, keep_incomplete=settings.keep_incomplete)
        if problem is None:
            picture = utterance
            if settings.keep_incomplete and utterance.video is not None and not facts.fps and not facts.width:
                picture = _without_picture(utterance)
            pictures[number] = (facts, _Picture(picture, limits, advance))
        else:
            outcomes[number] = Outcome(utterance.id, facts, problem=problem)
    for number, track in _tracks(utterances, pictures, settings, detector):
        advance()
        facts, frames = pictures[number]
        made = _assemble_sample(utterances[number], track, frames, settings, detector)
        sample, problem = (None, made) if isinstance(made, Problem) else (made, None)
        outcomes[number] = Outcome(utterances[number].id, facts, sample, problem)
    return [outcomes[number] for number in range(len(utterances))]


def _tracks(
    utterances: Sequence[Utterance],
    pictures: dict[int, tuple[SourceFacts, _Picture]],
    settings: Settings,
    detector: Detector | None,
) -> Iterator[tuple[int, FaceTrack]]:
    """Yield the number and the faces of each utterance: detected, or whole pictures where they are crops already."""
    for cropped in (False, True):
        frames = [(n, picture) for n, (_, picture) in pictures.items() if utterances[n].cropped is cropped]
        search = WholeFrame() if cropped else detector
        yield from track_clips(frames, large_px=0 if cropped else settings.large_px, detector=search)


def _without_picture(utterance: Utterance) -> Utterance:
    """Return the same utterance with its sound only: its file holds no picture that can be decoded."""
    return replace(utterance, video=None, pictures=(), sound=utterance.sound or utterance.video)


def _assemble_sample(
    utterance: Utterance, track: FaceTrack, picture: _Picture, settings: Settings, detector: Detector | None
) -> Sample | Problem:
    """Add sound, words and flags to an utterance whose frames have been cut."""
    if picture.problem is not None and not settings.keep_incomplete:
        return picture.problem
    if "visual" in utterance.modalities and not len(track.faces) and not settings.keep_incomplete:
        return Problem("no_frames", "no picture could be decoded")
    with_sound = "acoustic" in utterance.modalities
    sound = _sound(utterance, settings.limits()) if with_sound else Sound(np.zeros(0, np.float32))
    if isinstance(sound, Problem):
        if not settings.keep_incomplete:
            return sound
        sound = Sound(np.zeros(0, np.float32))
    if not len(track.faces) and not len(sound.waveform) and utterance.modalities != ("text",):
        return picture.problem or Problem("no_frames", "neither picture nor sound could be decoded")
    sound_s = len(sound.waveform) / SAMPLE_RATE_HZ
    wrong_half = (
        utterance.side
        and utterance.video is not None
        and bool(len(track.faces))
        and other_half_speaks(utterance.video, utterance.side, sound.waveform, detector or shared_detector())
    )
    cut_off = picture.broken or picture.declared_s - max(picture.end_s, sound_s) > CUT_OFF_S
    try:
        return assemble(
            utterance.id,
            utterance.text,
            track,
            sound.waveform,
            duration_s=max(picture.end_s, sound_s),
            labels=utterance.labels,
            speaker=utterance.speaker,
            split=utterance.split,
            flags=(
                *picture.flags,
                *sound.flags,
                *(("other_half_speaks",) if wrong_half else ()),
                *(("cut_off",) if cut_off else ()),
            ),
        )
    except DataError as error:  # arrays that no sample can have are a fault of the file
        return Problem("broken_video", str(error))


def _sound(utterance: Utterance, limits: Limits) -> Sound | Problem:
    """Read the sound: the speaker's channel where there are two, else the mix."""
    part = utterance.sound or utterance.video
    if part is None or not part.path.is_file():
        return Problem("missing_sound", "it has no sound")
    channel = {"left": 0, "right": 1}.get(utterance.side)
    try:
        sound = read_sound(part.path, start_s=part.start_s or None, end_s=part.end_s, channel=channel, limits=limits)
    except DataError as error:
        return Problem("broken_sound", str(error))
    if sound is None or not len(sound.waveform):
        return Problem("no_audio", f"{part.path} holds no sound there")
    return sound


def source_row(utterance: Utterance, facts: SourceFacts, root: Path) -> SourceRow:
    """Return the line of a clip in the corpus's `sources.jsonl`."""

    def source_span(span: MediaSpan | None) -> SourceSpan | None:
        return None if span is None else SourceSpan(relative(span.path, root), span.start_s, span.end_s)

    return SourceRow(
        **vars(facts),
        id=utterance.id,
        speaker=utterance.speaker,
        dialogue=utterance.dialogue,
        session=utterance.session,
        side=utterance.side,
        video=source_span(utterance.video),
        pictures=len(utterance.pictures),
        sound=source_span(utterance.sound),
    )


def relative(path: Path, root: Path) -> str:
    """Return a path as the release writes it, without where it lies on this machine."""
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return path.name
