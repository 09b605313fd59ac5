"""Compute the data of an evaluation's charts, once for paper and screen: matrices of emotions and reliability.

Shape legend: n rows and columns of a square matrix, B bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesm.records.evaluation import Evaluation
from mesm.studies.evaluation.breakdown import Reliability, confusion, cooccurrence, reliability, scored_clips

#: Label and end of the colour bar of a matrix.
SHARE_TITLE = "share of the row"


@dataclass(frozen=True)
class MatrixPanel:
    """Hold one square matrix of emotions.

    Attributes:
        title: above it; "" for none.
        counts: (n, n) clips, written in the cells.
        shares: (n, n) in [0, 1], the shade of the cells.
    """

    title: str
    counts: np.ndarray
    shares: np.ndarray


@dataclass(frozen=True)
class MatrixChart:
    """Hold one or two matrices of emotions.

    Attributes:
        kind: "confusion" or "cooccurrence".
        names: of the n rows and columns, the first on top and on the left.
        column_title: title of the x axis.
        row_title: title of the y axis.
    """

    kind: str
    names: tuple[str, ...]
    column_title: str
    row_title: str
    panels: tuple[MatrixPanel, ...]


def confusion_chart(evaluation: Evaluation) -> MatrixChart:
    """Count which emotion scores highest in the clips of each emotion; shades are shares of the row."""
    names, counts = confusion(scored_clips(evaluation))
    shares = counts / np.maximum(counts.sum(axis=1), 1)[:, None]
    return MatrixChart("confusion", names, "highest score", "true", (MatrixPanel("", counts, shares),))


def cooccurrence_chart(evaluation: Evaluation) -> MatrixChart:
    """Count the clips that have two emotions, true and decided; shades are shares of the row's emotion."""
    clips = scored_clips(evaluation)
    panels = []
    for title, matrix_NE in (("true", clips.truth_NE), ("decided", clips.decided_NE)):
        counts = cooccurrence(matrix_NE)
        panels.append(MatrixPanel(title, counts, counts / np.maximum(np.diag(counts), 1)[:, None]))
    return MatrixChart("cooccurrence", evaluation.labels, "this one too", "this emotion", tuple(panels))


@dataclass(frozen=True)
class ReliabilityChart:
    """Hold the share of true answers over the score.

    Attributes:
        emotion: whose scores; "" for all pooled.
        result: B bins that hold scores, calibration error and Brier score.
        x: (B,) mean score of each bin; `y` share that is true.
        below: (B,) length of the error bar down to the low end of Wilson's interval; `above` up to the high end.
        centres: (B,) of the bars of `counts`, the scores in the bin.
    """

    emotion: str
    result: Reliability
    x: np.ndarray
    y: np.ndarray
    below: np.ndarray
    above: np.ndarray
    centres: np.ndarray
    counts: np.ndarray
    x_title: str = "score"
    y_title: str = "share that is true"

    @property
    def subject(self) -> str:
        """Name the emotion that is scored, or all of them."""
        return self.emotion or "all emotions"


def reliability_chart(evaluation: Evaluation, emotion: str = "") -> ReliabilityChart:
    """Bin the scores of one emotion, or of all with "", and compare them with the truth.

    Raises:
        ConfigError: the evaluation has no such emotion.
    """
    result = reliability(scored_clips(evaluation), emotion)
    columns = [(b.mean_score, b.share_true, *b.interval, (b.low + b.high) / 2, b.count) for b in result.bins]
    x, y, low, high, centres, counts = np.array(columns, float).reshape(-1, 6).T
    below, above = np.maximum(y - low, 0), np.maximum(high - y, 0)
    return ReliabilityChart(emotion, result, x, y, below, above, centres, counts.astype(int))
