"""What each part is worth: one trained model per row, nothing imputed.

The first rows are those of the paper's Table 5: FE2E on the seven subsets of modalities, MESM on the three with text.
The others change one thing of MESM: its gate, its attention, its query, its start, its stem, its positions, its top-p.
MESM starts from the FE2E of the same modalities, so asking for a MESM row trains that one too.

    <folder>/<row>-s<seed>/    one run; row.json, written last, says that it is finished and what it scored
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from mesm.analysis.predictor import Predictor
from mesm.config import AttentionSupervisionConfig, AuxiliaryTargetsConfig, NeutralFacesConfig, RunConfig
from mesm.data.corpora import open_corpus
from mesm.data.store import Corpus
from mesm.errors import ConfigError
from mesm.files import write_atomic
from mesm.models import load_checkpoint
from mesm.presets import preset
from mesm.studies.evaluation.bayes_ceiling import ceiling_share, ceiling_wacc
from mesm.studies.evaluation.comparison import scored_runs
from mesm.studies.evaluation.measure import evaluate
from mesm.studies.faithfulness.evaluation_clips import open_clips
from mesm.studies.faithfulness.shuffled import shuffled_texts
from mesm.training import metrics
from mesm.training.progress import TrainingProgress
from mesm.training.trainer import Trainer

_LETTERS = {"T": "text", "A": "acoustic", "V": "visual"}
FINISHED = "row.json"


@dataclass(frozen=True)
class AblationRow:
    """One line of the table.

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
    model: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)
    start: str = ""
    against: str = "mesm-TAV"

    @property
    def kind(self) -> str:
        """Which preset it starts from."""
        return "fe2e" if self.name.startswith("fe2e") else "mesm"


def _modalities(letters: str) -> dict[str, Any]:
    chosen = {_LETTERS[letter] for letter in letters}
    return {"modalities": tuple(m for m in ("text", "visual", "acoustic") if m in chosen)}


def _sparse(
    name: str, group: str, what: str, model: dict[str, Any], train: dict[str, Any] | None = None
) -> AblationRow:
    return AblationRow(name, group, what, model, train or {}, start="fe2e-TAV")


_NO_NEUTRAL: dict[str, Any] = {"neutral": NeutralFacesConfig(0)}
_UNSUPERVISED: dict[str, Any] = {"attention": AttentionSupervisionConfig(0.0)}
_ATTENTION_FIXED: dict[str, Any] = {"freeze_attention": True} | _NO_NEUTRAL | _UNSUPERVISED
_TEXT_GUIDED: dict[str, Any] = {"attention": preset("marionette-mesm-text-guided").train.attention}
_NO_AUXILIARY: dict[str, Any] = {"auxiliary": AuxiliaryTargetsConfig(0.0)}

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
        "attention-random", "attention", "attention as initialised, never trained", {}, _ATTENTION_FIXED
    ),
    _sparse("query-none", "query", "the attention is asked with nothing", {"query": "none"}, {"queries": "own"} | _NO_NEUTRAL),
    _sparse("query-text", "query", "the clip's own text in training", {}, {"queries": "own"}),
    AblationRow("start-random", "start", "from random weights, with the epochs of both trainings"),
    *(_sparse(f"stem-{n}", "stem", f"{n} dense blocks before the first attention", {"stem_blocks": n}) for n in (0, 1, 2)),
    AblationRow("fe2e-no-positions", "positions", "FE2E without positions", {"positions": False}, against="fe2e-TAV"),
    AblationRow(
        "mesm-no-positions", "positions", "MESM without positions", {"positions": False}, start="fe2e-no-positions"
    ),
    _sparse("fixed-p", "top-p", "one top-p in training", {}, {"top_p_range": ()}),
    AblationRow("fe2e-labels-only", "teacher", "FE2E without known causes", train=_NO_AUXILIARY, against="fe2e-TAV"),
    _sparse("no-look", "teacher", "nobody shows where the face moves", {}, _UNSUPERVISED),
    _sparse("look-named", "teacher", "also shown what the text names, and what tells the emotions apart", {}, _TEXT_GUIDED),
    _sparse("no-neutral", "teacher", "no neutral faces under emotive texts", {}, _NO_NEUTRAL),
    _sparse("labels-only", "teacher", "the attention learns from labels and causes alone", {}, _NO_NEUTRAL | _UNSUPERVISED),
)  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """What all rows share. The defaults are a reduced setting: at most 10 minutes a row on two cores.

    Attributes:
        preset: `<preset>-fe2e` and `<preset>-mesm` are what the rows start from.
        width: of the paper's channels.
        clips: of the training split; 0 = all.
        epochs: of every training; the row from random weights gets twice as many.
        causes: whether clips have known causes to learn from, as rendered ones do; without them the presets' term is off.
    """

    corpus: str
    preset: str = "marionette"
    width: float = 0.125
    clips: int = 600
    epochs: int = 6
    split: str = "test"
    causes: bool = True

    def run(self, row: AblationRow, seed: int, folder: Path) -> RunConfig:
        """The row's model and training; `folder` holds the runs that it may start from."""
        base = preset(f"{self.preset}-{row.kind}")
        start = str(folder / f"{row.start}-s{seed}" / "checkpoint") if row.start else ""
        off: dict[str, Any] = {} if self.causes else _NO_AUXILIARY | _NO_NEUTRAL | _UNSUPERVISED
        if "visual" not in row.model.get("modalities", ("visual",)):
            off |= _NO_NEUTRAL  # it is faces that are neutral
        train = replace(
            base.train, corpus=self.corpus, epochs=self.epochs * (1 if row.start or row.kind == "fe2e" else 2),
            max_clips=self.clips, seed=seed, init_from=start, freeze_attention=False,
            freeze_stem=base.train.freeze_stem and bool(start), freeze_text=base.train.freeze_text and bool(start), **off,
        )  # fmt: skip
        return RunConfig(
            replace(base.model, width=self.width, **row.model),
            replace(train, **row.train),
        )


def rows_of(setting: Setting) -> tuple[AblationRow, ...]:
    """The rows that differ from what they are compared with: gate-soft-... is left out where the preset has it."""
    here = Path()
    found = {row.name: setting.run(row, 0, here) for row in ROWS}
    return tuple(row for row in ROWS if row.name == row.against or found[row.name] != found[row.against])


def choose_rows(setting: Setting, names: Sequence[str] = ()) -> tuple[AblationRow, ...]:
    """The named rows (all by default) and those that they start from or are compared with, in the table's order.

    Raises:
        ConfigError: there is no row or group of that name.
    """
    every = {row.name: row for row in rows_of(setting)}
    wanted: set[str] = set()
    for name in names or every:
        found = [row.name for row in every.values() if name in (row.name, row.group)]
        if not found:
            raise ConfigError(f"no row or group {name!r}; there are {', '.join(every)}")
        wanted |= set(found)
    while more := {n for name in wanted for n in (every[name].start, every[name].against) if n} - wanted:
        wanted |= more
    return tuple(row for row in every.values() if row.name in wanted)


def ablate(
    setting: Setting,
    folder: str | os.PathLike[str],
    names: Sequence[str] = (),
    seeds: Sequence[int] = (0,),
    *,
    given: Mapping[tuple[str, int], Path] | None = None,
    report: TrainingProgress | None = None,
    done: Callable[[str, dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Train and score every row that is not finished; data of the record.

    Args:
        folder: of the runs; a row that was interrupted goes on, a finished one is read.
        names: rows or groups; all by default.
        given: (row, seed) -> a checkpoint of these settings, which is taken instead of training one.
        report: gets what the trainers report.
        done: called after each row with its name and the record's data so far.
    """
    folder, corpus = Path(folder).resolve(), open_corpus(setting.corpus)
    for seed in seeds:
        for row in choose_rows(setting, names):
            if _finished(row, setting, seed, folder) is None:
                _train_and_score(row, setting, seed, folder, corpus, report, (given or {}).get((row.name, seed)))
                if done is not None:
                    done(f"{row.name}-s{seed}", table(setting, folder, seeds))
    return table(setting, folder, seeds)


def _train_and_score(
    row: AblationRow,
    setting: Setting,
    seed: int,
    folder: Path,
    corpus: Corpus,
    report: TrainingProgress | None,
    given: Path | None,
) -> None:
    own, run = folder / f"{row.name}-s{seed}", setting.run(row, seed, folder)
    if given is None:
        Trainer(run, own, report).fit()
    else:  # under the name by which other rows start from it
        shutil.copytree(given, own / "checkpoint", dirs_exist_ok=True)
    predictor = Predictor(load_checkpoint(own / "checkpoint"))
    found = evaluate(predictor, corpus, setting.split)
    result = {
        "run": run.to_dict(),
        "split": setting.split,
        "loaded": given.name if given else None,
        "seconds": predictor.metrics.train_seconds,
        "valid_f1": predictor.metrics.valid.f1 if predictor.metrics.valid is not None else None,
        "evaluation": found,
        "shuffled_text": _shuffled(predictor, corpus, setting.split),
    }
    write_atomic(own / FINISHED, json.dumps(result).encode())


@torch.no_grad()
def _shuffled(predictor: Predictor, corpus: Corpus, split: str) -> dict[str, Any] | None:
    """What the face's and the voice's branch lose under other clips' texts; None without an attention."""
    if not predictor.has_attention:
        return None
    found = shuffled_texts(open_clips(predictor, corpus, split, predictor.config.top_p), shuffles=2)
    return {
        branch: {
            metric: {"own": x.own, "shuffled": x.shuffled, "cost": x.cost.value}
            for metric, x in (("wacc", cost.wacc), ("auc", cost.auc))
        }
        for branch, cost in found.branches.items()
    }


def _finished(row: AblationRow, setting: Setting, seed: int, folder: Path) -> dict[str, Any] | None:
    """What a row scored, or None; a run folder with other settings counts as not finished, and the trainer refuses it."""
    path = folder / f"{row.name}-s{seed}" / FINISHED
    if not path.is_file():
        return None
    result = json.loads(path.read_text())
    same = RunConfig.from_dict(result["run"]) == setting.run(row, seed, folder) and result["split"] == setting.split
    return result if same else None


def table(setting: Setting, folder: Path, seeds: Sequence[int]) -> dict[str, Any]:
    """Data of the record from the rows that are finished, whichever call trained them."""
    corpus = open_corpus(setting.corpus)
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(setting):
        results = [(seed, _finished(row, setting, seed, folder)) for seed in seeds]
        if all(result is not None for _, result in results):
            found[row.name] = [{"seed": seed, **result} for seed, result in results if result is not None]
    return {
        "setting": asdict(setting) | {"corpus": corpus.name},
        "seeds": list(seeds),
        "labels": list(corpus.labels),
        "rows": list(_lines(setting, corpus, found)),
    }


def _lines(setting: Setting, corpus: Corpus, found: dict[str, list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    for row in rows_of(setting):
        if row.name not in found:
            continue
        results = found[row.name]
        scored = [scored_runs(result["evaluation"], row.name) for result in results]
        truth, speakers = scored[0].truth_NE, scored[0].speakers_N
        answers = [answer for one in scored for answer in one.runs]
        names = ("wacc", "f1", "auc", "accuracy", "macs_ratio", "seconds")
        runs = [
            {"seed": r["seed"], **{k: (r["evaluation"] | {"seconds": r["seconds"]})[k] for k in names}} for r in results
        ]
        means = metrics.over_seeds([{k: float(v) for k, v in r.items() if v is not None and k != "seed"} for r in runs])
        line: dict[str, Any] = {
            "row": row.name,
            "group": row.group,
            "what": row.what,
            **{k: means[k]["mean"] if k in means else None for k in names},
            "spread": {k: means[k]["spread"] for k in names if k in means},
            "interval": metrics.mean_interval(answers, truth, speakers),
            "top_p": results[0]["evaluation"]["top_p"],
            "modalities": results[0]["run"]["model"]["modalities"],
            "runs": runs,
            "loaded": [result.get("loaded") for result in results],
        }
        ceiling = ceiling_wacc(corpus, line["modalities"], results[0]["evaluation"]["labels"])
        line["ceiling_share"] = None if ceiling is None else ceiling_share(line["wacc"], ceiling)
        if row.against != row.name and row.against in found:
            other = [a for r in found[row.against] for a in scored_runs(r["evaluation"]).runs]
            line["against"] = row.against
            line["difference"] = metrics.paired_difference(answers, other, truth, speakers, draws=1000)
        if results[0]["shuffled_text"] is not None:
            line["shuffled_text"] = _mean_over_seeds([r["shuffled_text"] for r in results])
        yield line


def _mean_over_seeds(tests: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean of the shuffled-text tests: branch -> wacc and auc -> own, shuffled, cost, in points."""

    def mean(values: list[float | None]) -> float | None:
        known = [v for v in values if v is not None]
        return round(sum(known) / len(known), 3) if known else None

    return {
        branch: {
            metric: {k: mean([t[branch][metric][k] for t in tests]) for k in ("own", "shuffled", "cost")}
            for metric in ("wacc", "auc")
        }
        for branch in tests[0]
    }
