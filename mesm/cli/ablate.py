"""`mesm ablate`: train one model per row and compare each with its reference."""

from __future__ import annotations

import argparse
from shlex import quote
from typing import TYPE_CHECKING

from mesm.cli import measuring
from mesm.cli.train import Bar
from mesm.vocabulary import SIZES

if TYPE_CHECKING:
    from pathlib import Path

    from mesm.records.ablation import Ablation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm ablate`."""
    parser.epilog = (
        "Rows that are finished are not trained again, and an interrupted one is resumed.\n"
        "examples:\n"
        "  mesm ablate --corpus corpora/marionette --out ablation\n"
        "  mesm ablate --corpus corpora/marionette --out ablation --rows gate query --seeds 0,1,2"
    )
    parser.add_argument("--corpus", required=True, help="name or folder of a corpus with train, valid and test")
    parser.add_argument("--out", required=True, help="folder of the runs, one per row and seed")
    parser.add_argument("--rows", nargs="+", default=[], metavar="ROW", help="rows or groups of rows; default: all")
    parser.add_argument("--seeds", default="0", help="seeds such as 0,1,2, averaged per row (default: %(default)s)")
    parser.add_argument("--size", choices=SIZES, default="small", help="of the recipe mesm, from which rows start")
    parser.add_argument("--preset", default="", help="start from PRESET-fe2e and PRESET-mesm instead of the recipe")
    parser.add_argument(
        "--width", type=float, default=0.125, help="share of the paper's channels (default: %(default)s)"
    )
    parser.add_argument("--clips", type=int, default=600, help="training clips; 0 for all (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=6, help="epochs of each training (default: %(default)s)")
    parser.add_argument("--split", default="test", help="split to score (default: %(default)s)")
    parser.add_argument("--list", action="store_true", help="show the rows and train nothing")
    parser.add_argument("--records", help="folder of the record; default: the workspace's records/")


def run(arguments: argparse.Namespace) -> int:
    """Train row by row; the record is written again after each."""
    from mesm.data.corpora import open_corpus
    from mesm.errors import ConfigError
    from mesm.records.ablation import AblationSetup
    from mesm.records.base import Record, new_provenance, write_record
    from mesm.statistics import few_speakers
    from mesm.studies.ablation.measure import ablate, choose_rows
    from mesm.studies.ablation.tables import ablation_table, setup_line

    corpus = open_corpus(arguments.corpus)
    keys = ("preset", "size", "width", "clips", "epochs", "split")
    setup = AblationSetup(str(corpus.folder), **{k: getattr(arguments, k) for k in keys})
    try:
        seeds = [int(part) for part in arguments.seeds.split(",")]
    except ValueError as error:
        raise ConfigError(f"--seeds {arguments.seeds!r} must look like 0,1,2") from error
    chosen = choose_rows(setup, arguments.rows)
    if arguments.list:
        print("\n".join(f"{row.name:26}{row.group:18}{row.what}" for row in chosen))
        return 0
    name = quote(measuring.corpus_argument(corpus, arguments.corpus))
    command = f"mesm ablate --corpus {name} --seeds {quote(arguments.seeds)}"
    command += "".join(f" --{k} {quote(str(getattr(arguments, k)))}" for k in keys if getattr(arguments, k) != "")
    bar = Bar()

    def write(data: Ablation) -> Path:
        record = Record("ablation", new_provenance(corpus.id, command=command), data)
        return write_record(measuring.records_folder(arguments.records), record)

    def done(name: str, data: Ablation) -> None:
        write(data)
        bar.tqdm.write(f"{name}: finished")

    data = ablate(setup, arguments.out, arguments.rows, seeds, report=bar, done=done)
    speakers = len({row.group for row in corpus.index if row.split == data.setup.split})
    print("\n".join((ablation_table(data).to_text(), *few_speakers(speakers))))
    print(setup_line(data))
    print(write(data))
    return 0
