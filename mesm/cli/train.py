"""`mesm train`: train the stages of a recipe or the one of a preset, or resume a run."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Iterable
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesm.cli.planning import add_plan_arguments, planned
from mesm.errors import ConfigError
from mesm.stopping import Stopped

if TYPE_CHECKING:
    from mesm.training.progress import EpochReport, StepReport, TrainingProgress
    from mesm.training.recipes import Recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm train`."""
    parser.epilog = (
        "A recipe plans its stages from what the corpus holds, prints them, and trains them as one run: mesm is a dense\n"
        "model, a sparse one from it, and the guidance that the corpus can feed; fe2e the dense model alone; paper has the\n"
        "paper's settings (hard gate, fixed p). The same command again, or --resume, goes on where a run was stopped.\n"
        "examples:\n"
        "  mesm train --recipe mesm --corpus corpora/mine --plan\n"
        "  mesm train --recipe mesm --corpus corpora/mine --out runs/mine\n"
        "  mesm train --resume runs/mine\n"
        "  mesm train --recipe mesm --size paper --corpus corpora/mosei --out runs/mosei --seed 1\n"
        "  mesm train --recipe mesm --corpus corpora/marionette --out runs/labels --hide-truth\n"
        "  mesm train --recipe mesm --corpus corpora/mine --out runs/short --set epochs=2 --set max_clips=200\n"
        "  mesm train --preset marionette-fe2e --corpus corpora/marionette --out runs/fe2e\n"
        "  accelerate launch -m mesm train --recipe mesm --size paper --corpus corpora/mosei --out runs/mosei"
    )
    add_plan_arguments(parser)
    parser.add_argument("--corpus", help="folder or name of the corpus")
    parser.add_argument("--out", help="folder of the run")
    parser.add_argument("--plan", action="store_true", help="print what would be trained, and train nothing")
    parser.add_argument("--resume", metavar="RUN", help="resume this run; --corpus if its corpus has moved")
    parser.add_argument(
        "--tensorboard", action="store_true", help="also write event files into tensorboard/ of each run"
    )


#: Options that a run keeps, so that --resume does not take them.
_KEPT = ("recipe", "preset", "size", "cold", "stage", "out", "init", "hide_truth", "set", "seed", "plan")


def run(arguments: argparse.Namespace) -> int:
    """Train, with a progress bar; prints the folder of the checkpoint."""
    folder = arguments.resume or arguments.out
    try:
        for line in _train(arguments):
            print(line)
    except Stopped as stopped:
        text = f"{stopped}; go on with: mesm train --resume {shlex.quote(folder)}"
        raise Stopped(stopped.number, text) from None
    return 0


def _train(arguments: argparse.Namespace) -> list[str]:
    """Train or resume, and return the folder of the checkpoint; with --plan the plan."""
    from mesm.data.corpora import open_corpus
    from mesm.training.recipe_plan import read_recipe

    if arguments.resume:
        from mesm.training.trainer import resume

        for option in _KEPT:
            if getattr(arguments, option) not in (None, "", [], False):
                raise ConfigError(
                    f"--resume goes on with the run's own settings; leave out --{option.replace('_', '-')}"
                )
        corpus = open_corpus(arguments.corpus).folder if arguments.corpus else None
        if (recipe := read_recipe(arguments.resume)) is not None:
            return [str(_train_stages(arguments, recipe, corpus))]
        return [str(resume(arguments.resume, progress_of(arguments), corpus))]
    if not (arguments.corpus and (arguments.out or arguments.plan)):
        raise ConfigError("give --recipe, --corpus and --out, or --resume RUN")
    recipe = planned(arguments)
    if arguments.plan:
        return recipe.lines()
    if arguments.preset or arguments.stage:
        return [str(_train_one(arguments, recipe))]
    return [str(_train_stages(arguments, recipe))]


def _train_one(arguments: argparse.Namespace, recipe: Recipe) -> Path:
    from mesm.records.training_log import read_log
    from mesm.training.trainer import Trainer

    trainer = Trainer(recipe.stages[0].run, arguments.out, progress_of(arguments))
    _say(trainer.setup.notes)
    before = len(list(read_log(arguments.out)))
    checkpoint = trainer.fit()
    if before and len(trainer.state.log) == before:
        _say([f"{arguments.out} was finished before; nothing was trained"])
    return checkpoint


def _train_stages(arguments: argparse.Namespace, recipe: Recipe, corpus: Path | None = None) -> Path:
    """Train the stages of a recipe, or the rest of them, with one bar."""
    from mesm.training.recipe_plan import stage_folder
    from mesm.training.recipe_run import is_recipe_finished, resume_recipe, train_recipe

    folder = Path(arguments.resume or arguments.out)
    finished, bar = is_recipe_finished(folder), StagesBar(recipe, corpus)

    written: set[str] = set()

    def begin(number: int, notes: tuple[str, ...]) -> TrainingProgress | None:
        bar.write(note for note in notes if note not in written)
        written.update(notes)
        bar.begin(number)
        return _with_events(arguments, bar, stage_folder(folder, recipe, number)) if _is_first() else None

    if not finished:
        _say(recipe.lines())
    try:
        checkpoint = resume_recipe(folder, begin, corpus) if arguments.resume else train_recipe(recipe, folder, begin)
    finally:
        bar.close()
    if finished:
        _say([f"{folder} was finished before; nothing was trained"])
    return checkpoint


def _is_first() -> bool:
    """Return whether this is the process of a training that prints and writes."""
    return os.environ.get("RANK", "0") == "0"


def _say(lines: Iterable[str]) -> None:
    for line in lines if _is_first() else ():
        print(line, file=sys.stderr)


def progress_of(arguments: argparse.Namespace) -> TrainingProgress | None:
    """Return the callbacks of a training: a progress bar, and with --tensorboard event files; in the first process only."""
    return _with_events(arguments, Bar(), Path(arguments.resume or arguments.out)) if _is_first() else None


def _with_events(arguments: argparse.Namespace, bar: TrainingProgress, folder: Path) -> TrainingProgress:
    """Return a callback that also writes event files into a run's folder with --tensorboard."""
    if not arguments.tensorboard:
        return bar
    from mesm.training.tensorboard_log import TensorBoardLog

    log = TensorBoardLog(folder)

    def both(report: StepReport | EpochReport) -> None:
        bar(report)
        log(report)

    return both


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
                self.bar = self.tqdm(total=total, initial=done, desc=f"epoch {report.epoch + 1}", leave=False)
            self.bar.update(1)
            self.bar.set_postfix(loss=f"{report.loss:.3f}", refresh=False)
            return
        self.close()
        self.tqdm.write(_epoch_line(values))

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


def _epoch_line(values: dict[str, Any]) -> str:
    """Return the scores of an epoch, which is counted from 1 as everywhere on a screen."""
    shown = {k: v for k, v in values.items() if k != "lr"} | {"epoch": values["epoch"] + 1}
    return "  ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in shown.items())


#: Of the bar over all stages: the share of the clips of all their epochs, a number that no corpus has, instead of their count.
_STAGES_FORM = "{desc}{percentage:3.0f}% of all stages |{bar}| [{elapsed}<{remaining}, {rate_fmt}{postfix}]"


class StagesBar:
    """Show the trainings of a recipe as one tqdm bar over the clips of all epochs, with the time left, one line per epoch.

    Args:
        recipe: whose stages are trained.
        corpus: folder of the corpus where it has moved.
    """

    def __init__(self, recipe: Recipe, corpus: Path | None = None) -> None:
        self.recipe, self.corpus, self.number = recipe, corpus, 0
        self.bar: Any = None

    def begin(self, number: int) -> None:
        """Go on to a stage; `number` counts from 0."""
        self.number = number
        if self.bar is not None:  # a stage that ended early leaves clips that took no time
            before = sum(self._clips[:number])
            self.bar.initial += before - self.bar.n
            self._move(before)

    def __call__(self, report: StepReport | EpochReport) -> None:
        """Show one report."""
        values, clips, stage = asdict(report), self._clips, self.recipe.stages[self.number]
        epochs, place = stage.run.train.epochs, f"stage {self.number + 1} of {len(clips)}, {stage.name}"

        def clips_until(epoch_share: float) -> int:
            share = (report.epoch + epoch_share) / epochs
            return sum(clips[: self.number]) + round(share * clips[self.number])

        if "batch" not in values:
            self._move(clips_until(1))
            self.write([f"{place}: {_epoch_line(values)}"])
            return
        if self.bar is None:
            begun = clips_until((values["batch"] - 1) / values["batches"])
            self.bar = self._tqdm()(total=sum(clips), initial=begun, unit="clip", leave=False, bar_format=_STAGES_FORM)
        self.bar.set_description(place, refresh=False)
        self.bar.set_postfix(epoch=f"{report.epoch + 1}/{epochs}", loss=f"{report.loss:.3f}", refresh=False)
        self._move(clips_until(values["batch"] / values["batches"]))

    @cached_property
    def _clips(self) -> list[int]:
        """Return how many clips each stage trains on, each once per epoch."""
        from mesm.data.manifest import Manifest

        train = [stage.run.train for stage in self.recipe.stages]
        stored = Manifest.read(self.corpus or train[0].corpus).splits.get("train", 0)
        return [one.epochs * min(stored, one.max_clips or stored) for one in train]

    def _move(self, clips: int) -> None:
        if self.bar is not None:
            self.bar.update(clips - self.bar.n)

    def write(self, lines: Iterable[str]) -> None:
        """Print lines above the bar, in the first process."""
        for line in lines if _is_first() else ():
            self._tqdm().write(line, file=sys.stderr)

    def _tqdm(self) -> Any:
        from tqdm import tqdm

        return tqdm

    def close(self) -> None:
        """Remove the bar."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
