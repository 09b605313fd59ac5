"""The ablation record as an exhibit: a line per trained model, with what it is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mesm.figures.bibliography import PAPER, corpus_cites
from mesm.figures.export import FigureExport, origin_of
from mesm.figures.tables import Cell, Row, Table
from mesm.files import slug
from mesm.studies.evaluation.exports import interval, work

COLUMNS = (
    "model", "WAcc", "WAcc 95 %", "F1", "AUC", "work", "against", "difference", "difference 95 %", "AUC lost",
)  # fmt: skip


def ablation(record: Mapping[str, Any]) -> FigureExport:
    """Every row of an ablation, with what it is compared with."""
    data, corpus = record["data"], record["provenance"]["corpus"]
    return FigureExport(
        name=f"ablation-{slug(corpus)}",
        title=f"What each part is worth on {corpus}",
        caption=(
            f"Averages in percent on the {data['setting']['split']} split of {corpus}, intervals over speakers, "
            f"{len(data['seeds'])} seed(s). Work: share of FE2E's convolutions. Difference: WAcc, in points, to the row "
            "it is compared with: FE2E on TAV for those of FE2E and for MESM on TAV, else MESM on TAV. "
            "AUC lost: by the face's branch when other clips' texts ask it."
        ),
        command=f"mesm figure ablation --corpus {corpus}",
        origin=origin_of(record, setting=data["setting"], seeds=data["seeds"]),
        table=ablation_table(record),
        cites=(PAPER, *corpus_cites(corpus)),
    )


def ablation_table(record: Mapping[str, Any]) -> Table:
    """A line per trained model, in the record's groups.

    `work` is the share of FE2E's convolutions; the difference is in WAcc, with its interval over speakers; "AUC lost" is
    what the face's branch loses when other clips' texts ask it, where there is an attention.
    """
    return Table(COLUMNS, tuple(_line(row) for row in record["data"]["rows"]), best=(1, 3, 4))


def _line(row: Mapping[str, Any]) -> Row:
    found = row.get("difference", {}).get("wacc", {})
    visual = row.get("shuffled_text", {}).get("visual")
    cells: tuple[Cell, ...] = (
        row["what"],
        row["wacc"],
        interval(row, "wacc"),
        row["f1"],
        row["auc"],
        work(row),
        row.get("against", ""),
        found.get("difference"),
        f"{found['low']:+.1f} to {found['high']:+.1f}" if found else None,
        visual["auc"]["cost"] if visual else None,
    )
    spread = row["spread"] if len(row["runs"]) > 1 else {}
    places = {1: "wacc", 3: "f1", 4: "auc"}
    return Row(cells, row["group"], tuple(spread.get(places.get(i, "")) for i in range(len(cells))) if spread else ())
