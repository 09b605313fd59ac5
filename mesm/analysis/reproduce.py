"""The paper's Tables 3 and 4 on any corpus: what is not trained yet is trained, then all is scored by one protocol.

<folder>/<model>-s<seed>/    one run of mesm.training; an interrupted one goes on, a finished one is read
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mesm.analysis.comparison import over_seeds
from mesm.analysis.evaluation import evaluate, labelled_batches, shared_labels
from mesm.analysis.predictor import Predictor
from mesm.config import RunConfig
from mesm.data.store import Corpus
from mesm.errors import ConfigError, MesmError
from mesm.models import load_checkpoint
from mesm.presets import BASELINES, PRESETS, preset
from mesm.training import metrics
from mesm.training.trainer import Report, Trainer

#: Lines of Tables 3 and 4 in the paper's order -> the end of their presets' names.
MODELS: dict[str, str] = {
    "LF-LSTM": "lf-lstm",
    "LF-TRANS": "lf-transformer",
    "EmoEmbs": "emo-embs",
    "MulT": "mult",
    "FE2E": "fe2e",
    "MESM": "mesm",
}
#: Utterances of which each is timed alone.
_TIMED = 16


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
        corpus: with train, valid and test.
        folder: of the runs.
        seeds: each line is the mean over them.
        epochs: of every training; 0 = the presets' own.
        clips: of the training split; 0 = all.
        split: what is reported.
    """

    corpus: Corpus
    folder: Path
    seeds: tuple[int, ...] = (0,)
    epochs: int = 0
    clips: int = 0
    split: str = "test"

    @property
    def rendered(self) -> bool:
        """Whether the corpus is Marionette, whose causes and neutral faces are known."""
        return self.corpus.name.startswith("marionette")

    def run(self, model: str, seed: int) -> RunConfig:
        """Model and training of one line; the small MESM starts from the FE2E of its seed."""
        base = preset(f"{family(self.corpus)}-{MODELS[model]}")
        start = model == "MESM" and family(self.corpus) == "marionette"
        train = replace(
            base.train,
            corpus=str(self.corpus.folder.resolve()),
            seed=seed,
            epochs=self.epochs or base.train.epochs,
            max_clips=self.clips,
            init_from=str(self.place("FE2E", seed) / "checkpoint") if start else "",
        )
        if not self.rendered:
            # Neutral faces and known causes exist for the rendered corpus alone.
            train = replace(train, neutral_faces=0, guide=0.0, cause_loss=0.0)
        return RunConfig(replace(base.model, labels=tuple(self.corpus.labels)), train)

    def place(self, model: str, seed: int) -> Path:
        """The run's folder."""
        return self.folder.resolve() / f"{MODELS[model]}-s{seed}"


def trained(plan: Plan, model: str, seed: int, report: Report | None = None) -> Predictor:
    """The line's checkpoint, trained now if it is not there.

    Raises:
        ConfigError: the folder holds a run with other settings.
    """
    place, run = plan.place(model, seed), plan.run(model, seed)
    start = run.train.init_from
    if start and not (Path(start) / "model.safetensors").is_file():
        trained(plan, "FE2E", seed, report)
    done = place / "checkpoint"
    config = place / "config.json"
    same = config.is_file() and RunConfig.from_dict(json.loads(config.read_text())) == run
    if not (same and (done / "model.safetensors").is_file()):
        Trainer(run, place, report).fit()
    return Predictor(load_checkpoint(done), f"{MODELS[model]}-s{seed}")


def line(plan: Plan, model: str, report: Report | None = None) -> dict[str, Any]:
    """One line of the table over its seeds: data of a `seeds` record with scores per class, size, work and time."""
    predictors = [trained(plan, model, seed, report) for seed in plan.seeds]
    found = [evaluate(predictor, plan.corpus, plan.split) for predictor in predictors]
    data = over_seeds(found, [p.name for p in predictors], plan.seeds)
    first = predictors[0]
    return {
        "macs_ratio": None,
        **data,
        "spread": data["spread"] if len(plan.seeds) > 1 else {},  # one run has none
        "per_class": _mean_per_class(found),
        "parameters": sum(p.numel() for p in first.model.parameters()),
        "macs": round(float(np.mean([f["macs"]["total"] for f in found]))),
        "ms_per_clip": ms_per_clip(first, plan.corpus, plan.split),
        "train_seconds": [p.metrics.get("train_seconds") for p in predictors],
    }


def _mean_per_class(found: Sequence[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Label -> metric -> mean over the runs; None where a run has none."""
    made: dict[str, dict[str, float | None]] = {}
    for label in found[0]["labels"]:
        rows = [f["per_class"][label] for f in found]
        made[label] = {
            name: None
            if any(row[name] is None for row in rows)
            else metrics.to_json(np.mean([row[name] for row in rows]))
            for name in rows[0]
        }
    return made


@torch.no_grad()
def ms_per_clip(predictor: Predictor, corpus: Corpus, split: str) -> float:
    """Median milliseconds of the model on one utterance alone.

    Without reading, ingestion and phase one, and without a frozen text encoder, whose vectors are kept.
    """
    loader = labelled_batches(predictor, corpus, split, shared_labels(predictor, corpus), 1)
    taken = []
    for number, batch in enumerate(itertools.islice(loader.epoch(0), _TIMED + 1)):
        batch = batch.to(predictor.device)
        started = time.perf_counter()
        scores = predictor.model(batch).scores_BE
        scores.cpu()
        if number:  # the first call folds weights and warms up
            taken.append(1e3 * (time.perf_counter() - started))
    return round(float(np.median(taken)), 2) if taken else float("nan")


def lines(
    plan: Plan,
    models: Sequence[str],
    report: Report | None = None,
    done: Callable[[str, dict[str, Any]], None] | None = None,
) -> dict[str, str]:
    """Every line in turn, handed to `done`; model -> why it was not run, for those that were not.

    A line that cannot be made (no features, no text encoder within reach) does not keep the others from being made.
    """
    left_out = {name: "not asked for" for name in MODELS if name not in models}
    for model in models:
        try:
            data = line(plan, model, report)
        except MesmError as error:
            left_out[model] = str(error)
            continue
        if done is not None:
            done(model, data)
    return left_out
