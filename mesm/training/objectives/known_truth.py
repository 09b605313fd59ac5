"""Facts of a corpus beside its labels that objectives train on; the only file here that knows where they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mesm.batch import Truth
from mesm.data.store import Corpus


def neutral_faces_of(corpus: Corpus) -> dict[str, np.ndarray] | None:
    """Read a corpus's neutral faces: image (N, 48, 48, 3), region (N, E, 48, 48); None where it has none."""
    from mesm.data.marionette.build import read_neutral_faces

    return read_neutral_faces(corpus.folder)


def emotion_units() -> Mapping[str, Sequence[int]]:
    """Return the action units of each emotion's prototype, as the corpora's faces were made with them."""
    from mesm.data.marionette.action_units import PROTOTYPES

    return {name: tuple(units) for name, units in PROTOTYPES.items()}


def text_emotions(truth: Truth | None) -> tuple[str, ...]:
    """Return the emotions that a clip's text is known to name."""
    return () if truth is None else tuple(truth.extra.get("displays", {}).get("text", {}))
