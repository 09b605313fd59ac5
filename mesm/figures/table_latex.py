"""Write tables as booktabs LaTeX whose columns fit the page: smaller type, then broken cells, then panels."""

from __future__ import annotations

from collections.abc import Sequence

from mesm.figures.page import width_in
from mesm.figures.table_layout import TableLayout, break_lines, head_lines, lay_out
from mesm.figures.tables import Table, escape

#: Points of type -> LaTeX's command in a document of 10 pt; larger documents set more.
_SIZES: dict[float, str] = {10.0: "", 9.0: r"\small", 8.0: r"\footnotesize", 7.0: r"\scriptsize"}
#: Room between two columns, points: twice \tabcolsep.
_GAP_PT = 6.0
_PT_PER_IN = 72
#: Times as matplotlib ships it, and a margin for documents whose type is wider.
_FONT, _MARGIN = "STIXGeneral", 0.94


def latex_layout(table: Table, width: str) -> TableLayout:
    """Return how a table is set in LaTeX at a named width or inches."""
    return lay_out(table, width_in(width) * _PT_PER_IN * _MARGIN, tuple(_SIZES), _GAP_PT, _FONT)


def environment(kind: str, width: str) -> str:
    """Return the environment of a "table" or "figure": over both columns at the text width of a venue with two."""
    return f"{kind}*" if width in ("acl-text", "ieee-text") else kind


def to_latex(table: Table, caption: str = "", label: str = "", width: str = "acl-column") -> str:
    """Return a booktabs `table` or `table*`: best bold, second underlined, mean and spread; needs `\\usepackage{booktabs}`."""
    layout, name = latex_layout(table, width), environment("table", width)
    size = f"{_SIZES[layout.size_pt]}\\setlength{{\\tabcolsep}}{{{_GAP_PT / 2:g}pt}}"
    lines = [rf"\begin{{{name}}}", rf"\centering{size}"]
    for number, part in enumerate(layout.parts(table)):
        lines += (
            ["", r"\vspace{1ex}"] if number else []
        )  # an empty line ends the paragraph: the next panel stands below
        lines += _tabular(part, layout)
    lines += [rf"\caption{{{escape(caption)}}}"] if caption else []
    lines += [rf"\label{{tab:{label}}}"] if label else []
    return "\n".join([*lines, rf"\end{{{name}}}", ""])


def _tabular(table: Table, layout: TableLayout) -> list[str]:
    left = table.word_columns
    lines = [rf"\begin{{tabular}}{{@{{}}{''.join('l' if words else 'r' for words in left)}@{{}}}}", r"\toprule"]
    lines += _heads(table)
    names = [
        _stacked(head_lines(name, layout.letters), "b", words) for name, words in zip(table.columns, left, strict=True)
    ]
    lines += [" & ".join(names) + r" \\", r"\midrule"]
    for row in range(len(table.rows)):
        if table.begins_group(row):
            lines += [r"\midrule"] if row else []
            lines.append(rf"\multicolumn{{{len(table.columns)}}}{{l}}{{\emph{{{escape(table.rows[row].group)}}}}} \\")
        elif row and table.rows[row].group != table.rows[row - 1].group:
            lines.append(r"\midrule")
        lines.append(" & ".join(_cell(table, row, i, layout, left[i]) for i in range(len(table.columns))) + r" \\")
    return [*lines, r"\bottomrule", r"\end{tabular}"]


def _heads(table: Table) -> list[str]:
    """Return a line of names over the columns they span, and the rules under them."""
    if not table.spans:
        return []
    cells, rules, next_column = [], [], 0
    for head, first, last in table.spans:
        cells += [""] * (first - next_column)
        cells.append(rf"\multicolumn{{{last - first + 1}}}{{c}}{{{escape(head)}}}")
        rules.append(rf"\cmidrule(lr){{{first + 1}-{last + 1}}}")
        next_column = last + 1
    cells += [""] * (len(table.columns) - next_column)
    return [" & ".join(cells) + r" \\", "".join(rules)]


def _cell(table: Table, row: int, column: int, layout: TableLayout, left: bool) -> str:
    if table.repeats(row, column):
        return ""
    lines = break_lines(table.cell_text(row, column), layout.letters)
    text = _stacked(lines, "t", left)
    return (rf"\textbf{{{text}}}", rf"\underline{{{text}}}", text)[table.place(row, column)]


def _stacked(lines: Sequence[str], at: str, left: bool) -> str:
    """Return lines below each other in one cell; `at`: "t" to stand on the first line, "b" on the last."""
    if len(lines) == 1:
        return escape(lines[0])
    body = r" \\ ".join(map(escape, lines))
    return rf"\begin{{tabular}}[{at}]{{@{{}}{'l' if left else 'r'}@{{}}}}{body}\end{{tabular}}"
