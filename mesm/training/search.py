"""Search for settings: many runs on the training split, judged on the validation split. The test split is never read.

    <folder>/search.json     what is searched: the run to start from, the space, the seed
    <folder>/study.journal   optuna's journal; a search that is killed goes on from it
    <folder>/trials/<n>/     one run per trial

A space is a JSON or TOML file with the parts `model` and `train`, each setting in one of three forms:

    [train]
    lr = {low = 1e-4, high = 1e-2, log = true}        # a number, on a logarithmic or (without log) a linear scale
    batch_size = {low = 8, high = 32, step = 8}       # a whole number where low, high and step are whole
    top_p_range = [[], [0.3, 1.0]]                    # one of a list of any values that the setting may have

The only file that imports optuna.
"""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from mesm.config import MODEL_SETTINGS, RunConfig, TrainConfig
from mesm.errors import BackendUnavailable, ConfigError, DataError, MesmError
from mesm.files import write_atomic
from mesm.training.trainer import Report, Trainer, read_log

#: "train.lr" -> a list of choices, or {"low", "high", "log", "step"}.
Space = dict[str, Any]
_RANGE = {"low", "high", "log", "step"}
_FORMS = "a list of values, or {low, high} with log = true or a step"


def read_space(path: str | os.PathLike[str]) -> Space:
    """The space in a .json or .toml file.

    Raises:
        DataError: the file cannot be read.
        ConfigError: a setting that does not exist, or a form that is none of the three.
    """
    path = Path(path)
    try:
        text = path.read_text()
        content = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path} is not a readable JSON or TOML file ({error})") from error
    known = {
        part: set(names) - {"name", "corpus", "init_from", "precision"}
        for part, names in (("model", MODEL_SETTINGS), ("train", [f.name for f in fields(TrainConfig)]))
    }
    space: Space = {}
    for part, settings in content.items() if isinstance(content, dict) else ():
        if part not in known or not isinstance(settings, dict):
            raise ConfigError(
                f"a space has the parts model and train, not {part!r}; write [train] and below it lr = ..."
            )
        for key, form in settings.items():
            if key not in known[part]:
                raise ConfigError(
                    f"{part} has no setting {key!r} to search; there are {', '.join(sorted(known[part]))}"
                )
            space[f"{part}.{key}"] = _checked(f"{part}.{key}", form)
    if not space:
        raise ConfigError(f"{path} names no setting; give each one {_FORMS}")
    return space


def _checked(name: str, form: Any) -> Any:
    if isinstance(form, list) and form:
        return form
    if not isinstance(form, dict) or not {"low", "high"} <= set(form) <= _RANGE:
        raise ConfigError(f"{name} is {form!r}; give {_FORMS}")
    low, high = form["low"], form["high"]
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in (low, high, form.get("step", 1)))
    if not numbers or not low < high or (form.get("log") and (low <= 0 or "step" in form)):
        raise ConfigError(f"{name} is {form!r}; low must be below high, and a log scale starts above 0 and has no step")
    return form


def with_values(run: RunConfig, values: dict[str, str]) -> RunConfig:
    """The run with `part.key` -> JSON applied, as `mesm train --set` does."""
    parts: dict[str, dict[str, str]] = {"model": {}, "train": {}}
    for name, text in values.items():
        part, _, key = name.partition(".")
        parts[part][key] = text
    return replace(run, model=run.model.with_settings(parts["model"]), train=run.train.with_settings(parts["train"]))


@dataclass(frozen=True)
class Trial:
    """One run of a search.

    Attributes:
        state: complete, pruned (stopped because others were better at the same epoch) or failed.
        values: setting -> JSON.
        f1: on the validation split, in percent, of the epoch that the run keeps; of the last one if pruned.
        epochs: valid F1 of every epoch.
        error: why it failed.
    """

    number: int
    state: str
    values: dict[str, str]
    f1: float | None
    epochs: tuple[float, ...]
    seconds: float
    error: str = ""


class Search:
    """A search in a folder.

    Args:
        run: what every trial starts from; its corpus is read, train and valid only.
        space: see `read_space`.
        folder: made if needed; a folder with this search goes on.
        seed: of the sampler, not of the runs.
        prune: stop a trial whose valid F1 is below the median of the earlier ones at the same epoch.
        exhaustive: try every combination, in random order, instead of drawing where earlier trials were good.

    Raises:
        BackendUnavailable: optuna is not installed.
        ConfigError: the folder holds another search, or an exhaustive one has a range without a step.
    """

    def __init__(
        self,
        run: RunConfig,
        space: Space,
        folder: str | os.PathLike[str],
        *,
        seed: int = 0,
        prune: bool = True,
        exhaustive: bool = False,
    ) -> None:
        try:
            import optuna
            from optuna.storages.journal import JournalFileBackend
        except ImportError as error:
            raise BackendUnavailable("mesm search needs the package optuna; pip install 'optuna>=4.2,<6'") from error
        self.optuna, self.run, self.space, self.folder = optuna, run, space, Path(folder)
        grid = self._grid(seed) if exhaustive else []
        self._open_folder(
            {"run": run.to_dict(), "space": space, "seed": seed, "prune": prune, "exhaustive": exhaustive}
        )
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        pruner = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1) if prune else None
        self.study = optuna.create_study(
            study_name="search",
            storage=optuna.storages.JournalStorage(JournalFileBackend(str(self.folder / "study.journal"))),
            pruner=pruner or optuna.pruners.NopPruner(),
            direction="maximize",
            load_if_exists=True,
        )
        # A sampler is not stored; seeded alike it would draw its first values once more.
        self.study.sampler = optuna.samplers.TPESampler(seed=seed + len(self.study.trials))
        if not self.study.trials:
            for values in grid:
                self.study.enqueue_trial(values)
        self._queue_interrupted()

    def _open_folder(self, content: dict[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path, text = self.folder / "search.json", json.dumps(content, indent=1) + "\n"
        if path.is_file() and json.loads(path.read_text()) != json.loads(text):
            raise ConfigError(f"{self.folder} holds another search; choose another --out, or the same preset and space")
        if not path.is_file():
            write_atomic(path, text.encode())

    def _queue_interrupted(self) -> None:
        """Ask once more for a trial that was killed, on the same run folder; its training goes on from its state."""
        state = self.optuna.trial.TrialState
        for trial in self.study.get_trials(states=(state.RUNNING,)):
            self.study.tell(trial.number, state=state.FAIL)
            folder = trial.user_attrs.get("folder", f"{trial.number:03d}")
            self.study.enqueue_trial(trial.params, user_attrs={"folder": folder})

    def _grid(self, seed: int) -> list[dict[str, Any]]:
        """Every combination of the space, in random order."""
        axes = []
        for name, form in self.space.items():
            if isinstance(form, dict) and "step" not in form:
                raise ConfigError(
                    f"{name} is {form!r}; an exhaustive search needs a list of values or a range with a step"
                )
            if isinstance(form, list):
                axes.append([json.dumps(value) for value in form])
            else:
                low, step = form["low"], form["step"]
                axes.append([low + i * step for i in range(int((form["high"] - low) / step + 1e-9) + 1)])
        every = [dict(zip(self.space, values, strict=True)) for values in product(*axes)]
        return [every[i] for i in np.random.default_rng(seed).permutation(len(every))]

    def trials(self) -> list[Trial]:
        """All trials that have ended, in order; a killed one that goes on under a new number is listed there."""
        names = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
        found = []
        for t in self.study.trials:
            if t.state.name not in names or (t.state.name == "FAIL" and "error" not in t.user_attrs):
                continue
            epochs = tuple(v for _, v in sorted(t.intermediate_values.items()))
            found.append(
                Trial(
                    t.number,
                    names[t.state.name],
                    t.user_attrs.get("values", {}),
                    t.value,
                    epochs,
                    t.user_attrs.get("seconds", 0.0),
                    t.user_attrs.get("error", ""),
                )
            )
        return found

    def best(self) -> Trial:
        """The complete trial with the best valid F1.

        Raises:
            DataError: no trial was completed.
        """
        trials = self.trials()
        complete = [t for t in trials if t.state == "complete" and t.f1 is not None]
        if not complete:
            why = next((t.error for t in reversed(trials) if t.error), "none was run")
            raise DataError(f"no trial was completed; the last one says: {why}")
        return max(complete, key=lambda t: (t.f1 or 0.0, -t.number))

    def go(self, trials: int, report: Report | None = None, done: Callable[[Trial], None] | None = None) -> None:
        """Run trials until so many have ended, those of earlier calls included.

        Args:
            report: gets what the trainers report.
            done: called after each trial.
        """
        while len(self.trials()) < trials:
            trial = self.study.ask()
            self._one(trial, report)
            if done is not None:
                done(self.trials()[-1])

    def _one(self, trial: Any, report: Report | None) -> None:
        state = self.optuna.trial.TrialState
        values = {name: self._draw(trial, name, form) for name, form in self.space.items()}
        trial.set_user_attr("values", values)
        folder = self.folder / "trials" / trial.user_attrs.get("folder", f"{trial.number:03d}")
        f1, outcome = None, state.FAIL
        try:
            f1 = self._train(trial, with_values(self.run, values), folder, report)
            outcome = state.COMPLETE
        except self.optuna.TrialPruned:
            outcome = state.PRUNED
        except MesmError as error:  # values that do not go together, or a loss that is not finite
            trial.set_user_attr("error", str(error))
        trial.set_user_attr("seconds", max((row["seconds"] for row in read_log(folder)), default=0.0))
        self.study.tell(trial, f1 if outcome is state.COMPLETE else None, state=outcome)
        (folder / "state.pt").unlink(missing_ok=True)
        shutil.rmtree(folder / "best", ignore_errors=True)

    def _draw(self, trial: Any, name: str, form: Any) -> str:
        """One setting's value as JSON."""
        if isinstance(form, list):
            return str(trial.suggest_categorical(name, [json.dumps(value) for value in form]))
        low, high, step = form["low"], form["high"], form.get("step")
        log = bool(form.get("log"))
        if all(isinstance(v, int) for v in (low, high, step or 1)):
            return json.dumps(trial.suggest_int(name, low, high, step=step or 1, log=log))
        return json.dumps(trial.suggest_float(name, low, high, step=step, log=log))

    def _train(self, trial: Any, run: RunConfig, folder: Path, report: Report | None) -> float:
        """Valid F1 of the checkpoint that a trial ends with."""

        known: set[int] = set()

        def judge(row: dict[str, Any]) -> None:
            if row["epoch"] in known:
                return
            known.add(row["epoch"])
            trial.report(row["valid_f1"] or 0.0, row["epoch"])
            if trial.should_prune():
                raise self.optuna.TrialPruned

        def watch(row: dict[str, Any]) -> None:
            if report is not None:
                report(row)
            if row["kind"] == "epoch":
                judge(row)

        for row in read_log(folder):  # of a trial that goes on
            judge(row)
        checkpoint = Trainer(run, folder, watch).fit()
        return float(json.loads((checkpoint / "metrics.json").read_text())["valid"]["f1"] or 0.0)
