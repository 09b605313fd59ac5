"""Resolve the checkpoint of one row of a reproduced table: given, shipped, or trained here, stage by stage.

    <folder>/<stage>-s<seed>/    one run of mesm.training; an interrupted one is resumed, a finished one is read

The stages of MESM are those of a recipe for the corpus (mesm/training/recipes.py); FE2E is the first of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from mesm.analysis.checkpoints import checkpoint_folder
from mesm.analysis.predictor import Predictor, load
from mesm.config import RunConfig, TrainConfig
from mesm.data.store import Corpus
from mesm.errors import ConfigError, DataError
from mesm.files import slug
from mesm.models import load_checkpoint
from mesm.models.checkpoint import WEIGHTS
from mesm.presets import BASELINES, baseline_run
from mesm.records.checkpoint import read_metrics
from mesm.runtime import assets
from mesm.training.progress import TrainingProgress
from mesm.training.recipes import CorpusFacts, Recipe, plan_recipe
from mesm.training.trainer import Trainer, is_finished

#: Lines of Tables 3 and 4 in the paper's order -> their short names.
MODELS: dict[str, str] = {
    "LF-LSTM": "lf-lstm",
    "LF-TRANS": "lf-transformer",
    "EmoEmbs": "emo-embs",
    "MulT": "mult",
    "FE2E": "fe2e",
    "MESM": "mesm",
}
#: A stopped training loses at most this much.
_SAVE_MINUTES = 2.0
#: Settings that differ between machines and runs without making another model.
_NO_SETTING = {"corpus", "init_from", "text_sha256", "feature_dims", "feature_sources"}


def needs_features(model: str) -> bool:
    """Return whether a row's model reads hand-crafted features."""
    return MODELS[model] in BASELINES


def choose_models(names: Sequence[str]) -> tuple[str, ...]:
    """Return rows of the table by their names in any case, or by their short names; all by default.

    Raises:
        ConfigError: there is none of that name.
    """
    short = {**{name.lower(): name for name in MODELS}, **{end: name for name, end in MODELS.items()}}
    unknown = [name for name in names if name.lower() not in short]
    if unknown:
        raise ConfigError(f"no model {unknown[0]!r}; the table has {', '.join(MODELS)}")
    chosen = {short[name.lower()] for name in names} or set(MODELS)
    return tuple(name for name in MODELS if name in chosen)


@dataclass(frozen=True)
class TableJob:
    """Hold what all rows of a table share.

    Attributes:
        corpus: with train, valid and test; the reported split is enough where nothing has to be trained.
        folder: of the runs.
        seeds: each row is the mean over them.
        recipe: `mesm` or `paper`; its dense stage is FE2E, its last one MESM.
        size: of all models, see `plan_recipe`.
        top_p: reference mass of MESM.
        epochs: of every training; 0 = the recipe's own.
        clips: of the training split; 0 = all.
        split: that is reported.
        checkpoints: model -> names or folders, one per seed; used instead of shipped or trained ones.
        shipped: whether a shipped checkpoint serves where it is what would be trained.
    """

    corpus: Corpus
    folder: Path
    seeds: tuple[int, ...] = (0,)
    epochs: int = 0
    clips: int = 0
    recipe: str = "mesm"
    size: str = "small"
    top_p: float = 0.5
    split: str = "test"
    checkpoints: Mapping[str, Sequence[str]] = field(default_factory=dict)
    shipped: bool = True

    def __post_init__(self) -> None:
        for model, names in self.checkpoints.items():
            if len(names) != len(self.seeds):
                raise ConfigError(
                    f"{model} has {len(names)} checkpoint(s) for {len(self.seeds)} seed(s); give one for each"
                )

    @cached_property
    def plan(self) -> Recipe:
        """Plan the recipe for this corpus."""
        return plan_recipe(self.recipe, CorpusFacts.of(self.corpus), self.size, top_p=self.top_p)

    def stages(self, model: str) -> tuple[str, ...]:
        """Return the trainings that lead to a row's checkpoint, by the names of their stages.

        Raises:
            ConfigError: the recipe has no MESM for this corpus.
        """
        if needs_features(model):
            return (MODELS[model],)
        names = tuple(stage.name for stage in self.plan.stages)
        if model == "MESM" and len(names) < 2:
            raise ConfigError(f"no MESM for corpus {self.corpus.name!r}: {self.plan.left_out[-1]}")
        return names if model == "MESM" else names[:1]

    def run_config(self, stage: str, seed: int) -> RunConfig:
        """Return model and training of one stage, or of a two-phase baseline."""
        start = ""
        if stage in BASELINES:
            base = baseline_run(stage, tuple(self.corpus.labels), self.size)
        else:
            base = self.plan.stage(stage).run
            names = [each.name for each in self.plan.stages]
            if stage != names[0]:
                before = names[names.index(stage) - 1]
                existing = self.existing_checkpoint("FE2E", seed) if before == names[0] else None
                start = str(existing or self.run_folder(before, seed) / "checkpoint")
        train = replace(
            base.train,
            corpus=str(self.corpus.folder.resolve()),
            seed=seed,
            epochs=self.epochs or base.train.epochs,
            max_clips=self.clips,
            init_from=start,
        )
        return RunConfig(base.model, train)

    def run_folder(self, stage: str, seed: int) -> Path:
        """Return the folder of a stage's run."""
        return self.folder.resolve() / f"{stage}-s{seed}"

    def existing_checkpoint(self, model: str, seed: int) -> Path | None:
        """Return a given checkpoint, else a shipped one that is what would be trained; None where one is trained."""
        if model in self.checkpoints:
            return checkpoint_folder(self.checkpoints[model][self.seeds.index(seed)])
        folder = assets() / "checkpoints" / f"{slug(self.corpus.name)}-{MODELS[model]}"
        as_shipped = (self.recipe, self.size) == ("mesm", "small") and not (seed or self.epochs or self.clips)
        return (
            folder
            if self.shipped and as_shipped and (folder / WEIGHTS).is_file() and self._ships_with(folder)
            else None
        )

    def _ships_with(self, folder: Path) -> bool:
        """Return whether a shipped checkpoint was trained on this very corpus, of which a part may ship too."""
        if read_metrics(folder).trained_on != self.corpus.name:
            return False
        try:
            return Corpus(assets() / self.corpus.name).id == self.corpus.id
        except DataError:
            return False


@dataclass(frozen=True)
class ResolvedCheckpoint:
    """Hold a row's model of one seed, and its origin.

    Attributes:
        differs: settings in which it differs from the recipe, such as "epochs 5, not 3".
    """

    predictor: Predictor
    origin: Literal["given", "shipped", "trained"]
    differs: tuple[str, ...] = ()


def resolve_checkpoint(
    job: TableJob, model: str, seed: int, report: TrainingProgress | None = None
) -> ResolvedCheckpoint:
    """Load a row's checkpoint, or train it now as far as it is not trained yet.

    Raises:
        ConfigError: a run's folder holds one with other settings, or a given checkpoint is of another model.
        MesmError: it cannot be trained or read.
    """
    stages = job.stages(model)
    expected, existing = job.run_config(stages[-1], seed), job.existing_checkpoint(model, seed)
    if existing is None:
        for stage in stages[1:] if len(stages) > 1 and job.existing_checkpoint("FE2E", seed) else stages:
            _train(job, stage, seed, report)
        name = f"{slug(job.corpus.name)}-{MODELS[model]}" + (f"-s{seed}" if seed else "")
        trained = load_checkpoint(job.run_folder(stages[-1], seed) / "checkpoint")
        return ResolvedCheckpoint(Predictor(trained, name), "trained")
    chosen = model in job.checkpoints
    predictor = load(job.checkpoints[model][job.seeds.index(seed)] if chosen else existing)
    if predictor.config.name != expected.model.name:
        raise ConfigError(f"checkpoint {predictor.name!r} is of model {predictor.config.name!r}, not {model}")
    return ResolvedCheckpoint(predictor, "given" if chosen else "shipped", _differences(predictor, expected))


def _train(job: TableJob, stage: str, seed: int, report: TrainingProgress | None) -> None:
    folder, run = job.run_folder(stage, seed), job.run_config(stage, seed)
    if not is_finished(folder, run):
        Trainer(run, folder, report).fit(_SAVE_MINUTES)


def _differences(predictor: Predictor, expected: RunConfig) -> tuple[str, ...]:
    """Return the settings in which a checkpoint's own record differs from the recipe."""
    stored = predictor.metrics.train
    own = predictor.config.to_dict() | (TrainConfig.from_dict(stored).flat() if stored else {})
    expected_settings = expected.model.to_dict() | expected.train.flat()
    return tuple(
        f"{key} {own[key]}, not {value}"
        for key, value in expected_settings.items()
        if key in own and key not in _NO_SETTING and json.dumps(own[key]) != json.dumps(value)
    )
