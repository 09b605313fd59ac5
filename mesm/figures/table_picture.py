"""Draw a table as a picture, with booktabs' three rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesm.figures.page import FAINT, new_figure
from mesm.figures.tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINE_IN = 0.155
_FONT_PT = 7.0


def plot_table(table: Table, width: float) -> Figure:
    """Draw lines of text at the width of a column: the first column left, numbers right; best bold, second underlined."""
    groups = [row.group for row in table.rows]
    heads = sum(bool(g) and (i == 0 or g != groups[i - 1]) for i, g in enumerate(groups))
    top = 1 if table.spans else 0
    lines = 1 + top + len(table.rows) + heads
    figure = new_figure(width, LINE_IN * (lines + 1))
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(lines + 1, 0))
    axes.axis("off")
    edges, size = _columns(table, width)
    for y, weight in ((0.4, 0.9), (1.5 + top, 0.5), (lines + 0.6, 0.9)):
        axes.plot([0.02, width - 0.02], [y, y], color="black", linewidth=weight)
    for i, name in enumerate(table.columns):
        axes.text(edges[i], 1 + top, name, ha="right" if i else "left", va="center", fontsize=size)
    for head, first, last in table.spans:
        left = edges[first] - _text_width(table.columns[first], size)
        axes.text((left + edges[last]) / 2, 1, head, ha="center", va="center", fontsize=size)
        axes.plot([left, edges[last]], [1.5, 1.5], color="black", linewidth=0.4)
    y = 1.0 + top
    for number, row in enumerate(table.rows):
        if row.group and (number == 0 or row.group != groups[number - 1]):
            y += 1
            axes.text(edges[0], y + 0.05, row.group, va="center", fontsize=size, style="italic", color=FAINT)
        y += 1
        for i, cell in enumerate(row.cells):
            place = table.place(number, i)
            axes.text(
                edges[i], y + 0.05, table.text(cell), ha="right" if i else "left", va="center", fontsize=size,
                weight="bold" if place == 0 else "normal",
            )  # fmt: skip
            if place == 1:
                box = _text_width(table.text(cell), size)
                axes.plot([edges[i] - box, edges[i]], [y + 0.42] * 2, color="black", linewidth=0.4)
    return figure


def _text_width(text: str, size: float, bold: bool = False) -> float:
    """Return the width of a text in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text.strip():
        return 0.0
    properties = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")
    return float(TextPath((0, 0), text, size=size, prop=properties).get_extents().x1) / 72


def _columns(table: Table, width: float) -> tuple[list[float], float]:
    """Return the left end of the first column, the right ends of the others, and a font size at which all fit."""
    texts = [[table.columns[i], *(table.text(r.cells[i]) for r in table.rows)] for i in range(len(table.columns))]
    widest = [max(_text_width(t, _FONT_PT, bold=True) for t in column) for column in texts]
    gap = 0.09
    room = width - 0.06 - gap * (len(widest) - 1)
    size = _FONT_PT * min(1.0, room / sum(widest))
    scale = size / _FONT_PT
    spare = max(0.0, room - sum(widest) * scale) / max(len(widest) - 1, 1)
    edges, x = [0.03], 0.03 + widest[0] * scale
    for w in widest[1:]:
        x += gap + spare + w * scale
        edges.append(x)
    return edges, size
