"""FACS for paper: heat map, canonical faces, controls, statements. Matplotlib; they draw records and compute nothing.

Hold `mesm.figures.page.paper_style()` while drawing and while saving.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mesm.figures.page import COLOURS, FAINT, INK, MARKERS, guide, new_figure
from mesm.studies.facs.chart_data import ABOVE, BELOW, STRONGEST, Cell, Face, Record, is_difference, outline_lines

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

_HATCH = "/////"
#: Verdict -> sign in a table, so that grey print tells them apart.
VERDICT_SIGNS: dict[str, str] = {"supported": "+", "not supported": "−", "undecided": "·", "not measured": ""}


def diverging() -> Colormap:
    """Blue below, white at chance, orange above."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("chance", [BELOW, "#FFFFFF", ABOVE])


def plot_heat_map(rows: Sequence[Sequence[Cell]], width: float) -> Figure:
    """Emotions x regions: lift over chance; hatched where it does not differ from chance, framed where listed."""
    from matplotlib.patches import Rectangle

    figure = new_figure(width, 0.75 + 0.24 * len(rows))
    axes = figure.add_subplot()
    shades = np.array([[np.nan if c.shade is None else c.shade for c in row] for row in rows])
    image = axes.pcolormesh(shades, cmap=diverging(), vmin=-1, vmax=1, edgecolors="white", linewidth=0.6)
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            if cell.lift is not None:
                axes.text(x + 0.5, y + 0.5, f"{cell.lift:.1f}", ha="center", va="center", fontsize=5.5)
            if not cell.significant:
                axes.add_patch(
                    Rectangle((x, y), 1, 1, fill=False, hatch=_HATCH, edgecolor=FAINT, linewidth=0, alpha=0.6)
                )
            if cell.marked:
                axes.add_patch(Rectangle((x + 0.06, y + 0.06), 0.88, 0.88, fill=False, edgecolor=INK, linewidth=0.8))
    axes.invert_yaxis()
    axes.set_xticks(np.arange(len(rows[0])) + 0.5, [cell.region for cell in rows[0]], rotation=45, ha="left")
    axes.set_yticks(np.arange(len(rows)) + 0.5, [row[0].emotion for row in rows])
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    bar = figure.colorbar(image, ax=axes, fraction=0.03, pad=0.02, ticks=[-1, 0, 1])
    bar.ax.set_yticklabels([f"{1 / STRONGEST:g}×", "chance", f"{STRONGEST:g}×"])
    bar.outline.set_visible(False)
    return figure


def plot_canonical(
    data: Record, layers: Sequence[Sequence[Face]], view: str, values: tuple[float, float], width: float
) -> Figure:
    """A row of template faces per attention layer, a column per emotion; faded where a difference is not significant."""
    columns = len(layers[0])
    figure = new_figure(width, width / columns * len(layers) * 1.05 + 0.2)
    grid: Any = figure.subplots(len(layers), columns, squeeze=False)
    x0, x1, y0, y1 = data["window"]
    image = None
    for number, (faces, line) in enumerate(zip(layers, grid, strict=True)):
        for face, axes in zip(faces, line, strict=True):
            alpha = None if face.significant is None else np.where(face.significant, 1.0, 0.25)
            image = axes.imshow(
                face.values, cmap=diverging() if is_difference(view) else "cividis", vmin=values[0], vmax=values[1],
                extent=(x0, x1, y1, y0), alpha=alpha, interpolation="nearest",
            )  # fmt: skip
            for stroke in outline_lines(data):
                axes.plot(stroke[:, 0], stroke[:, 1], color=INK, linewidth=0.5)
            axes.set(xlim=(x0, x1), ylim=(y1, y0), xticks=[], yticks=[])
            for side in axes.spines.values():
                side.set_visible(False)
            if number == 0 or face.title != layers[0][0].title:
                axes.set_title(face.title if number == 0 else "", pad=2)
        line[0].set_ylabel(f"L{number + 1}")
    if image is not None:
        figure.colorbar(image, ax=grid, fraction=0.02, pad=0.01).outline.set_visible(False)
    return figure


def plot_layers(series: Mapping[str, Sequence[Mapping[str, float | None]]], title: str, width: float) -> Figure:
    """Estimates with 95 % intervals, layer after layer, one sign per series; the dotted line is chance."""
    figure = new_figure(width, 1.9)
    axes = figure.add_subplot()
    guide(axes)
    count, layers_n = max(len(series), 1), max((len(v) for v in series.values()), default=0)
    for number, (name, layers) in enumerate(series.items()):
        known = [(i, e) for i, e in enumerate(layers) if e["value"] is not None]
        value, low, high = (np.array([e[k] for _, e in known], float) for k in ("value", "low", "high"))
        low, high = np.where(np.isnan(low), value, low), np.where(np.isnan(high), value, high)
        axes.errorbar(
            [i + (number - (count - 1) / 2) * 0.16 for i, _ in known], value,
            yerr=[np.maximum(value - low, 0), np.maximum(high - value, 0)], linestyle="none", capsize=2,
            marker=MARKERS[number % len(MARKERS)], color=COLOURS[number % len(COLOURS)], label=name,
        )  # fmt: skip
    axes.axhline(1, color=INK, linewidth=0.7, linestyle=(0, (1, 1.5)))
    axes.set_xticks(range(layers_n), [f"L{i + 1}" for i in range(layers_n)])
    axes.set(ylabel=title, xlim=(-0.5, max(layers_n, 1) - 0.5))
    figure.legend(loc="outside upper left")
    return figure


def plot_statements(rows: Sequence[Mapping[str, Any]], width: float) -> Figure:
    """The paper's statements as a table: what was measured per layer, the verdict, and the control's."""
    lines = statement_lines(rows)
    figure = new_figure(width, 0.16 * (len(lines) + 2))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 1), ylim=(len(lines) + 1.6, -0.4))
    axes.axis("off")
    edges = (0.005, 0.11, 0.47, 0.56, 0.81, 0.93)
    heads = ("about", "statement", "region", "L1 / L2 / L3", "verdict", "control")
    for y, weight in ((0.0, 0.9), (1.0, 0.5), (len(lines) + 1.3, 0.9)):
        axes.plot([0, 1], [y, y], color=INK, linewidth=weight)
    for number, cells in enumerate((heads, *lines)):
        for x, text in zip(edges, cells, strict=True):
            axes.text(x, number + 0.55, text, fontsize=5.5, va="center")
    return figure


def statement_lines(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """The cells of every row as text; a statement about several regions takes several lines, the verdict on the first."""
    lines = []
    for row in rows:
        series = row["series"] or {"": []}
        for number, (region, layers) in enumerate(series.items()):
            first = number == 0
            signs = [f"{VERDICT_SIGNS[v]} {v}" if v else "" for v in (row["verdict"], row["control"])]
            lines.append(
                (
                    row["about"] if first else "",
                    row["statement"] if first else "",
                    region,
                    " / ".join(estimate_words(e) for e in layers),
                    *(signs if first else ("", "")),
                )
            )
    return lines


def estimate_words(estimate: Mapping[str, float | None]) -> str:
    """`1.23 (1.10–1.40)`, or a dash."""
    if estimate["value"] is None:
        return "–"
    if estimate["low"] is None or estimate["high"] is None:
        return f"{estimate['value']:.2f}"
    return f"{estimate['value']:.2f} ({estimate['low']:.2f}–{estimate['high']:.2f})"
