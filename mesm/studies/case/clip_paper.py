"""More of one clip for paper: scores over top-p, two answers side by side, regions of action units over a mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mesm.figures.page import DASHES, DPI, INK, guide, new_figure
from mesm.figures.style import emotion_colour
from mesm.studies.case.region_outlines import OUTLINES, SCALE, row_of_regions

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_over_p(
    labels: Sequence[str], top_ps: np.ndarray, scores: np.ndarray, marks: Mapping[str, float], width: float
) -> Figure:
    """A line per emotion over top-p, and an upright line at each mark.

    Args:
        scores: (P, E) at the P values of `top_ps`.
        marks: words -> p.
    """
    figure = new_figure(width, 2.3)
    axes = figure.add_subplot()
    guide(axes, "both")
    for e, name in enumerate(labels):
        axes.plot(top_ps, scores[:, e], color=emotion_colour(name), linestyle=DASHES[e % len(DASHES)], label=name)
    for number, (words, p) in enumerate(marks.items()):
        axes.axvline(p, color=INK, linewidth=0.7, linestyle=(0, (1, 1.5)))
        late = p > 0.7
        axes.annotate(
            words, (p, 0.03 + 0.09 * number), (-2 if late else 2, 0), textcoords="offset points",
            ha="right" if late else "left", fontsize=6.5,
        )  # fmt: skip
    axes.set(xlim=(0, 1.01), ylim=(0, 1.02), xlabel="top-p", ylabel="score")
    figure.legend(loc="outside upper left", ncols=min(6, len(labels) if width > 4 else 3), columnspacing=0.8)
    return figure


def plot_pair(
    labels: Sequence[str],
    scores: Sequence[Sequence[float]],
    names: tuple[str, str],
    truth: Mapping[str, float],
    width: float,
) -> Figure:
    """Two bars per emotion, the first filled, the second hollow; truth in bold.

    Args:
        scores: of the first and of the second answer, one per label.
    """
    figure = new_figure(width, 0.62 + 0.28 * len(labels))
    axes = figure.add_subplot()
    guide(axes, "x")
    rows = np.arange(len(labels))
    colours = [emotion_colour(name) for name in labels]
    axes.barh(rows - 0.19, scores[0], height=0.36, color=colours, edgecolor=colours, linewidth=0.8, label=names[0])
    axes.barh(rows + 0.19, scores[1], height=0.36, color="white", edgecolor=colours, linewidth=0.8, label=names[1])
    axes.set_yticks(rows, labels)
    for label, name in zip(axes.get_yticklabels(), labels, strict=True):
        label.set_fontweight("bold" if truth.get(name, 0) > 0 else "normal")
    axes.set(
        xlim=(0, 1.02),
        ylim=(len(rows) - 0.5, -0.5),
        xlabel=f"score; filled: {names[0]}, hollow: {names[1]}",
    )
    axes.tick_params(axis="y", length=0)
    return figure


def plot_regions(faces: np.ndarray, kept: np.ndarray, regions: Mapping[str, np.ndarray], width: float) -> Figure:
    """Faces in a row, what the layer left out faded, regions outlined; see `facs_overlay.row_of_regions`."""
    from matplotlib.lines import Line2D

    row = row_of_regions(faces, kept, regions)
    legend_in = 0.2 if regions else 0.0
    # A single face would fill the page: none is drawn larger than a third of it.
    face_in = min(width * faces.shape[1] * SCALE / row.shape[1], width / 3)
    row_in = (face_in * row.shape[1] / (faces.shape[1] * SCALE), face_in)
    height = row_in[1] + legend_in
    figure = new_figure(width, height)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, legend_in / height, row_in[0] / width, row_in[1] / height))
    axes.axis("off")
    times = max(1, int(np.ceil(DPI * row_in[1] / row.shape[0])))
    large = np.repeat(np.repeat(row, times, axis=0), times, axis=1)
    axes.imshow(large, aspect="auto", interpolation="none")
    if regions:
        signs = [Line2D([], [], color=c, linewidth=2, label=n) for n, c in zip(regions, OUTLINES, strict=False)]
        figure.legend(
            handles=signs, loc="lower left", ncols=len(signs), borderpad=0.1, columnspacing=0.8, handlelength=1
        )
    return figure
