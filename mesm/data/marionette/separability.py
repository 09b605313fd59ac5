"""Can the expressions be told apart in the crops that the ingestion cut? A plain classifier on half of the people.

Histograms of oriented gradients (Dalal & Triggs 2005) of crops that the detector's own five points lay upright, and a
linear softmax classifier: nothing that could learn more than what is in front of it. It is trained on the apex frames
of one half of the speakers, and their mirror images, and scored on the other half.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.optimize import minimize

from mesm.data.marionette.problem import LABELS
from mesm.data.store import Corpus
from mesm.errors import DataError

_BINS, _CELL_PX = 9, 4
#: A frame belongs to the apex where the display has at least this share of its full size.
_APEX = 0.9
_PENALTY = 3e-3
#: Where eyes, nose and corners of the mouth are laid, in pixels of the crop.
_UPRIGHT = np.array([[15.0, 18.0], [33.0, 18.0], [24.0, 27.0], [17.0, 36.0], [31.0, 36.0]])


@dataclass(frozen=True)
class Separability:
    """Shares of frames told right, with each half of the speakers held out, and the confusions of both.

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
    """Apex frames of clips with one emotion of intensity 2 or 3 whose face is informative.

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
    """A crop turned, scaled and shifted so that its five points lie as near as can be to `_UPRIGHT`.

    Args:
        crop: (48, 48, 3) uint8.
        points: (5, 2) eyes, nose, mouth corners in pixels of the crop.
    """
    x, y = _UPRIGHT.T
    one, none = np.ones(5), np.zeros(5)
    rows = np.concatenate([np.stack([x, -y, one, none], 1), np.stack([y, x, none, one], 1)])
    (a, b, right, down), *_ = np.linalg.lstsq(rows, points.T.ravel(), rcond=None)
    picture = Image.fromarray(crop)
    turned = picture.transform(
        picture.size, Image.Transform.AFFINE, (a, -b, right, b, a, down), Image.Resampling.BILINEAR
    )
    return np.asarray(turned)


def gradient_histograms(crops: np.ndarray) -> np.ndarray:
    """(N, 48, 48, 3) uint8 -> (N, 11 * 11 * 36) histograms of oriented gradients, normalised in blocks of 2 x 2 cells."""
    grey = crops.astype(np.float32).mean(axis=3) / 255
    across, down = np.zeros_like(grey), np.zeros_like(grey)
    across[:, :, 1:-1] = grey[:, :, 2:] - grey[:, :, :-2]
    down[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    size = np.hypot(across, down)
    angle = (np.arctan2(down, across) % np.pi) / np.pi * _BINS
    low = np.floor(angle).astype(int)
    share = angle - low
    votes = np.zeros((*grey.shape, _BINS), np.float32)
    np.put_along_axis(votes, low[..., None] % _BINS, (size * (1 - share))[..., None], 3)
    np.put_along_axis(votes, (low[..., None] + 1) % _BINS, (size * share)[..., None], 3)
    count = grey.shape[1] // _CELL_PX
    cells = votes.reshape(len(grey), count, _CELL_PX, count, _CELL_PX, _BINS).sum(axis=(2, 4))
    blocks = np.concatenate([cells[:, :-1, :-1], cells[:, 1:, :-1], cells[:, :-1, 1:], cells[:, 1:, 1:]], axis=3)
    blocks /= np.sqrt((blocks**2).sum(axis=3, keepdims=True) + 0.01)
    return blocks.reshape(len(grey), -1)


def fit_softmax(features: np.ndarray, classes: np.ndarray, count: int) -> np.ndarray:
    """Weights (F + 1, count) of a linear classifier, every class weighing the same, with a quadratic penalty."""
    inputs = np.concatenate([features, np.ones((len(features), 1), features.dtype)], axis=1).astype(np.float64)
    weight = 1 / np.maximum(np.bincount(classes, minlength=count), 1)[classes]
    weight /= weight.sum()
    hot = np.eye(count)[classes]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        table = flat.reshape(-1, count)
        logits = inputs @ table
        logits -= logits.max(axis=1, keepdims=True)
        share = np.exp(logits)
        share /= share.sum(axis=1, keepdims=True)
        value = -np.sum(weight * np.log(share[np.arange(len(classes)), classes] + 1e-12))
        slope = inputs.T @ ((share - hot) * weight[:, None]) + 2 * _PENALTY * table
        return float(value + _PENALTY * np.sum(table**2)), slope.ravel()

    found = minimize(loss, np.zeros(inputs.shape[1] * count), jac=True, method="L-BFGS-B", options={"maxiter": 80})
    return found.x.reshape(-1, count)


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
        table = fit_softmax((seen - mean) / spread, np.tile(emotions[known], 2), len(LABELS))
        # The mean of the logits of a face and its mirror image is the logit of their mean.
        scaled = ((plain[~known] + mirrored[~known]) / 2 - mean) / spread
        named = np.argmax(scaled @ table[:-1] + table[-1], axis=1)
        np.add.at(confusion, (emotions[~known], named), 1)
        accuracy.append(float(np.mean(named == emotions[~known])))
    return Separability(len(crops), clips, len(names), (accuracy[0], accuracy[1]), confusion)


def separability_text(result: Separability) -> str:
    """The result for a terminal."""
    first, second = result.accuracy
    lines = [
        f"{result.frames} apex frames of {result.clips} clips, {result.speakers} people; accuracy on the half not "
        f"trained on: {100 * first:.1f} % and {100 * second:.1f} %",
        f"{'true / named':14s}" + "".join(f"{name:>10s}" for name in LABELS),
    ]
    for name, row in zip(LABELS, result.confusion, strict=True):
        lines.append(f"{name:14s}" + "".join(f"{count:10d}" for count in row))
    return "\n".join(lines)
