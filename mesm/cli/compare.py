"""`mesm compare`: compare two records of the same clips: paired difference with an interval over speakers."""

from __future__ import annotations

import argparse
from pathlib import Path
from shlex import quote

from mesm.cli import measuring
from mesm.estimate import counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm compare`."""
    parser.epilog = (
        "example:\n"
        "  mesm compare assets/records/evaluate_marionette-mesm_*.json assets/records/evaluate_marionette-fe2e_*.json"
    )
    parser.add_argument("first", metavar="A.json", help="record of mesm evaluate or mesm seeds, of the first model")
    parser.add_argument("second", metavar="B.json", help="record of the second model on the same clips")
    parser.add_argument("--draws", type=int, default=2000, help="bootstrap draws over speakers (default: 2000)")
    parser.add_argument("--out", help="folder of the record; default: the workspace's records/")


def run(arguments: argparse.Namespace) -> int:
    """Compare, print the table, write the record."""
    from mesm.errors import DataError
    from mesm.records.base import Record, new_provenance, read_record, write_record
    from mesm.records.evaluation import Evaluation
    from mesm.records.seeds import SeedsSummary
    from mesm.studies.seeds.comparison import compare
    from mesm.studies.seeds.tables import comparison_notes, comparison_table

    paths = [Path(arguments.first), Path(arguments.second)]
    measuring.positive(arguments, "draws")
    records = [read_record(path) for path in paths]
    for path, record in zip(paths, records, strict=True):
        if not isinstance(record.data, Evaluation | SeedsSummary):
            raise DataError(f"{path} has no scores by clip; give a record of mesm evaluate or mesm seeds")
    origins = [record.provenance for record in records]
    names = (origins[0].checkpoint, origins[1].checkpoint)
    data = compare(records[0].data, records[1].data, names, arguments.draws)
    provenance = new_provenance(
        origins[0].corpus,
        f"{names[0]}-to-{names[1]}",
        command=f"mesm compare {quote(paths[0].name)} {quote(paths[1].name)}",
        compared=origins,
    )
    path = write_record(measuring.records_folder(arguments.out), Record("compare", provenance, data))
    print(comparison_table(data).to_text())
    print("".join(f"{line}\n" for line in comparison_notes(data)), end="")
    print(
        f"{counted(data.clips, 'clip')}, {counted(data.speakers, 'speaker')}, {counted(data.draws, 'draw')}; differences in points"
    )
    print(path)
    return 0
