"""Tabulate the paper's Tables 1 to 5 with our lines beside the reported ones, and size, cost and time of the models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mesm.estimate import decimal_text
from mesm.figures.tables import Cell, Row, Table
from mesm.records.ablation import Ablation
from mesm.records.base import Record
from mesm.records.evaluation import ScoredModel, TimedOn
from mesm.records.reproduction import ReproducedLine
from mesm.records.seeds import SeedsMean
from mesm.records.sweep import Sweep
from mesm.studies.evaluation.breakdown import SplitCount
from mesm.studies.evaluation.tables import interval_cell, model_name, share_cell
from mesm.studies.reproduction.reported import ReportedRow, ReportedTable
from mesm.studies.sweep.chart_data import saving, time_sentence

MEASURED, REPORTED, TRIVIAL = "measured here", "reported on", "trivial answers"
ACCURACY_WORDS = {"accuracy": "Acc", "wacc": "WAcc"}
#: Model of a configuration -> its name in the paper, in the order of its tables.
PAPER_NAMES: dict[str, str] = {
    "lf_lstm": "LF-LSTM",
    "lf_transformer": "LF-TRANS",
    "emo_embs": "EmoEmbs",
    "mult": "MulT",
    "fe2e": "FE2E",
    "mesm": "MESM",
}


def paper_name(record: Record[ScoredModel]) -> str:
    """Return the paper's name of a record's model, the same in every table; the checkpoint's name where it is not known."""
    origin, data = record.provenance, record.data
    if origin.checkpoint in PAPER_NAMES.values():
        return origin.checkpoint
    known = PAPER_NAMES.get(str(origin.config.get("name", "")))
    if known is not None:
        return known
    if data.top_p is not None:
        return PAPER_NAMES["mesm"]
    return PAPER_NAMES["fe2e"] if data.macs_ratio == 1 else origin.checkpoint


def row_name(record: Record[ScoredModel]) -> str:
    """Return the paper's name of a model with the checkpoint's, its top-p, and its number of seeds if there are several."""
    name, checkpoint = paper_name(record), record.provenance.checkpoint
    own = "" if checkpoint == name else f" ({checkpoint})"
    return model_name(record).replace(checkpoint, name + own, 1)


def scored_models(
    evaluations: Sequence[Record[ScoredModel]],
    seeds: Sequence[Record[ScoredModel]] = (),
    lines: Sequence[Record[ReproducedLine]] = (),
) -> list[Record[ScoredModel]]:
    """Return the rows of Tables 3 and 4: means over seeds first, in the paper's order; a mean that two records hold once."""
    several: list[Record[ScoredModel]] = [line for line in lines if line.data.seeds > 1]
    covered = {(paper_name(record), record.data.top_p, record.data.seeds) for record in several}
    several += [r for r in seeds if (paper_name(r), r.data.top_p, r.data.seeds) not in covered]
    order = list(PAPER_NAMES.values())

    def place(record: Record[ScoredModel]) -> tuple[int, str]:
        name = paper_name(record)
        return order.index(name) if name in order else len(order), record.provenance.checkpoint

    return [*sorted(several, key=place), *sorted(evaluations, key=place)]


def scores_table(records: Sequence[Record[ScoredModel]], reported: ReportedTable) -> Table:
    """Tabulate Table 3 or 4: every scored model, the reported rows, the trivial answers.

    Single seeds are not ranked where means over several stand beside them.
    """
    accuracy, labels = reported.accuracy, records[0].data.labels
    short = ACCURACY_WORDS[accuracy]
    averages = (short, f"{short} 95 %", "F1", "F1 95 %")
    columns = ("model", "work", *(kind for _ in labels for kind in (short, "F1")), *averages)
    heads = ("", "", *(name for name in labels for _ in range(2)), *("average",) * 4)
    means = any(record.data.seeds > 1 for record in records)
    rows = [_measured_row(record, labels, accuracy, record.data.seeds > 1 or not means) for record in records]
    rows += [_reported_row(row, labels, reported.corpus) for row in reported.rows]
    blank: list[Cell] = [None] * (2 * len(labels))
    for name, scores in records[0].data.trivial.items():
        cells = (name, None, *blank, getattr(scores, accuracy), None, scores.f1, None)
        rows.append(Row(cells, TRIVIAL, ranked=False))
    return Table(columns, tuple(rows), tuple(range(2, len(columns))), heads=heads)


def _measured_row(record: Record[ScoredModel], labels: Sequence[str], accuracy: str, ranked: bool) -> Row:
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
    group = f"{MEASURED}, {f'mean of {data.seeds} seeds' if data.seeds > 1 else 'one seed'}"
    return Row((row_name(record), share_cell(data.macs_ratio), *cells, *averages), group, spread, ranked)


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
        rows.append(Row((model, f"{model} on {letters}", *cells), f"{REPORTED} IEMOCAP", ranked=False))
    columns = ("row", "what differs", "Acc", "Acc 95 %", "F1", "F1 95 %", "WAcc", "WAcc 95 %", "work")
    return Table(columns, tuple(rows), (2, 4, 6))


def reported_modalities_table(reported: Mapping[tuple[str, str], tuple[float, float]]) -> Table:
    """Tabulate Table 5 as the paper reports it."""
    rows = tuple(Row((m, s, a, f), f"{REPORTED} IEMOCAP", ranked=False) for (m, s), (a, f) in reported.items())
    return Table(("model", "modalities", "Acc", "F1"), rows)


def model_times(
    records: Sequence[Record[ReproducedLine]], sweeps: Sequence[Record[Sweep]] = ()
) -> tuple[TimedOn, list[float | None]]:
    """Return the machine, and milliseconds of one clip alone of each line: one measurement for each model and top-p.

    A sweep that timed some of the same weights decides; lines that another machine or process timed have no value beside it.
    """
    for sweep in sweeps:
        timed: dict[tuple[str, float | None], float] = {
            (sha256, point.top_p): point.ms_per_clip
            for sha256 in sweep.provenance.checkpoint_sha256
            for point in sweep.data.points
        }
        if sweep.data.reference is not None:
            timed[sweep.data.reference.sha256, None] = sweep.data.reference.point.ms_per_clip
        measured = [
            next((timed[c.sha256, r.data.top_p] for c in r.data.checkpoints if (c.sha256, r.data.top_p) in timed), None)
            for r in records
        ]
        if sweep.data.timed_on is not None and any(value is not None for value in measured):
            return sweep.data.timed_on, measured
    return records[0].data.timed_on, [record.data.ms_per_clip for record in records]


def time_note(records: Sequence[Record[ReproducedLine]], sweeps: Sequence[Record[Sweep]] = ()) -> str | None:
    """Return MESM's and FE2E's time of one clip alone, and what MESM saves; None without both of one machine.

    Args:
        sweeps: the first that timed some of the same weights decides, as in `model_times`.
    """
    if not records:
        return None
    weights = {checkpoint.sha256 for record in records for checkpoint in record.data.checkpoints}
    for sweep in sweeps:
        if weights & set(sweep.provenance.checkpoint_sha256) and (sentence := time_sentence(sweep)) is not None:
            return sentence
    machine, times = model_times(records)
    by_name = dict(zip(map(paper_name, records), times, strict=True))
    ours, dense = by_name.get("MESM"), by_name.get("FE2E")
    ratio = next((record.data.macs_ratio for record in records if paper_name(record) == "MESM"), None)
    if ours is None or dense is None or ratio is None:
        return None
    return (
        f"One clip alone takes MESM {decimal_text(ours, 1)} ms and FE2E {decimal_text(dense, 1)} ms ({machine.words()}): "
        f"{saving(ours / dense, ratio)}."
    )


def models_table(records: Sequence[Record[ReproducedLine]], sweeps: Sequence[Record[Sweep]] = ()) -> Table:
    """Tabulate parameters, multiply-adds and milliseconds per clip of each model, with its scores; cheapest first.

    Args:
        sweeps: whose times stand for the lines' own, see `model_times`.
    """
    rows = []
    ordered = sorted(records, key=lambda record: record.data.macs)
    machine, times = model_times(ordered, sweeps)
    for record, ms in zip(ordered, times, strict=True):
        data = record.data
        sizes = (data.parameters / 1e6, data.macs / 1e6, data.macs_ratio, ms)
        scores = [
            cell
            for metric in ("wacc", "f1")
            for value in [getattr(data.average, metric)]
            for cell in (None if value is None else decimal_text(value, 1), interval_cell(data.interval, metric))
        ]
        rows.append(Row((row_name(record), *sizes, *scores)))
    columns = ("model", "parameters, million", "MACs, million", "share of FE2E", f"ms on {machine.device}")
    return Table((*columns, "WAcc", "WAcc 95 %", "F1", "F1 95 %"), tuple(rows), digits=2)
