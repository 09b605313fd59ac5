"""Encode pictures as PNG.

On the mosaics of three clips (1316 x 536 and 1316 x 688 pixels) this takes 8.9 to 18.4 ms, Pillow with `compress_level=1`
24.3 to 41.8 ms: 2.4 times as long in sum, for files of the same size (see benchmarks/README.md). Each click on a case
encodes two of them.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_EIGHT_BIT_RGB = (8, 2, 0, 0, 0)
_FILTER_UP = 2


def encode_png(picture: np.ndarray) -> bytes:
    """Return (H, W, 3) uint8 as PNG.

    Every row is stored as its difference from the one above (PNG's filter "up"): in enlarged pictures most rows repeat,
    so most of what is compressed is zero, and no time goes into trying the other filters.
    """
    height, width, _ = picture.shape
    rows = np.empty((height, 1 + 3 * width), np.uint8)
    rows[:, 0] = _FILTER_UP
    flat = picture.reshape(height, -1)
    rows[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=rows[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, *_EIGHT_BIT_RGB)
    return (
        _SIGNATURE + _block(b"IHDR", header) + _block(b"IDAT", zlib.compress(rows.tobytes(), 1)) + _block(b"IEND", b"")
    )


def _block(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
