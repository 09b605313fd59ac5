"""Encode a small H.264 + AAC copy of a clip that every browser plays."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from PIL import Image

from mesm.batch import SAMPLE_RATE_HZ
from mesm.data.ingest.audio import read_waveform, to_mono_16k
from mesm.data.ingest.media import Limits, existing_file, is_picture
from mesm.data.ingest.video import FrameSampler, read_picture
from mesm.errors import DataError
from mesm.files import write_atomic

PREVIEW_FPS = 25
PREVIEW_PX = 360
_AAC_FRAME = 1024


def encode_arrays(
    frames: Iterable[np.ndarray],
    fps: float,
    waveform: np.ndarray | None,
    sample_rate_hz: int,
    out_path: str | os.PathLike[str],
    *,
    max_px: int = PREVIEW_PX,
    crf: int = 26,
) -> Path:
    """Encode frames and sound in memory as mp4 (yuv420p, index at the front), written whole or not at all.

    Args:
        frames: (H, W, 3) uint8 RGB, all of one size; may be empty when there is sound.
        fps: of the frames.
        waveform: (samples,) float32 mono, or None.
        sample_rate_hz: of the waveform.
        out_path: ends in .mp4.
        max_px: the longer side is reduced to this.
        crf: quality of H.264; higher is smaller.
    """
    sound = None if waveform is None or len(waveform) == 0 else to_mono_16k(waveform, sample_rate_hz)
    handle, temporary = tempfile.mkstemp(suffix=".mp4")
    os.close(handle)
    try:
        with av.open(temporary, "w", options={"movflags": "faststart"}) as container:
            _encode(container, iter(frames), Fraction(fps).limit_denominator(1001), sound, max_px, crf)
        data = Path(temporary).read_bytes()
    except av.error.FFmpegError as error:
        raise DataError(f"the preview {out_path} cannot be encoded ({error}); check the frames' size") from error
    finally:
        Path(temporary).unlink(missing_ok=True)
    return write_atomic(out_path, data)


def encode_preview(
    path: str | os.PathLike[str],
    out_path: str | os.PathLike[str],
    *,
    audio_path: str | os.PathLike[str] | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    max_px: int = PREVIEW_PX,
    limits: Limits | None = None,
) -> Path:
    """Encode a video, or a picture with a sound beside it, as an mp4 that browsers play; see `encode_arrays`."""
    path, limits = existing_file(path), limits or Limits()
    if is_picture(path):
        source = path if audio_path is None else audio_path
        sound = None if audio_path is None else read_waveform(source, start_s=start_s, end_s=end_s, limits=limits)
        seconds = 1.0 if sound is None else max(len(sound) / SAMPLE_RATE_HZ, 1.0)
        picture = read_picture(path, limits)
        frames: Iterator[np.ndarray] = (picture for _ in range(round(seconds * PREVIEW_FPS)))
    else:
        sound = read_waveform(audio_path or path, start_s=start_s, end_s=end_s, limits=limits)
        every_frame = Limits(limits.max_duration_s, limits.max_pixels, round(limits.max_duration_s * PREVIEW_FPS) + 1)
        interval_ms = 1000 // PREVIEW_FPS
        sampler = FrameSampler(
            path, start_s=start_s, end_s=end_s, interval_ms=interval_ms, limits=every_frame, hdr_px=max_px
        )
        frames = (picture for _, picture in sampler)
    return encode_arrays(frames, PREVIEW_FPS, sound, SAMPLE_RATE_HZ, out_path, max_px=max_px)


def _encode(
    container: av.container.OutputContainer,
    frames: Iterator[np.ndarray],
    fps: Fraction,
    sound: np.ndarray | None,
    max_px: int,
    crf: int,
) -> None:
    first = next(frames, None)
    if first is None and sound is None:
        raise DataError("there is neither a frame nor a sound to make a preview of; give at least one")
    video = audio = None
    if first is not None:
        video = container.add_stream("libx264", rate=fps, options={"crf": str(crf), "preset": "veryfast"})
        video.width, video.height = _even_size(first, max_px)
        video.pix_fmt = "yuv420p"
        video.codec_context.thread_count = 1  # with several threads the bytes depend on their number
    if sound is not None:
        audio = container.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono")
        audio.bit_rate = 48_000
    # The muxer interleaves: it holds back the sound until the picture has caught up.
    if audio is not None and sound is not None:
        _encode_sound(container, audio, sound)
    if video is not None and first is not None:
        size = (video.width, video.height)
        for index, picture in enumerate(_chained(first, frames)):
            image = Image.fromarray(picture)
            if image.size != size:
                image = image.resize(size, Image.Resampling.BILINEAR)
            frame = av.VideoFrame.from_image(image)
            frame.pts, frame.time_base = index, 1 / fps
            container.mux(video.encode(frame))
        container.mux(video.encode(None))


def _encode_sound(container: av.container.OutputContainer, stream: av.AudioStream, sound: np.ndarray) -> None:
    for start in range(0, len(sound), _AAC_FRAME):
        frame = av.AudioFrame.from_ndarray(sound[None, start : start + _AAC_FRAME], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE_HZ, start, Fraction(1, SAMPLE_RATE_HZ)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _chained(first: np.ndarray, rest: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    yield from rest


def _even_size(frame: np.ndarray, max_px: int) -> tuple[int, int]:
    """Return (width, height), both even as yuv420p needs, the longer side at most `max_px`."""
    height, width = frame.shape[:2]
    scale = min(1.0, max_px / max(height, width))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)
