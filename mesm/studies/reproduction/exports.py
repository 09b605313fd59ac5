"""What stands with a reproduced table: size, work and time of its models, and where each of them comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mesm.figures.bibliography import PAPER, corpus_cites
from mesm.figures.export import FigureExport, origin_of
from mesm.figures.tables import Row, Table
from mesm.files import slug
from mesm.studies.evaluation.exports import interval, model_name


def models_table(records: Sequence[Mapping[str, Any]]) -> FigureExport:
    """Parameters, multiply-adds and milliseconds per utterance of each model, beside what it scores.

    Args:
        records: of `mesm reproduce table3` or `table4`, in any order.
    """
    records = sorted(records, key=lambda record: float(record["data"]["macs"]))
    corpus, timed = records[0]["provenance"]["corpus"], records[0]["data"]["timed_on"]
    threads = f"{timed['threads']} thread" + ("s" if timed["threads"] > 1 else "")
    clock = f"processor time of {threads}" if timed["device"] == "cpu" else timed["device"]
    columns = (
        "model",
        "parameters, million",
        "MACs, million",
        "share of FE2E",
        f"ms on {timed['device']}",
        "WAcc",
        "WAcc 95 %",
        "F1",
        "F1 95 %",
    )
    rows = []
    for record in records:
        data = record["data"]
        sizes = (data["parameters"] / 1e6, data["macs"] / 1e6, data["macs_ratio"], data["ms_per_clip"])
        scores = [f"{data['wacc']:.1f}", interval(data, "wacc"), f"{data['f1']:.1f}", interval(data, "f1")]
        name = model_name(record)
        rows.append(Row((name, *(None if c is None else float(c) for c in sizes), *scores)))
    return FigureExport(
        name=f"models-{slug(corpus)}",
        title=f"Size, work and time of the models on {corpus}",
        caption=(
            f"Mean multiply-adds and median milliseconds per utterance on the {records[0]['data']['split']} split of "
            f"{corpus}, one utterance at a time ({clock}). Left out: the text encoder where it is frozen, ingestion, and "
            "the making of hand-crafted features. The share is that of the convolutions and attention. 95 %: interval over "
            "speakers."
        ),
        command=f"mesm figure models --corpus {corpus}",
        origin=origin_of(*records, cost_unit="MAC"),
        table=Table(columns, tuple(rows), digits=2),
        cites=(PAPER, *corpus_cites(corpus)),
    )


def note(records: Sequence[Mapping[str, Any]], missing: Mapping[str, str]) -> str:
    """What was loaded, what was trained, with how many seeds, and what was not run.

    Args:
        records: of `mesm reproduce table3` or `table4`.
        missing: model -> why it has no line.
    """
    origins: dict[str, list[str]] = {}
    differ = []
    for record in records:
        model, checkpoints = record["provenance"]["checkpoint"], record["data"]["checkpoints"]
        for origin in {c["origin"]: None for c in checkpoints}:
            origins.setdefault(origin, []).append(model)
        settings = {words: None for c in checkpoints for words in c["differs"]}
        differ += [f"{model} differs from the preset: {'; '.join(settings)}."] if settings else []
    words = {
        "shipped": "Loaded, as shipped with this corpus",
        "given": "Loaded, as given",
        "trained": "Trained for this table",
    }
    said = [f"{words[origin]}: {', '.join(models)}." for origin, models in origins.items()]
    seeds = len(records[0]["data"]["runs"])
    said += [*differ, f"{seeds} seed{'s' if seeds > 1 else ''}."]
    return " ".join([*said, f"Not run: {', '.join(missing)}."] if missing else said)
