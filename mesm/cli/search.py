"""`mesm search`: try settings on the training and validation splits, and print the command that trains with the best."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mesm.cli import measuring
from mesm.cli.planning import add_plan_arguments, plan_options, run_config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mesm.figures.tables import Table
    from mesm.records.search import SearchResult, Trial
    from mesm.training.search import Search


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm search`."""
    parser.epilog = (
        "SPACE is a .toml or .json file:\n"
        "  [train]\n"
        "  lr = {low = 1e-4, high = 1e-2, log = true}   a number on a logarithmic (or linear) scale\n"
        "  batch_size = {low = 8, high = 32, step = 8}  a whole number\n"
        "  [model]\n"
        '  gate = ["soft", "soft_straight_through"]     one of a list\n'
        "  [train.attention]\n"
        "  weight = [0, 2, 4]                           a nested setting\n"
        "Every trial is one training: a recipe of one stage, one --stage of a recipe, or a preset.\n"
        "examples:\n"
        "  mesm search --recipe fe2e --corpus corpora/mine --space space.toml --trials 20 --out searches/a\n"
        "  mesm search --recipe mesm --stage sparse --init runs/mine --corpus corpora/mine --space s.toml --out searches/b"
    )
    add_plan_arguments(parser)
    parser.add_argument("--corpus", required=True, help="name or folder of a corpus; its test split is not read")
    parser.add_argument("--space", required=True, metavar="FILE", help="settings to try, see below")
    parser.add_argument(
        "--trials", type=int, default=20, help="number of trials, those of an earlier call included (default: 20)"
    )
    parser.add_argument("--out", required=True, help="folder of the search; an interrupted one is resumed")
    parser.add_argument(
        "--sampler-seed", type=int, default=0, metavar="N", help="seed of the sampler that draws settings"
    )
    parser.add_argument("--exhaustive", action="store_true", help="try all combinations, in random order")
    parser.add_argument("--no-prune", action="store_true", help="run every trial to its end")
    parser.add_argument("--records", help="folder of the record; default: the workspace's records/")


def run(arguments: argparse.Namespace) -> int:
    """Search; the record is written again after each trial."""
    from mesm.cli.train import Bar
    from mesm.data.store import Corpus
    from mesm.records.base import Record, new_provenance, write_record
    from mesm.training.search import Search, read_space

    base, space = run_config(arguments), read_space(arguments.space)
    search = Search(
        base,
        space,
        arguments.out,
        seed=arguments.sampler_seed,
        prune=not arguments.no_prune,
        exhaustive=arguments.exhaustive,
    )
    identity, bar = Corpus(base.train.corpus).id, Bar()

    def write() -> Path:
        command = shlex.join(_search_command(arguments))
        provenance = new_provenance(identity, _base_name(arguments), command=command)
        data = search_result(search, arguments, identity.name)
        return write_record(measuring.records_folder(arguments.records), Record("search", provenance, data))

    def done(trial: Trial) -> None:
        bar.tqdm.write(trials_table([trial]).to_text().splitlines()[-1])
        write()

    search.run_trials(arguments.trials, bar, done)
    print(trials_table(search.trials()).to_text())
    best = search.best()
    print(f"best valid F1 {best.f1:.2f}, trial {best.number}; train it with\n{best_command(best, arguments)}")
    print(write())
    return 0


def search_result(search: Search, arguments: argparse.Namespace, corpus: str) -> SearchResult:
    """Return the record's data: the start, the space, every trial, the best one and its command."""
    from mesm.analysis.checkpoints import checkpoint_name
    from mesm.records.search import SearchResult

    best = search.best() if any(t.state == "complete" for t in search.trials()) else None
    started_from = checkpoint_name(Path(start)) if (start := search.run.train.init_from) else ""
    base = replace(search.run, train=replace(search.run.train, corpus=corpus, init_from=started_from))
    return SearchResult(
        preset=_base_name(arguments),
        split="valid",
        metric="average binary F1 in percent",
        base=base.to_dict(),
        space=search.space,
        trials=tuple(search.trials()),
        best=None if best is None else best.number,
        best_command=None if best is None else best_command(best, arguments),
    )


def _base_name(arguments: argparse.Namespace) -> str:
    """Return the name of the preset, or of the recipe and its stage."""
    return arguments.preset or "-".join(filter(None, (arguments.recipe, arguments.stage)))


def best_command(best: Trial, arguments: argparse.Namespace) -> str:
    """Return the `mesm train` that trains with a trial's settings."""
    words = ["mesm", "train", *plan_options(arguments), "--out", "runs/best"]
    words += ["--init", arguments.init] if arguments.init else []
    words += ["--seed", str(arguments.seed)] if arguments.seed is not None else []
    for item in (*arguments.set, *(f"{name}={value}" for name, value in best.values.items())):
        words += ["--set", item]
    return shlex.join(words)


def _search_command(arguments: argparse.Namespace) -> list[str]:
    words = ["mesm", "search", *plan_options(arguments)]
    words += ["--space", Path(arguments.space).name]
    for item in arguments.set:
        words += ["--set", item]
    return [*words, "--trials", str(arguments.trials)]


def trials_table(trials: Sequence[Trial]) -> Table:
    """Tabulate trials, the best first."""
    from mesm.figures.tables import Row, Table

    rows = [
        Row((str(t.number), t.state, t.f1, t.seconds, " ".join(f"{k}={v}" for k, v in t.values.items()), t.error))
        for t in sorted(trials, key=lambda t: -(t.f1 or 0.0))
    ]
    return Table(("trial", "state", "valid F1", "seconds", "settings", "error"), tuple(rows), digits=2)
