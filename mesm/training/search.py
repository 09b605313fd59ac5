"""Search hyperparameters: runs on the training split, judged on the validation split. The test split is never read.

    <folder>/search.json     the base run, the space and the seed
    <folder>/study.journal   optuna's journal; a search that is killed is resumed from it
    <folder>/trials/<n>/     one run per trial

A space is a JSON or TOML file with the parts `model` and `train` (and `train.attention` ..., for nested settings), each
setting in one of three forms:

    [train]
    lr = {low = 1e-4, high = 1e-2, log = true}        # a number, on a logarithmic or (without log) a linear scale
    batch_size = {low = 8, high = 32, step = 8}       # a whole number where low, high and step are whole
    top_p_range = [[], [0.3, 1.0]]                    # one of a list of any values that the setting may have

The only file that imports optuna.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import tomllib
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from mesm.config import MODEL_SETTINGS, RunConfig, TrainConfig
from mesm.errors import BackendUnavailable, ConfigError, DataError, MesmError
from mesm.files import write_atomic
from mesm.json_form import members, parse_json, read_json
from mesm.records.checkpoint import read_metrics
from mesm.records.search import Trial
from mesm.records.training_log import read_log
from mesm.training.progress import EpochReport, StepReport, TrainingProgress
from mesm.training.trainer import Trainer

#: "train.lr" -> a list of choices, or {"low", "high", "log", "step"}.
Space = dict[str, Any]
#: Combinations of an exhaustive search: each is a training.
MOST_COMBINATIONS = 100_000
_RANGE = {"low", "high", "log", "step"}
_FORMS = "a list of values, or {low, high} with log = true or a step"


def read_space(path: str | os.PathLike[str]) -> Space:
    """Read the space in a .json or .toml file.

    Raises:
        DataError: the file cannot be read.
        ConfigError: a setting that does not exist, or a form that is none of the three.
    """
    path = Path(path)
    try:
        text = path.read_text()
        content = tomllib.loads(text) if path.suffix == ".toml" else parse_json(text, str(path))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is not a readable JSON or TOML file ({error})") from error
    known = {f"model.{key}" for key in MODEL_SETTINGS} | {f"train.{key}" for key in TrainConfig().flat()}
    known -= {"model.name", "train.corpus", "train.init_from", "train.precision"}
    parts = {name.rpartition(".")[0] for name in known}
    space: Space = {}

    def add(part: str, settings: Any) -> None:
        for key, form in settings.items():
            name = f"{part}.{key}"
            if name in parts and isinstance(form, dict):
                add(name, form)
            elif name in known:
                space[name] = _checked(name, form)
            else:
                options = sorted(n.removeprefix(f"{part}.") for n in known if n.startswith(f"{part}."))
                raise ConfigError(f"{part} has no setting {key!r} to search; there are {', '.join(options)}")

    for part, settings in content.items() if isinstance(content, dict) else ():
        if part not in ("model", "train") or not isinstance(settings, dict):
            raise ConfigError(
                f"a space has the parts model and train, not {part!r}; write [train] and below it lr = ..."
            )
        add(part, settings)
    if not space:
        raise ConfigError(f"{path} names no setting; give each one {_FORMS}")
    return space


def _checked(name: str, form: Any) -> Any:
    if isinstance(form, list) and form:
        return form
    if not isinstance(form, dict) or not {"low", "high"} <= set(form) <= _RANGE:
        raise ConfigError(f"{name} is {form!r}; give {_FORMS}")
    low, high = form["low"], form["high"]
    numbers = all(
        isinstance(v, (int, float)) and not isinstance(v, bool) and abs(v) < 1e12
        for v in (low, high, form.get("step", 1))
    )
    if not numbers or not low < high or form.get("step", 1) <= 0 or (form.get("log") and (low <= 0 or "step" in form)):
        raise ConfigError(
            f"{name} is {form!r}; low must be below high, a step above 0, and a log scale starts above 0 and has no step"
        )
    return form


class Search:
    """Run and store a search in a folder.

    Args:
        run: base of every trial; its corpus is read, train and valid only.
        space: see `read_space`.
        folder: made if needed; a folder with this search is resumed.
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
            raise BackendUnavailable("mesm search needs the package optuna; pip install 'mesm[train]'") from error
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

    def _open_folder(self, content: dict[str, object]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path, text = self.folder / "search.json", json.dumps(content, indent=1) + "\n"
        if not path.is_file():
            write_atomic(path, text.encode())
            return
        stored = members(read_json(path))
        stored["run"] = RunConfig.from_dict(members(stored.get("run"))).to_dict()  # of an older version, perhaps
        if json.loads(json.dumps(stored)) != json.loads(text):
            raise ConfigError(f"{self.folder} holds another search; choose another --out, or the same preset and space")

    def _queue_interrupted(self) -> None:
        """Enqueue a trial that was killed again, with the same run folder; its training is resumed from its state."""
        state = self.optuna.trial.TrialState
        for trial in self.study.get_trials(states=(state.RUNNING,)):
            self.study.tell(trial.number, state=state.FAIL)
            folder = trial.user_attrs.get("folder", f"{trial.number:03d}")
            self.study.enqueue_trial(trial.params, user_attrs={"folder": folder})

    def _grid(self, seed: int) -> list[dict[str, str | float]]:
        """Return every combination of the space, in random order."""
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
                axes.append(
                    [low + i * step for i in range(int(min((form["high"] - low) / step + 1e-9, MOST_COMBINATIONS)) + 1)]
                )
        size = math.prod(map(len, axes))
        if size > MOST_COMBINATIONS:
            raise ConfigError(
                f"this space has {size} combinations; an exhaustive search tries at most {MOST_COMBINATIONS}"
            )
        every = [dict(zip(self.space, values, strict=True)) for values in product(*axes)]
        return [every[i] for i in np.random.default_rng(seed).permutation(len(every))]

    def trials(self) -> list[Trial]:
        """Return the trials that have ended, in order; a killed one is listed under the number it was resumed with."""
        names = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
        trials = []
        for t in self.study.trials:
            if t.state.name not in names or (t.state.name == "FAIL" and "error" not in t.user_attrs):
                continue
            epochs = tuple(v for _, v in sorted(t.intermediate_values.items()))
            trials.append(
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
        return trials

    def best(self) -> Trial:
        """Return the complete trial with the best valid F1.

        Raises:
            DataError: no trial was completed.
        """
        trials = self.trials()
        complete = [t for t in trials if t.state == "complete" and t.f1 is not None]
        if not complete:
            why = next((t.error for t in reversed(trials) if t.error), "none was run")
            raise DataError(f"no trial was completed; the last error: {why}")
        return max(complete, key=lambda t: (t.f1 or 0.0, -t.number))

    def run_trials(
        self, trials: int, progress: TrainingProgress | None = None, on_trial: Callable[[Trial], None] | None = None
    ) -> None:
        """Run trials until so many have ended, those of earlier calls included.

        Args:
            progress: receives the trainers' reports.
            on_trial: called after each trial.
        """
        while len(self.trials()) < trials:
            trial = self.study.ask()
            self._run_trial(trial, progress)
            if on_trial is not None:
                on_trial(self.trials()[-1])

    def _run_trial(self, trial: Any, progress: TrainingProgress | None) -> None:
        state = self.optuna.trial.TrialState
        values = {name: self._draw(trial, name, form) for name, form in self.space.items()}
        trial.set_user_attr("values", values)
        folder = self.folder / "trials" / trial.user_attrs.get("folder", f"{trial.number:03d}")
        f1, outcome = None, state.FAIL
        try:
            f1 = self._train(trial, self.run.with_settings(values), folder, progress)
            outcome = state.COMPLETE
        except self.optuna.TrialPruned:
            outcome = state.PRUNED
        except MesmError as error:  # values that do not go together, or a loss that is not finite
            trial.set_user_attr("error", str(error))
        trial.set_user_attr("seconds", max((report.seconds or 0.0 for report in read_log(folder)), default=0.0))
        self.study.tell(trial, f1 if outcome is state.COMPLETE else None, state=outcome)
        (folder / "state.pt").unlink(missing_ok=True)
        shutil.rmtree(folder / "best", ignore_errors=True)

    def _draw(self, trial: Any, name: str, form: Any) -> str:
        """Draw one setting's value, as JSON."""
        if isinstance(form, list):
            return str(trial.suggest_categorical(name, [json.dumps(value) for value in form]))
        low, high, step = form["low"], form["high"], form.get("step")
        log = bool(form.get("log"))
        if all(isinstance(v, int) for v in (low, high, step or 1)):
            return json.dumps(trial.suggest_int(name, low, high, step=step or 1, log=log))
        return json.dumps(trial.suggest_float(name, low, high, step=step, log=log))

    def _train(self, trial: Any, run: RunConfig, folder: Path, progress: TrainingProgress | None) -> float:
        """Train a trial and return the valid F1 of its checkpoint."""
        judged: set[int] = set()

        def judge(epoch: int, f1: float | None) -> None:
            if epoch in judged:
                return
            judged.add(epoch)
            trial.report(f1 or 0.0, epoch)
            if trial.should_prune():
                raise self.optuna.TrialPruned

        def forward(report: StepReport | EpochReport) -> None:
            if progress is not None:
                progress(report)
            if isinstance(report, EpochReport):
                judge(report.epoch, report.valid_f1)

        for report in read_log(folder):  # of a trial that is resumed
            judge(report.epoch, report.valid_f1)
        checkpoint = Trainer(run, folder, forward).fit()
        valid = read_metrics(checkpoint).valid
        if valid is None or valid.f1 is None:
            raise DataError(
                "the valid F1, by which trials are judged, is undefined: the validation split decides no emotion"
            )
        return valid.f1
