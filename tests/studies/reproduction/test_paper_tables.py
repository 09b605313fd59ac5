"""Tables 3 to 5: measured rows in front, reported and trivial rows unranked, the numbers of the records in their cells."""

from __future__ import annotations

from dataclasses import replace

from mesm.records.base import Record
from mesm.records.evaluation import ScoredModel
from mesm.studies.reproduction.exports import modalities_export, reported_modalities_export, scores_export
from mesm.studies.reproduction.reported import TABLE_4
from mesm.studies.reproduction.tables import modalities_table, scores_table, splits_table
from tests.figures.exhibit_records import ablation_record, evaluation_record, made_provenance, made_seeds


def test_measured_rows_stand_before_reported_and_trivial_ones() -> None:
    ours: list[Record[ScoredModel]] = [evaluation_record("dense", None), evaluation_record()]
    table = scores_export(ours, 4).table
    assert table is not None
    rows = table.rows
    reported = [row.model for row in TABLE_4.rows]
    assert [r.cells[0] for r in rows] == [
        "MESM (dense)",
        "MESM (made), p = 0.5",
        *reported,
        "never",
        "always",
        "chance",
    ]
    assert all(r.ranked for r in rows[:2]) and not any(r.ranked for r in rows[2:])
    assert rows[7].cells[-4:] == (66.8, None, 46.8, None), "MESM as reported"
    assert rows[8].cells[-4:] == (50.0, None, 0.0, None) and rows[9].cells[-2] == 31.0
    assert table.names[2:4] == ("anger WAcc", "anger F1") and table.spans[-1] == ("average", 14, 17)
    assert rows[1].cells[2:6] == (70.0, 50.0, 71.0, 50.0) and rows[1].cells[15] == "68.0 to 72.0"
    assert rows[1].cells[1] == "0.40" and len(set(table.names)) == 18


def test_table_3_prints_accuracy() -> None:
    table = scores_export([evaluation_record()], 3).table
    assert table is not None and table.rows[0].cells[-4:-2] == (80.0, "78.0 to 82.0")
    assert table.rows[0].cells[2] == 80.0


def test_a_mean_over_seeds_has_its_spread() -> None:
    several = Record("seeds", made_provenance(), made_seeds())
    rows = scores_table([several], TABLE_4).rows
    assert rows[0].cells[0] == "MESM (made), p = 0.5, 3 seeds"
    assert rows[0].spread[14] == 0.5 and rows[0].spread[:14] == (None,) * 14


def test_labels_that_the_paper_lacks_are_blank() -> None:
    foreign = replace(TABLE_4, rows=(replace(TABLE_4.rows[0], scores={}),), corpus="elsewhere")
    rows = scores_table([evaluation_record()], foreign).rows
    assert rows[1].cells[2] is None and rows[1].group == "reported on elsewhere"


def test_table_5_has_the_modalities_and_the_papers_rows() -> None:
    record = ablation_record()
    export = modalities_export(record)
    assert export.table is not None and len(export.table.rows) == 12, "two of ours, without the gate, and ten reported"
    ours = export.table.rows[1]
    assert ours.cells[2:8] == (80.0, None, 50.0, "47.0 to 52.0", 70.0, "68.0 to 72.0") and ours.spread[6] == 1.5
    assert export.table.rows[2].cells[0] == "FE2E" and "every row trained" in export.caption
    loaded = replace(record.data.rows[1], loaded=("marionette-fe2e", None))
    data = replace(record.data, rows=(record.data.rows[0], loaded))
    assert "fe2e-TA loaded, the others trained" in modalities_export(replace(record, data=data)).caption
    one_seed = replace(record.data, seeds=(0,))
    assert modalities_table(one_seed, {}).rows[0].spread[6] is None, "one seed has no spread"


def test_table_5_without_ours_is_the_papers() -> None:
    table = reported_modalities_export().table
    assert table is not None and len(table.rows) == 10


def test_splits_of_the_paper_stand_below_ours() -> None:
    table = splits_table("toy", (), {"train": {"clips": 5}}, "CMU-MOSEI")
    assert table.rows[0].cells == ("train", 5, None, None, None) and table.rows[0].group == "reported on CMU-MOSEI"
