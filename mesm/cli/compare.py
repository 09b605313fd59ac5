"""`mesm compare`: two records of the same clips, their difference with an interval over speakers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `mesm compare`."""
    parser.epilog = (
        "example:\n"
        "  mesm compare mesm_home/records/evaluate_mesm_marionette.json mesm_home/records/evaluate_fe2e_marionette.json"
    )
    parser.add_argument("first", metavar="A.json", help="record of mesm evaluate or mesm seeds")
    parser.add_argument("second", metavar="B.json", help="another one on the same clips")
    parser.add_argument("--draws", type=int, default=2000, help="of speakers (default: 2000)")
    parser.add_argument("--out", help="folder of the record; default: the workspace's records/")


def run(arguments: argparse.Namespace) -> int:
    """Compare, print, write the record."""
    from mesm.records.legacy import read_record, write_record
    from mesm.runtime import workspace
    from mesm.studies.evaluation.comparison import compare

    first, second = read_record(arguments.first), read_record(arguments.second)
    origins = [record["provenance"] for record in (first, second)]
    names = (str(origins[0].get("checkpoint")), str(origins[1].get("checkpoint")))
    data = compare(first["data"], second["data"], names, arguments.draws)
    path = write_record(
        Path(arguments.out) if arguments.out else workspace() / "records",
        "compare",
        f"{names[0]}-to-{names[1]}",
        str(origins[0].get("corpus")),
        data,
        compared=origins,
        command=f"mesm compare {Path(arguments.first).name} {Path(arguments.second).name}",
    )
    print(table(data))
    print(path)
    return 0


def table(data: dict[str, Any]) -> str:
    """Both sides and the differences."""
    lines = [f"{'':24}{'WAcc':>8}{'F1':>8}{'work':>8}{'top-p':>7}{'runs':>6}"]
    for side in (data["first"], data["second"]):
        work = "-" if side["macs_ratio"] is None else f"{side['macs_ratio']:.3f}"
        top_p = "-" if side["top_p"] is None else f"{side['top_p']:g}"
        lines.append(f"{side['name']:24}{side['wacc']:8.2f}{side['f1']:8.2f}{work:>8}{top_p:>7}{side['runs']:6d}")
    for metric, shown in (("wacc", "WAcc"), ("f1", "F1")):
        d = data["difference"][metric]
        lines.append(
            f"difference in {shown}: {d['difference']:+.2f} points, 95 % interval {d['low']:+.2f} to {d['high']:+.2f} over "
            f"{data['speakers']} speakers; better in {100 * d['share_better']:.0f} % of {data['draws']} draws"
        )
    return "\n".join(lines)
