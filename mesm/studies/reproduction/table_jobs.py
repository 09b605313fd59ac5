"""Resolve the checkpoint of one row of a reproduced table: given, shipped, or trained here, stage by stage.

    <folder>/<preset's end>-s<seed>/    one run of mesm.training; an interrupted one is resumed, a finished one is read

The small MESM has three stages, as the shipped one: FE2E, MESM from it, and text-guided MESM (mesm/presets.py).
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
from mesm.config import AttentionSupervisionConfig, AuxiliaryTargetsConfig, NeutralFacesConfig, RunConfig, TrainConfig
from mesm.data.store import Corpus
from mesm.errors import ConfigError, DataError
from mesm.files import slug
from mesm.json_form import members, read_json
from mesm.models import load_checkpoint
from mesm.models.checkpoint import WEIGHTS
from mesm.presets import BASELINES, PRESETS, preset
from mesm.records.checkpoint import read_metrics
from mesm.runtime import assets
from mesm.training.progress import TrainingProgress
from mesm.training.trainer import Trainer

#: Lines of Tables 3 and 4 in the paper's order -> the end of their presets' names.
MODELS: dict[str, str] = {
    "LF-LSTM": "lf-lstm",
    "LF-TRANS": "lf-transformer",
    "EmoEmbs": "emo-embs",
    "MulT": "mult",
    "FE2E": "fe2e",
    "MESM": "mesm",
}
#: Presets for every corpus but the paper's two.
SMALL = "marionette"
#: Truth that the small presets' objectives are computed from.
TRAINING_CAPABILITIES = ("action_units", "regions", "prosody", "neutral_faces")
_SMALL_MESM = ("fe2e", "mesm", "mesm-text-guided")
#: A stopped training loses at most this much.
_SAVE_MINUTES = 2.0
#: Settings that differ between machines and runs without making another model.
_NO_SETTING = {"corpus", "init_from", "text_sha256", "feature_dims", "feature_sources"}


@dataclass(frozen=True)
class PresetChoice:
    """Hold which presets a corpus is trained with.

    Attributes:
        family: `<family>-fe2e`, `<family>-mesm` ... are the presets.
        reason: one sentence for the user.
        missing: capabilities that the small presets' objectives need and the corpus lacks; those objectives are off.
    """

    family: str
    reason: str
    missing: tuple[str, ...] = ()


def choose_presets(corpus: Corpus) -> PresetChoice:
    """Choose the paper's presets for IEMOCAP and CMU-MOSEI; for any other corpus the small ones, by its capabilities."""
    known = {name.split("-")[0] for name in PRESETS} - {SMALL}
    paper = next((name for name in sorted(known) if corpus.name.lower().startswith(name)), None)
    if paper is not None:
        return PresetChoice(paper, f"presets {paper}-*: the paper's settings for {corpus.name}")
    # A corpus of known design has everything; the bundled part of one lies without the training people's neutral faces.
    designed = "design" in corpus.capabilities
    missing = tuple(name for name in TRAINING_CAPABILITIES if name not in corpus.capabilities and not designed)
    if not missing:
        return PresetChoice(
            SMALL, f"presets {SMALL}-*: {corpus.name} has {', '.join(TRAINING_CAPABILITIES).replace('_', ' ')}"
        )
    return PresetChoice(
        SMALL,
        f"presets {SMALL}-*, the small ones for any corpus but IEMOCAP and CMU-MOSEI; {corpus.name} lacks "
        f"{', '.join(missing).replace('_', ' ')}: the objectives that need them are off",
        missing,
    )


def needs_features(model: str) -> bool:
    """Return whether a row's model reads hand-crafted features."""
    return MODELS[model] in BASELINES


def choose_models(names: Sequence[str]) -> tuple[str, ...]:
    """Return rows of the table by their names in any case, or by the ends of their presets' names; all by default.

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
        epochs: of every training; 0 = the presets' own.
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
    def presets(self) -> PresetChoice:
        """Return the presets that this corpus is trained with."""
        return choose_presets(self.corpus)

    def stages(self, model: str) -> tuple[str, ...]:
        """Return the trainings that lead to a row's checkpoint, by the ends of their presets' names."""
        return _SMALL_MESM if model == "MESM" and self.presets.family == SMALL else (MODELS[model],)

    def run_config(self, stage: str, seed: int) -> RunConfig:
        """Return model and training of one stage."""
        family = self.presets.family
        base = preset(f"{family}-{stage}")
        start = ""
        if family == SMALL and stage in _SMALL_MESM[1:]:
            before = _SMALL_MESM[_SMALL_MESM.index(stage) - 1]
            existing = self.existing_checkpoint("FE2E", seed) if before == "fe2e" else None
            start = str(existing or self.run_folder(before, seed) / "checkpoint")
        train = replace(
            base.train,
            corpus=str(self.corpus.folder.resolve()),
            seed=seed,
            epochs=self.epochs or base.train.epochs,
            max_clips=self.clips,
            init_from=start,
        )
        if self.presets.missing:
            train = replace(
                train,
                neutral=NeutralFacesConfig(),
                attention=AttentionSupervisionConfig(),
                auxiliary=AuxiliaryTargetsConfig(),
            )
        return RunConfig(replace(base.model, labels=tuple(self.corpus.labels)), train)

    def run_folder(self, stage: str, seed: int) -> Path:
        """Return the folder of a stage's run."""
        return self.folder.resolve() / f"{stage}-s{seed}"

    def existing_checkpoint(self, model: str, seed: int) -> Path | None:
        """Return a given checkpoint, else a shipped one that is what would be trained; None where one is trained."""
        if model in self.checkpoints:
            return checkpoint_folder(self.checkpoints[model][self.seeds.index(seed)])
        folder = assets() / "checkpoints" / f"{self.presets.family}-{MODELS[model]}"
        as_preset = self.shipped and not (seed or self.epochs or self.clips)
        return folder if as_preset and (folder / WEIGHTS).is_file() and self._ships_with(folder) else None

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
        differs: settings in which it differs from the preset, such as "epochs 5, not 3".
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
    config = folder / "config.json"
    same = config.is_file() and RunConfig.from_dict(members(read_json(config))) == run
    if not (same and (folder / "checkpoint" / WEIGHTS).is_file()):
        Trainer(run, folder, report).fit(_SAVE_MINUTES)


def _differences(predictor: Predictor, expected: RunConfig) -> tuple[str, ...]:
    """Return the settings in which a checkpoint's own record differs from the preset."""
    stored = predictor.metrics.train
    own = predictor.config.to_dict() | (TrainConfig.from_dict(stored).flat() if stored else {})
    preset_settings = expected.model.to_dict() | expected.train.flat()
    return tuple(
        f"{key} {own[key]}, not {value}"
        for key, value in preset_settings.items()
        if key in own and key not in _NO_SETTING and json.dumps(own[key]) != json.dumps(value)
    )
