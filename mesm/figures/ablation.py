"""The ablation record as a table: for the screen, CSV, LaTeX, and `static.table.plot_table`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mesm.figures.tables import Cell, Row, Table

COLUMNS = (
    "model", "WAcc", "WAcc 95 %", "F1", "AUC", "work", "against", "difference", "difference 95 %", "AUC lost",
)  # fmt: skip


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
        "{:.1f} to {:.1f}".format(*row["interval"]["wacc"]),
        row["f1"],
        row["auc"],
        None if row["macs_ratio"] is None else f"{row['macs_ratio']:.2f}",
        row.get("against", ""),
        found.get("difference"),
        f"{found['low']:+.1f} to {found['high']:+.1f}" if found else None,
        visual["auc"]["cost"] if visual else None,
    )
    spread = row["spread"] if len(row["runs"]) > 1 else {}
    places = {1: "wacc", 3: "f1", 4: "auc"}
    return Row(cells, row["group"], tuple(spread.get(places.get(i, "")) for i in range(len(cells))) if spread else ())
