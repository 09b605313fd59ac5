"""Results as exhibits: the paper's tables with ours, slices, confusion, co-occurrence, calibration.

What the records do not hold themselves (matrices, bins, slices, the reported numbers) is handed in, already computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mesm.figures.bibliography import PAPER, corpus_cites
from mesm.figures.export import FigureExport, origin_of
from mesm.figures.tables import Cell, Row, Table
from mesm.files import slug
from mesm.studies.evaluation.paper import plot_matrix, plot_reliability

Record = Mapping[str, Any]
MEASURED, REPORTED, TRIVIAL = "measured here", "reported on", "trivial answers"
ACCURACY_WORDS = {"accuracy": "Acc", "wacc": "WAcc"}


def scores_table(
    records: Sequence[Record], number: int, accuracy: str, reported: Sequence[Any] = (), where: str = ""
) -> FigureExport:
    """Table 3 or 4: every evaluated model, the reported numbers, the trivial answers.

    Args:
        records: evaluations on one corpus, or means over seeds.
        accuracy: "accuracy" for Table 3, "wacc" for Table 4.
        reported: `analysis.reported.ReportedRow`; `where` names their corpus.
    """
    corpus, labels = records[0]["provenance"]["corpus"], records[0]["data"]["labels"]
    short = ACCURACY_WORDS[accuracy]
    columns = (
        "model",
        "work",
        *(kind for _ in labels for kind in (short, "F1")),
        short,
        f"{short} 95 %",
        "F1",
        "F1 95 %",
    )
    heads = ("", "", *(name for name in labels for _ in range(2)), *("average",) * 4)
    rows = []
    for record in records:
        data = record["data"]
        per = [data.get("per_class", {}).get(label, {}) for label in labels]
        cells = [value for row in per for value in (row.get(accuracy), row.get("f1"))]
        averages = [cell for metric in (accuracy, "f1") for cell in (data[metric], interval(data, metric))]
        spreads = [s for metric in (accuracy, "f1") for s in (data.get("spread", {}).get(metric), None)]
        rows.append(
            Row((model_name(record), work(data), *cells, *averages), MEASURED,
                (*(None,) * (2 + len(cells)), *spreads) if any(s is not None for s in spreads) else ())
        )  # fmt: skip
    rows += [_reported(row, labels, where) for row in reported]
    for name, found in records[0]["data"]["trivial"].items():
        blank: list[Cell] = [None] * (2 * len(labels))
        rows.append(Row((name, None, *blank, found[accuracy], None, found["f1"], None), TRIVIAL, ranked=False))
    data = records[0]["data"]
    caption = (
        f"{short} and F1 in percent on the {data['split']} split of {corpus} ({data['clips']} clips, {data['speakers']} "
        "speakers); thresholds chosen on the validation split. 95 %: interval over speakers. Work: convolutions and "
        "attention, share of FE2E's multiply-adds."
    )
    if reported:
        caption += f" Reported rows: Dai et al. (2021), Table {number}, on {where}: another corpus, not to be ranked."
    return FigureExport(
        name=f"table-{number}-{slug(corpus)}",
        title=f"Table {number}: {short} and F1 on {corpus}",
        caption=caption,
        command=f"mesm figure table {number} --corpus {corpus}",
        origin=origin_of(*records, cost_unit="MAC, as a share of FE2E's"),
        table=Table(columns, tuple(rows), tuple(range(2, len(columns))), heads=heads),
        cites=(PAPER, *corpus_cites(f"{corpus} {where}" if reported else corpus)),
    )


def model_name(record: Record) -> str:
    """A checkpoint with its top-p, and with its seeds if they are several."""
    top_p, runs = record["data"]["top_p"], len(record["data"].get("runs", ()))
    name = record["provenance"]["checkpoint"] + (f", p = {top_p:g}" if top_p is not None else "")
    return f"{name}, {runs} seeds" if runs > 1 else name


def interval(data: Mapping[str, Any], metric: str) -> str | None:
    """A metric's 95 % interval over speakers, as printed."""
    found = data.get("interval", {}).get(metric)
    return f"{found[0]:.1f} to {found[1]:.1f}" if found else None


def work(data: Mapping[str, Any]) -> str | None:
    """Work of convolutions and attention as a share of FE2E's, as printed."""
    return None if data["macs_ratio"] is None else f"{data['macs_ratio']:.2f}"


def _reported(row: Any, labels: Sequence[str], where: str) -> Row:
    cells = [value for label in labels for value in row.scores.get(label, (None, None))]
    work = None if row.gflops is None else f"{row.gflops:.2f} G"
    accuracy, f1 = row.average
    return Row((row.model, work, *cells, accuracy, None, f1, None), f"{REPORTED} {where}", ranked=False)


def splits_table(
    corpus: str, counts: Sequence[Any], number: int, reported: Mapping[str, Mapping[str, int]]
) -> FigureExport:
    """Table 1 or 2: clips of each emotion in each split.

    Args:
        counts: `analysis.breakdown.SplitCount` of every split.
        reported: split -> emotion or "clips" -> number, as the paper has it.
    """
    labels = list(counts[0].per_emotion) if counts else []
    columns = ("split", "clips", "speakers", *labels, "words", "seconds")
    where = f"{REPORTED} {'IEMOCAP' if number == 1 else 'CMU-MOSEI'}"
    rows = [
        Row((c.split, c.clips, c.speakers, *(c.per_emotion[n] for n in labels), c.words, c.duration_s), corpus)
        for c in counts
    ]
    for split, found in reported.items():
        cells = [found.get(label) for label in labels]
        rows.append(Row((split, found.get("clips"), None, *cells, None, None), where, ranked=False))
    return FigureExport(
        name=f"table-{number}-{slug(corpus)}",
        title=f"Table {number}: the splits of {corpus}",
        caption=f"Clips of {corpus} that show each emotion, per split; mean words and seconds per clip. "
        "A clip may show several emotions or none.",
        command=f"mesm figure table {number} --corpus {corpus}",
        origin={"corpus": corpus, "n": sum(c.clips for c in counts), "split": [c.split for c in counts]},
        table=Table(columns, tuple(rows)),
        cites=(PAPER, *corpus_cites(corpus)),
    )


def ablation_table(record: Record, reported: Mapping[tuple[str, str], tuple[float, float]]) -> FigureExport:
    """Table 5: what each modality is worth, one trained model per line."""
    data, corpus = record["data"], record["provenance"]["corpus"]
    columns = ("row", "what differs", "Acc", "Acc 95 %", "F1", "F1 95 %", "WAcc", "WAcc 95 %", "work")
    kinds = ("accuracy", "f1", "wacc")
    rows = []
    for line in (line for line in data["rows"] if line["group"].endswith("modalities")):
        spread = line.get("spread", {}) if len(data["seeds"]) > 1 else {}
        cells = [cell for kind in kinds for cell in (line[kind], interval(line, kind))]
        spreads = [s for kind in kinds for s in (spread.get(kind), None)]
        rows.append(Row((line["row"], line["what"], *cells, work(line)), line["group"], (None, None, *spreads, None)))
    for (model, letters), (accuracy, f1) in reported.items():
        cells = [accuracy, None, f1, *(None,) * 4]
        rows.append(Row((model, f"on {letters}", *cells), f"{REPORTED} IEMOCAP", ranked=False))
    setting = data["setting"]
    loaded = [line["row"] for line in data["rows"] if any(line.get("loaded", ()))]
    origin = f"; {', '.join(loaded)} loaded, the others trained" if loaded else "; every row trained"
    return FigureExport(
        name=f"table-5-{slug(corpus)}",
        title=f"Table 5: ablation on {corpus}",
        caption=(
            f"Averages in percent on the {setting['split']} split of {corpus}{origin}, {len(data['seeds'])} seed(s), "
            f"width {setting['width']:g}, {setting['epochs']} epochs; intervals over speakers. T words, A voice, V face."
        ),
        command=f"mesm figure table 5 --corpus {corpus}",
        origin=origin_of(record, setting=setting, seeds=data["seeds"]),
        table=Table(columns, tuple(rows), (2, 4, 6)),
        cites=(PAPER, *corpus_cites(corpus)),
    )


def reported_ablation(reported: Mapping[tuple[str, str], tuple[float, float]]) -> FigureExport:
    """Table 5 as the paper has it, where nothing was trained here."""
    rows = tuple(Row((m, s, a, f), f"{REPORTED} IEMOCAP", ranked=False) for (m, s), (a, f) in reported.items())
    return FigureExport(
        name="table-5-reported",
        title="Table 5 as reported",
        caption="Average accuracy and F1 in percent on IEMOCAP, as reported by Dai et al. (2021), Table 5.",
        command="mesm figure table 5",
        table=Table(("model", "modalities", "Acc", "F1"), rows),
        cites=(PAPER, *corpus_cites("iemocap")),
    )


def classes_table(record: Record) -> FigureExport:
    """Every metric of every emotion."""
    data = record["data"]
    kinds = {"wacc": "WAcc", "f1": "F1", "accuracy": "Acc", "weighted_f1": "weighted F1", "auc": "AUC"}
    rows = [
        Row(
            (
                label,
                data["per_class"][label]["positives"],
                *(data["per_class"][label][k] for k in kinds),
                f"{threshold:.2f}",
            )
        )
        for label, threshold in zip(data["labels"], data["thresholds"], strict=True)
    ]
    rows.append(Row(("average", None, *(data[k] for k in kinds), None), ranked=False))
    return _of(
        record, "classes", "Scores per emotion",
        "Percent per emotion; clips: those that show it; threshold: chosen on the validation split.",
        Table(("emotion", "clips", *kinds.values(), "threshold"), tuple(rows)),
    )  # fmt: skip


def slices_table(record: Record, slices: Sequence[Any]) -> FigureExport:
    """Scores of parts of the split.

    Args:
        slices: `analysis.breakdown.Slice`.
    """
    columns = ("slice", "clips", "speakers", "WAcc", "95 % from", "to", "F1", "Acc")
    rows = [
        Row((s.name, s.clips, s.speakers, s.wacc, *(s.interval or (None, None)), s.f1, s.accuracy), s.group)
        for s in slices
    ]
    return _of(
        record, "slices", "Scores of parts of the split",
        "Averages over the emotions in percent, for clips that share something; intervals over speakers. "
        "A part without both answers of an emotion leaves that emotion out of WAcc; a part of very few clips is counted "
        "and not scored.",
        Table(columns, tuple(rows)),
    )  # fmt: skip


def matrix(
    record: Record, kind: str, names: Sequence[str], counts: np.ndarray, other: np.ndarray | None = None
) -> FigureExport:
    """Confusion of the strongest score, or co-occurrence of emotions.

    Args:
        kind: "confusion" or "cooccurrence".
        counts: (n, n) clips.
        other: with co-occurrence, the decided pairs beside the true ones.
    """
    if kind == "confusion":
        title, caption = "Which score is strongest", (
            "Clips that show the emotion of the row, by the emotion whose score is highest; none: no score reaches its "
            "threshold, or nothing is shown. Shares of the row; a clip with several emotions counts in each of its rows."
        )  # fmt: skip
        panels = [("", counts)]
    else:
        title, caption = "Which emotions come together", (
            "Clips that have both emotions, truly and as the model decides. "
            "Shares of the clips that have the emotion of the row."
        )  # fmt: skip
        panels = [("true", counts), ("decided", counts if other is None else other)]
    columns = ("kind", "row", *names)
    rows = tuple(
        Row((panel or kind, name, *(int(v) for v in line)))
        for panel, found in panels
        for name, line in zip(names, found, strict=True)
    )
    return _of(
        record, kind, title, caption, Table(columns, rows), lambda width: plot_matrix(panels, names, width)
    )  # fmt: skip


def calibration(record: Record, emotion: str, found: Any) -> FigureExport:
    """Reliability of the scores.

    Args:
        emotion: "" for all pooled.
        found: `analysis.breakdown.Reliability`.
    """
    rows = tuple(
        Row((f"{b.low:.1f} to {b.high:.1f}", b.count, b.mean_score, b.share_true, *b.interval)) for b in found.bins
    )
    exhibit = _of(
        record, "reliability", f"Can scores be read as probabilities: {emotion or 'all emotions'}",
        f"Share of true answers among scores of the same size, {emotion or 'all emotions'}, with Wilson's 95 % interval; "
        f"on the dashed line a score is a probability. Bars: number of scores. Expected calibration error "
        f"{found.ece:.3f}, Brier score {found.brier:.3f}.",
        Table(("score", "number", "mean score", "share true", "95 % from", "to"), rows, digits=3),
        lambda width: plot_reliability(found.bins, width),
        f" --emotion {emotion}" if emotion else "",
    )  # fmt: skip
    return exhibit


def _of(
    record: Record, kind: str, title: str, caption: str, table: Table, draw: Any = None, option: str = ""
) -> FigureExport:
    origin, data = record["provenance"], record["data"]
    said = f"{caption} {model_name(record)} on the {data['split']} split of {origin['corpus']}, {data['clips']} clips."
    suffix = option.replace(" --emotion ", "-")
    return FigureExport(
        name=f"{kind}{suffix}-{slug(origin['checkpoint'])}-{slug(origin['corpus'])}",
        title=title,
        caption=said,
        command=f"mesm figure {kind} {origin['checkpoint']}@{origin['corpus']}{option}",
        origin=origin_of(record),
        draw=draw,
        table=table,
        cites=(PAPER, *(("guo-etal-2017",) if kind == "reliability" else ()), *corpus_cites(origin["corpus"])),
    )
