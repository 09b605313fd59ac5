"""`mesm seeds`: one model trained with several seeds, as a mean, a spread and an interval over speakers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `mesm seeds`."""
    parser.epilog = "example:\n  mesm seeds runs/fe2e-0 runs/fe2e-1 runs/fe2e-2 --corpus corpora/marionette --name fe2e"
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run folders or checkpoints that differ in their seed")
    parser.add_argument("--corpus", required=True, help="name or folder of a corpus")
    parser.add_argument("--split", default="test", help="train, valid or test (default)")
    parser.add_argument("--top-p", type=float, help="nucleus mass in (0, 1]; default: the checkpoint's")
    parser.add_argument("--name", help="of the model in the record; default: the first run's")
    parser.add_argument("--out", help="folder of the record; default: the workspace's records/")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate every run, print the table, write the record."""
    from tqdm import tqdm

    from mesm.analysis.predictor import load
    from mesm.config import TrainConfig
    from mesm.data.corpora import open_corpus
    from mesm.records.legacy import write_record
    from mesm.runtime import workspace
    from mesm.studies.evaluation.comparison import check_only_seeds_differ, over_seeds
    from mesm.studies.evaluation.measure import evaluate

    corpus = open_corpus(arguments.corpus)
    predictors = [load(name) for name in arguments.runs]
    configs: dict[str, dict[str, Any]] = {}
    for given, p in zip(arguments.runs, predictors, strict=True):
        configs[given] = p.config.to_dict() | TrainConfig.from_dict(p.metrics.train).flat()
    check_only_seeds_differ(configs)
    found = [evaluate(p, corpus, arguments.split, arguments.top_p) for p in tqdm(predictors, unit="run", leave=False)]
    seeds = [int(p.metrics.seed or 0) for p in predictors]
    data = over_seeds(found, [p.name for p in predictors], seeds)
    name = arguments.name or predictors[0].name
    path = write_record(
        Path(arguments.out) if arguments.out else workspace() / "records",
        "seeds",
        name,
        corpus.name,
        data,
        checkpoint_sha256=[p.sha256 for p in predictors],
        command=f"mesm seeds {' '.join(p.name for p in predictors)} --corpus {corpus.name} --split {arguments.split}"
        + (f" --top-p {arguments.top_p}" if arguments.top_p else ""),
    )
    print(table(data))
    print(path)
    return 0


def table(data: dict[str, Any]) -> str:
    """A line per run, then the mean and the spread."""
    names = [n for n in ("wacc", "f1", "accuracy", "auc") if n in data["spread"]]
    width = max(len(r["checkpoint"]) for r in data["runs"]) + 2
    lines = [f"{'':{width}}{'seed':>5}" + "".join(f"{n:>10}" for n in names)]
    for r in data["runs"]:
        lines.append(f"{r['checkpoint']:{width}}{r['seed']:>5}" + "".join(f"{r[n]:10.2f}" for n in names))
    lines.append(f"{'mean':{width}}{'':5}" + "".join(f"{data[n]:10.2f}" for n in names))
    lines.append(f"{'spread':{width}}{'':5}" + "".join(f"{data['spread'][n]:10.2f}" for n in names))
    low, high = data["interval"]["wacc"]
    lines.append(f"the mean's WAcc, 95 % interval over {data['speakers']} speakers: {low} to {high}")
    return "\n".join(lines)
