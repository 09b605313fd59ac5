"""`mesm search`: search settings on the training and validation splits; print the command that trains the best."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any


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
        "example:\n"
        "  mesm search --preset marionette-fe2e --corpus corpora/marionette --space space.toml --trials 20 --out searches/a"
    )
    parser.add_argument("--preset", required=True, help="base of every trial")
    parser.add_argument("--corpus", required=True, help="name or folder of a corpus; its test split is not read")
    parser.add_argument("--space", required=True, metavar="FILE", help="settings to try, see below")
    parser.add_argument(
        "--trials", type=int, default=20, help="number in all, those of an earlier call included (default: 20)"
    )
    parser.add_argument("--out", required=True, help="folder of the search; an interrupted one is resumed")
    parser.add_argument("--init", default="", help="checkpoint that every trial starts from")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for mesm train")
    parser.add_argument("--seed", type=int, help="seed of every trial's training; short for --set train.seed=N")
    parser.add_argument(
        "--sampler-seed", type=int, default=0, metavar="N", help="seed of the sampler that draws settings"
    )
    parser.add_argument("--exhaustive", action="store_true", help="every combination, in random order")
    parser.add_argument("--no-prune", action="store_true", help="run every trial to its end")
    parser.add_argument("--records", help="folder of the record; default: the workspace's records/")


def run(arguments: argparse.Namespace) -> int:
    """Search; the record is written again after each trial."""
    from mesm.cli.train import Bar, run_config
    from mesm.records.legacy import write_record
    from mesm.runtime import workspace
    from mesm.training.search import Search, Trial, read_space

    base, space = run_config(arguments), read_space(arguments.space)
    search = Search(
        base,
        space,
        arguments.out,
        seed=arguments.sampler_seed,
        prune=not arguments.no_prune,
        exhaustive=arguments.exhaustive,
    )
    folder, corpus = Path(arguments.records) if arguments.records else workspace() / "records", _name(base)
    bar = Bar()

    def write() -> Path:
        data = search_data(search, arguments, corpus)
        return write_record(folder, "search", arguments.preset, corpus, data, command=shlex.join(_own(arguments)))

    def done(trial: Trial) -> None:
        bar.tqdm.write(_line(trial))
        write()

    search.run_trials(arguments.trials, bar, done)
    print(_table(search.trials()))
    best = search.best()
    print(f"best valid F1 {best.f1:.2f}, trial {best.number}; train it with\n{best_command(best, arguments)}")
    print(write())
    return 0


def _name(base: Any) -> str:
    from mesm.data.manifest import Manifest

    return Manifest.read(base.train.corpus).name


def search_data(search: Any, arguments: argparse.Namespace, corpus: str) -> dict[str, Any]:
    """The record: where it started, the space, every trial, the best one and its command."""
    complete = [t for t in search.trials() if t.state == "complete"]
    best = search.best() if complete else None
    started_from = Path(arguments.init).parent.name if arguments.init else ""
    base = replace(search.run, train=replace(search.run.train, corpus=corpus, init_from=started_from))
    return {
        "preset": arguments.preset,
        "split": "valid",
        "metric": "average binary F1 in percent",
        "base": base.to_dict(),
        "space": search.space,
        "trials": [asdict(t) for t in search.trials()],
        "best": None if best is None else best.number,
        "best_command": None if best is None else best_command(best, arguments),
    }


def best_command(best: Any, arguments: argparse.Namespace) -> str:
    """The `mesm train` that trains with a trial's settings."""
    words = ["mesm", "train", "--preset", arguments.preset, "--corpus", arguments.corpus, "--out", "runs/best"]
    words += ["--init", arguments.init] if arguments.init else []
    words += ["--seed", str(arguments.seed)] if arguments.seed is not None else []
    for item in (*arguments.set, *(f"{name}={value}" for name, value in best.values.items())):
        words += ["--set", item]
    return shlex.join(words)


def _own(arguments: argparse.Namespace) -> list[str]:
    words = ["mesm", "search", "--preset", arguments.preset, "--space", Path(arguments.space).name]
    for item in arguments.set:
        words += ["--set", item]
    return [*words, "--trials", str(arguments.trials)]


def _line(trial: Any) -> str:
    f1 = f"{trial.f1:.2f}" if trial.f1 is not None else "-"
    values = "  ".join(f"{name}={value}" for name, value in trial.values.items())
    return f"trial {trial.number:3d}  {trial.state:9}{f1:>7}  {trial.seconds:7.0f} s  {values}  {trial.error}".rstrip()


def _table(trials: list[Any]) -> str:
    return "\n".join(_line(t) for t in sorted(trials, key=lambda t: -(t.f1 or 0.0)))
