"""Scores of one clip for paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from mesm.figures.page import INK, guide, new_figure
from mesm.figures.style import MODALITY_WORDS, emotion_colour
from mesm.records.prediction import Prediction

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIGNS = {"text": "o", "visual": "s", "acoustic": "D"}


def plot_scores(prediction: Prediction, truth: Mapping[str, float], width: float) -> Figure:
    """A bar per emotion, the first on top; a hollow sign per modality alone, a tick at the threshold, truth in bold."""
    figure = new_figure(width, 0.62 + 0.2 * len(prediction.labels))
    axes = figure.add_subplot()
    guide(axes, "x")
    rows = np.arange(len(prediction.labels))
    colours = [emotion_colour(name) for name in prediction.labels]
    axes.barh(rows, prediction.scores, height=0.6, color=colours)
    axes.scatter(prediction.thresholds, rows, marker="|", s=90, color=INK, linewidths=1.2, label="threshold", zorder=3)
    for modality, found in prediction.modality_scores.items():
        axes.scatter(found, rows, marker=_SIGNS[modality], s=11, facecolors="white", edgecolors=INK, linewidths=0.7,
                     label=f"{MODALITY_WORDS[modality]} alone", zorder=4)  # fmt: skip
    axes.set_yticks(rows, prediction.labels)
    for label, name in zip(axes.get_yticklabels(), prediction.labels, strict=True):
        label.set_fontweight("bold" if truth.get(name, 0) > 0 else "normal")
    axes.set(xlim=(0, 1.02), ylim=(len(rows) - 0.5, -0.5), xlabel="score")
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper left", ncols=4, handletextpad=0, handlelength=1.3, columnspacing=0.4)
    return figure
