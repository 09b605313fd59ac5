"""Define the numbers of ingestion, from pictures and sound to arrays; every manifest keeps them.

A model trained on clips made by other rules would not fit, so a corpus stores the rules by which it was made.
"""

from __future__ import annotations

from mesm.batch import CHUNK_HOPS, CHUNK_MS, FACE_SIZE_PX, FRAME_INTERVAL_MS, MEL_BANDS, MEL_FLOOR, SAMPLE_RATE_HZ
from mesm.json_form import Json

#: Window and transform of the spectrogram, in samples at 16 kHz: 25 ms.
WINDOW = 400
#: Step of the spectrogram, in samples at 16 kHz: 12.5 ms.
HOP = 200
#: Margin around the detected face, in pixels of the 48-px crop, both sides together.
MARGIN_PX = 2
#: Smallest face that is searched for, in pixels of the frame.
MIN_FACE_PX = 20


def signal_settings() -> dict[str, Json]:
    """Return the settings as plain JSON."""
    return {
        "frame_interval_ms": FRAME_INTERVAL_MS,
        "face": {
            "px": FACE_SIZE_PX,
            "margin_px": MARGIN_PX,
            "min_px": MIN_FACE_PX,
            "detector": "facenet-pytorch MTCNN, thresholds 0.6 0.7 0.7, largest face",
            "resize": "PIL bilinear",
            "without_a_face": "centred square of the frame's shorter side",
        },
        "sample_rate_hz": SAMPLE_RATE_HZ,
        "mel": {"bands": MEL_BANDS, "scale": "htk", "window": WINDOW, "hop": HOP, "log10_floor": MEL_FLOOR},
        "chunk": {"hops": CHUNK_HOPS, "ms": CHUNK_MS},
    }
