"""Score, work and explanation of MESM under each guidance of its attention, beside FE2E with the same budget.

    python -m benchmarks.guidance --corpus marionette --out runs/guidance [--seeds 0 1 2] [--rows labels saliency ...]
        [--width 0.125 --clips 400 --epochs 5] [--record assets/records]

Every MESM starts from an FE2E that has had the same auxiliary targets, and trains for as many epochs again; `...-long` is
that FE2E trained for as many epochs again, with the same settings. Rows begin with what they use: `labels` alone, the
`units` of a detector (written with `mesm corpus units` to --units), or the known `truth`. A finished row is read from
<out>/<row>-s<seed>/row.json. Kept sites: over chance, on the regions of the truly active units, with the interval over the
speakers; leak: AUC of the face's score for the text's emotion on neutral faces, 0.5 is none. With --record, the finished rows
of the first seed are written as a record, which the pages Overview and FACS show.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from mesm.analysis.predictor import Predictor
from mesm.analysis.supervision import supervision_of
from mesm.config import (
    AttentionSupervisionConfig,
    AuxiliaryTargetsConfig,
    NeutralFacesConfig,
    RunConfig,
)
from mesm.config.starts import DISTILLATION
from mesm.data.corpora import open_corpus
from mesm.data.store import Corpus
from mesm.estimate import Estimate
from mesm.files import write_atomic
from mesm.json_form import members, to_json
from mesm.models import load_checkpoint
from mesm.presets import preset
from mesm.records.base import Record, new_provenance, write_record
from mesm.records.guidance import Guidance, GuidedRow
from mesm.statistics import Speakers
from mesm.studies.evaluation.measure import evaluate
from mesm.studies.facs.attention_maps import collect_attention_maps
from mesm.studies.facs.estimates import agreements
from mesm.studies.faithfulness.evaluation_clips import open_clips
from mesm.studies.faithfulness.neutral_faces import texts_on_neutral
from mesm.training.trainer import Trainer
from mesm.training.unit_detector import write_units

Settings = dict[str, Any]

#: What a row knows -> auxiliary targets of its FE2E and of itself.
AUXILIARY: dict[str, AuxiliaryTargetsConfig] = {
    "labels": AuxiliaryTargetsConfig(0.0),
    "units": AuxiliaryTargetsConfig(2.0, target="units"),
    "truth": AuxiliaryTargetsConfig(2.0),
}


def supervised(target: str) -> Settings:
    """The preset's supervision with another target; a saliency map is of the voice's, too."""
    attention = preset("marionette-mesm").train.attention
    return {"attention": replace(attention, target=target)}


UNSUPERVISED: Settings = {"attention": AttentionSupervisionConfig(0.0)}
DISTILLED: Settings = {"distillation": DISTILLATION}
NO_NEUTRAL: Settings = {"neutral": NeutralFacesConfig(0)}


@dataclass(frozen=True)
class Row:
    """A training: settings that differ from the preset's, and what it starts from ("" = random weights)."""

    what: str
    train: Settings = field(default_factory=dict)
    model: Settings = field(default_factory=dict)
    dense: bool = False
    from_dense: bool = True


NO_TRUTH = UNSUPERVISED | NO_NEUTRAL
ROWS: dict[str, Row] = {
    "labels-fe2e": Row("FE2E", dense=True, from_dense=False),
    "labels-fe2e-long": Row("FE2E, twice the epochs", dense=True),
    "labels": Row("MESM, labels alone", NO_TRUTH),
    "labels-saliency": Row("MESM, FE2E's saliency", NO_NEUTRAL | supervised("saliency")),
    "labels-distilled": Row("MESM, FE2E's scores as target", NO_TRUTH | DISTILLED),
    "labels-saliency-distilled": Row(
        "MESM, FE2E's saliency and scores", NO_NEUTRAL | supervised("saliency") | DISTILLED
    ),
    "labels-face-saliency-distilled": Row(
        "MESM, FE2E's saliency on the places of action units, and its scores",
        NO_NEUTRAL | supervised("face_saliency") | DISTILLED,
    ),
    "labels-points": Row("MESM, a prior laid by five points", NO_NEUTRAL | supervised("points")),
    "labels-annealed": Row("MESM, p from 1 to its range", NO_TRUTH | {"top_p_start": 1.0}),
    "labels-rate": Row("MESM, attention rate 20 times the trunk's", NO_TRUTH | {"attention_lr_factor": 20.0}),
    "units-fe2e": Row("FE2E", dense=True, from_dense=False),
    "units-fe2e-long": Row("FE2E, twice the epochs", dense=True),
    "units": Row("MESM, units of a detector", NO_NEUTRAL | supervised("units")),
    "units-distilled": Row("MESM, units of a detector and FE2E's scores", NO_NEUTRAL | supervised("units") | DISTILLED),
    "truth-fe2e": Row("FE2E", dense=True, from_dense=False),
    "truth-fe2e-long": Row("FE2E, twice the epochs", dense=True),
    "truth": Row("MESM, the preset", supervised("regions")),
    "truth-distilled": Row("MESM, the preset and FE2E's scores", supervised("regions") | DISTILLED),
    "truth-dense": Row(
        "the same with every site kept: FE2E with region truth, an attention before each block",
        supervised("regions") | {"top_p_range": ()}, {"top_p": 1.0},
    ),
    "truth-no-query": Row("no query", supervised("regions") | NO_NEUTRAL | {"queries": "own"}, {"query": "none"}),
    "truth-own-query": Row("the clip's own text as query", supervised("regions") | {"queries": "own"}),
    "truth-hard": Row("hard gate", supervised("regions"), {"gate": "hard"}),
    "truth-unsupervised": Row("no attention supervision", UNSUPERVISED),
    "truth-random": Row("random attention", NO_TRUTH | {"freeze_attention": True}),
    "truth-random-weights": Row(
        "from random weights", supervised("regions") | {"freeze_text": False}, from_dense=False
    ),
}  # fmt: skip


def config_of(name: str, seed: int, options: argparse.Namespace) -> RunConfig:
    """The model and training of a row."""
    row, knows = ROWS[name], name.partition("-")[0]
    base = preset("marionette-fe2e" if row.dense else "marionette-mesm")
    start = str(Path(options.out) / f"{knows}-fe2e-s{seed}" / "checkpoint") if row.from_dense else ""
    train = base.train
    if row.dense and row.from_dense:  # the second training of MESM, without what concerns an attention
        train = replace(preset("marionette-mesm").train, top_p_range=(), **NO_TRUTH)
    train = replace(
        train,
        corpus=options.corpus,
        epochs=options.epochs * (1 if row.from_dense or row.dense else 2),
        max_clips=options.clips,
        seed=seed,
        init_from=start,
        auxiliary=AUXILIARY[knows],
        neutral=NeutralFacesConfig(0 if row.dense else options.neutral),
        action_units=options.units,
    )
    train = replace(train, **row.train)
    return RunConfig(replace(base.model, width=options.width, **row.model), train)


def measure(name: str, seed: int, options: argparse.Namespace, corpus: Corpus) -> dict[str, Any]:
    """Train a row, if it is not finished, and return its figures."""
    folder = Path(options.out) / f"{name}-s{seed}"
    finished = folder / "row.json"
    if finished.is_file():
        figures: dict[str, Any] = json.loads(finished.read_text())
        return figures
    started = time.perf_counter()
    checkpoint = Trainer(config_of(name, seed, options), folder).fit()
    trained = time.perf_counter()
    predictor = Predictor(load_checkpoint(checkpoint))
    result = evaluate(predictor, corpus, options.split)
    figures = {
        "wacc": result.average.wacc, "f1": result.average.f1, "work": result.macs_ratio,
        "train_s": round(trained - started),
    }  # fmt: skip
    if predictor.has_attention:
        clips = open_clips(predictor, corpus, options.split, predictor.config.top_p)
        study = collect_attention_maps(clips, "truth", inits=0)
        kept = agreements(study, Speakers(study.faces.speaker, 500))["checkpoint"].kept
        assert kept.active is not None and kept.specificity is not None
        figures["kept"] = [[layer.lift.value, layer.lift.low, layer.lift.high] for layer in kept.active]
        figures["own_over_other"] = [e.value for e in kept.specificity.own_over_other_units.pooled]
        if (neutral := texts_on_neutral(clips, options.people)).sources:
            figures["leak_auc"] = neutral.sources[0].auc.value
    figures["measured_s"] = round(time.perf_counter() - trained)
    write_atomic(finished, json.dumps(figures).encode())
    return figures


def table(options: argparse.Namespace) -> str:
    """The finished rows as Markdown: means over their seeds; the interval of the kept sites is the first seed's."""
    lines = [
        "| row | seeds | WAcc | F1 | work | kept sites on the moving units | leak AUC |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in ROWS.items():
        paths = [Path(options.out) / f"{name}-s{seed}" / "row.json" for seed in options.seeds]
        runs = [json.loads(path.read_text()) for path in paths if path.is_file()]
        if not runs:
            continue
        kept = " / ".join(
            f"{mean(run['kept'][layer][0] for run in runs):.2f}" for layer in range(len(runs[0].get("kept", ())))
        )
        intervals = ", ".join(f"{low:.2f} to {high:.2f}" for _, low, high in runs[0].get("kept", ()))
        leak = f"{mean(run['leak_auc'] for run in runs):.2f}" if "leak_auc" in runs[0] else ""
        scores = " | ".join(f"{mean(run[metric] for run in runs):.1f}" for metric in ("wacc", "f1"))
        work = "" if runs[0]["work"] is None else f"{mean(run['work'] for run in runs):.2f}"
        shown = f"{kept} ({intervals})" if kept else ""
        lines.append(f"| {name}: {row.what} | {len(runs)} | {scores} | {work} | {shown} | {leak} |")
    return "\n".join(lines)


def record_of(options: argparse.Namespace, corpus: Corpus) -> Record[Guidance]:
    """The finished rows of the first seed; what was scored is in their configurations and the corpus."""
    seed, rows = options.seeds[0], []
    for name, row in ROWS.items():
        path = Path(options.out) / f"{name}-s{seed}" / "row.json"
        if not path.is_file():
            continue
        figures, train = json.loads(path.read_text()), config_of(name, seed, options).train
        attention = None if row.dense else supervision_of(members(to_json(train)))
        rows.append(GuidedRow(
            name, row.what, figures["wacc"], figures["f1"], figures["work"], attention,
            tuple(Estimate(*(round(v, 4) for v in lift)) for lift in figures.get("kept", ())),
            tuple(Estimate(round(v, 4)) for v in figures.get("own_over_other", ())), figures.get("leak_auc"),
        ))  # fmt: skip
    scored = [row for row in corpus.index if row.split == options.split]
    data = Guidance(
        options.split, preset("marionette-mesm").model.top_p, options.width, options.clips, options.epochs, seed,
        len(scored), len({row.group for row in scored}), tuple(rows),
    )  # fmt: skip
    command = (
        f"python -m benchmarks.guidance --corpus {corpus.id.key} --width {options.width:g} --clips {options.clips} "
        f"--epochs {options.epochs} --neutral {options.neutral} --seeds {seed} --record assets/records"
    )
    return Record("guidance", new_provenance(corpus.id, command=command, seed=seed), data)


def rows_to_measure(names: Sequence[str]) -> list[str]:
    """The named rows, all by default, each after the FE2E that it starts from."""
    needed = {f"{name.partition('-')[0]}-fe2e" for name in names if ROWS[name].from_dense}
    return [name for name in ROWS if not names or name in {*names, *needed}]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", default="marionette")
    parser.add_argument("--out", default="runs/guidance")
    parser.add_argument("--units", default="", help="folder of a detector's files; default: <out>/units, written first")
    parser.add_argument("--rows", nargs="*", default=[], choices=list(ROWS), metavar="ROW")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    parser.add_argument("--split", default="test")
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--clips", type=int, default=0, help="training clips; 0 = all")
    parser.add_argument("--epochs", type=int, default=12, help="of FE2E, and again of each row")
    parser.add_argument(
        "--neutral", type=int, default=16, help="neutral faces of each batch; 0 for a corpus without them"
    )
    parser.add_argument("--people", type=int, default=24, help="people whose neutral faces are rendered for the leak")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="print the finished rows and stop")
    parser.add_argument("--record", default="", metavar="FOLDER", help="write the finished rows there as a record")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    corpus = open_corpus(options.corpus)
    options.corpus = str(corpus.folder)
    names = rows_to_measure(options.rows)
    if not options.table:
        if not options.units:
            options.units = str(Path(options.out) / "units")
            if any(name.startswith("units") for name in names) and not Path(options.units).is_dir():
                write_units(corpus, corpus, options.units)
        for seed in options.seeds:
            for name in names:
                print(name, seed, json.dumps(measure(name, seed, options, corpus)), flush=True)
    print(table(options))
    if options.record:
        print(write_record(options.record, record_of(options, corpus)))


if __name__ == "__main__":
    main()
