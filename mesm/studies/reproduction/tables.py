"""Tabulate the paper's Tables 1 to 5 with our lines beside the reported ones, and size, cost and time of the models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mesm.estimate import decimal_text
from mesm.figures.tables import Cell, Row, Table
from mesm.records.ablation import Ablation
from mesm.records.base import Record
from mesm.records.evaluation import ScoredModel
from mesm.records.reproduction import ReproducedLine
from mesm.records.seeds import SeedsMean
from mesm.studies.evaluation.breakdown import SplitCount
from mesm.studies.evaluation.tables import interval_cell, model_name, share_cell
from mesm.studies.reproduction.reported import ReportedRow, ReportedTable

MEASURED, REPORTED, TRIVIAL = "measured here", "reported on", "trivial answers"
ACCURACY_WORDS = {"accuracy": "Acc", "wacc": "WAcc"}


def scores_table(records: Sequence[Record[ScoredModel]], reported: ReportedTable) -> Table:
    """Tabulate Table 3 or 4: every scored model, the reported rows, the trivial answers."""
    accuracy, labels = reported.accuracy, records[0].data.labels
    short = ACCURACY_WORDS[accuracy]
    averages = (short, f"{short} 95 %", "F1", "F1 95 %")
    columns = ("model", "work", *(kind for _ in labels for kind in (short, "F1")), *averages)
    heads = ("", "", *(name for name in labels for _ in range(2)), *("average",) * 4)
    rows = [_measured_row(record, labels, accuracy) for record in records]
    rows += [_reported_row(row, labels, reported.corpus) for row in reported.rows]
    blank: list[Cell] = [None] * (2 * len(labels))
    for name, scores in records[0].data.trivial.items():
        cells = (name, None, *blank, getattr(scores, accuracy), None, scores.f1, None)
        rows.append(Row(cells, TRIVIAL, ranked=False))
    return Table(columns, tuple(rows), tuple(range(2, len(columns))), heads=heads)


def _measured_row(record: Record[ScoredModel], labels: Sequence[str], accuracy: str) -> Row:
    data = record.data
    per_class = [data.per_class.get(label) for label in labels]
    cells = [getattr(row, metric, None) for row in per_class for metric in (accuracy, "f1")]
    averages = [
        cell
        for metric in (accuracy, "f1")
        for cell in (getattr(data.average, metric), interval_cell(data.interval, metric))
    ]
    spread: tuple[float | None, ...] = ()
    if isinstance(data, SeedsMean) and data.spread:
        spread = (*(None,) * (2 + len(cells)), data.spread.get(accuracy), None, data.spread.get("f1"), None)
    return Row((model_name(record), share_cell(data.macs_ratio), *cells, *averages), MEASURED, spread)


def _reported_row(row: ReportedRow, labels: Sequence[str], corpus: str) -> Row:
    cells = [value for label in labels for value in row.scores.get(label, (None, None))]
    gflops = None if row.gflops is None else f"{decimal_text(row.gflops, 2)} G"
    accuracy, f1 = row.average
    return Row((row.model, gflops, *cells, accuracy, None, f1, None), f"{REPORTED} {corpus}", ranked=False)


def splits_table(
    corpus: str, counts: Sequence[SplitCount], reported: Mapping[str, Mapping[str, int]], reported_corpus: str
) -> Table:
    """Tabulate Table 1 or 2: clips of each emotion in each split.

    Args:
        counts: `mesm.studies.evaluation.breakdown.split_counts` of the corpus.
        reported: split -> emotion or "clips" -> number in the paper's table.
    """
    labels = list(counts[0].per_emotion) if counts else []
    rows = [
        Row((c.split, c.clips, c.speakers, *(c.per_emotion[n] for n in labels), c.words, c.duration_s), corpus)
        for c in counts
    ]
    for split, numbers in reported.items():
        cells = (split, numbers.get("clips"), None, *(numbers.get(label) for label in labels), None, None)
        rows.append(Row(cells, f"{REPORTED} {reported_corpus}", ranked=False))
    return Table(("split", "clips", "speakers", *labels, "words", "seconds"), tuple(rows))


def modalities_table(ablation: Ablation, reported: Mapping[tuple[str, str], tuple[float, float]]) -> Table:
    """Tabulate Table 5: FE2E and MESM on subsets of the modalities, one trained model per row."""
    kinds = ("accuracy", "f1", "wacc")
    rows = []
    for line in (line for line in ablation.rows if line.group.endswith("modalities")):
        spread = line.spread if len(ablation.seeds) > 1 else {}
        cells = [c for kind in kinds for c in (getattr(line.average, kind), interval_cell(line.interval, kind))]
        spreads = [s for kind in kinds for s in (spread.get(kind), None)]
        cost = share_cell(line.macs_ratio)
        rows.append(Row((line.row, line.what, *cells, cost), line.group, (None, None, *spreads, None)))
    for (model, letters), (accuracy, f1) in reported.items():
        cells = [accuracy, None, f1, *(None,) * 4]
        rows.append(Row((model, f"on {letters}", *cells), f"{REPORTED} IEMOCAP", ranked=False))
    columns = ("row", "what differs", "Acc", "Acc 95 %", "F1", "F1 95 %", "WAcc", "WAcc 95 %", "work")
    return Table(columns, tuple(rows), (2, 4, 6))


def reported_modalities_table(reported: Mapping[tuple[str, str], tuple[float, float]]) -> Table:
    """Tabulate Table 5 as the paper reports it."""
    rows = tuple(Row((m, s, a, f), f"{REPORTED} IEMOCAP", ranked=False) for (m, s), (a, f) in reported.items())
    return Table(("model", "modalities", "Acc", "F1"), rows)


def models_table(records: Sequence[Record[ReproducedLine]]) -> Table:
    """Tabulate parameters, multiply-adds and milliseconds per clip of each model, with its scores; cheapest first."""
    rows = []
    for record in sorted(records, key=lambda record: record.data.macs):
        data = record.data
        sizes = (data.parameters / 1e6, data.macs / 1e6, data.macs_ratio, data.ms_per_clip)
        scores = [
            cell
            for metric in ("wacc", "f1")
            for value in [getattr(data.average, metric)]
            for cell in (None if value is None else decimal_text(value, 1), interval_cell(data.interval, metric))
        ]
        rows.append(Row((model_name(record), *sizes, *scores)))
    device = records[0].data.timed_on.device
    columns = ("model", "parameters, million", "MACs, million", "share of FE2E", f"ms on {device}")
    return Table((*columns, "WAcc", "WAcc 95 %", "F1", "F1 95 %"), tuple(rows), digits=2)
