"""Where the checkpoint of one line of a reproduced table comes from: given, shipped, or trained here, stage by stage.

    <folder>/<preset's end>-s<seed>/    one run of mesm.training; an interrupted one goes on, a finished one is read

The small MESM has three stages, as the one that ships: FE2E, MESM from it, and MESM under the text's lead (mesm/presets.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mesm.analysis.checkpoints import checkpoint_folder
from mesm.analysis.predictor import Predictor, load
from mesm.config import AttentionSupervisionConfig, AuxiliaryTargetsConfig, NeutralFacesConfig, RunConfig, TrainConfig
from mesm.data.store import Corpus
from mesm.errors import ConfigError, DataError
from mesm.files import slug
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
_SMALL_MESM = ("fe2e", "mesm", "mesm-text-guided")
#: A stopped training loses at most this much.
_SAVE_MINUTES = 2.0
#: What differs between machines and runs without making another model.
_NO_SETTING = {"corpus", "init_from", "text_sha256", "feature_dims", "feature_sources"}


def family(corpus: Corpus) -> str:
    """Whose presets a corpus is trained with: the paper's for IEMOCAP and CMU-MOSEI, the small ones for any other."""
    known = {name.split("-")[0] for name in PRESETS}
    return next((name for name in sorted(known) if corpus.name.lower().startswith(name)), "marionette")


def needs_features(model: str) -> bool:
    """Whether a line of the table reads hand-crafted features."""
    return MODELS[model] in BASELINES


def choose_models(names: Sequence[str]) -> tuple[str, ...]:
    """Lines of the table by their names in any case, or by their presets'; all by default.

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
class Plan:
    """What all lines of a table share.

    Attributes:
        corpus: with train, valid and test; the reported split is enough where nothing has to be trained.
        folder: of the runs.
        seeds: each line is the mean over them.
        epochs: of every training; 0 = the presets' own.
        clips: of the training split; 0 = all.
        split: what is reported.
        given: model -> checkpoints by name or folder, one per seed; they are neither trained nor replaced by shipped ones.
        shipped: whether a shipped checkpoint serves where it is what would be trained.
    """

    corpus: Corpus
    folder: Path
    seeds: tuple[int, ...] = (0,)
    epochs: int = 0
    clips: int = 0
    split: str = "test"
    given: Mapping[str, Sequence[str]] = field(default_factory=dict)
    shipped: bool = True

    def __post_init__(self) -> None:
        for model, checkpoints in self.given.items():
            if len(checkpoints) != len(self.seeds):
                raise ConfigError(
                    f"{model} has {len(checkpoints)} checkpoint(s) for {len(self.seeds)} seed(s); give one for each"
                )

    @property
    def rendered(self) -> bool:
        """Whether the corpus is Marionette, whose causes and neutral faces are known."""
        return self.corpus.name.startswith("marionette")

    def stages(self, model: str) -> tuple[str, ...]:
        """Trainings that lead to a line's checkpoint, by the ends of their presets' names."""
        return _SMALL_MESM if model == "MESM" and family(self.corpus) == "marionette" else (MODELS[model],)

    def run(self, stage: str, seed: int) -> RunConfig:
        """Model and training of one stage."""
        base = preset(f"{family(self.corpus)}-{stage}")
        start = ""
        if family(self.corpus) == "marionette" and stage in _SMALL_MESM[1:]:
            before = _SMALL_MESM[_SMALL_MESM.index(stage) - 1]
            there = self.there("FE2E", seed) if before == "fe2e" else None
            start = str(there or self.place(before, seed) / "checkpoint")
        train = replace(
            base.train,
            corpus=str(self.corpus.folder.resolve()),
            seed=seed,
            epochs=self.epochs or base.train.epochs,
            max_clips=self.clips,
            init_from=start,
        )
        if not self.rendered:
            # Neutral faces, moved regions and known causes exist for the rendered corpus alone.
            train = replace(
                train,
                neutral=NeutralFacesConfig(),
                attention=AttentionSupervisionConfig(),
                auxiliary=AuxiliaryTargetsConfig(),
            )
        return RunConfig(replace(base.model, labels=tuple(self.corpus.labels)), train)

    def place(self, stage: str, seed: int) -> Path:
        """The run's folder."""
        return self.folder.resolve() / f"{stage}-s{seed}"

    def there(self, model: str, seed: int) -> Path | None:
        """A checkpoint that need not be trained: a given one, else a shipped one that is what would be trained."""
        if model in self.given:
            name = self.given[model][self.seeds.index(seed)]
            return checkpoint_folder(name)
        folder = assets() / "checkpoints" / f"{family(self.corpus)}-{MODELS[model]}"
        as_preset = self.shipped and not (seed or self.epochs or self.clips)
        return folder if as_preset and (folder / WEIGHTS).is_file() and self._ships_with(folder) else None

    def _ships_with(self, folder: Path) -> bool:
        """Whether a shipped checkpoint was trained on this very corpus."""
        if read_metrics(folder).trained_on != self.corpus.name:
            return False
        try:
            return is_part(Corpus(assets() / self.corpus.name), self.corpus)
        except DataError:
            return False


def is_part(part: Corpus, whole: Corpus) -> bool:
    """Whether `part` is an export of `whole`: made by the same rules, each of its clips there with the same content."""

    def made(corpus: Corpus) -> tuple[Any, ...]:
        meta = {k: v for k, v in corpus.manifest.meta.items() if k != "command"}
        return corpus.name, corpus.labels, meta, corpus.manifest.signal

    def clips(corpus: Corpus) -> dict[str, tuple[Any, ...]]:
        return {r.clip_id: (r.split, r.speaker, r.text, r.labels, r.n_frames, r.n_chunks) for r in corpus.index}

    return made(part) == made(whole) and clips(part).items() <= clips(whole).items()


@dataclass(frozen=True)
class Found:
    """A line's model of one seed, and where it comes from.

    Attributes:
        origin: "given", "shipped" or "trained".
        differs: settings in which it differs from the preset, such as "epochs 5, not 3".
    """

    predictor: Predictor
    origin: str
    differs: tuple[str, ...] = ()


def obtain(plan: Plan, model: str, seed: int, report: TrainingProgress | None = None) -> Found:
    """The line's checkpoint, trained now as far as it is not there.

    Raises:
        ConfigError: a run's folder holds one with other settings, or a given checkpoint is of another model.
        MesmError: whatever keeps it from being trained or read.
    """
    wanted, there = plan.run(plan.stages(model)[-1], seed), plan.there(model, seed)
    if there is None:
        stages = plan.stages(model)
        for stage in stages[1:] if len(stages) > 1 and plan.there("FE2E", seed) else stages:
            _train(plan, stage, seed, report)
        name = f"{slug(plan.corpus.name)}-{MODELS[model]}" + (f"-s{seed}" if seed else "")
        return Found(Predictor(load_checkpoint(plan.place(stages[-1], seed) / "checkpoint"), name), "trained")
    origin = "given" if model in plan.given else "shipped"
    predictor = load(plan.given[model][plan.seeds.index(seed)] if model in plan.given else there)
    if predictor.config.name != wanted.model.name:
        raise ConfigError(f"checkpoint {predictor.name!r} is of model {predictor.config.name!r}, not {model}")
    return Found(predictor, origin, _differences(predictor, wanted))


def _train(plan: Plan, stage: str, seed: int, report: TrainingProgress | None) -> None:
    place, run = plan.place(stage, seed), plan.run(stage, seed)
    config = place / "config.json"
    same = config.is_file() and RunConfig.from_dict(json.loads(config.read_text())) == run
    if not (same and (place / "checkpoint" / WEIGHTS).is_file()):
        Trainer(run, place, report).fit(_SAVE_MINUTES)


def _differences(predictor: Predictor, wanted: RunConfig) -> tuple[str, ...]:
    """What a checkpoint says of itself, where it is not as the preset would make it."""
    stored = predictor.metrics.train
    own = predictor.config.to_dict() | (TrainConfig.from_dict(stored).flat() if stored else {})
    asked = wanted.model.to_dict() | wanted.train.flat()
    keys = [k for k in asked if k in own and k not in _NO_SETTING and json.dumps(own[k]) != json.dumps(asked[k])]
    return tuple(f"{k} {own[k]}, not {asked[k]}" for k in keys)
