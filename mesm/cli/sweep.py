"""`mesm sweep`: sweep top-p: score one checkpoint at many values of it."""

from __future__ import annotations

import argparse
from shlex import quote

from mesm.cli import measuring


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm sweep`."""
    parser.epilog = (
        "example:\n  mesm sweep marionette-mesm --corpus corpora/marionette --top-p 0.1:1.0:0.1 \\\n"
        "    --against marionette-fe2e"
    )
    parser.add_argument("checkpoint", help="name or folder of a MESM checkpoint")
    parser.add_argument(
        "--corpus", required=True, help="name or folder of a corpus; thresholds come from its valid split, if any"
    )
    parser.add_argument(
        "--top-p", default="0.1:1.0:0.1", help="low:high:step or a list such as 0.3,0.5 (default: %(default)s)"
    )
    parser.add_argument("--against", help="an FE2E checkpoint to score and time by the same rules")
    parser.add_argument("--split", default="test", help="split to score (default: test)")
    parser.add_argument("--out", help="folder of the record; default: the workspace's records/")
    parser.add_argument("--progress", metavar="FILE", help="JSON file for the clips done and the clips in total")


def run(arguments: argparse.Namespace) -> int:
    """Measure the sweep, print its table and write its record."""
    from mesm.analysis.predictor import load
    from mesm.records.base import Record, new_provenance, write_record
    from mesm.runtime import workspace
    from mesm.studies.sweep.measure import measure_sweep
    from mesm.studies.sweep.tables import notes, points_table
    from mesm.studies.sweep.top_ps import parse_top_ps

    top_ps = parse_top_ps(arguments.top_p)
    predictor, corpus = load(arguments.checkpoint), measuring.corpus_to_score(arguments.corpus)
    against = load(arguments.against) if arguments.against else None
    write_share = measuring.reporter(arguments.progress)
    with measuring.bar() as show:

        def report(done: int, total: int) -> None:
            show("", done, total)
            write_share(done, total)

        sweep = measure_sweep(predictor, corpus, top_ps, against=against, split=arguments.split, progress=report)
    options = f" --against {quote(against.name)}" if against else ""
    options += f" --split {quote(arguments.split)}" if arguments.split != "test" else ""
    provenance = new_provenance(
        corpus.id,
        predictor.name,
        [predictor.sha256],
        f"mesm sweep {quote(predictor.name)} --corpus {quote(corpus.id.key)} --top-p {quote(arguments.top_p)}{options}",
        seed=predictor.metrics.seed,
        config=predictor.config.to_dict(),
    )
    path = write_record(arguments.out or workspace() / "records", Record("sweep", provenance, sweep))
    print("\n".join((points_table(sweep).to_text(), *notes(sweep))))
    print(path)
    return 0
