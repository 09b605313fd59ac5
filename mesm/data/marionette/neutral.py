"""Render faces without emotion, with the regions that each emotion would move: for supervising the attention."""

from __future__ import annotations

import numpy as np

from mesm.data.ingest import ingest_arrays
from mesm.data.known_truth import NeutralFaceSet
from mesm.data.marionette.action_units import AU_COLUMN, AU_NUMBERS, PROTOTYPES
from mesm.data.marionette.clips import FRAME_PX, crop_maps
from mesm.data.marionette.head import Head
from mesm.data.marionette.identities import Identity
from mesm.data.marionette.performance import draw_view
from mesm.data.marionette.problem import LABELS
from mesm.data.marionette.scene import render


def _distractors(rng: np.random.Generator) -> np.ndarray:
    """Draw (A,) movements without meaning: a speaking mouth in half of the faces, a blink in one of six."""
    units = np.zeros(len(AU_NUMBERS))
    if rng.random() < 0.5:
        units[AU_COLUMN[25]], units[AU_COLUMN[26]] = rng.uniform(0.05, 0.5), rng.uniform(0.05, 0.4)
    if rng.random() < 1 / 6:
        units[AU_COLUMN[45]] = rng.uniform(0.3, 1.0)
    return units


def neutral_faces_of(head: Head, who: Identity, seed: int, speaker: int, count: int) -> NeutralFaceSet:
    """Render `count` neutral faces of one person, cropped as any clip is; faces that MTCNN does not find are left out."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 3, speaker]))
    frames = [render(head, who, _distractors(rng), draw_view(rng), FRAME_PX) for _ in range(count)]
    images = [frame.image for frame in frames]
    sample = ingest_arrays(images, [0.5 * k for k in range(count)], None, 16_000, "", clip_id="neutral", large_px=0)
    detected = np.flatnonzero(sample.face_found)
    regions, heads = [], []
    for k in detected:
        moved = crop_maps(frames[k].regions(head), sample.face_boxes[k])
        regions.append([moved[[AU_COLUMN[n] for n in PROTOTYPES[name]]].max(axis=0) for name in LABELS])
        heads.append(crop_maps(frames[k].head_share(), sample.face_boxes[k]))
    size = sample.faces.shape[1]
    return NeutralFaceSet(
        image=sample.faces[detected],
        region=np.array(regions, np.uint8).reshape(-1, len(LABELS), size, size),
        head=np.array(heads, np.uint8).reshape(-1, size, size),
        speaker=np.array([who.name] * len(detected), dtype="U8"),
    )
