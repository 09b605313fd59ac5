"""`mesm evaluate`: score a checkpoint on a corpus and write the record."""

from __future__ import annotations

import argparse
from pathlib import Path

from mesm.cli import measuring


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `mesm evaluate`."""
    parser.epilog = "example:\n  mesm evaluate marionette-mesm --corpus marionette --top-p 0.5"
    parser.add_argument("checkpoint", help="name or folder of a checkpoint")
    parser.add_argument("--corpus", required=True, help="name or folder of a corpus")
    parser.add_argument("--split", default="test", help="train, valid or test (default)")
    parser.add_argument("--top-p", type=float, help="nucleus mass in (0, 1]; default: the checkpoint's")
    parser.add_argument(
        "--update", action="store_true", help="also write the result into the checkpoint's metrics.json and model card"
    )
    parser.add_argument("--out", help="folder of the record; default: the workspace's records/")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, print the table, write the record."""
    from functools import partial

    from mesm.analysis.predictor import load
    from mesm.data.corpora import open_corpus
    from mesm.studies.evaluation.bayes_ceiling import ceiling_wacc
    from mesm.studies.evaluation.measure import evaluate

    predictor, corpus = load(arguments.checkpoint), open_corpus(arguments.corpus)
    with measuring.bar() as show:
        data = evaluate(predictor, corpus, arguments.split, arguments.top_p, progress=partial(show, arguments.split))
    path = measuring.write(
        arguments,
        "evaluate",
        predictor,
        corpus,
        data,
        {"split": arguments.split, "top-p": arguments.top_p},
        config=predictor.config.to_dict(),
        seed=predictor.metrics.seed,
    )
    if arguments.update:
        update_checkpoint(predictor.folder, data, ceiling_wacc(corpus, predictor.config.modalities, data["labels"]))
    print(_table(data))
    print(path)
    return 0


def update_checkpoint(folder: Path, data: dict, ceiling: float | None = None) -> None:
    """Write an evaluation's summary into metrics.json and the model card again.

    Args:
        ceiling: WAcc of the ideal observer of the checkpoint's modalities, where the corpus has a known design.
    """
    from mesm.models import checkpoint
    from mesm.records.evaluation import Evaluation, from_schema_1
    from mesm.records.json_form import from_json
    from mesm.studies.evaluation.bayes_ceiling import ceiling_share

    share = None if ceiling is None else ceiling_share(data["wacc"], ceiling)
    checkpoint.update_checkpoint(folder, from_json(Evaluation, from_schema_1(data)), ceiling, share)


def _table(data: dict) -> str:
    names = ("wacc", "f1", "accuracy", "auc")
    lines = ["".join([f"{'':12}", *(f"{n:>10}" for n in names), f"{'positives':>11}"])]
    for label in data["labels"]:
        row = data["per_class"][label]
        lines.append(f"{label:12}" + "".join(_cell(row[n]) for n in names) + f"{row['positives']:11d}")
    lines.append(f"{'average':12}" + "".join(_cell(data[n]) for n in names))
    for name, row in data["trivial"].items():
        lines.append(f"{name:12}" + "".join(_cell(row.get(n)) for n in names))
    low, high = data["interval"]["wacc"]
    lines.append(f"WAcc 95 % interval over {data['speakers']} speakers: {low} to {high}; {data['clips']} clips")
    if data["macs_ratio"] is not None:
        lines.append(f"conv stack: {data['macs_ratio']:.3f} of FE2E's multiply-adds at top_p {data['top_p']}")
    if data["left_out"]:
        lines.append(f"not in this corpus and left out: {', '.join(data['left_out'])}")
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    return f"{'-':>10}" if value is None else f"{value:10.2f}"
