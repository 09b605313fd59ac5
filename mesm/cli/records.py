"""`mesm records migrate`: rewrite records of an earlier schema in today's form."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mesm.records.base import CorpusId, Provenance, Record


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm records`."""
    parser.epilog = (
        "Each record of schema 1 is written under its new file name, with the digest of its corpus where a corpus of that\n"
        "name is known, and the old file is deleted. A record that does not read back as it was is left untouched.\n"
        "example:\n  mesm records migrate mesm_home/records --corpus marionette"
    )
    verbs = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    migrate = verbs.add_parser("migrate", help="rewrite records of schema 1 in a folder")
    migrate.add_argument("folder", help="folder of the records")
    migrate.add_argument(
        "--corpus",
        nargs="+",
        default=[],
        metavar="NAME",
        help="names or folders of corpora whose digests are filled in",
    )


def run(arguments: argparse.Namespace) -> int:
    """Migrate every record of a folder; print a line per file."""

    from mesm.data.corpora import open_corpus
    from mesm.errors import DataError
    from mesm.json_form import members, read_json
    from mesm.records.base import RECORD_SCHEMA

    folder = Path(arguments.folder)
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; give the folder of the records")
    known = {corpus.name: corpus.id for corpus in map(open_corpus, arguments.corpus)}
    refused = 0
    for path in sorted(folder.glob("*.json")):
        try:
            if members(read_json(path)).get("schema") == RECORD_SCHEMA:
                print(f"{path.name}: of today's schema already")
                continue
            print(f"{path.name} -> {migrate(path, known).name}")
        except (DataError, ValueError, AttributeError) as error:
            refused += 1
            print(f"{path.name}: not migrated: {error}")
    return 2 if refused else 0


def migrate(path: Path, corpora: dict[str, CorpusId]) -> Path:
    """Rewrite one record of schema 1 under its new name, delete the old file, and return the new path.

    Args:
        corpora: name -> identity, to fill in digests.

    Raises:
        DataError: it is no record, its new name is taken, or the new file reads back differently; nothing is changed.
    """
    import tempfile

    from mesm.errors import DataError
    from mesm.files import write_atomic
    from mesm.json_form import to_json
    from mesm.records.base import read_record, write_record

    record = _with_digests(read_record(path), corpora)
    target = path.with_name(record.file_name)
    if target != path and target.exists():
        raise DataError(f"{target.name} exists already; delete one of the two")
    with tempfile.TemporaryDirectory() as scratch:
        written = write_record(scratch, record)
        again = read_record(written)
        if (to_json(again.data), again.provenance) != (to_json(record.data), record.provenance):
            raise DataError("it reads back differently in today's form")
        write_atomic(target, written.read_bytes())
    if target != path:
        path.unlink()
    return target


def _with_digests(record: Record[Any], corpora: dict[str, CorpusId]) -> Record[Any]:
    from dataclasses import replace

    def filled(origin: Provenance) -> Provenance:
        corpus = origin.corpus if origin.corpus.digest else corpora.get(origin.corpus.name, origin.corpus)
        return replace(origin, corpus=corpus, compared=tuple(map(filled, origin.compared)))

    return replace(record, provenance=filled(record.provenance))
