"""Measure how well a plain classifier separates the expressions in the stored crops, on speakers it was not trained on.

The features are histograms of oriented gradients (Dalal & Triggs 2005) of crops laid upright by the detector's five
points; the classifier is a linear softmax. It is trained on the apex frames of one half of the speakers, and on their
mirror images, and scored on the other half.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from mesm.data.marionette.head import NEEDS_EXTRA
from mesm.data.marionette.problem import LABELS
from mesm.data.similarity import fit_similarity
from mesm.data.store import Corpus
from mesm.errors import BackendUnavailable, DataError

try:
    from skimage.feature import hog
    from sklearn.linear_model import LogisticRegression
except ImportError as error:
    raise BackendUnavailable(NEEDS_EXTRA.format("the packages scikit-image and scikit-learn")) from error

_BINS, _CELL_PX = 9, 4
#: A frame belongs to the apex where the display has at least this share of its full size.
_APEX = 0.9
_PENALTY = 3e-3
#: Where eyes, nose and corners of the mouth are laid, in pixels of the crop.
_UPRIGHT = np.array([[15.0, 18.0], [33.0, 18.0], [24.0, 27.0], [17.0, 36.0], [31.0, 36.0]])


@dataclass(frozen=True)
class Separability:
    """Hold shares of frames classified right, with each half of the speakers held out, and the confusions of both.

    Attributes:
        accuracy: on the half held out, one number for each.
        confusion: (6, 6) frames, true emotion down, named emotion across, in the order of the labels.
    """

    frames: int
    clips: int
    speakers: int
    accuracy: tuple[float, float]
    confusion: np.ndarray


def apex_frames(corpus: Corpus) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Collect the apex frames of clips with one emotion of intensity 2 or 3 whose face is informative.

    Returns:
        Upright crops (N, 48, 48, 3) uint8, emotion (N,), speaker (N,), number of clips.
    """
    crops, emotions, speakers, clips = [], [], [], 0
    for row in corpus.index:
        present = {name: level for name, level in (row.labels or {}).items() if level}
        if len(present) != 1 or max(present.values()) < 2:
            continue
        sample = corpus[row.clip_id]
        if sample.truth is None or not sample.truth.informative["visual"]:
            continue
        apex = (np.array(sample.truth.extra["envelope"]) > _APEX) & sample.face_found
        crops += [
            upright(face, points) for face, points in zip(sample.faces[apex], sample.face_points[apex], strict=True)
        ]
        emotions += [LABELS.index(next(iter(present)))] * int(apex.sum())
        speakers += [sample.speaker] * int(apex.sum())
        clips += 1
    if len(set(speakers)) < 4:
        raise DataError(f"{corpus.folder} has too few clips with one clear emotion; build a larger corpus")
    return np.stack(crops), np.array(emotions), np.array(speakers), clips


def upright(crop: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Turn, scale and shift a crop so that its five points lie as near as possible to `_UPRIGHT`.

    Args:
        crop: (48, 48, 3) uint8.
        points: (5, 2) eyes, nose, mouth corners in pixels of the crop.
    """
    transform = fit_similarity(_UPRIGHT, points[None])[0]
    picture = Image.fromarray(crop)
    turned = picture.transform(
        picture.size, Image.Transform.AFFINE, tuple(transform.ravel()), Image.Resampling.BILINEAR
    )
    return np.asarray(turned)


def gradient_histograms(crops: np.ndarray) -> np.ndarray:
    """Compute histograms of oriented gradients, normalised in blocks of 2 x 2 cells.

    Args:
        crops: (N, 48, 48, 3) uint8.

    Returns:
        (N, 11 * 11 * 36).
    """
    grey = crops.astype(np.float32).mean(axis=3) / 255
    size = (_CELL_PX, _CELL_PX)
    return np.stack([hog(one, _BINS, size, (2, 2), block_norm="L2") for one in grey])


def fit_softmax(features: np.ndarray, classes: np.ndarray) -> LogisticRegression:
    """Fit a linear softmax classifier, every class weighing the same, with a quadratic penalty of `_PENALTY`."""
    # scikit-learn minimises |w|^2 / 2 + C * (sum of the losses); here it is the mean loss + _PENALTY * |w|^2.
    strength = 1 / (2 * _PENALTY * len(features))
    return LogisticRegression(C=strength, class_weight="balanced", max_iter=80).fit(features, classes)


def separability(corpus: Corpus) -> Separability:
    """Train on each half of the speakers, score on the other."""
    crops, emotions, speakers, clips = apex_frames(corpus)
    plain, mirrored = gradient_histograms(crops), gradient_histograms(crops[:, :, ::-1])
    names = sorted(set(speakers.tolist()))
    # Two of four: neighbours in number differ in sex.
    first = np.isin(speakers, [name for k, name in enumerate(names) if k // 2 % 2 == 0])
    confusion = np.zeros((len(LABELS), len(LABELS)), int)
    accuracy = []
    for known in (first, ~first):
        seen = np.concatenate([plain[known], mirrored[known]])
        mean, spread = seen.mean(axis=0), seen.std(axis=0) + 0.05
        classifier = fit_softmax((seen - mean) / spread, np.tile(emotions[known], 2))
        # The mean of the logits of a face and its mirror image is the logit of their mean.
        scaled = ((plain[~known] + mirrored[~known]) / 2 - mean) / spread
        named = classifier.predict(scaled)
        np.add.at(confusion, (emotions[~known], named), 1)
        accuracy.append(float(np.mean(named == emotions[~known])))
    return Separability(len(crops), clips, len(names), (accuracy[0], accuracy[1]), confusion)


def separability_text(result: Separability) -> str:
    """Write the result for a terminal."""
    first, second = result.accuracy
    lines = [
        f"{result.frames} apex frames of {result.clips} clips, {result.speakers} people; accuracy on the half not "
        f"trained on: {100 * first:.1f} % and {100 * second:.1f} %",
        f"{'true / named':14s}" + "".join(f"{name:>10s}" for name in LABELS),
    ]
    for name, row in zip(LABELS, result.confusion, strict=True):
        lines.append(f"{name:14s}" + "".join(f"{count:10d}" for count in row))
    return "\n".join(lines)
