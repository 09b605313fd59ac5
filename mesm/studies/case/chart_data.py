"""Hold the numbers of every chart of one clip, computed once for paper and screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mesm.estimate import decimal_text
from mesm.records.prediction import Prediction
from mesm.studies.case.label_flip import FlipReport

SCORE_RANGE = (0.0, 1.02)


@dataclass(frozen=True)
class ScoresChart:
    """Hold the scores of one clip: a bar per emotion, a sign per modality alone, a tick at the threshold.

    Attributes:
        labels: E emotions, the first on top.
        truth: their true intensities; 0 where an emotion is not true of the clip or not known.
        scores: (E,) fused scores.
        alone: modality -> (E,) scores of that branch alone.
        thresholds: (E,) decision thresholds.
    """

    labels: tuple[str, ...]
    truth: tuple[float, ...]
    scores: np.ndarray
    alone: dict[str, np.ndarray]
    thresholds: np.ndarray
    axis_title: str = "score"


@dataclass(frozen=True)
class ScoresOverPChart:
    """Hold the scores of one clip over top-p: a line per emotion, an upright line per mark.

    Attributes:
        truth: see `ScoresChart`.
        top_ps: (P,) ascending.
        scores: (P, E).
        marks: words -> p.
    """

    labels: tuple[str, ...]
    truth: tuple[float, ...]
    top_ps: np.ndarray
    scores: np.ndarray
    marks: dict[str, float]
    axis_titles: tuple[str, str] = ("top-p", "score")


@dataclass(frozen=True)
class PairChart:
    """Hold the scores of two predictions for one clip: per emotion a filled bar and a hollow one below it.

    Attributes:
        labels: E emotions that both score.
        truth: see `ScoresChart`.
        scores: (2, E) of the first and of the second prediction.
        names: of the two.
        gmacs: multiply-adds of convolutions and attention of each, in 10⁹.
    """

    labels: tuple[str, ...]
    truth: tuple[float, ...]
    scores: np.ndarray
    names: tuple[str, str]
    gmacs: tuple[float, float]

    @property
    def axis_title(self) -> str:
        """Return the title of the score axis, which serves as the legend."""
        return f"score; filled: {self.names[0]}, hollow: {self.names[1]}"

    @property
    def largest_change(self) -> float:
        """Return the largest absolute difference of a score."""
        return float(np.abs(self.scores[1] - self.scores[0]).max(initial=0.0))


def scores_chart(prediction: Prediction, truth: Mapping[str, float] | None = None) -> ScoresChart:
    """Return the chart of a clip's scores; `truth` is emotion -> intensity, None where the clip has no labels."""
    return ScoresChart(
        prediction.labels,
        _intensities(prediction.labels, truth),
        prediction.scores,
        prediction.modality_scores,
        prediction.thresholds,
    )


def scores_over_p_chart(report: FlipReport, truth: Mapping[str, float] | None = None) -> ScoresOverPChart:
    """Return the chart of a clip's scores over top-p, with its label flip."""
    flip = report.flip_p
    marks = {} if flip is None else {f"label flip: {decimal_text(flip, 2)}": flip}
    return ScoresOverPChart(report.labels, _intensities(report.labels, truth), report.top_ps, report.scores, marks)


def pair_chart(
    pair: tuple[Prediction, Prediction], names: tuple[str, str], truth: Mapping[str, float] | None = None
) -> PairChart:
    """Return the chart of two predictions, over the emotions that both score."""
    first, second = pair
    labels = tuple(label for label in first.labels if label in second.labels)
    scores = [[float(one.scores[one.labels.index(label)]) for label in labels] for one in pair]
    gmacs = (first.macs.get("conv_stack", 0) / 1e9, second.macs.get("conv_stack", 0) / 1e9)
    return PairChart(labels, _intensities(labels, truth), np.reshape(scores, (2, len(labels))), names, gmacs)


def _intensities(labels: tuple[str, ...], truth: Mapping[str, float] | None) -> tuple[float, ...]:
    return tuple(float((truth or {}).get(label, 0)) for label in labels)
