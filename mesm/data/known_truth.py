"""Read the truth beyond the labels: the one door of training, analysis and studies to a generated corpus.

A clip's own truth is `Sample.truth` (`mesm.batch.Truth`). Here is the truth of the corpus, by its capabilities
(`Corpus.capabilities`): the action units of each emotion, faces without emotion, the ideal observer's scores. No caller
imports the generator of a corpus, and no caller compares names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mesm.data.manifest import NEUTRAL_FACES_NAME
from mesm.data.store import Corpus
from mesm.errors import BackendUnavailable


@dataclass(frozen=True)
class NeutralFaceSet:
    """Hold N face crops without emotion; E emotions in the order of the corpus's labels.

    Attributes:
        image: (N, 48, 48, 3) uint8 RGB.
        region: (N, E, 48, 48) uint8, 255 where a pixel belongs to an action unit of the emotion's prototype.
        head: (N, 48, 48) uint8, share of the pixel covered by the head.
        speaker: (N,) names.
    """

    image: np.ndarray
    region: np.ndarray
    head: np.ndarray
    speaker: np.ndarray

    @classmethod
    def concatenate(cls, parts: Sequence[NeutralFaceSet]) -> NeutralFaceSet:
        """Join sets one after the other."""
        return cls(**{name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])})


def read_neutral_faces(corpus: Corpus) -> NeutralFaceSet | None:
    """Read the neutral faces of the training split's speakers; None where the corpus has none."""
    path = corpus.folder / NEUTRAL_FACES_NAME
    if "neutral_faces" not in corpus.capabilities or not path.is_file():
        return None
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        faces = NeutralFaceSet(**{name: arrays[name] for name in arrays.files})
    assert faces.region.shape[1] == len(corpus.labels)
    return faces


def render_neutral_faces(corpus: Corpus, speakers: int, faces_per_speaker: int) -> NeutralFaceSet | None:
    """Render neutral faces of speakers outside the training split, those of the test split first.

    Returns:
        None where the corpus has no `design`, `speakers` is 0, or the packages that render are not installed.
    """
    design = corpus.manifest.design
    if not speakers or "design" not in corpus.capabilities or design is None:
        return None
    from mesm.data.marionette.problem import speaker_split

    outside = [s for s in range(design.speakers) if speaker_split(s) != "train"]
    chosen = sorted(outside, key=lambda s: (speaker_split(s) != "test", s))[:speakers]
    try:
        return _render_neutral_faces(design.seed, tuple(chosen), faces_per_speaker)
    except BackendUnavailable:
        return None


@lru_cache(maxsize=2)
def _render_neutral_faces(seed: int, speakers: tuple[int, ...], faces_per_speaker: int) -> NeutralFaceSet:
    """Render them, about a second for each speaker; the checkpoints of one process are tested on the same faces."""
    from mesm.data.marionette.build import identity
    from mesm.data.marionette.head import shared_head
    from mesm.data.marionette.neutral import neutral_faces_of

    return NeutralFaceSet.concatenate(
        [neutral_faces_of(shared_head(), identity(seed, s), seed, s, faces_per_speaker) for s in speakers]
    )


def emotion_prototypes(corpus: Corpus) -> Mapping[str, Mapping[int, float]]:
    """Return emotion -> action unit -> weight at full intensity; {} where the corpus has no action units."""
    if "action_units" not in corpus.capabilities:
        return {}
    from mesm.data.marionette.action_units import PROTOTYPES

    return PROTOTYPES


def observer_scores(corpus: Corpus, clips: int) -> Mapping[tuple[str, ...], float] | None:
    """Compute the ideal observer's average WAcc in percent for every subset of the modalities.

    Args:
        clips: simulated clips, see `mesm.data.marionette.ceiling.ceilings`.

    Returns:
        None where the corpus has no `design`, or one of another version of the generator.
    """
    design = corpus.manifest.design
    if "design" not in corpus.capabilities or design is None:
        return None
    from mesm.data.marionette.build import GENERATOR

    return _observer_scores(clips) if design.generator == GENERATOR else None


@lru_cache(maxsize=2)
def _observer_scores(clips: int) -> Mapping[tuple[str, ...], float]:
    """Simulate the ideal observer; about 13 s of one core for 6000 clips."""
    from mesm.data.marionette.ceiling import ceilings

    return {row.modalities: row.weighted_accuracy["average"] for row in ceilings(clips)}
