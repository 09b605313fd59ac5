"""Render contact sheets: people down, neutral and the six emotions across."""

from __future__ import annotations

import numpy as np

from mesm.data.marionette.action_units import AU_NUMBERS, prototype_vector
from mesm.data.marionette.head import shared_head
from mesm.data.marionette.identities import make_identity
from mesm.data.marionette.performance import draw_view
from mesm.data.marionette.problem import LABELS
from mesm.data.marionette.scene import render


def contact_sheet(people: int = 8, seed: int = 0, size_px: int = 144, level: float = 1.0, first: int = 0) -> np.ndarray:
    """Render neutral and the six prototypes at one level on several people, each in a light and pose of their own.

    Returns:
        (people * size_px, 7 * size_px, 3) uint8.
    """
    head = shared_head()
    rows = []
    for speaker in range(first, first + people):
        who = make_identity(head, seed, speaker)
        view = draw_view(np.random.default_rng(np.random.SeedSequence([seed, 4, speaker])))
        shown = [np.zeros(len(AU_NUMBERS)), *(prototype_vector(name) * level for name in LABELS)]
        rows.append(np.concatenate([render(head, who, units, view, size_px).image for units in shown], axis=1))
    return np.concatenate(rows, axis=0)
