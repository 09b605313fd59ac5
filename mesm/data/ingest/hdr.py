"""Map high dynamic range (HLG, PQ) to the standard range that the models are trained on.

ITU-R BT.2100 defines both transfer functions; ITU-R BT.2408 puts a white wall at 75 % of HLG's signal and at 203 cd/m2
of PQ's, which becomes SDR's white here. Brighter light is compressed into the last fifth. The result is sRGB.
"""

from __future__ import annotations

from functools import lru_cache

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, Colorspace, ColorTrc

#: BT.2020 -> BT.709 primaries, linear light (ITU-R BT.2087, annex 2).
_TO_BT709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32)
#: Linear light from which the highlights are compressed.
_KNEE = 0.8
#: Steps of the tables of the transfer functions, and rows that are converted together, which bounds the memory.
_STEPS, _ROWS = 65_536, 128


def is_hdr(frame: av.VideoFrame) -> bool:
    """Return whether the frame's transfer function is HLG or PQ."""
    return frame.color_trc in (ColorTrc.ARIB_STD_B67, ColorTrc.SMPTE2084)


def hlg_light(signal: np.ndarray) -> np.ndarray:
    """Compute linear light of an HLG signal in [0, 1] (BT.2100, table 5: inverse OETF); 1 is SDR's white."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    light = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    return light / ((np.exp((0.75 - c) / a) + b) / 12)


def pq_light(signal: np.ndarray) -> np.ndarray:
    """Compute linear light of a PQ signal in [0, 1] (BT.2100, table 4: EOTF); 1 is SDR's white."""
    power = signal ** (32 / 2523)
    return 10_000 / 203 * (np.maximum(power - 107 / 128, 0) / (2413 / 128 - 2392 / 128 * power)) ** (8192 / 1305)


def srgb_signal(light: np.ndarray) -> np.ndarray:
    """Compute the sRGB signal in [0, 1] of linear light, its highlights compressed."""
    room = 1 - _KNEE
    light = np.where(light > _KNEE, _KNEE - room * np.expm1((_KNEE - light) / room), light)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


@lru_cache(maxsize=2)
def _light_table(transfer: int) -> np.ndarray:
    signal = np.linspace(0, 1, _STEPS)
    return (hlg_light(signal) if transfer == ColorTrc.ARIB_STD_B67 else pq_light(signal)).astype(np.float32)


@lru_cache(maxsize=1)
def _srgb_table() -> np.ndarray:
    """Return the 8-bit signal of light in [0, 2], beyond which everything is white."""
    return np.rint(255 * srgb_signal(np.linspace(0, 2, _STEPS))).astype(np.uint8)


def tone_map(frame: av.VideoFrame, width: int, height: int) -> np.ndarray:
    """Convert an HLG or PQ frame to (height, width, 3) uint8 sRGB."""
    signal = frame.to_ndarray(format="rgb48le", width=width, height=height, src_colorspace=Colorspace.BT2020)
    table = _light_table(frame.color_trc)
    picture = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _ROWS):
        light = table[signal[top : top + _ROWS]]
        if frame.color_primaries != ColorPrimaries.BT709:
            light = light @ _TO_BT709.T
        steps = (np.clip(light, 0, 2) * ((_STEPS - 1) / 2)).astype(np.uint16)
        picture[top : top + _ROWS] = _srgb_table()[steps]
    return picture
