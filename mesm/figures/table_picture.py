"""Draw a table as a picture, with booktabs' three rules; a table that is too wide stands in panels below each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mesm.figures.page import FAINT, body_font, new_figure
from mesm.figures.table_layout import TableLayout, break_lines, head_lines, lay_out, text_width
from mesm.figures.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Inches of a line; further lines of a cell stand closer.
LINE_IN, _NEXT_IN = 0.155, 0.105
_SIZES_PT = (7.0, 6.5, 6.0)
_GAP_PT, _EDGE_IN = 5.0, 0.03
_PT = 72


def picture_layout(table: Table, width: float) -> TableLayout:
    """Return how a table is set at this many inches."""
    return lay_out(table, (width - 2 * _EDGE_IN) * _PT, _SIZES_PT, _GAP_PT, body_font())


def plot_table(table: Table, width: float) -> Figure:
    """Draw lines of text at the width of a column: words left, numbers right; best bold, second underlined."""
    layout = picture_layout(table, width)
    parts = layout.parts(table)
    heights = [_height(part, layout) for part in parts]
    total = sum(heights) + LINE_IN * len(parts) / 2
    figure = new_figure(width, total)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(total, 0))
    axes.axis("off")
    top = LINE_IN / 4
    for part, panel, height in zip(parts, layout.panels, heights, strict=True):
        _draw_panel(axes, part, [layout.widths[i] / _PT for i in panel], layout, top, width)
        top += height + LINE_IN / 2
    return figure


def _line_in(lines: int) -> float:
    return LINE_IN + _NEXT_IN * (lines - 1)


def _row_in(table: Table, row: int, layout: TableLayout) -> float:
    return _line_in(max(len(layout.lines(table.cell_text(row, i))) for i in range(len(table.columns))))


def _heads_in(table: Table, layout: TableLayout) -> float:
    return _line_in(max(len(head_lines(name, layout.letters)) for name in table.columns))


def _height(table: Table, layout: TableLayout) -> float:
    groups = sum(table.begins_group(row) for row in range(len(table.rows)))
    rows = sum(_row_in(table, row, layout) for row in range(len(table.rows)))
    return LINE_IN * (bool(table.spans) + groups + 0.3) + _heads_in(table, layout) + rows


def _draw_panel(
    axes: Axes, table: Table, widths: Sequence[float], layout: TableLayout, top: float, width: float
) -> None:
    left = table.word_columns
    edges = _edges(widths, left, width)
    size, font = layout.size_pt, body_font()

    def rule(y: float, weight: float) -> None:
        axes.plot([0.02, width - 0.02], [y, y], color="black", linewidth=weight)

    def write(column: int, y: float, lines: Sequence[str], weight: str = "normal") -> None:
        for number, line in enumerate(lines):
            axes.text(
                edges[column], y + _NEXT_IN * number, line, ha="left" if left[column] else "right", va="center",
                fontsize=size, weight=weight,
            )  # fmt: skip

    rule(top, 0.9)
    y = top + LINE_IN * 0.6
    for head, first, last in table.spans:
        start = edges[first] - (0 if left[first] else widths[first])
        axes.text((start + edges[last]) / 2, y, head, ha="center", va="center", fontsize=size)
        axes.plot([start, edges[last]], [y + LINE_IN / 2] * 2, color="black", linewidth=0.4)
    y += LINE_IN * bool(table.spans)
    below = _heads_in(table, layout)
    for i, name in enumerate(table.columns):
        lines = head_lines(name, layout.letters)
        write(i, y + below - _line_in(len(lines)), lines)  # short names stand on the last line
    y += below
    rule(y - LINE_IN / 2, 0.5)
    for row in range(len(table.rows)):
        if table.begins_group(row):
            axes.text(
                edges[0], y + 0.01, table.rows[row].group, va="center", fontsize=size, style="italic", color=FAINT
            )
            y += LINE_IN
        for i in range(len(table.columns)):
            if table.repeats(row, i):
                continue
            lines, place = break_lines(table.cell_text(row, i), layout.letters), table.place(row, i)
            write(i, y + 0.01, lines, "bold" if place == 0 else "normal")
            if place == 1:
                box = text_width(lines[0], font) * size / _PT
                axes.plot([edges[i] - box, edges[i]], [y + 0.068] * 2, color="black", linewidth=0.4)
        y += _row_in(table, row, layout)
    rule(y - LINE_IN * 0.35, 0.9)


def _edges(widths: Sequence[float], left: Sequence[bool], width: float) -> list[float]:
    """Return where the text of each column begins, of a column of numbers where it ends; room that is left is shared."""
    spare = max(0.0, width - 2 * _EDGE_IN - sum(widths)) / max(len(widths) - 1, 1)
    edges, x = [], _EDGE_IN
    for w, words in zip(widths, left, strict=True):
        edges.append(x if words else x + w)
        x += w + spare
    return edges
