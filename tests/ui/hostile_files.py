"""Files that nobody should feed a decoder, each made here from its own recipe."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import wave
import zipfile
import zlib
from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
from PIL import Image

#: What must come of it: one sentence, a clip, or either of them.
FAILS, READS, EITHER = "fails", "reads", "either"


def video(
    seconds: float = 1.0, fps: int = 10, size: tuple[int, int] = (64, 48), form: str = "mp4", sound: bool = False
) -> bytes:
    """A real video: a grey wedge that moves."""
    width, height = size
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form) as out:
        stream = out.add_stream("libx264", rate=fps, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        audio = out.add_stream("aac", rate=16000, layout="mono") if sound else None
        wedge = np.broadcast_to(np.linspace(0, 255, width, dtype=np.uint8)[None, :, None], (height, width, 3))
        for index in range(max(1, round(seconds * fps))):
            frame = av.VideoFrame.from_ndarray(np.roll(wedge, index, axis=1).copy(), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, fps)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if audio is not None:
            tone = np.sin(np.arange(round(seconds * 16000)) / 8).astype(np.float32)
            for start in range(0, len(tone), 1024):
                block = av.AudioFrame.from_ndarray(
                    tone[None, start : start + 1024].copy(), format="fltp", layout="mono"
                )
                block.sample_rate, block.pts, block.time_base = 16000, start, Fraction(1, 16000)
                out.mux(audio.encode(block))
            out.mux(audio.encode(None))
    return buffer.getvalue()


def rotated() -> bytes:
    """The display matrix of its track says: turn me by 90 degrees."""
    data = bytearray(video())
    straight = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    at = data.index(straight, data.index(b"tkhd"))
    data[at : at + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    return bytes(data)


def endless() -> bytes:
    """It claims to last for years."""
    data = bytearray(video())
    at = data.index(b"mvhd") + 4 + 16
    data[at : at + 4] = struct.pack(">I", 0x7FFFFFFF)
    return bytes(data)


def noisy(seed: int = 0) -> bytes:
    """A real video with every hundredth byte of its content changed."""
    data = np.frombuffer(video(2.0), np.uint8).copy()
    rng = np.random.default_rng(seed)
    hit = rng.random(len(data)) < 0.01
    hit[:64] = False
    data[hit] = rng.integers(0, 256, int(hit.sum()), dtype=np.uint8)
    return data.tobytes()


def wav(seconds: float = 0.5, rate: int = 16000) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(1), out.setsampwidth(2), out.setframerate(rate)
        out.writeframes((8000 * np.sin(np.arange(round(seconds * 16000)) / 9)).astype("<i2").tobytes())
    return buffer.getvalue()


def lying_wav() -> bytes:
    """Its header promises four gigabytes."""
    data = bytearray(wav())
    data[4:8] = data[40:44] = struct.pack("<I", 0xFFFFFFF0)
    return bytes(data)


def wav_of_rate(rate: int) -> bytes:
    data = bytearray(wav())
    data[24:28] = struct.pack("<I", rate)
    return bytes(data)


def picture(form: str = "PNG", size: tuple[int, int] = (64, 64)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (120, 90, 60)).save(buffer, form)
    return buffer.getvalue()


def png_claiming(width: int, height: int, content: bytes = b"") -> bytes:
    """A PNG whose header names a size; its pixels are what is given."""

    def block(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + block(b"IHDR", header) + block(b"IDAT", content) + block(b"IEND", b"")


def jpeg_claiming(width: int, height: int) -> bytes:
    data = bytearray(picture("JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def archive(levels: int = 1) -> bytes:
    content = b"\0" * 5_000_000
    for _ in range(levels):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
            for number in range(4):
                out.writestr(f"{number}.mp4", content)
        content = buffer.getvalue()
    return content


class _Evil:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        import os

        return os.system, ("touch /tmp/mesm-was-unpickled",)


_SVG = (
    b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    b'<svg xmlns="http://www.w3.org/2000/svg" width="99999" height="99999"><script>alert(1)</script><text>&x;</text></svg>'
)

#: name -> (how to make it, what must come of it).
FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", FAILS),
    "one byte": (lambda: b"\0", FAILS),
    "zeros": (lambda: bytes(300_000), FAILS),
    "noise": (lambda: np.random.default_rng(0).bytes(300_000), FAILS),
    "text that is not UTF-8": (lambda: b"\xff\xfe\xfd caf\xe9 " * 500, FAILS),
    "web page": (lambda: b"<!doctype html><script>fetch('http://localhost')</script>" * 50, FAILS),
    "drawing with an entity": (lambda: _SVG, FAILS),
    "pickle": (lambda: pickle.dumps(_Evil()), FAILS),
    "numpy array of objects": (lambda: b"\x93NUMPY\x01\x00" + pickle.dumps(_Evil()), FAILS),
    "zip of zeros": (archive, FAILS),
    "zip of zips": (lambda: archive(3), FAILS),
    "gzip of zeros": (lambda: gzip.compress(bytes(50_000_000)), FAILS),
    "program": (lambda: b"\x7fELF\x02\x01\x01" + bytes(4000), FAILS),
    "document": (lambda: b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n" * 40, FAILS),
    "playlist of a file": (lambda: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", FAILS),
    "list of files": (lambda: b"ffconcat version 1.0\nfile /etc/passwd\n", FAILS),
    "animation with a page inside": (lambda: b"GIF89a/*<script>*/=1;" + bytes(200), FAILS),
    "head of a video": (lambda: video()[:48], FAILS),
    "half a video": (lambda: video(3.0)[:2500], EITHER),
    "end of a video cut off": (lambda: video(3.0, form="matroska")[:-4000], EITHER),
    "damaged video": (noisy, EITHER),
    "video that claims years": (endless, EITHER),
    "video with an archive behind it": (lambda: video() + archive(), READS),
    "one frame a second": (lambda: video(3.0, fps=1), READS),
    "240 frames a second": (lambda: video(1.0, fps=240), READS),
    "video of one frame": (lambda: video(0.01), READS),
    "video on its side": (rotated, READS),
    "video two pixels high": (lambda: video(0.5, size=(64, 2)), EITHER),
    "sound alone": (lambda: wav(1.0), READS),
    "sound that lies about its length": (lambda: lying_wav(), EITHER),
    "sound of 0 samples a second": (lambda: wav_of_rate(0), EITHER),
    "sound of 4 billion samples a second": (lambda: wav_of_rate(0xFFFFFFFF), EITHER),
    "picture of 60000 x 60000": (lambda: png_claiming(60_000, 60_000), FAILS),
    "picture that unpacks to gigabytes": (
        lambda: png_claiming(6000, 6000, zlib.compress(bytes(60_000_000), 9)),
        EITHER,
    ),
    "photograph of 65000 x 65000": (lambda: jpeg_claiming(65_000, 65_000), FAILS),
    "half a picture": (lambda: picture("PNG", (400, 400))[:300], FAILS),
    "picture of one pixel": (lambda: picture("PNG", (1, 1)), READS),
    "bitmap": (lambda: picture("BMP"), EITHER),
}
