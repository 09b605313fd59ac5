"""Tabulate an ablation: one row per trained model, with its difference to the row it is compared with."""

from __future__ import annotations

from mesm.estimate import counted, decimal_text
from mesm.figures.export import FigureExport, corpus_export, origin_of
from mesm.figures.tables import Cell, Row, Table
from mesm.records.ablation import Ablation, AblationLine
from mesm.records.base import Record
from mesm.studies.ablation.conclusions import size_words
from mesm.studies.evaluation.tables import interval_cell, share_cell

COLUMNS = (
    "model", "WAcc", "WAcc 95 %", "F1", "AUC", "work", "against", "difference", "difference 95 %", "AUC lost",
)  # fmt: skip


def ablation_table(ablation: Ablation) -> Table:
    """Tabulate every row in its group.

    "work" is the share of FE2E's multiply-adds in convolutions and attention; the difference is in WAcc, in points;
    "AUC lost" is the face branch's loss with another clip's transcript as query.
    """
    rows = tuple(_table_row(line, _compared(line, ablation)) for line in ablation.rows)
    return Table(COLUMNS, rows, best=(1, 3, 4))


def _compared(line: AblationLine, ablation: Ablation) -> str:
    """Return the name in the tables of the row that a row is compared with; "" without one."""
    return next((other.what for other in ablation.rows if other.row == line.against), line.against)


def screen_table(ablation: Ablation) -> Table:
    """Return the part of the table that fits a screen: the difference with its interval in one column."""
    rows = []
    for line in ablation.rows:
        difference, visual = line.difference.get("wacc"), line.shuffled_text.get("visual")
        words = None
        if difference is not None and difference.value is not None:
            interval = difference.interval_text(1)
            words = decimal_text(difference.value, 1, sign=True) + (f" ({interval})" if interval else "")
        lost = visual["auc"].cost if visual else None
        against = _compared(line, ablation) or None
        cells = (line.what, line.average.wacc, share_cell(line.macs_ratio), against, words, lost)
        rows.append(Row(cells, line.group))
    return Table(("model", "WAcc", "work", "against", "difference (95 %)", "AUC lost"), tuple(rows), best=(1,))


def _table_row(line: AblationLine, against: str) -> Row:
    difference, visual = line.difference.get("wacc"), line.shuffled_text.get("visual")
    cells: tuple[Cell, ...] = (
        line.what,
        line.average.wacc,
        interval_cell(line.interval, "wacc"),
        line.average.f1,
        line.average.auc,
        share_cell(line.macs_ratio),
        against,
        difference.value if difference else None,
        difference.interval_text(1) if difference else None,
        visual["auc"].cost if visual else None,
    )
    spread = line.spread if len(line.runs) > 1 else {}
    metric_of = {1: "wacc", 3: "f1", 4: "auc"}
    spreads = tuple(spread.get(metric_of.get(i, "")) for i in range(len(cells))) if spread else ()
    return Row(cells, line.group, spreads)


def setup_line(ablation: Ablation) -> str:
    """Return the sentence under the table: the reduced setup of all rows."""
    s = ablation.setup
    return (
        f"reduced: width {s.width:g}, {s.clips or 'all'} training clips, {counted(s.epochs, 'epoch')}, "
        f"seeds {', '.join(map(str, ablation.seeds))}; {s.split} split of {s.corpus}"
    )


def ablation_export(record: Record[Ablation]) -> FigureExport:
    """Build the table of every row of an ablation."""
    data, corpus = record.data, record.provenance.corpus
    return corpus_export(
        corpus,
        "ablation",
        f"Effect of each part on {corpus.name}",
        f"Averages in percent on the {data.setup.split} split of {corpus.name}, intervals over speakers; {size_words(data)}. "
        "Work: convolutions and attention, share of FE2E's multiply-adds. Difference: WAcc, in points, to the "
        "row named under against. AUC lost: drop in face-branch AUC "
        "with another clip's transcript as query.",
        ablation_table(data),
        origin_of(record, setup=data.setup, seeds=data.seeds),
    )
