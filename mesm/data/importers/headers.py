"""Read the headers of an utterance's files and decide whether it can be stored; nothing is decoded."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import av
from PIL import Image

from mesm.data.importers.plan import MediaSpan, Problem, Utterance
from mesm.data.ingest.media import PICTURES, Limits, audio_stream, existing_file, is_picture, open_media, video_stream
from mesm.data.ingest.text import clean_text
from mesm.data.sources import SourceFacts
from mesm.errors import DataError

#: Annotated times may lie this far beyond the end of the media, and a cut file's length this far from its times.
BEYOND_END_S, OFF_LENGTH_S = 0.5, 1.0
#: Nobody says more words in a second than this.
MOST_WORDS_PER_S = 8.0
#: What an incomplete utterance may lack.
_LACKS = ("missing_video", "missing_sound", "broken_video", "broken_sound", "no_frames", "no_audio")


@dataclass(frozen=True)
class Header:
    """Hold one media file's header; 0 and "" where it gives nothing."""

    duration_s: float = 0.0
    width: int = 0
    height: int = 0
    fps: float = 0.0
    sample_rate_hz: int = 0
    channels: int = 0
    video: bool = False
    audio: bool = False
    still: bool = False


@lru_cache(maxsize=8192)
def read_header(path: Path) -> Header:
    """Read the header of a video, sound or picture.

    Raises:
        DataError: it is none, or it is damaged.
    """
    if is_picture(existing_file(path)):
        try:
            with Image.open(path, formats=PICTURES) as still:
                return Header(still=True, video=True, width=still.width, height=still.height)
        except Image.DecompressionBombError as error:
            raise DataError(f"{path} is a picture that is too large to open ({error}); shrink it") from error
        except (OSError, SyntaxError, ValueError) as error:
            raise DataError(
                f"{path} is a picture that cannot be read ({error}); save it again as png or jpg"
            ) from error
    with open_media(path) as container:
        picture, sound = video_stream(container), audio_stream(container)
        lengths = [
            float(s.duration * s.time_base) for s in (picture, sound) if s is not None and s.duration and s.time_base
        ]
        return Header(
            duration_s=(container.duration or 0) / av.time_base or max(lengths, default=0.0),
            width=picture.codec_context.width if picture is not None else 0,
            height=picture.codec_context.height if picture is not None else 0,
            fps=float(picture.average_rate or 0) if picture is not None else 0.0,
            sample_rate_hz=sound.rate if sound is not None else 0,
            channels=sound.channels if sound is not None else 0,
            video=picture is not None,
            audio=sound is not None,
        )


def examine(
    utterance: Utterance, limits: Limits | None = None, *, keep_incomplete: bool = False
) -> tuple[SourceFacts, Problem | None]:
    """Return the facts of an utterance's files, and the problem that keeps it out, as far as headers show it.

    Args:
        limits: longest clip and largest frame.
        keep_incomplete: an utterance may lack its words, its picture or its sound, as long as it has media at all.
    """
    facts, limits = SourceFacts(), limits or Limits()
    if utterance.problem is not None:
        return facts, utterance.problem
    if "text" in utterance.modalities and not clean_text(utterance.text) and not keep_incomplete:
        return facts, Problem("empty_text", "its transcript is empty")
    problem: Problem | None = None
    if "visual" in utterance.modalities:
        facts, problem = _of_picture(utterance, facts, limits)
    heard: Problem | None = None
    if "acoustic" in utterance.modalities and (problem is None or keep_incomplete):
        facts, heard = _of_sound(utterance, facts)
    if keep_incomplete and ((_only_lacks(problem) and heard is None) or (_only_lacks(heard) and problem is None)):
        problem = heard = None
    return facts, problem or heard or _length_problem(utterance, facts, limits)


def _only_lacks(problem: Problem | None) -> bool:
    return problem is not None and problem.reason in _LACKS


def _header(part: MediaSpan, kind: str) -> Header | Problem:
    try:
        if not part.path.is_file():
            return Problem(f"missing_{kind}", f"{part.path} does not exist")
        return read_header(part.path)
    except (DataError, OSError) as error:
        return Problem(f"broken_{kind}", str(error))


def _of_picture(utterance: Utterance, facts: SourceFacts, limits: Limits) -> tuple[SourceFacts, Problem | None]:
    if utterance.video is None:
        return facts, None if utterance.pictures else Problem("no_frames", "it has no picture in its folder")
    header = _header(utterance.video, "video")
    if isinstance(header, Problem):
        return facts, header
    if not header.video:
        return facts, Problem("no_frames", f"{utterance.video.path} holds no moving picture")
    if header.width * header.height > limits.max_pixels:
        size = f"{header.width} x {header.height} pixels"
        return facts, Problem("too_large", f"its frames are {size}, above the limit of {limits.max_pixels:,}")
    length, problem = _length(utterance.video, header)
    facts = replace(facts, duration_s=length, fps=round(header.fps, 3), width=header.width, height=header.height)
    return facts, problem


def _of_sound(utterance: Utterance, facts: SourceFacts) -> tuple[SourceFacts, Problem | None]:
    part = utterance.sound or utterance.video
    if part is None:
        return facts, Problem("no_audio", "it has no sound")
    header = _header(part, "sound")
    if isinstance(header, Problem):
        return facts, header
    if not header.audio:
        return facts, Problem("no_audio", f"{part.path} holds no sound")
    length, problem = _length(part, header)
    if problem is None and utterance.expected_s is not None and facts.duration_s and utterance.sound is not None:
        problem = _unlike(length, facts.duration_s, "its sound", "its picture")
    facts = replace(
        facts,
        duration_s=max(facts.duration_s, length),
        sample_rate_hz=header.sample_rate_hz,
        channels=header.channels,
    )
    return facts, problem


def _length(part: MediaSpan, header: Header) -> tuple[float, Problem | None]:
    """Return the seconds that a span covers, and the problem of its times."""
    if part.end_s is None:
        return max(header.duration_s - part.start_s, 0.0), None
    if header.duration_s and not header.still and part.end_s > header.duration_s + BEYOND_END_S:
        return part.end_s - part.start_s, Problem(
            "misaligned", f"it ends at {part.end_s:.2f} s, but {part.path} at {header.duration_s:.2f} s"
        )
    return part.end_s - part.start_s, None


def _unlike(seconds: float, expected: float, what: str, other: str) -> Problem | None:
    if abs(seconds - expected) <= OFF_LENGTH_S:
        return None
    return Problem("misaligned", f"{what} lasts {seconds:.2f} s, {other} {expected:.2f} s")


def _length_problem(utterance: Utterance, facts: SourceFacts, limits: Limits) -> Problem | None:
    seconds = facts.duration_s
    if seconds > limits.max_duration_s:
        return Problem("too_long", f"it lasts {seconds:.0f} s, above the limit of {limits.max_duration_s:.0f} s")
    if not seconds or not math.isfinite(seconds):
        return None
    if utterance.expected_s is not None and (problem := _unlike(seconds, utterance.expected_s, "it", "its transcript")):
        return problem
    words = len(clean_text(utterance.text).split())
    timed = utterance.expected_s is not None or any(
        part is not None and part.end_s is not None for part in (utterance.video, utterance.sound)
    )
    if timed and words > MOST_WORDS_PER_S * seconds + 1:
        return Problem("misaligned", f"{words} words in {seconds:.2f} s are more than fit into the sound")
    return None
