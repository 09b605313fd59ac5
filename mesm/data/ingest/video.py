"""Sample a frame every 500 ms, by presentation time, from any video or picture; one frame in memory at a time.

At time t the frame on the screen is the last one whose presentation time is not after t. That rule needs no frame
rate, so that variable frame rates, 1 fps, 240 fps and a video of one frame are the same case.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from PIL import Image, ImageOps

from mesm.batch import FRAME_INTERVAL_MS
from mesm.data.ingest.hdr import is_hdr, tone_map
from mesm.data.ingest.media import (
    PICTURES,
    Decoding,
    Limits,
    declared_s,
    existing_file,
    open_media,
    origin_s,
    video_stream,
)
from mesm.errors import DataError

#: Containers round times to their clock, the coarsest in use to a millisecond.
_CLOCK_S = 5e-4
#: A picture that begins this much after the sound leaves the first sampled frames without one of their own.
_LATE_S = 0.5
#: Pixels more than this much wider or taller than square are a damaged header.
_WIDEST = 4


def read_picture(path: str | os.PathLike[str], limits: Limits | None = None) -> np.ndarray:
    """Read a still picture, turned upright by its EXIF tag.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    path = existing_file(path)
    return decode_picture(path, str(path), limits or Limits())


def decode_picture(source: Path | BinaryIO, name: str, limits: Limits) -> np.ndarray:
    """Decode the still picture in a file or a stream: (H, W, 3) uint8 RGB; `name` stands in the error's sentence."""
    try:
        with Image.open(source, formats=PICTURES) as picture:
            _check_pixels(name, picture.width, picture.height, limits)
            return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name} is a picture that cannot be read ({error}); save it again as png or jpg") from error


def _check_pixels(path: object, width: int, height: int, limits: Limits) -> None:
    if width * height > limits.max_pixels:
        raise DataError(
            f"{path} is {width} x {height} pixels, above the limit of {limits.max_pixels / 1e6:.0f} million; shrink it"
        )


def _upright(frame: av.VideoFrame, aspect: Fraction | None, hdr_px: int) -> np.ndarray:
    """Return the RGB picture as a player shows it: square pixels, turned by the stream's display matrix. (H, W, 3) uint8."""
    width, height = frame.width, frame.height
    if aspect and 1 / _WIDEST <= aspect <= _WIDEST:
        width = max(1, round(frame.width * float(aspect)))
    if is_hdr(frame):
        scale = min(1.0, hdr_px / max(width, height))
        picture = tone_map(frame, max(1, round(width * scale)), max(1, round(height * scale)))
    else:
        picture = frame.to_ndarray(format="rgb24", width=width, height=height)
    return _displayed(picture, frame)


def _displayed(picture: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
    """Turn and mirror an (H, W, 3) picture by the frame's display matrix, to the nearest quarter."""
    sides: Any = frame.side_data  # typed as a mapping, iterates over its values
    data = next((one for one in sides if one.type == SideDataType.DISPLAYMATRIX), None)
    if data is None:
        return picture
    x_by_x, y_by_x, _, x_by_y, y_by_y, *_ = np.frombuffer(bytes(data), np.int32).tolist()
    if abs(y_by_x) > abs(x_by_x):
        picture, x_by_x, y_by_y = picture.transpose(1, 0, 2), x_by_y, y_by_x
    return np.ascontiguousarray(picture[:: -1 if y_by_y < 0 else 1, :: -1 if x_by_x < 0 else 1])


class FrameSampler:
    """Iterate over (time in seconds, (H, W, 3) uint8 RGB) pairs of one video, one every `interval_ms`.

    Times count from `start_s`, or from the start of the clip. Every attribute is final after the iteration.

    Args:
        hdr_px: frames of high dynamic range are reduced to this longer side before they are tone-mapped, the slow part.

    Attributes:
        declared_s: length that the file claims for the requested part, or 0 if it claims none.
        end_s: end of the picture on the same clock.
        broken: whether there was damaged data.
        flags: `hdr` and `late_picture`, where they apply.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        start_s: float | None = None,
        end_s: float | None = None,
        interval_ms: int = FRAME_INTERVAL_MS,
        limits: Limits | None = None,
        hdr_px: int = 10**9,
    ) -> None:
        self.path, self.start_s, self.stop_s = path, start_s or 0.0, end_s
        self.interval_s = interval_ms / 1000
        self.limits, self.hdr_px = limits or Limits(), hdr_px
        self.end_s = 0.0
        self.declared_s = 0.0
        self.broken = False
        self.flags: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[tuple[float, np.ndarray]]:
        with open_media(self.path) as container:
            stream = video_stream(container)
            if stream is None:
                return
            context = stream.codec_context
            _check_pixels(self.path, context.width, context.height, self.limits)
            self._declare(declared_s(container))
            context.thread_type = "AUTO"
            zero = origin_s(container) + self.start_s
            frames = Decoding(container, stream, zero)
            yield from self._pick(frames, stream, zero)
            self.broken = frames.broken

    def _declare(self, whole_s: float) -> None:
        """Note the length that the file claims, 0 for none, and refuse what is too long before decoding it."""
        until = min(whole_s or math.inf, math.inf if self.stop_s is None else self.stop_s)
        self.declared_s = 0.0 if until == math.inf else max(until - self.start_s, 0.0)
        if self.declared_s > self.limits.max_duration_s:
            raise DataError(
                f"{self.path} lasts {self.declared_s:.0f} s, above the limit of {self.limits.max_duration_s:.0f} s; "
                "cut it, or give a start and an end"
            )

    def _pick(self, frames: Decoding, stream: av.VideoStream, zero: float) -> Iterator[tuple[float, np.ndarray]]:
        aspect = stream.sample_aspect_ratio
        stop = math.inf if self.stop_s is None else self.stop_s - self.start_s
        length = 1 / float(stream.average_rate or 1)
        index, shown, shown_at = 0, None, 0.0
        for frame in frames:
            if not isinstance(frame, av.VideoFrame) or frame.pts is None or frame.time_base is None:
                continue
            at = float(frame.pts * frame.time_base) - zero
            _check_pixels(self.path, frame.width, frame.height, self.limits)
            if shown is None:
                self.flags = (("hdr",) if is_hdr(frame) else ()) + (("late_picture",) if at >= _LATE_S else ())
            while shown is not None and index * self.interval_s < min(at - _CLOCK_S, stop):
                yield self._checked(index), _upright(shown, aspect, self.hdr_px)
                index += 1
            if at >= stop:
                break
            shown, shown_at = frame, at
            if frame.duration:
                length = float(frame.duration * frame.time_base)
        else:
            stop = min(stop, max(shown_at + length, frames.repeated_until_s - zero))
        self.end_s = max(stop, 0.0) if shown is not None else 0.0
        while shown is not None and self.end_s > 0 and (index == 0 or index * self.interval_s < self.end_s - _CLOCK_S):
            yield self._checked(index), _upright(shown, aspect, self.hdr_px)
            index += 1

    def _checked(self, index: int) -> float:
        if index >= self.limits.max_frames or index * self.interval_s > self.limits.max_duration_s:
            raise DataError(
                f"{self.path} goes on after {index} frames ({index * self.interval_s:.0f} s), above the limit; "
                "cut it, or give a start and an end"
            )
        return index * self.interval_s
