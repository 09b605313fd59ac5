"""`mesm train`: fit a model from a preset, or resume a run."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesm.errors import ConfigError
from mesm.stopping import Stopped

if TYPE_CHECKING:
    from mesm.config import RunConfig
    from mesm.training.progress import EpochReport, StepReport, TrainingProgress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm train`."""
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
    parser.add_argument("--init", default="", help="name or folder of a checkpoint to start from (MESM from FE2E)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="model.width=0.5, train.attention.weight=2, or short width=0.5; repeatable",
    )
    parser.add_argument("--seed", type=int, help="short for --set train.seed=N")
    parser.add_argument("--resume", metavar="RUN", help="resume this run; --corpus if its corpus has moved")
    parser.add_argument("--tensorboard", action="store_true", help="also write event files into OUT/tensorboard")


def run(arguments: argparse.Namespace) -> int:
    """Train, with a progress bar; prints the folder of the checkpoint."""
    folder = arguments.resume or arguments.out
    try:
        print(_train(arguments))
    except Stopped as stopped:
        text = f"{stopped}; go on with: mesm train --resume {shlex.quote(folder)}"
        raise Stopped(stopped.number, text) from None
    return 0


def _train(arguments: argparse.Namespace) -> Path:
    """Train or resume, and return the folder of the checkpoint."""
    from mesm.data.corpora import open_corpus
    from mesm.records.training_log import read_log
    from mesm.training.trainer import Trainer, resume

    if arguments.resume:
        for option in ("preset", "out", "init", "set", "seed"):
            if getattr(arguments, option) not in (None, "", []):
                raise ConfigError(f"--resume goes on with the run's own settings; leave out --{option}")
        corpus = open_corpus(arguments.corpus).folder if arguments.corpus else None
        return resume(arguments.resume, progress_of(arguments), corpus)
    if not (arguments.preset and arguments.corpus and arguments.out):
        raise ConfigError("give --preset, --corpus and --out, or --resume RUN")
    trainer = Trainer(run_config(arguments), arguments.out, progress_of(arguments))
    for note in trainer.setup.notes if os.environ.get("RANK", "0") == "0" else ():
        print(note, file=sys.stderr)
    before = len(list(read_log(arguments.out)))
    checkpoint = trainer.fit()
    if before and len(trainer.state.log) == before:
        print(f"{arguments.out} was finished before; nothing was trained", file=sys.stderr)
    return checkpoint


def progress_of(arguments: argparse.Namespace) -> TrainingProgress | None:
    """Return the callbacks of a training: a progress bar, and with --tensorboard event files; in the first process only."""
    if os.environ.get("RANK", "0") != "0":
        return None
    bar = Bar()
    if not arguments.tensorboard:
        return bar
    from mesm.training.tensorboard_log import TensorBoardLog

    log = TensorBoardLog(arguments.resume or arguments.out)

    def both(report: StepReport | EpochReport) -> None:
        bar(report)
        log(report)

    return both


def run_config(arguments: argparse.Namespace) -> RunConfig:
    """Build the run of a command line: the preset, its corpus and start, then --set and --seed."""
    from dataclasses import replace

    from mesm.analysis.checkpoints import checkpoint_folder
    from mesm.data.corpora import open_corpus
    from mesm.presets import preset

    chosen = preset(arguments.preset)
    train = replace(chosen.train, corpus=str(open_corpus(arguments.corpus).folder), init_from=arguments.init)
    if arguments.seed is not None:
        train = replace(train, seed=arguments.seed)
    settings: dict[str, str] = {}
    for item in arguments.set:
        name, equals, value = item.partition("=")
        if not equals:
            raise ConfigError(f"--set {item!r} names no setting; write it like model.width=0.5 or train.epochs=3")
        settings[name] = value
    run = replace(chosen, train=train).with_settings(settings)
    folder = checkpoint_folder(run.train.init_from) if run.train.init_from else None
    return (
        run if folder is None or not folder.is_dir() else replace(run, train=replace(run.train, init_from=str(folder)))
    )


class Bar:
    """Show a trainer's reports as a tqdm bar with throughput and the time left, one line per epoch."""

    def __init__(self) -> None:
        from tqdm import tqdm

        self.tqdm = tqdm
        self.bar: Any = None

    def __call__(self, report: StepReport | EpochReport) -> None:
        """Show one report."""
        values = asdict(report)
        if "batch" in values:
            if self.bar is None:
                done, total = values["batch"] - 1, values["batches"]
                self.bar = self.tqdm(total=total, initial=done, desc=f"epoch {report.epoch}", leave=False)
            self.bar.update(1)
            self.bar.set_postfix(loss=f"{report.loss:.3f}", refresh=False)
            return
        self.close()
        shown = {k: v for k, v in values.items() if k != "lr"}
        self.tqdm.write("  ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in shown.items()))

    def clips(self, done: int, total: int) -> None:
        """Show an evaluation's progress: clips done of all."""
        if self.bar is None:
            self.bar = self.tqdm(total=total, unit="clip", leave=False)
        self.bar.update(done - self.bar.n)
        if done >= total:
            self.close()

    def close(self) -> None:
        """Remove the bar."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
