"""Real little videos and sounds, made with PyAV where a test needs them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE_HZ = 44_100


def tone(seconds: float, frequency_hz: float = 440.0, rate_hz: int = RATE_HZ, level: float = 0.3) -> np.ndarray:
    """(samples,) float32."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    return (level * np.sin(2 * np.pi * frequency_hz * t)).astype(np.float32)


def write_clip(
    path: Path,
    frames: Sequence[np.ndarray] = (),
    times_ms: Sequence[int] | None = None,
    waveform: np.ndarray | None = None,
    *,
    rate_hz: int = RATE_HZ,
    codec: str = "libx264",
    audio_codec: str = "aac",
    fps: int = 10,
    last_ms: int = 100,
    options: dict[str, str] | None = None,
) -> Path:
    """A video with frame i at `times_ms[i]` (default: `fps`) and a mono sound; either may be left out."""
    with av.open(str(path), "w") as out:
        video = audio = None
        if len(frames):
            video = out.add_stream(codec, rate=fps, options=options or {})
            video.height, video.width = frames[0].shape[:2]
            video.pix_fmt = "yuv420p"
            video.codec_context.time_base = Fraction(1, 1000)
        if waveform is not None:
            audio = out.add_stream(audio_codec, rate=rate_hz, layout="mono")
        times = list(times_ms) if times_ms is not None else [round(1000 * i / fps) for i in range(len(frames))]
        for i, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = times[i], Fraction(1, 1000)
            frame.duration = (times[i + 1] if i + 1 < len(times) else times[i] + last_ms) - times[i]
            out.mux(video.encode(frame))
        if video is not None:
            out.mux(video.encode(None))
        if audio is not None:
            for start in range(0, len(waveform), 1024):
                block = np.ascontiguousarray(waveform[None, start : start + 1024])
                frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = rate_hz, start, Fraction(1, rate_hz)
                out.mux(audio.encode(frame))
            out.mux(audio.encode(None))
    return path


def held_upright(path: Path, height: int) -> Path:
    """Give an mp4 the display matrix that a phone writes: its pictures, `height` px high, turn 90 degrees clockwise."""
    return displayed(path, 0, 1, -1, 0, height)


def displayed(path: Path, a: int, b: int, c: int, d: int, height: int = 0) -> Path:
    """Give an mp4 the display matrix that maps x, y to a x + c y, b x + d y."""
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 44
    one = 1 << 16
    content[matrix : matrix + 36] = struct.pack(
        ">9i", a * one, b * one, 0, c * one, d * one, 0, height << 16, 0, 1 << 30
    )
    path.write_bytes(content)
    return path


def speech_like(seconds: float, rate_hz: int = RATE_HZ, level: float = 0.3) -> np.ndarray:
    """(samples,) float32: a buzz of 150 Hz in syllables, four a second."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    buzz = sum(np.sin(2 * np.pi * 150 * k * t) / k for k in range(1, 20))
    return (level * buzz * (1 - np.cos(2 * np.pi * 4 * t)) / 4).astype(np.float32)


def write_sounds(path: Path, *tracks: np.ndarray, codec: str = "pcm_s16le", rate_hz: int = RATE_HZ) -> Path:
    """A file of sound tracks: (samples,) mono, (2, samples) stereo, (6, samples) 5.1."""
    with av.open(str(path), "w") as out:
        channels = [np.atleast_2d(track).astype(np.float32) for track in tracks]
        layouts = [{1: "mono", 2: "stereo", 6: "5.1"}[len(track)] for track in channels]
        streams = [out.add_stream(codec, rate=rate_hz, layout=layout) for layout in layouts]
        for stream, track, layout in zip(streams, channels, layouts, strict=True):
            for start in range(0, track.shape[1], 1024):
                block = np.ascontiguousarray(track[:, start : start + 1024])
                frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
                frame.sample_rate, frame.pts, frame.time_base = rate_hz, start, Fraction(1, rate_hz)
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
    return path


def huge_video(path: Path, width: int = 8200, height: int = 5000) -> Path:
    """One frame of 41 million pixels, which compresses to little."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p"
        out.mux(stream.encode(av.VideoFrame(width, height, "yuvj420p")))
        out.mux(stream.encode(None))
    return path


def grey(level: int, height: int = 48, width: int = 64) -> np.ndarray:
    """A frame of one grey, which survives compression to within a few steps."""
    return np.full((height, width, 3), level, np.uint8)
