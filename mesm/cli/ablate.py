"""`mesm ablate`: train one model per row and say what each part is worth."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `mesm ablate`."""
    parser.epilog = (
        "Rows that are finished are not trained again, and one that was interrupted goes on.\n"
        "examples:\n"
        "  mesm ablate --corpus corpora/marionette --out ablation\n"
        "  mesm ablate --corpus corpora/marionette --out ablation --rows gate query --seeds 0,1,2"
    )
    parser.add_argument("--corpus", required=True, help="name or folder of a corpus with train, valid and test")
    parser.add_argument("--out", required=True, help="folder of the runs, one per row and seed")
    parser.add_argument("--rows", nargs="+", default=[], metavar="ROW", help="rows or groups of rows; default: all")
    parser.add_argument("--seeds", default="0", help="such as 0,1,2; a row is then the mean (default: %(default)s)")
    parser.add_argument("--preset", default="marionette", help="start from PRESET-fe2e and PRESET-mesm (%(default)s)")
    parser.add_argument("--width", type=float, default=0.125, help="of the paper's channels (default: %(default)s)")
    parser.add_argument("--clips", type=int, default=600, help="to train on; 0 for all (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=6, help="of every training (default: %(default)s)")
    parser.add_argument("--split", default="test", help="what to report on (default: %(default)s)")
    parser.add_argument("--list", action="store_true", help="show the rows and train nothing")
    parser.add_argument("--records", help="folder of the record; default: the workspace's records/")


def run(arguments: argparse.Namespace) -> int:
    """Train row by row; the record is written again after each."""
    from mesm.cli.train import Bar
    from mesm.data.corpora import open_corpus
    from mesm.errors import ConfigError
    from mesm.records.legacy import write_record
    from mesm.runtime import workspace
    from mesm.studies.ablation.measure import Setting, ablate, choose_rows

    corpus = open_corpus(arguments.corpus)
    keys = ("preset", "width", "clips", "epochs", "split")
    setting = Setting(str(corpus.folder), **{k: getattr(arguments, k) for k in keys})
    try:
        seeds = [int(part) for part in arguments.seeds.split(",")]
    except ValueError as error:
        raise ConfigError(f"--seeds {arguments.seeds!r} must look like 0,1,2") from error
    chosen = choose_rows(setting, arguments.rows)
    if arguments.list:
        print("\n".join(f"{row.name:26}{row.group:18}{row.what}" for row in chosen))
        return 0
    folder, bar = Path(arguments.records) if arguments.records else workspace() / "records", Bar()

    def write(data: dict[str, Any]) -> Path:
        command = f"mesm ablate --corpus {corpus.name} --seeds {arguments.seeds}"
        command += "".join(f" --{k} {getattr(arguments, k)}" for k in keys)
        return write_record(folder, "ablation", "", corpus.name, data, command=command)

    def done(name: str, data: dict[str, Any]) -> None:
        write(data)
        bar.tqdm.write(f"{name}: finished")

    data = ablate(setting, arguments.out, arguments.rows, seeds, report=bar, done=done)
    print(table(data))
    print(write(data))
    return 0


def table(data: dict[str, Any]) -> str:
    """A line per row: scores with intervals over speakers, work, time, and the difference to what it is compared with."""
    lines = [
        f"{'':26}{'WAcc':>6} {'95 % interval':>15}{'F1':>7} {'95 % interval':>15}{'AUC':>7}{'work':>7}{'s':>6}"
        "  difference in WAcc; what the branches lose when other clips' texts ask them"
    ]
    group = ""
    for row in data["rows"]:
        if row["group"] != group:
            group = row["group"]
            lines.append(group)
        spans = [f"{row['interval'][k][0]:.1f} to {row['interval'][k][1]:.1f}" for k in ("wacc", "f1")]
        lines.append(
            f"  {row['row']:24}{row['wacc']:6.1f} {spans[0]:>15}{row['f1']:7.1f} {spans[1]:>15}{_number(row['auc'], 1):>7}"
            f"{_number(row['macs_ratio'], 3):>7}{row['seconds']:6.0f}  {_remarks(row)}".rstrip()
        )
    s = data["setting"]
    lines.append(
        f"reduced: width {s['width']:g}, {s['clips'] or 'all'} training clips, {s['epochs']} epochs, "
        f"seeds {', '.join(map(str, data['seeds']))}; {s['split']} split of {s['corpus']}"
    )
    return "\n".join(lines)


def _number(value: float | None, places: int) -> str:
    return "-" if value is None else f"{value:.{places}f}"


def _remarks(row: dict[str, Any]) -> str:
    words = []
    if "difference" in row:
        d = row["difference"]["wacc"]
        words.append(f"{d['difference']:+.1f} ({d['low']:+.1f} to {d['high']:+.1f}) against {row['against']}")
    if row.get("shuffled_text"):
        costs = [f"{branch} {-found['auc']['cost']:+.1f}" for branch, found in row["shuffled_text"].items()]
        words.append(f"AUC with other texts: {', '.join(costs)}")
    return "; ".join(words)
