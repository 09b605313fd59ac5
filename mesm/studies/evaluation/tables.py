"""Tabulate an evaluation: scores per emotion and per slice, confusion, calibration; format scores."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from mesm.estimate import counted, decimal_text
from mesm.figures.tables import Cell, Row, Table
from mesm.records.base import Record
from mesm.records.evaluation import ClassScores, Evaluation, Interval, ScoredModel
from mesm.records.timing import Timing
from mesm.statistics import few_speakers
from mesm.studies.evaluation.breakdown import Slice
from mesm.studies.evaluation.chart_data import MatrixChart, ReliabilityChart

METRIC_WORDS = {"wacc": "WAcc", "f1": "F1", "accuracy": "Acc", "weighted_f1": "weighted F1", "auc": "AUC"}


def model_name(record: Record[ScoredModel]) -> str:
    """Return a checkpoint with its top-p, and its number of seeds if there are several."""
    top_p, seeds = record.data.top_p, record.data.seeds
    name = record.provenance.checkpoint + (f", p = {top_p:g}" if top_p is not None else "")
    return f"{name}, {seeds} seeds" if seeds > 1 else name


def interval_cell(intervals: Mapping[str, Interval], metric: str) -> str | None:
    """Return a metric's 95 % interval over speakers as "low to high"; None without one."""
    ends = intervals.get(metric)
    return ends.words() if ends else None


def share_cell(macs_ratio: float | None) -> str | None:
    """Return a share of FE2E's multiply-adds as printed; None for a model without convolutions."""
    return None if macs_ratio is None else decimal_text(macs_ratio, 2)


def classes_table(evaluation: Evaluation) -> Table:
    """Tabulate every metric of every emotion, the average in the last row."""
    rows = []
    for label, threshold in zip(evaluation.labels, evaluation.thresholds, strict=True):
        scores: ClassScores = evaluation.per_class[label]
        decision = None if threshold is None else decimal_text(threshold, 2)
        rows.append(Row((label, scores.positives, *(getattr(scores, m) for m in METRIC_WORDS), decision)))
    rows.append(Row(("average", None, *(getattr(evaluation.average, m) for m in METRIC_WORDS), None), ranked=False))
    return Table(("emotion", "clips", *METRIC_WORDS.values(), "threshold"), tuple(rows))


def undefined_lines(
    split: str, positives: Mapping[str, int], clips: int, speakers: int | None, undecided: Collection[str] = ()
) -> tuple[str, ...]:
    """Return a sentence for each kind of value that is undefined on a split, with the reason.

    Args:
        positives: emotion -> number of clips that show it.
        clips: number of scored clips.
        speakers: number of groups that the intervals resample; None where there are intervals.
        undecided: emotions without a decision threshold.
    """
    none = [label for label, count in positives.items() if not count]
    every = [label for label, count in positives.items() if count and count == clips]
    lines = []
    if none:
        lines.append(f"{', '.join(none)}: no {split} clip shows it, so there is no WAcc, F1 and AUC of it")
    if every:
        lines.append(f"{', '.join(every)}: every {split} clip shows it, so there is no WAcc and AUC of it")
    if undecided:
        lines.append(
            f"{', '.join(undecided)}: the validation clips cannot decide it, so it has no threshold and no WAcc, F1 and "
            "Acc, and is never predicted"
        )
    return (*lines, *(() if speakers is None else few_speakers(speakers)))


def undefined_in(data: ScoredModel) -> tuple[str, ...]:
    """Return the sentences of `undefined_lines` about an evaluation or a mean over seeds."""
    positives = {label: scores.positives for label, scores in data.per_class.items()}
    runs = [data.thresholds] if isinstance(data, Evaluation) else [run.thresholds for run in getattr(data, "runs", ())]
    undecided = [label for i, label in enumerate(data.labels) if any(run[i] is None for run in runs)]
    return undefined_lines(data.split, positives, data.clips, None if data.interval else data.speakers, undecided)


def summary_lines(evaluation: Evaluation) -> tuple[str, ...]:
    """Return the sentences under the table of the emotions: interval, trivial answers, cost, labels left out."""
    trivial = "; ".join(
        f"{name}: "
        + ", ".join(
            f"{word} {'-' if value is None else decimal_text(value, 1)}"
            for word, value in (("Acc", row.accuracy), ("WAcc", row.wacc), ("F1", row.f1))
        )
        for name, row in evaluation.trivial.items()
    )
    ends = evaluation.interval.get("wacc")
    span = (
        f"WAcc 95 % interval {ends.low} to {ends.high} over {counted(evaluation.speakers, 'speaker')}; " if ends else ""
    )
    lines = [
        f"{span}{counted(evaluation.clips, 'clip')} of the {evaluation.split} split",
        *((f"trivial answers: {trivial}",) if trivial else ()),
    ]
    if evaluation.macs_ratio is not None:
        top_p = "" if evaluation.top_p is None else f" at top-p {evaluation.top_p:g}"
        lines.append(
            f"convolutions and attention: {decimal_text(evaluation.macs_ratio, 3)} of FE2E's multiply-adds{top_p}"
        )
    lines += (*evaluation.notes, *undefined_in(evaluation))
    if evaluation.left_out:
        lines.append(f"labels that this corpus lacks, left out: {', '.join(evaluation.left_out)}")
    return tuple(lines)


def slices_table(slices: Sequence[Slice]) -> Table:
    """Tabulate the scores of slices, grouped by what their clips share."""
    columns = ("slice", "clips", "speakers", "WAcc", "95 % from", "to", "F1", "Acc")
    rows = []
    for s in slices:
        ends = (s.interval.low, s.interval.high) if s.interval is not None else (None, None)
        rows.append(Row((s.name, s.clips, s.speakers, s.wacc, *ends, s.f1, s.accuracy), s.group))
    return Table(columns, tuple(rows))


def times_table(timing: Timing) -> Table:
    """Tabulate the milliseconds of every model and top-p."""
    rows = tuple(Row((one.checkpoint, one.top_p, one.ms_per_clip), ranked=False) for one in timing.models)
    return Table(("model", "top-p", "ms per clip"), rows, digits=2)


def matrix_table(chart: MatrixChart) -> Table:
    """Tabulate the counts of a matrix, or of two below each other."""
    rows = tuple(
        Row((panel.title or chart.kind, name, *(int(value) for value in line)))
        for panel in chart.panels
        for name, line in zip(chart.names, panel.counts, strict=True)
    )
    return Table(("kind", "row", *chart.names), rows)


def reliability_table(chart: ReliabilityChart) -> Table:
    """Tabulate the bins of a reliability diagram."""
    rows = []
    for b in chart.result.bins:
        cells: tuple[Cell, ...] = (
            f"{decimal_text(b.low, 1)} to {decimal_text(b.high, 1)}",
            b.count,
            b.mean_score,
            b.share_true,
            *b.interval,
        )
        rows.append(Row(cells))
    return Table(("score", "number", "mean score", "share true", "95 % from", "to"), tuple(rows), digits=3)
