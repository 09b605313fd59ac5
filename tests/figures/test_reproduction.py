"""What stands with a reproduced table: sizes in order of work, origins in words, and commands that are valid."""

from __future__ import annotations

from mesm.cli import parser
from mesm.figures.export import full_command
from mesm.studies.reproduction.exports import models_table, note
from tests.figures.exhibit_records import reproduction_record


def test_sizes_work_and_time() -> None:
    found = models_table([reproduction_record(), reproduction_record("LF-LSTM", 7_000_000)])
    assert found.table is not None
    assert [row.cells[:5] for row in found.table.rows] == [
        ("LF-LSTM", 1.9, 7.0, 1.0, 12.5),
        ("MESM, p = 0.5", 1.9, 200.0, 0.4, 12.5),
    ]
    assert found.table.rows[0].cells[5:] == ("70.0", "68.0 to 72.0", "50.0", "48.0 to 52.0")
    assert (
        "ms on cpu" in found.table.columns
        and "processor time of 2 threads" in found.caption
        and len(set(found.table.names)) == 9
    )
    assert parser().parse_args(found.command.split()[1:]).figure == "models"


def test_a_reproduction_writes_every_format_at_once() -> None:
    found = models_table([reproduction_record()])
    assert full_command(found, "pdf", "acl-text") == f"{found.command} --width acl-text --format pdf"
    object.__setattr__(found, "command", "mesm reproduce table4 --corpus toy")
    for form in ("pdf", "csv"):
        words = full_command(found, form, "acl-text").split()[1:]
        assert parser().parse_args(words).what == "table4", "an option that reproduce lacks would end in an error"


def test_where_each_model_comes_from() -> None:
    trained, shipped, given = (reproduction_record(name) for name in ("MulT", "FE2E", "MESM"))
    shipped["data"]["checkpoints"][0]["origin"] = "shipped"
    given["data"]["checkpoints"][0] |= {"origin": "given", "differs": ["epochs 5, not 20"]}
    said = note([trained, shipped, given], {"LF-LSTM": "not asked for"})
    assert said == (
        "Trained for this table: MulT. Loaded, as shipped with this corpus: FE2E. Loaded, as given: MESM. "
        "MESM differs from the preset: epochs 5, not 20. 1 seed. Not run: LF-LSTM."
    )
    assert note([trained], {}) == "Trained for this table: MulT. 1 seed."
