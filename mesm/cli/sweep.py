"""`mesm sweep`: one checkpoint at many top-p."""

from __future__ import annotations

import argparse
import json

from mesm.cli import measuring


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `mesm sweep`."""
    parser.epilog = (
        "example:\n  mesm sweep marionette-mesm --corpus corpora/marionette --top-p 0.1:1.0:0.1 \\\n"
        "    --against marionette-fe2e"
    )
    parser.add_argument("checkpoint", help="name or folder of a MESM checkpoint")
    parser.add_argument("--corpus", required=True, help="name or folder of a corpus with a valid and a test split")
    parser.add_argument(
        "--top-p", default="0.1:1.0:0.1", help="low:high:step or a list such as 0.3,0.5 (default: %(default)s)"
    )
    parser.add_argument("--against", help="an FE2E checkpoint to score and time by the same rules")
    parser.add_argument("--split", default="test", help="what to report on (default: test)")
    parser.add_argument("--out", help="folder of the record; default: the workspace's records/")
    parser.add_argument("--progress", metavar="FILE", help="JSON file that tells a page how far the sweep is")


def run(arguments: argparse.Namespace) -> int:
    """Sweep, print the curve, write the record."""
    from mesm.analysis.predictor import load
    from mesm.data.corpora import open_corpus
    from mesm.files import write_atomic
    from mesm.studies.sweep.measure import parse_range, sweep

    top_ps = parse_range(arguments.top_p)
    predictor, corpus = load(arguments.checkpoint), open_corpus(arguments.corpus)
    against = load(arguments.against) if arguments.against else None
    with measuring.bar() as show:

        def tell(done: int, total: int) -> None:
            show("", done, total)
            if arguments.progress:
                write_atomic(arguments.progress, json.dumps({"done": done, "total": total}).encode())

        data = sweep(predictor, corpus, top_ps, against=against, split=arguments.split, progress=tell)
    path = measuring.write(
        arguments,
        "sweep",
        predictor,
        corpus,
        data,
        {"top-p": arguments.top_p, "against": against and against.name},
        config=predictor.config.to_dict(),
        seed=predictor.metrics.seed,
    )
    print(f"{'top_p':>6}{'WAcc':>8}{'F1':>8}{'work':>8}{'ms':>8}")
    for row in data["rows"]:
        mark = "  elbow" if row["top_p"] == data["elbow"]["top_p"] else ""
        print(
            f"{row['top_p']:6.2f}{row['wacc']:8.2f}{row['f1']:8.2f}{row['macs_ratio']:8.3f}{row['ms_per_clip']:8.1f}{mark}"
        )
    print(path)
    return 0
