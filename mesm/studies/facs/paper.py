"""Draw the FACS charts for paper with matplotlib, from `chart_data`.

Hold `mesm.figures.page.paper_style()` while drawing and while saving.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mesm.estimate import decimal_text
from mesm.figures.page import COLOURS, FAINT, INK, MARKERS, guide, new_figure
from mesm.studies.facs.chart_data import ABOVE, BELOW, FaceGrid, HeatMap, LayerSeries

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

_HATCH = "/////"


def diverging() -> Colormap:
    """Return blue below, white at chance, orange above."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("chance", [BELOW, "#FFFFFF", ABOVE])


def plot_heat_map(heat: HeatMap, width: float) -> Figure:
    """Draw emotions x regions: hatched where the lift does not differ from chance, framed where the codebook lists it."""
    from matplotlib.patches import Rectangle

    rows = heat.rows
    figure = new_figure(width, 0.75 + 0.24 * len(rows))
    axes = figure.add_subplot()
    image = axes.pcolormesh(heat.shades, cmap=diverging(), vmin=-1, vmax=1, edgecolors="white", linewidth=0.6)
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            if cell.lift is not None:
                axes.text(x + 0.5, y + 0.5, decimal_text(cell.value or 0, 1), ha="center", va="center", fontsize=5.5)
            if not cell.significant:
                axes.add_patch(
                    Rectangle((x, y), 1, 1, fill=False, hatch=_HATCH, edgecolor=FAINT, linewidth=0, alpha=0.6)
                )
            if cell.listed:
                axes.add_patch(Rectangle((x + 0.06, y + 0.06), 0.88, 0.88, fill=False, edgecolor=INK, linewidth=0.8))
    axes.invert_yaxis()
    axes.set_xticks(np.arange(len(heat.regions)) + 0.5, heat.columns, rotation=45, ha="left")
    axes.set_yticks(np.arange(len(rows)) + 0.5, heat.emotions)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    bar = figure.colorbar(image, ax=axes, fraction=0.03, pad=0.02, ticks=[-1, 0, 1])
    bar.ax.set_yticklabels([words for at, words in heat.ticks if at in (-1, 0, 1)])
    bar.outline.set_visible(False)
    return figure


def plot_faces(faces: FaceGrid, width: float) -> Figure:
    """Draw a row of template faces per layer, a column per emotion; faded where a difference is not significant."""
    columns = len(faces.rows[0])
    figure = new_figure(width, width / columns * len(faces.rows) * 1.05 + 0.2)
    grid: Any = figure.subplots(len(faces.rows), columns, squeeze=False)
    x0, x1, y0, y1 = faces.window
    image = None
    for layer, row, line in zip(faces.layers, faces.rows, grid, strict=True):
        for face, axes in zip(row, line, strict=True):
            alpha = None if face.significant is None else np.where(face.significant, 1.0, 0.25)
            image = axes.imshow(
                face.values, cmap=diverging() if faces.signed else "cividis", vmin=faces.low, vmax=faces.high,
                extent=(x0, x1, y1, y0), alpha=alpha, interpolation="nearest",
            )  # fmt: skip
            for stroke in faces.outline:
                axes.plot(stroke[:, 0], stroke[:, 1], color=INK, linewidth=0.5)
            axes.set(xlim=(x0, x1), ylim=(y1, y0), xticks=[], yticks=[])
            for side in axes.spines.values():
                side.set_visible(False)
            if row is faces.rows[0]:
                axes.set_title(face.title, pad=2)
        line[0].set_ylabel(layer)
    if image is not None:
        figure.colorbar(image, ax=grid, fraction=0.02, pad=0.01).outline.set_visible(False)
    return figure


def plot_layers(layers: LayerSeries, width: float) -> Figure:
    """Draw estimates with 95 % intervals, layer after layer, one marker per series; the dotted line is chance."""
    figure = new_figure(width, 1.9)
    axes = figure.add_subplot()
    guide(axes)
    for number, (name, points) in enumerate(layers.points().items()):
        x, value, low, high = np.array(points, float).reshape(-1, 4).T
        axes.errorbar(
            x, value, yerr=[value - low, high - value], linestyle="none", capsize=2,
            marker=MARKERS[number % len(MARKERS)], color=COLOURS[number % len(COLOURS)], label=name,
        )  # fmt: skip
    axes.axhline(1, color=INK, linewidth=0.7, linestyle=(0, (1, 1.5)))
    axes.set_xticks(range(len(layers.layers)), list(layers.layers))
    axes.set(ylabel=layers.axis, xlim=(-0.5, len(layers.layers) - 0.5))
    figure.legend(loc="outside upper left")
    return figure
