"""Exports of a reproduced table: sizes in order of cost, origins in words, valid commands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mesm.cli import parser
from mesm.figures.export import full_command
from mesm.records.base import Record
from mesm.records.reproduction import ReproducedLine
from mesm.studies.reproduction.exports import models_export, origin_note
from tests.figures.exhibit_records import reproduction_record


def with_checkpoint(record: Record[ReproducedLine], **changes: Any) -> Record[ReproducedLine]:
    (checkpoint,) = record.data.checkpoints
    return replace(record, data=replace(record.data, checkpoints=(replace(checkpoint, **changes),)))


def test_sizes_work_and_time() -> None:
    export = models_export([reproduction_record(), reproduction_record("LF-LSTM", 7_000_000)])
    assert export.table is not None
    assert [row.cells[:5] for row in export.table.rows] == [
        ("LF-LSTM", 1.9, 7.0, 1.0, 12.5),
        ("MESM, p = 0.5", 1.9, 200.0, 0.4, 12.5),
    ]
    assert export.table.rows[0].cells[5:] == ("70.0", "68.0 to 72.0", "50.0", "48.0 to 52.0")
    assert (
        "ms on cpu" in export.table.columns
        and "processor time of 2 threads" in export.caption
        and len(set(export.table.names)) == 9
    )
    assert parser().parse_args(export.command.split()[1:]).figure == "models"


def test_a_reproduction_writes_every_format_at_once() -> None:
    export = models_export([reproduction_record()])
    assert full_command(export, "pdf", "acl-text") == f"{export.command} --width acl-text --format pdf"
    object.__setattr__(export, "command", "mesm reproduce table4 --corpus toy")
    for form in ("pdf", "csv"):
        words = full_command(export, form, "acl-text").split()[1:]
        assert parser().parse_args(words).what == "table4", "an option that reproduce lacks would end in an error"


def test_where_each_model_comes_from() -> None:
    trained, shipped, given = (reproduction_record(name) for name in ("MulT", "FE2E", "MESM"))
    shipped = with_checkpoint(shipped, origin="shipped")
    given = with_checkpoint(given, origin="given", differs=("epochs 5, not 20",))
    assert origin_note([trained, shipped, given], {"LF-LSTM": "not among --models"}) == (
        "Trained for this table: MulT. Loaded, as shipped with this corpus: FE2E. Loaded, as given: MESM. "
        "MESM differs from the preset: epochs 5, not 20. 1 seed. Not run: LF-LSTM."
    )
    assert origin_note([trained], {}) == "Trained for this table: MulT. 1 seed."
