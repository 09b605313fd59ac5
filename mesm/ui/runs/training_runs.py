"""Read the training runs of the workspace; start, stop, resume, rename and delete one; it is a job that runs `mesm train`.

A run's folder is that of its job: beside the files of the trainer it holds those of `mesm.ui.jobs`. The run of a recipe
shows the settings of the stage that it has reached, and the epochs of all stages in a row.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from mesm import runtime
from mesm.analysis.checkpoints import find_checkpoints
from mesm.config import FORM_SETTINGS, RunConfig
from mesm.data.store import Corpus
from mesm.errors import ConfigError, DataError, MesmError
from mesm.files import MAX_NAME, slug
from mesm.json_form import members, read_json, short_repr
from mesm.locks import LOCK_NAME, FolderLock, read_owner
from mesm.presets import PRESETS, preset
from mesm.records.training_log import EpochReport, read_log
from mesm.studies.learning.chart_data import TrainingRun, run_created, run_number, run_numbers
from mesm.training.recipe_plan import read_recipe, stage_folder
from mesm.training.recipes import CorpusFacts, Recipe, one_stage, plan_recipe
from mesm.training.requirements import check_recipe
from mesm.ui import jobs
from mesm.vocabulary import RECIPES

CONFIG = "config.json"
RUNNING, FINISHED, STOPPED, FAILED = "running", "finished", "stopped", "failed"
#: Seconds that a run has to end its step and to save its state.
_PATIENCE_S = 20.0
#: Runs of the workspace that may be running when one is started.
MOST_RUNNING = 2
#: Ended epochs by which the time left is estimated.
_RECENT_EPOCHS = 3
#: Start of the name of a run that is being deleted: no run of its own.
_DELETED = ".deleted-"
#: Settings that `mesm train` takes by options of their own.
_OWN_OPTIONS = ("train.corpus", "train.init_from", "train.seed")


@dataclass(frozen=True)
class Run:
    """Hold one run, read from its folder.

    Attributes:
        number: of `run_number`; fixes its colour.
        status: running, finished, stopped (it can be resumed) or failed.
        config: None before the trainer has written it.
        epochs: of its log; of a recipe, those of its stages one after the other.
        failure: error sentence of a failed run.
        planned_epochs: of the whole run; 0 if it is not known yet.
        plan: lines on the stages of a recipe; () for a run of one training.
    """

    name: str
    folder: Path
    number: int
    status: str
    config: RunConfig | None
    epochs: tuple[EpochReport, ...]
    failure: str = ""
    planned_epochs: int = 0
    plan: tuple[str, ...] = ()

    @property
    def curves(self) -> TrainingRun:
        """Return name, place and epochs in the form of the learning curves."""
        return TrainingRun(self.name, self.number, self.epochs)

    @property
    def epoch_seconds(self) -> tuple[float, ...]:
        """Return the seconds of each epoch, validation left out; each stage of a recipe counts them from 0."""
        totals = [report.seconds for report in self.epochs if report.seconds is not None]
        return tuple(b - a if b >= a else b for a, b in pairwise([0.0, *totals]))

    @property
    def seconds_left(self) -> float | None:
        """Estimate the seconds to the end of a running run by its last epochs; None before the first."""
        recent = self.epoch_seconds[-_RECENT_EPOCHS:]
        if self.status != RUNNING or not recent:
            return None
        return max(self.planned_epochs - len(self.epochs), 0) * sum(recent) / len(recent)


def runs_folder() -> Path:
    """Return the folder of the workspace's runs."""
    return runtime.workspace() / "runs"


def list_runs() -> dict[str, Run]:
    """Return every run by name, the latest first."""
    folders = [path for path in runs_folder().glob("[!.]*") if run_created(path)]
    folders.sort(key=lambda path: (-run_created(path), path.name))
    numbers = run_numbers(runs_folder())
    return {path.name: read_run(path, numbers.get(path.name)) for path in folders}


def read_run(folder: Path, number: int | None = None) -> Run:
    """Read a run from its folder; a damaged file counts as missing, and that of its settings is the run's failure.

    Args:
        number: of `run_numbers`, if it is known.
    """
    number = run_number(folder) if number is None else number
    config, epochs, planned, damage = None, tuple(read_log(folder)), 0, ""
    plan: tuple[str, ...] = ()
    try:
        if (recipe := read_recipe(folder)) is not None:
            config, epochs, planned = _read_stages(folder, recipe)
            plan = tuple(recipe.lines())
    except MesmError as error:
        damage = str(error).replace(str(folder), folder.name)
    if (folder / CONFIG).exists():
        try:
            config = RunConfig.from_dict(members(read_json(folder / CONFIG)))
            planned = config.train.epochs
        except (MesmError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
            damage = f"{CONFIG} of run {folder.name} cannot be read ({error}); restore it, or start the run again"
    status, failure = STOPPED, ""
    if (folder / "checkpoint" / "model.safetensors").is_file():
        status = FINISHED
    if jobs.is_running(folder) or read_owner(folder) is not None:  # by this page, or by a command
        status = RUNNING
    elif status == STOPPED and (failure := jobs.read_failure(folder, "train")):
        status = FAILED
    return Run(folder.name, folder, number, status, config, epochs, damage or failure, planned, plan)


def _read_stages(folder: Path, recipe: Recipe) -> tuple[RunConfig, tuple[EpochReport, ...], int]:
    """Return the settings of the stage that a run has reached, the epochs of all stages in a row, and their number."""
    epochs: list[EpochReport] = []
    config = recipe.stages[0].run
    for number, stage in enumerate(recipe.stages):
        reports = list(read_log(stage_folder(folder, recipe, number)))
        config = stage.run if reports else config
        epochs += [replace(report, epoch=len(epochs) + i) for i, report in enumerate(reports)]
    return config, tuple(epochs), sum(stage.run.train.epochs for stage in recipe.stages)


def start_run(
    name: str,
    plan: str,
    corpus: Path,
    settings: Mapping[str, str],
    seed: int,
    init: Path | None,
    *,
    size: str = "small",
    hide_truth: bool = False,
) -> Run:
    """Start a run.

    Args:
        name: of its folder.
        plan: a recipe or a preset.
        settings: `model.width` -> "0.5" and the like, on top of the plan's.
        init: folder of the checkpoint to start from.
        size: of a recipe.
        hide_truth: train on labels only.

    Raises:
        ConfigError: the name is taken or unusable, a setting does not exist, or `MOST_RUNNING` runs are running.
        MesmError: it cannot be trained on the corpus (`mesm.training.requirements`).
    """
    folder = _new_folder(name)
    _check_room()
    planned_recipe(plan, corpus, size, hide_truth=hide_truth, settings=settings, init=init)
    arguments = ["--recipe", plan, "--size", size] if plan in RECIPES else ["--preset", plan]
    arguments += ["--corpus", str(corpus), "--out", str(folder), "--seed", str(seed)]
    arguments += ["--hide-truth"] if hide_truth else []
    arguments += ["--init", str(init)] if init is not None else []
    for key, value in settings.items():
        arguments += ["--set", f"{key}={value}"]
    folder.mkdir(parents=True)
    return _start_training(folder, arguments)


def planned_recipe(
    plan: str,
    corpus: Path,
    size: str,
    *,
    hide_truth: bool = False,
    settings: Mapping[str, str] | None = None,
    init: Path | None = None,
) -> Recipe:
    """Plan a run as `mesm train` does, and check all that can be checked before the training; see `start_run`."""
    opened = Corpus(corpus, hide_truth=hide_truth)
    recipe = plan_recipe(plan, CorpusFacts.of(opened), size) if plan in RECIPES else one_stage(plan, preset(plan))
    recipe = recipe.with_settings(settings or {}).start_from("" if init is None else str(init))
    check_recipe(recipe, opened)
    return recipe


def resume_run(run: Run) -> Run:
    """Resume a stopped run from its last state.

    Raises:
        ConfigError: the run is running, it ended before the first state, or `MOST_RUNNING` others are running.
    """
    if run.status == RUNNING:
        raise ConfigError(f"run {run.name} is running; stop it first")
    if run.config is None:
        raise ConfigError(f"run {run.name} ended before it began; start it again under another name")
    _check_room()
    return _start_training(run.folder, ["--resume", str(run.folder)])


def _new_folder(name: str) -> Path:
    """Return the folder of a run that is to have this name; `ConfigError` where it may not."""
    if not name.strip() or slug(name) != name or name.startswith(".") or len(name) > MAX_NAME:
        raise ConfigError(f"the name {short_repr(name)} cannot be a folder's name; use letters, digits, - and .")
    folder = runs_folder() / name
    if folder.exists():
        raise ConfigError(f"there is a run named {name} already; choose another name, or resume it")
    if name in find_checkpoints():
        raise ConfigError(f"there is a checkpoint named {name} already; choose another name")
    return folder


def rename_run(run: Run, name: str) -> None:
    """Give a run another name.

    Raises:
        ConfigError: the name is taken or unusable, or the run is running.
        DataError: the disk refuses.
    """
    _move(run, _new_folder(name))


def delete_run(run: Run) -> None:
    """Delete a run with its checkpoint and its log: whole, or not at all.

    Raises:
        ConfigError: the run is running.
        DataError: the disk refuses.
    """
    _move(run, runs_folder() / f"{_DELETED}{secrets.token_hex(4)}")
    for folder in runs_folder().glob(f"{_DELETED}*"):  # also those whose deletion was cut short
        shutil.rmtree(folder, ignore_errors=True)


def _move(run: Run, target: Path) -> None:
    """Move a run's folder while no trainer can take it."""
    if read_run(run.folder).status == RUNNING:
        raise ConfigError(f"run {run.name} is running; stop it first")
    if not run.folder.is_dir():
        raise DataError(f"run {run.name} is gone; open the page again")
    with FolderLock(run.folder, "run"):
        try:
            run.folder.rename(target)
            (target / LOCK_NAME).unlink(missing_ok=True)  # it would name this process as the writer
        except OSError as error:
            raise DataError(
                f"run {run.name} cannot be moved ({error.strerror}); check the rights of its folder"
            ) from error


def _check_room() -> None:
    """Raise `ConfigError` where as many runs are running as may."""
    running = [run.name for run in list_runs().values() if run.status == RUNNING]
    if len(running) >= MOST_RUNNING:
        raise ConfigError(
            f"{', '.join(running)} are running, and at most {MOST_RUNNING} may at a time; stop one or wait for its end"
        )


def stop_run(run: Run) -> None:
    """End a run's process, which saves its state first; the run can be resumed from there."""
    owner = read_owner(run.folder)
    if owner is not None and not jobs.is_running(run.folder):  # of a command: its process group is not ours to end
        with contextlib.suppress(ProcessLookupError):
            os.kill(owner.pid, signal.SIGTERM)
        return
    jobs.stop_job(run.folder, _PATIENCE_S)


def _start_training(folder: Path, arguments: Sequence[str]) -> Run:
    jobs.start_job(folder, "train", arguments)
    return read_run(folder)


def parse_settings(text: str) -> dict[str, str]:
    """Split lines such as `train.epochs=3` into names and values, as `mesm train --set` takes them.

    Raises:
        ConfigError: a line is not a setting, or one that is not among `config.FORM_SETTINGS`.
    """
    settings = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        key, equals, value = line.partition("=")
        if not equals or key.partition(".")[0] not in ("model", "train"):
            raise ConfigError(f"{line!r} is not a setting; write model.width=0.5 or train.epochs=3, one a line")
        if key.strip() not in FORM_SETTINGS:
            raise ConfigError(
                f"{short_repr(key.strip())} cannot be set in this form, which takes numbers, truth values and words of a list; "
                "set paths and names with mesm train --set"
            )
        settings[key.strip()] = value.strip()
    return settings


def join_settings(fields: Mapping[str, str], lines: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of the form's fields and of its lines together.

    Raises:
        ConfigError: a setting is in both.
    """
    if both := sorted(fields.keys() & lines.keys()):
        raise ConfigError(f"{both[0]} has a field of its own and a line; leave one of them empty")
    return {**fields, **lines}


def nearest_preset(config: RunConfig) -> tuple[str, dict[str, str]]:
    """Return the preset of a run's model with the fewest other settings, and these settings: enough to train it again."""
    own = config.flat()

    def differences(name: str) -> dict[str, str]:
        preset = PRESETS[name].flat()
        return {k: json.dumps(v) for k, v in own.items() if k not in _OWN_OPTIONS and v != preset[k]}

    presets = [name for name, preset in PRESETS.items() if preset.model.name == config.model.name]
    nearest = min(presets, key=lambda name: len(differences(name)))
    return nearest, differences(nearest)
