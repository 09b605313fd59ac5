"""Choose the clips of the paper's Figure 3: one rightly scored clip per emotion, and the face of each that is shown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mesm.batch import Sample
from mesm.data.ingest.closeups import with_closeups
from mesm.data.store import Corpus
from mesm.errors import ConfigError, DataError
from mesm.records.prediction import LayerTrace

if TYPE_CHECKING:
    from mesm.analysis.predictor import Predictor

#: Nucleus mass of the paper's Figures 3 and 4.
CASE_TOP_P = 0.6
#: Ways to choose the face of a clip.
FRAMES: dict[str, str] = {"apex": "apex of the action units", "middle": "middle of the clip", "first": "first face"}
#: Clips tried per emotion before the figure does without it.
_TRIES = 16
#: Intensity from which an emotion is strong, where a corpus knows intensities.
_STRONG = 2


@dataclass(frozen=True)
class ShownFace:
    """Hold one face of one clip with the sites that each layer keeps.

    Attributes:
        emotion: that the clip shows and that the model gives the highest score.
        number: of the face in the clip, from 0.
        layers: traces of the face branch.
    """

    emotion: str
    sample: Sample
    number: int
    layers: tuple[LayerTrace, ...]

    @property
    def time_s(self) -> float:
        """Return the second at which the face is seen."""
        return face_times(self.sample)[self.number]


def parse_pins(options: Sequence[str], labels: Sequence[str]) -> dict[str, tuple[str, float | None]]:
    """Return emotion -> clip and second, from EMOTION=CLIP or EMOTION=CLIP:SECOND.

    Raises:
        ConfigError: an option of another form, or an emotion that the checkpoint does not score.
    """
    pins: dict[str, tuple[str, float | None]] = {}
    for option in options:
        emotion, equals, rest = option.partition("=")
        if not equals or emotion not in labels or not rest:
            raise ConfigError(
                f"--pin {option!r} must look like EMOTION=CLIP or EMOTION=CLIP:SECOND, with one of {', '.join(labels)}"
            )
        clip, _, second = rest.rpartition(":")
        timed = bool(clip) and re.fullmatch(r"\d+(\.\d+)?", second) is not None
        pins[emotion] = (clip, float(second)) if timed else (rest, None)
    return pins


def face_times(sample: Sample) -> list[float]:
    """Return the seconds of a clip's faces."""
    known = len(sample.face_times_s) == len(sample.faces)
    return [float(t) for t in (sample.face_times_s if known else 0.5 * np.arange(len(sample.faces)))]


def choose_face(sample: Sample, frame: str = "apex", second: float | None = None) -> int:
    """Return the number of the face to show: nearest to a second, or one of `FRAMES`; never a missed face if avoidable.

    The apex is the face whose emotion moves its action units most; where they are not known it is the middle one.

    Raises:
        ConfigError: an unknown way.
    """
    if frame not in FRAMES:
        raise ConfigError(f"--frame {frame!r} must be one of {', '.join(FRAMES)}")
    count = len(sample.faces)
    usable = np.flatnonzero(sample.face_found) if len(sample.face_found) == count else np.arange(count)
    usable = usable if len(usable) else np.arange(count)
    if second is not None:
        times = np.array(face_times(sample))
        return int(usable[np.abs(times[usable] - second).argmin()])
    truth = sample.truth
    if frame == "apex" and truth is not None and len(truth.au_emotion_intensity) == count:
        return int(usable[truth.au_emotion_intensity.sum(axis=1)[usable].argmax()])
    return int(usable[0 if frame == "first" else len(usable) // 2])


def choose_six(
    predictor: Predictor,
    corpus: Corpus,
    *,
    top_p: float = CASE_TOP_P,
    seed: int = 0,
    pins: Mapping[str, tuple[str, float | None]] | None = None,
    frame: str = "apex",
) -> tuple[ShownFace, ...]:
    """Return a clip per emotion of the checkpoint: the pinned one, else one that is scored right.

    Args:
        seed: of the order in which clips are tried.
        pins: emotion -> clip, and second of the face or None.
        frame: one of `FRAMES`.

    Raises:
        ConfigError: the checkpoint has no attention on faces.
        DataError: no emotion has such a clip, or a pinned clip has no faces.
    """
    if not predictor.has_attention or "visual" not in predictor.config.modalities:
        raise ConfigError(
            f"checkpoint {predictor.name!r} has no attention on faces, so no sites to show; choose a MESM"
        )
    shown = []
    for emotion in predictor.labels:
        clip, second = (pins or {}).get(emotion, (None, None))
        if clip is not None:
            sample = with_closeups(corpus[clip], corpus.media_path(clip))
            if not len(sample.faces):
                raise DataError(f"clip {clip} has no faces; pin another clip for {emotion}")
        else:
            chosen = _right_clip(predictor, corpus, emotion, top_p, seed)
            if chosen is None:
                continue
            sample = chosen
        prediction = predictor.run(predictor.prepare(sample), top_p)
        layers = tuple(prediction.layers.get("visual", ()))
        shown.append(ShownFace(emotion, sample, choose_face(sample, frame, second), layers))
    if not shown:
        raise DataError(
            f"no clip of corpus {corpus.name!r} has faces and {predictor.name}'s right answer at "
            f"p = {top_p:g}; pin clips with --pin EMOTION=CLIP"
        )
    return tuple(shown)


def candidates(corpus: Corpus, emotion: str, seed: int) -> list[str]:
    """Return the clips of this emotion, shuffled by the seed: those of the test split, of it alone and strong ones first.

    With other emotions only where none is stronger.
    """
    rows = [row for row in corpus.index if row.labels and 0 < row.labels.get(emotion, 0) == max(row.labels.values())]
    order = np.random.default_rng(seed).permutation(len(rows))
    return [
        rows[i].clip_id
        for i in sorted(
            order,
            key=lambda i: (
                rows[i].split != "test",
                len(rows[i].present) > 1,
                (rows[i].labels or {})[emotion] < _STRONG,
            ),
        )
    ]


def _right_clip(predictor: Predictor, corpus: Corpus, emotion: str, top_p: float, seed: int) -> Sample | None:
    """Return the first candidate whose highest score is its emotion's; first those whose face is known to show it."""
    samples = (corpus[clip_id] for clip_id in candidates(corpus, emotion, seed)[: 4 * _TRIES])
    later: list[Sample] = []
    tried = 0
    for sample in samples:
        if sample.truth is not None and not sample.truth.informative.get("visual", True):
            later.append(sample)
        elif tried < _TRIES:
            tried += 1
            if _is_right(predictor, sample, emotion, top_p):
                return with_closeups(sample, corpus.media_path(sample.clip_id))
    for sample in later[:_TRIES]:
        if _is_right(predictor, sample, emotion, top_p):
            return with_closeups(sample, corpus.media_path(sample.clip_id))
    return None


def _is_right(predictor: Predictor, sample: Sample, emotion: str, top_p: float) -> bool:
    if not len(sample.faces):
        return False
    prediction = predictor.run(predictor.prepare(sample), top_p, trace=False)
    return prediction.labels[int(prediction.scores.argmax())] == emotion
