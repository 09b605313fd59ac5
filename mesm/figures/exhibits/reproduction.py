"""Size, work and time of the models of a reproduced table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mesm.figures.bibliography import PAPER, corpus_cites
from mesm.figures.bundle import Exhibit, origin_of
from mesm.figures.tables import Row, Table
from mesm.records import slug


def models_table(records: Sequence[Mapping[str, Any]], command: str) -> Exhibit:
    """Parameters, multiply-adds and milliseconds per utterance of each model.

    Args:
        records: of `mesm reproduce table3` or `table4`.
        command: what makes it again.
    """
    corpus = records[0]["provenance"]["corpus"]
    columns = ("model", "parameters, million", "MACs, million", "share of FE2E", "ms")
    rows = []
    for record in records:
        data = record["data"]
        cells = (data["parameters"] / 1e6, data["macs"] / 1e6, data["macs_ratio"], data["ms_per_clip"])
        rows.append(Row((record["provenance"]["checkpoint"], *(None if c is None else float(c) for c in cells))))
    return Exhibit(
        name=f"models-{slug(corpus)}",
        title=f"Size, work and time of the models on {corpus}",
        caption=(
            f"Mean multiply-adds and median milliseconds per utterance on the {records[0]['data']['split']} split of "
            f"{corpus}, one utterance at a time. Left out: the text encoder where it is frozen, ingestion, and the making of "
            "hand-crafted features. The share is that of the convolutions and attention."
        ),
        command=command,
        origin=origin_of(*records, cost_unit="MAC"),
        table=Table(columns, tuple(rows), digits=2),
        cites=(PAPER, *corpus_cites(corpus)),
    )
