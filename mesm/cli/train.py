"""`mesm train`: fit a model from a preset, or go on with a run."""

from __future__ import annotations

import argparse
import os
from typing import Any

from mesm.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `mesm train`."""
    parser.epilog = (
        "examples:\n"
        "  mesm train --preset marionette-fe2e --corpus corpora/marionette --out runs/fe2e\n"
        "  mesm train --preset marionette-mesm --corpus corpora/marionette --out runs/mesm --init runs/fe2e/checkpoint\n"
        "  mesm train --resume runs/mesm\n"
        "  accelerate launch -m mesm train --preset mosei-mesm --corpus corpora/mosei --out runs/mosei"
    )
    parser.add_argument("--preset", help="named settings; see mesm/presets.py")
    parser.add_argument("--corpus", help="folder or name of the corpus")
    parser.add_argument("--out", help="folder of the run")
    parser.add_argument("--init", default="", help="checkpoint to start from (MESM from FE2E)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="model.width=0.5, or short width=0.5; repeatable",
    )
    parser.add_argument("--seed", type=int, help="short for --set train.seed=N")
    parser.add_argument("--resume", metavar="RUN", help="go on with this run; needs nothing else")
    parser.add_argument("--tensorboard", action="store_true", help="also write event files into OUT/tensorboard")


def run(arguments: argparse.Namespace) -> int:
    """Train, with a progress bar; prints the folder of the checkpoint."""
    from mesm.training.trainer import Trainer, resume

    if arguments.resume:
        print(resume(arguments.resume, reports(arguments)))
        return 0
    if not (arguments.preset and arguments.corpus and arguments.out):
        raise ConfigError("give --preset, --corpus and --out, or --resume RUN")
    print(Trainer(settings(arguments), arguments.out, reports(arguments)).fit())
    return 0


def reports(arguments: argparse.Namespace) -> Any:
    """What is told of the training: a progress bar, and event files if asked for; by the first process only."""
    if os.environ.get("RANK", "0") != "0":
        return None
    bar = Bar()
    if not arguments.tensorboard:
        return bar
    from mesm.training.tensorboard_log import Board

    board = Board(arguments.resume or arguments.out)

    def both(row: dict[str, Any]) -> None:
        bar(row)
        board(row)

    return both


def settings(arguments: argparse.Namespace) -> Any:
    """The RunConfig that a command line asks for."""
    from dataclasses import replace

    from mesm.data.corpora import open_corpus
    from mesm.presets import preset

    chosen = preset(arguments.preset)
    parts = {"model": chosen.model, "train": chosen.train}
    changes: dict[str, dict[str, str]] = {part: {} for part in parts}
    for item in arguments.set:
        name, equals, value = item.partition("=")
        part, _, key = name.rpartition(".")
        part = part or next((part for part, config in parts.items() if hasattr(config, key)), "")
        if part not in changes or not equals:
            raise ConfigError(f"--set {item!r} names no setting; write it like model.width=0.5 or train.epochs=3")
        changes[part][key] = value
    train = replace(chosen.train, corpus=str(open_corpus(arguments.corpus).folder), init_from=arguments.init)
    if arguments.seed is not None:
        train = replace(train, seed=arguments.seed)
    return replace(
        chosen, model=chosen.model.with_settings(changes["model"]), train=train.with_settings(changes["train"])
    )


class Bar:
    """Shows a trainer's reports as a tqdm bar with throughput and the time left, one line per epoch."""

    def __init__(self) -> None:
        from tqdm import tqdm

        self.tqdm = tqdm
        self.bar: Any = None

    def __call__(self, row: dict[str, Any]) -> None:
        if row["kind"] == "step":
            if self.bar is None:
                self.bar = self.tqdm(
                    total=row["batches"], initial=row["batch"] - 1, desc=f"epoch {row['epoch']}", leave=False
                )
            self.bar.update(1)
            self.bar.set_postfix(loss=f"{row['loss']:.3f}", refresh=False)
            return
        self.close()
        shown = {k: v for k, v in row.items() if k not in ("kind", "lr")}
        self.tqdm.write("  ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in shown.items()))

    def clips(self, done: int, total: int) -> None:
        """The same bar for an evaluation: clips done of all."""
        if self.bar is None:
            self.bar = self.tqdm(total=total, unit="clip", leave=False)
        self.bar.update(done - self.bar.n)
        if done >= total:
            self.close()

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
