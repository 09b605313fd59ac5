"""Can the expressions be told apart in the crops that the ingestion cut? A plain classifier on half of the people.

Histograms of oriented gradients (Dalal & Triggs 2005) and a linear softmax classifier: nothing that could learn more
than what is in front of it. It is trained on the apex frames of one half of the speakers and scored on the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from mesm.data.marionette.problem import LABELS
from mesm.data.store import Corpus
from mesm.errors import DataError

_BINS, _CELL_PX = 9, 4
#: A frame belongs to the apex where the display has at least this share of its full size.
_APEX = 0.9
_PENALTY = 3e-3


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
        Crops (N, 48, 48, 3) uint8, emotion (N,), speaker (N,), number of clips.
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
        crops.append(sample.faces[apex])
        emotions += [LABELS.index(next(iter(present)))] * int(apex.sum())
        speakers += [sample.speaker] * int(apex.sum())
        clips += 1
    if len(set(speakers)) < 4:
        raise DataError(f"{corpus.folder} has too few clips with one clear emotion; build a larger corpus")
    return np.concatenate(crops), np.array(emotions), np.array(speakers), clips


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
    features = gradient_histograms(crops)
    names = sorted(set(speakers.tolist()))
    # Every second of each sex's speakers: neighbours in number differ in sex.
    first = np.isin(speakers, [name for k, name in enumerate(names) if k // 2 % 2 == 0])
    confusion = np.zeros((len(LABELS), len(LABELS)), int)
    accuracy = []
    for known in (first, ~first):
        mean, spread = features[known].mean(axis=0), features[known].std(axis=0) + 0.05
        scaled = (features - mean) / spread
        table = fit_softmax(scaled[known], emotions[known], len(LABELS))
        named = np.argmax(scaled[~known] @ table[:-1] + table[-1], axis=1)
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
