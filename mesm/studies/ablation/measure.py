"""Train and score one model per row of an ablation; no value is imputed.

The first rows are those of the paper's Table 5: FE2E on the seven subsets of modalities, MESM on the three with text.
The others change one thing of MESM: its gate, its attention, its query, its start, its stem, its positions, its top-p.
MESM starts from the FE2E of the same modalities, which is therefore trained with any row of MESM.

    <folder>/<row>-s<seed>/    one run; row.json, written last, marks it as finished and holds its scores
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import torch

from mesm.analysis.predictor import Predictor
from mesm.config import (
    SALIENCY_TARGETS,
    AttentionSupervisionConfig,
    AuxiliaryTargetsConfig,
    NeutralFacesConfig,
    RunConfig,
)
from mesm.data.corpora import open_corpus
from mesm.data.store import Corpus
from mesm.errors import ConfigError, DataError
from mesm.files import write_atomic
from mesm.json_form import Json, from_json, read_json, to_json
from mesm.models import load_checkpoint
from mesm.presets import preset
from mesm.records.ablation import Ablation, AblationLine, AblationRun, AblationSetup, ShuffledText
from mesm.records.evaluation import METRICS, Evaluation, Scores, intervals_from
from mesm.studies.evaluation.bayes_ceiling import ceiling_wacc, share_of_bayes_wacc
from mesm.studies.evaluation.measure import evaluate
from mesm.studies.faithfulness.evaluation_clips import open_clips
from mesm.studies.faithfulness.shuffled import shuffled_texts
from mesm.studies.seeds.comparison import mean_and_spread, paired_differences, scored_runs
from mesm.training import metrics
from mesm.training.progress import TrainingProgress
from mesm.training.recipes import CorpusFacts, plan_recipe
from mesm.training.trainer import Trainer
from mesm.vocabulary import MODALITIES

#: Settings that differ from a preset's, as `dataclasses.replace` takes them.
Settings: TypeAlias = dict[str, Any]
_LETTERS = {"T": "text", "A": "acoustic", "V": "visual"}
FINISHED = "row.json"


@dataclass(frozen=True)
class AblationRow:
    """Hold one row: what it changes, and what it is compared with.

    Attributes:
        name: such as mesm-TA or gate-hard.
        group: what is varied.
        what: the difference in words.
        model: settings of the model that differ from the preset's.
        train: settings of the training that differ.
        start: row whose checkpoint it starts from; "" = random weights.
        against: row that it is compared with.
    """

    name: str
    group: str
    what: str
    model: Settings = field(default_factory=dict)
    train: Settings = field(default_factory=dict)
    start: str = ""
    against: str = "mesm-TAV"

    @property
    def kind(self) -> str:
        """End of the name of the preset that it starts from: "fe2e" or "mesm"."""
        return "fe2e" if self.name.startswith("fe2e") else "mesm"


def _modalities(letters: str) -> Settings:
    chosen = {_LETTERS[letter] for letter in letters}
    return {"modalities": tuple(m for m in ("text", "visual", "acoustic") if m in chosen)}


def _sparse(name: str, group: str, what: str, model: Settings, train: Settings | None = None) -> AblationRow:
    return AblationRow(name, group, what, model, train or {}, start="fe2e-TAV")


_NO_NEUTRAL: Settings = {"neutral": NeutralFacesConfig(0)}
_UNSUPERVISED: Settings = {"attention": AttentionSupervisionConfig(0.0)}
_ATTENTION_FIXED: Settings = {"freeze_attention": True} | _NO_NEUTRAL | _UNSUPERVISED
_TEXT_GUIDED: Settings = {"attention": preset("marionette-mesm-text-guided").train.attention}
_GUIDED = "text-guided"
_NO_AUXILIARY: Settings = {"auxiliary": AuxiliaryTargetsConfig(0.0)}

#: In the order of the table; a row comes after the one that it starts from.
ROWS: tuple[AblationRow, ...] = (
    *(
        AblationRow(f"fe2e-{s}", "FE2E, modalities", f"FE2E on {s}", _modalities(s), against="fe2e-TAV")
        for s in ("TAV", "TA", "TV", "VA", "T", "A", "V")
    ),
    *(
        AblationRow(
            f"mesm-{s}", "MESM, modalities", f"MESM on {s}", _modalities(s), start=f"fe2e-{s}",
            against="fe2e-TAV" if s == "TAV" else "mesm-TAV",
        )
        for s in ("TAV", "TA", "TV")
    ),
    *(
        _sparse(f"gate-{g.replace('_', '-')}", "gate", f"gate {g}", {"gate": g})
        for g in ("hard", "straight_through", "soft", "soft_straight_through")
    ),
    _sparse(
        "attention-random", "attention", "attention frozen at its initial weights", {}, _ATTENTION_FIXED
    ),
    _sparse("query-none", "query", "no text query", {"query": "none"}, {"queries": "own"} | _NO_NEUTRAL),
    _sparse("query-text", "query", "the clip's own text as query in training", {}, {"queries": "own"}),
    AblationRow("start-random", "start", "from random weights, with the epochs of both trainings"),
    *(_sparse(f"stem-{n}", "stem", f"{n} dense blocks before the first attention", {"stem_blocks": n}) for n in (0, 1, 2)),
    AblationRow("fe2e-no-positions", "positions", "FE2E without positions", {"positions": False}, against="fe2e-TAV"),
    AblationRow(
        "mesm-no-positions", "positions", "MESM without positions", {"positions": False}, start="fe2e-no-positions"
    ),
    _sparse("fixed-p", "top-p", "one top-p in training", {}, {"top_p_range": ()}),
    AblationRow("fe2e-labels-only", "supervision", "FE2E without auxiliary targets", train=_NO_AUXILIARY, against="fe2e-TAV"),
    _sparse("no-look", "supervision", "no attention supervision", {}, _UNSUPERVISED),
    _sparse("look-named", "supervision", "attention also supervised by the emotion of the text", {}, _TEXT_GUIDED),
    _sparse("no-neutral", "supervision", "no neutral faces under emotive texts", {}, _NO_NEUTRAL),
    _sparse("labels-only", "supervision", "no attention supervision and no neutral faces", {}, _NO_NEUTRAL | _UNSUPERVISED),
)  # fmt: skip


def row_config(setup: AblationSetup, row: AblationRow, seed: int, folder: Path) -> RunConfig:
    """Return a row's model and training; `folder` holds the runs that it may start from."""
    bases = _bases(setup)
    base = bases[row.kind]
    start = str(folder / f"{row.start}-s{seed}" / "checkpoint") if row.start else ""
    off: Settings = {} if setup.causes else _NO_AUXILIARY | _NO_NEUTRAL | _UNSUPERVISED
    if "visual" not in row.model.get("modalities", ("visual",)):
        off |= _NO_NEUTRAL  # it is faces that are neutral
    train = replace(
        base.train, corpus=setup.corpus, epochs=setup.epochs * (1 if row.start or row.kind == "fe2e" else 2),
        max_clips=setup.clips, seed=seed, init_from=start, freeze_attention=False,
        freeze_stem=base.train.freeze_stem and bool(start), freeze_text=base.train.freeze_text and bool(start), **off,
    )  # fmt: skip
    own = dict(row.train)
    if own == _TEXT_GUIDED and _GUIDED not in bases:
        own = {}  # then the row is no other than the one that it is compared with
    own_modalities = row.model.get("modalities", base.model.modalities)
    modalities = tuple(m for m in own_modalities if m in _modalities_of(setup))
    model = replace(base.model, **{**row.model, "width": setup.width, "modalities": modalities})
    train = replace(train, **own)
    # From random weights there is no dense model whose saliency could be distilled.
    if not start and train.attention.target in SALIENCY_TARGETS:
        train = replace(train, attention=replace(train.attention, target="points"))
    return RunConfig(model, train)


@lru_cache(maxsize=8)
def _bases(setup: AblationSetup) -> dict[str, RunConfig]:
    """Return the run that rows of each kind start from, and that of the text-guided stage where the corpus feeds one."""
    if setup.preset:
        kinds = {kind: preset(f"{setup.preset}-{kind}") for kind in ("fe2e", "mesm")}
        return {**kinds, _GUIDED: kinds["mesm"]}
    stages = plan_recipe("mesm", CorpusFacts.of(open_corpus(setup.corpus)), setup.size).stages
    if len(stages) < 2:
        raise ConfigError(f"corpus {setup.corpus} has words alone, of which no MESM can be trained; use another corpus")
    return dict(zip(("fe2e", "mesm", _GUIDED), (stage.run for stage in stages), strict=False))


def _modalities_of(setup: AblationSetup) -> tuple[str, ...]:
    """Return the modalities that rows may have: those that the recipe finds in the corpus; with a preset, all."""
    return MODALITIES if setup.preset else _bases(setup)["mesm"].model.modalities


def rows_of(setup: AblationSetup) -> tuple[AblationRow, ...]:
    """Return the rows that differ from the row they are compared with, and those that are compared with none."""
    stored = set(_modalities_of(setup))
    rows = [row for row in ROWS if stored & set(row.model.get("modalities", stored))]
    configs = {row.name: row_config(setup, row, 0, Path()) for row in rows}
    return tuple(row for row in rows if row.name == row.against or configs[row.name] != configs[row.against])


def choose_rows(setup: AblationSetup, names: Sequence[str] = ()) -> tuple[AblationRow, ...]:
    """Return the named rows (all by default) and those that they start from or are compared with, in table order.

    Raises:
        ConfigError: there is no row or group of that name.
    """
    every = {row.name: row for row in rows_of(setup)}
    chosen: set[str] = set()
    for name in names or every:
        matching = {row.name for row in every.values() if name in (row.name, row.group)}
        if not matching:
            raise ConfigError(f"no row or group {name!r}; there are {', '.join(every)}")
        chosen |= matching
    while more := {n for name in chosen for n in (every[name].start, every[name].against) if n} - chosen:
        chosen |= more
    return tuple(row for row in every.values() if row.name in chosen)


@dataclass(frozen=True)
class _FinishedRow:
    """Content of a row's `FINISHED` file.

    Attributes:
        run: its configuration.
        loaded: name of its checkpoint where it was not trained.
        seconds: of training.
        shuffled_text: see `AblationLine.shuffled_text`.
    """

    run: dict[str, Json]
    split: str
    loaded: str | None
    seconds: float
    valid_f1: float | None
    evaluation: Evaluation
    shuffled_text: dict[str, dict[str, ShuffledText]]


def ablate(
    setup: AblationSetup,
    folder: str | os.PathLike[str],
    names: Sequence[str] = (),
    seeds: Sequence[int] = (0,),
    *,
    checkpoints: Mapping[tuple[str, int], Path] | None = None,
    report: TrainingProgress | None = None,
    done: Callable[[str, Ablation], None] | None = None,
) -> Ablation:
    """Train and score every row that is not finished.

    Args:
        folder: of the runs; a row that was interrupted is resumed, a finished one is read.
        names: rows or groups; all by default.
        checkpoints: (row, seed) -> a checkpoint of these settings, which is scored instead of training one.
        report: gets what the trainers report.
        done: called after each row with its name and the ablation so far.
    """
    folder, corpus = Path(folder).resolve(), open_corpus(setup.corpus)
    for seed in seeds:
        for row in choose_rows(setup, names):
            if _read_finished(row, setup, seed, folder) is None:
                _train_and_score(row, setup, seed, folder, corpus, report, (checkpoints or {}).get((row.name, seed)))
                if done is not None:
                    done(f"{row.name}-s{seed}", collect_rows(setup, folder, seeds))
    return collect_rows(setup, folder, seeds)


def _train_and_score(
    row: AblationRow,
    setup: AblationSetup,
    seed: int,
    folder: Path,
    corpus: Corpus,
    report: TrainingProgress | None,
    checkpoint: Path | None,
) -> None:
    own, run = folder / f"{row.name}-s{seed}", row_config(setup, row, seed, folder)
    if checkpoint is None:
        Trainer(run, own, report).fit()
    else:  # under the name by which other rows start from it
        shutil.copytree(checkpoint, own / "checkpoint", dirs_exist_ok=True)
    predictor = Predictor(load_checkpoint(own / "checkpoint"))
    result = _FinishedRow(
        run=run.to_dict(),
        split=setup.split,
        loaded=checkpoint.name if checkpoint else None,
        seconds=predictor.metrics.train_seconds or 0.0,
        valid_f1=predictor.metrics.valid.f1 if predictor.metrics.valid is not None else None,
        evaluation=evaluate(predictor, corpus, setup.split),
        shuffled_text=_shuffled_text(predictor, corpus, setup.split),
    )
    write_atomic(own / FINISHED, json.dumps(to_json(result)).encode())


@torch.no_grad()
def _shuffled_text(predictor: Predictor, corpus: Corpus, split: str) -> dict[str, dict[str, ShuffledText]]:
    """Score each branch with other clips' transcripts as query; empty without attention."""
    if not predictor.has_attention:
        return {}
    tests = shuffled_texts(open_clips(predictor, corpus, split, predictor.config.top_p), shuffles=2)
    return {
        branch: {
            metric: ShuffledText(cost.own, cost.shuffled, cost.cost.value)
            for metric, cost in (("wacc", costs.wacc), ("auc", costs.auc))
        }
        for branch, costs in tests.branches.items()
    }


def _read_finished(row: AblationRow, setup: AblationSetup, seed: int, folder: Path) -> _FinishedRow | None:
    """Return a finished row's results; None where it is unfinished, of other settings or of an earlier format."""
    path = folder / f"{row.name}-s{seed}" / FINISHED
    if not path.is_file():
        return None
    try:
        result = from_json(_FinishedRow, read_json(path), path.name)
    except DataError:
        return None
    same = RunConfig.from_dict(result.run) == row_config(setup, row, seed, folder) and result.split == setup.split
    return result if same else None


def collect_rows(setup: AblationSetup, folder: Path, seeds: Sequence[int]) -> Ablation:
    """Return the rows that are finished for every seed, whichever call trained them."""
    corpus = open_corpus(setup.corpus)
    finished: dict[str, list[_FinishedRow]] = {}
    for row in rows_of(setup):
        results = [_read_finished(row, setup, seed, folder) for seed in seeds]
        if all(result is not None for result in results):
            finished[row.name] = [result for result in results if result is not None]
    lines = tuple(_lines(setup, corpus, finished, seeds))
    return Ablation(replace(setup, corpus=corpus.name), tuple(seeds), tuple(corpus.labels), lines)


def _lines(
    setup: AblationSetup, corpus: Corpus, finished: Mapping[str, list[_FinishedRow]], seeds: Sequence[int]
) -> Iterator[AblationLine]:
    for row in rows_of(setup):
        if row.name not in finished:
            continue
        results = finished[row.name]
        evaluations = [result.evaluation for result in results]
        scored = [scored_runs(evaluation) for evaluation in evaluations]
        truth, speakers = scored[0].truth_NE, scored[0].speakers_N
        answers = [answer for one in scored for answer in one.runs]
        runs = tuple(
            AblationRun(seed, e.average, e.macs_ratio, result.seconds)
            for seed, e, result in zip(seeds, evaluations, results, strict=True)
        )
        mean, spread = mean_and_spread(
            [vars(run.average) | {"macs_ratio": run.macs_ratio, "seconds": run.seconds} for run in runs]
        )
        modalities = RunConfig.from_dict(results[0].run).model.modalities
        ceiling = ceiling_wacc(corpus, modalities, evaluations[0].labels)
        against = row.against if row.against != row.name and row.against in finished else ""
        others = [a for result in finished.get(against, []) for a in scored_runs(result.evaluation).runs]
        yield AblationLine(
            row=row.name,
            group=row.group,
            what=row.what,
            average=Scores(**{metric: mean.get(metric) for metric in METRICS}),
            macs_ratio=mean.get("macs_ratio"),
            interval=intervals_from(metrics.mean_estimates(answers, truth, speakers)),
            top_p=evaluations[0].top_p,
            modalities=modalities,
            runs=runs,
            seconds=mean.get("seconds"),
            spread=spread,
            loaded=tuple(result.loaded for result in results),
            against=against,
            difference=paired_differences(answers, others, truth, speakers, 1000) if against else {},
            shuffled_text=_mean_over_seeds([result.shuffled_text for result in results]),
            share_of_bayes_wacc=None if ceiling is None else share_of_bayes_wacc(mean["wacc"], ceiling),
        )


def _mean_over_seeds(tests: Sequence[dict[str, dict[str, ShuffledText]]]) -> dict[str, dict[str, ShuffledText]]:
    """Average the shuffled-text tests over runs, in points; None where no run has a value."""

    def mean(branch: str, metric: str, name: str) -> float | None:
        known = [v for test in tests if (v := getattr(test[branch][metric], name)) is not None]
        return round(sum(known) / len(known), 3) if known else None

    return {
        branch: {
            metric: ShuffledText(**{name: mean(branch, metric, name) for name in ("own", "shuffled", "cost")})
            for metric in by_metric
        }
        for branch, by_metric in tests[0].items()
    }
