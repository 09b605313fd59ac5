"""`mesm faithfulness`: does the mask show what the scores were made of?"""

from __future__ import annotations

import argparse
from typing import Any

from mesm.cli import measuring


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `mesm faithfulness`."""
    parser.epilog = "example:\n  mesm faithfulness marionette-mesm --corpus marionette"
    parser.add_argument("checkpoint", help="name or folder of a MESM checkpoint")
    parser.add_argument("--corpus", required=True, help="name or folder of a corpus")
    parser.add_argument("--split", default="test", help="train, valid or test (default)")
    parser.add_argument("--top-p", type=float, help="nucleus mass in (0, 1]; default: the checkpoint's")
    parser.add_argument("--clips", type=int, help="use no more than this many clips; default: each test's own number")
    parser.add_argument("--seed", type=int, default=0, help="of the shuffles and draws (default: %(default)s)")
    parser.add_argument("--out", help="folder of the record; default: the workspace's records/")


def run(arguments: argparse.Namespace) -> int:
    """Run the tests, print what they say, write the record."""
    from mesm.analysis.predictor import load
    from mesm.data.corpora import open_corpus
    from mesm.studies.faithfulness.measure import faithfulness

    measuring.positive(arguments, "clips")
    predictor, corpus = load(arguments.checkpoint), open_corpus(arguments.corpus)
    with measuring.bar() as show:
        data = faithfulness(
            predictor,
            corpus,
            arguments.split,
            arguments.top_p,
            clips=arguments.clips,
            seed=arguments.seed,
            progress=show,
        )
    options = {"split": arguments.split, "top-p": arguments.top_p, "clips": arguments.clips}
    path = measuring.write(arguments, "faithfulness", predictor, corpus, data, options)
    print(_table(data))
    print(path)
    return 0


def _table(data: dict[str, Any]) -> str:
    lines = []
    for branch, word in (("visual", "face"), ("acoustic", "voice")):
        cost = data["shuffled_text"].get(branch, {}).get("accuracy")
        if cost and cost["cost"] is not None:
            low, high = cost["interval"]
            lines.append(
                f"shuffled texts cost the {word} {cost['cost']:.1f} points of {cost['own']:.1f} % ({low} to {high})"
            )
    for source in data["neutral_text"]["sources"]:
        lines.append(f"AUC of the text's emotion from {source['source']}: {_said(source['auc'])}; .5 = no leak")
    for branch, word in (("visual", "face"), ("acoustic", "voice")):
        only, order = data["keep_only"].get(branch), data["order"].get(branch, {}).get("all")
        if only:
            lines.append(f"{word}: nucleus scores {_said(only['nucleus_gain'])} above as many random sites")
        if order:
            lines.append(
                f"{word}: in order of attention, insertion {_said(order['insertion_gain'])} above random, "
                f"deletion {_said(order['deletion_gain'])} below"
            )
    low, middle, high = data["sufficient_p"]["sufficient"]
    lines.append(f"smallest sufficient p: median {middle:g}, quartiles {low:g} and {high:g}")
    if data["sound"]:
        lines.append(
            "loud sites, kept over active: " + ", ".join(_said(x["kept_lift"]) for x in data["sound"]["layers"])
        )
    return "\n".join(lines)


def _said(estimate: dict[str, float | None]) -> str:
    if estimate["value"] is None:
        return "-"
    return f"{estimate['value']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})"
