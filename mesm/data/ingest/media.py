"""Open an untrusted media file, judged by its content, with one sentence for every error.

A file's extension is never trusted. FFmpeg is held to plain local media containers: no playlists, no lists of other
files, no network, no text rendered as video.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import av
import av.container
import av.error
from av.stream import Disposition

from mesm.errors import DataError

#: Containers that FFmpeg may probe for.
CONTAINERS = (
    "aac,ac3,aiff,amr,asf,avi,caf,dv,flac,flv,gif,matroska,webm,mov,mp4,mp3,mpeg,mpegts,mpegvideo,ogg,wav,w64,swf"
)
#: Still pictures that Pillow may open.
PICTURES = ("PNG", "JPEG", "WEBP")
#: Some containers (AVI) find key frames by the time of decoding, which is ahead of the time of showing: seek so far back.
_SEEK_BACK_S = 1.0


#: Sound tracks that are read at most.
_MOST_TRACKS = 8


@dataclass(frozen=True)
class Limits:
    """Hold the limits of a clip. The defaults are far above an utterance and far below the memory of a small machine."""

    max_duration_s: float = 600.0
    """Longest clip, or part of a clip."""
    max_pixels: int = 40_000_000
    """Largest frame or picture, in pixels."""
    max_frames: int = 1200
    """Most sampled frames (one every 500 ms)."""


def existing_file(path: str | os.PathLike[str]) -> Path:
    """Return the path if it is a file with content, else `DataError`."""
    path = Path(path)
    try:
        status = path.stat()
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; check the path") from None
    except (OSError, ValueError) as error:  # also a name that is too long or holds a NUL
        raise DataError(
            f"{path} cannot be read ({getattr(error, 'strerror', None) or error}); check the path"
        ) from error
    if stat.S_ISDIR(status.st_mode):
        raise DataError(f"{path} is a folder; give one video, or a picture and a sound")
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{path} is no regular file; give a video, a sound or a picture")
    if status.st_size == 0:
        raise DataError(f"{path} is empty (0 bytes); copy or record it again")
    return path


def is_picture(path: Path) -> bool:
    """Return whether the first bytes are those of one of `PICTURES`."""
    with path.open("rb") as file:
        head = file.read(12)
    return head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or (head[:4], head[8:]) == (b"RIFF", b"WEBP")


@contextmanager
def open_media(path: str | os.PathLike[str]) -> Iterator[av.container.InputContainer]:
    """Open a video or sound for reading; FFmpeg's errors become one sentence.

    Raises:
        DataError: no such file, an empty one, or not a container in `CONTAINERS`.
    """
    path = existing_file(path)
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
    try:
        container = av.open(str(path.absolute()), metadata_errors="replace", options=options)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise DataError(
            f"{path} cannot be read as video or sound ({reason}); it may be cut off or of another kind: "
            "convert it to mp4 or wav and try again"
        ) from error
    try:
        yield container
    finally:
        container.close()


def video_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """Return the moving picture of a container; a cover picture on a sound file is none."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic and stream.codec_context is not None:
            return stream
    return None


def audio_streams(container: av.container.InputContainer) -> list[av.AudioStream]:
    """Return the sounds of a container that there is a decoder for, at most `_MOST_TRACKS`."""
    return [stream for stream in container.streams.audio if stream.codec_context is not None][:_MOST_TRACKS]


def audio_stream(container: av.container.InputContainer) -> av.AudioStream | None:
    """Return the first sound of a container that there is a decoder for."""
    return next(iter(audio_streams(container)), None)


def origin_s(container: av.container.InputContainer) -> float:
    """Return second 0 of the clip on the container's clock: the start of its first stream."""
    starts = [
        float(s.start_time * s.time_base)
        for s in (video_stream(container), audio_stream(container))
        if s is not None and s.start_time is not None and s.time_base is not None
    ]
    return min(starts, default=0.0)


def declared_s(container: av.container.InputContainer) -> float:
    """Return the length that a file's header claims for its picture and sounds, 0 for none; other tracks do not count."""
    whole_s = (container.duration or 0) / av.time_base
    streams = [s for s in (video_stream(container), *audio_streams(container)) if s is not None]
    ends_s = [
        float(((s.start_time or 0) + s.duration) * s.time_base)
        for s in streams
        if s.duration is not None and s.time_base is not None
    ]
    if ends_s and len(ends_s) == len(streams):
        whole_s = min(whole_s, max(ends_s) - min(origin_s(container), 0.0))
    return max(whole_s, 0.0)


def measured_s(container: av.container.InputContainer) -> float:
    """Return the length of a file: by its header, or by its packets where the header has none, which reads it all."""
    if whole_s := declared_s(container):
        return whole_s
    end_s = zero = origin_s(container)
    with suppress(av.error.FFmpegError):  # cut off: as far as it goes
        for packet in container.demux():
            if packet.pts is not None and packet.time_base is not None:
                end_s = max(end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    return end_s - zero


class Decoding:
    """Iterate over the frames of one stream, without damaged packets.

    Attributes:
        packets: how many there were so far.
        broken: whether some of them were damaged.
        repeated_until_s: end of the last empty packet, which shows the frame before it again; on the container's clock.

    Args:
        container: open for reading.
        stream: its video or audio stream.
        from_s: on the container's clock; decoding starts at the key frame before it where the file allows seeking.
    """

    def __init__(
        self, container: av.container.InputContainer, stream: av.VideoStream | av.AudioStream, from_s: float
    ) -> None:
        self.container, self.stream = container, stream
        self.packets, self.broken, self.repeated_until_s = 0, False, -math.inf
        if from_s > _SEEK_BACK_S:
            with suppress(av.error.FFmpegError):  # a file that cannot seek is read from its start
                container.seek(round((from_s - _SEEK_BACK_S) / (stream.time_base or 1)), stream=stream, backward=True)

    def __iter__(self) -> Iterator[av.VideoFrame | av.AudioFrame]:
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError:  # the file ends in the middle of something
                packet, self.broken = None, True
            if packet is None:
                return
            # The flush at the end is empty too, but has no time.
            if packet.size == 0 and packet.pts is not None and packet.time_base is not None:
                self.repeated_until_s = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                continue
            self.packets += packet.size > 0
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                self.broken = True
                continue
            yield from frames  # type: ignore[misc]
