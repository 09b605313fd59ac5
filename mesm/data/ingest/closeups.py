"""Cut larger faces for display from a clip's preview, where the corpus stores only the model's 48 pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from mesm.batch import FACE_SIZE_PX, Sample
from mesm.data.ingest.faces import cut
from mesm.data.ingest.video import FrameSampler
from mesm.errors import DataError

CLOSE_UP_PX = 144
#: Mean difference of grey levels up to which a cut is the same face as the stored one; compression takes a few.
SAME_FACE = 12.0


def with_closeups(sample: Sample, preview: Path | None) -> Sample:
    """Return the sample with larger crops if it has none and its preview has the same frames, else as it is.

    A preview may be smaller than the clip that the boxes were measured on, so every cut is compared with the stored
    crop before it is believed.
    """
    if preview is None or len(sample.faces_large) or not len(sample.faces):
        return sample
    try:
        frames = dict(FrameSampler(preview, end_s=float(sample.face_times_s.max()) + 0.2))
    except DataError:
        return sample  # the player says so where the preview is damaged; the view does without close-ups
    crops = []
    for time_s, box, face in zip(sample.face_times_s, sample.face_boxes, sample.faces, strict=True):
        frame = next((f for t, f in frames.items() if abs(t - time_s) < 0.1), None)
        if frame is None:
            return sample
        x0, y0, x1, y1 = (int(edge) for edge in box)
        if not (0 <= x0 < x1 <= frame.shape[1] and 0 <= y0 < y1 <= frame.shape[0]):
            return sample
        again = cut(frame, (x0, y0, x1, y1), FACE_SIZE_PX)
        if np.abs(again.astype(np.int16) - face).mean() > SAME_FACE:
            return sample
        crops.append(cut(frame, (x0, y0, x1, y1), CLOSE_UP_PX))
    return replace(sample, faces_large=np.stack(crops))
