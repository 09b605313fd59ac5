"""Train the stages of a recipe as one run that is resumed as a whole.

<run>/recipe.json      the plan (`recipes.Recipe`)
<run>/1-dense/ ...     one run per stage (`run_folder.py`), each from the checkpoint of the one before
<run>/checkpoint/      the last stage's checkpoint, when all stages are over
<run>/.lock            while the run is written
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from mesm.config import RunConfig
from mesm.data.remote import is_url
from mesm.errors import ConfigError
from mesm.files import write_atomic
from mesm.locks import FolderLock
from mesm.models import load_checkpoint, save_checkpoint
from mesm.models.card import model_card
from mesm.models.checkpoint import WEIGHTS
from mesm.stopping import Stopped
from mesm.training.progress import TrainingProgress
from mesm.training.recipe_plan import RECIPE, read_recipe, stage_folder
from mesm.training.recipes import Recipe
from mesm.training.run_folder import require_corpus, same_settings
from mesm.training.trainer import Trainer, is_finished

#: Gets the number of a stage, from 0, and the notes on what its training begins with; returns what shows its progress.
BeginStage = Callable[[int, tuple[str, ...]], TrainingProgress | None]


def is_recipe_finished(folder: Path) -> bool:
    """Return whether all stages of the run in a folder are over."""
    return (folder / RECIPE).is_file() and (folder / "checkpoint" / WEIGHTS).is_file()


def train_recipe(recipe: Recipe, folder: str | os.PathLike[str], begin: BeginStage | None = None) -> Path:
    """Train the stages of a recipe as far as they are not trained yet; return the folder of the resulting checkpoint.

    Args:
        folder: of the run, created if needed; one that holds this run is resumed.
        begin: called before each stage that is trained.

    Raises:
        ConfigError: the folder holds a run with other settings.
        MesmError: a stage cannot be trained, see `Trainer`.
        Stopped: Ctrl-C or SIGTERM; the state is saved.
    """
    folder = Path(folder)
    checkpoint = folder / "checkpoint"
    writes = os.environ.get("RANK", "0") == "0"
    with FolderLock(folder, "run") if writes else nullcontext():
        _require_same(folder, recipe)
        if is_recipe_finished(folder):
            return checkpoint
        for number, stage in enumerate(recipe.stages):
            own, run = stage_folder(folder, recipe, number), _stage_run(folder, recipe, number)
            if is_finished(own, run):
                continue
            trainer = Trainer(run, own)
            if writes:  # now that nothing was refused
                _write_plan(folder, recipe)
            if begin is not None and (progress := begin(number, trainer.setup.notes)) is not None:
                trainer.progress = progress
            try:
                trainer.fit()
            except Stopped as stopped:
                place = f"stage {number + 1} of {len(recipe.stages)}, {stage.name}"
                raise Stopped(stopped.number, f"{place}: {stopped}") from None
        if writes:
            last = load_checkpoint(stage_folder(folder, recipe, len(recipe.stages) - 1) / "checkpoint")
            card = model_card(folder.resolve().name, last.config, last.metrics)
            save_checkpoint(checkpoint, last.model, last.metrics, card, half=True)
    return checkpoint


def resume_recipe(
    folder: str | os.PathLike[str],
    begin: BeginStage | None = None,
    corpus: str | os.PathLike[str] | None = None,
) -> Path:
    """Resume the run of a recipe and return the folder of the resulting checkpoint.

    Args:
        corpus: folder of the run's corpus; None: where it was.

    Raises:
        MesmError: the folder holds no recipe, or the corpus is another or not there.
    """
    recipe = read_recipe(folder)
    if recipe is None:
        raise ConfigError(f"{folder} holds no recipe; start one with mesm train --recipe mesm --out {folder}")
    if corpus is not None:
        recipe = recipe.change_training(corpus=str(corpus))
    require_corpus(recipe.stages[0].run, folder)
    return train_recipe(recipe, folder, begin)


def _require_same(folder: Path, recipe: Recipe) -> None:
    """Check that a folder holds no other run; the corpus may have moved."""
    stored = read_recipe(folder)
    if (folder / "config.json").is_file() or (stored is not None and not _same(stored, recipe)):
        raise ConfigError(f"{folder} holds a run with other settings; choose another --out, or --resume it")


def _write_plan(folder: Path, recipe: Recipe) -> None:
    """Write the plan of a fresh run, or of one whose corpus has moved."""
    corpus = recipe.stages[0].run.train.corpus
    placed = recipe if is_url(corpus) else recipe.change_training(corpus=str(Path(corpus).resolve()))
    if read_recipe(folder) != placed:
        write_atomic(folder / RECIPE, (json.dumps(placed.to_dict(), indent=1) + "\n").encode())


def _same(one: Recipe, other: Recipe) -> bool:
    """Return whether two plans train the same stages, on a corpus that may have moved; reasons may be worded otherwise."""
    names, others = ([stage.name for stage in recipe.stages] for recipe in (one, other))
    return names == others and all(same_settings(a.run, b.run) for a, b in zip(one.stages, other.stages, strict=True))


def _stage_run(folder: Path, recipe: Recipe, number: int) -> RunConfig:
    """Return a stage's run with its start: the checkpoint of the stage before."""
    run = recipe.stages[number].run
    if number == 0:
        return run
    start = str((stage_folder(folder, recipe, number - 1) / "checkpoint").resolve())
    return replace(run, train=replace(run.train, init_from=start))
