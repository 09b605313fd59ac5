"""The ablation's table: what each row scores, and its difference to the row it is compared with."""

from __future__ import annotations

from mesm.figures.table_latex import to_latex
from mesm.studies.ablation.tables import COLUMNS, ablation_export, ablation_table, screen_table, setup_line
from tests.figures.exhibit_records import ablation_record


def test_a_row_per_trained_model() -> None:
    data = ablation_record().data
    table = ablation_table(data)
    assert [len(row.cells) for row in table.rows] == [len(COLUMNS)] * 3
    reference, part, gate = table.rows
    assert reference.cells[:3] == ("FE2E on TAV", 70.0, "68.0 to 72.0") and reference.cells[6:9] == ("", None, None)
    assert part.cells[6:9] == ("FE2E on TAV", -1.25, "-2.5 to +0.1")
    assert gate.cells[5] == "0.40" and gate.cells[-1] == 2.0 and part.cells[-1] is None
    assert reference.spread[1] == 1.5 and gate.group == "gate"
    assert "gate hard" in to_latex(table) and "fe2e-TAV" not in table.to_csv()
    shown = screen_table(data)
    assert shown.columns[3] == "against" and shown.rows[1].cells[3] == "FE2E on TAV"
    assert "600 training clips, 6 epochs" in setup_line(data) and "gate hard" in table.to_text()


def test_the_caption_has_the_setup() -> None:
    caption = ablation_export(ablation_record()).caption
    assert "2 seeds, reduced: width 0.125, 600 training clips, 6 epochs" in caption
