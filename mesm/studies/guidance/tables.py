"""Tabulate the guidance of the attention, and draw its conclusions in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from mesm.estimate import Estimate, counted, decimal_text, listed
from mesm.figures.export import FigureExport, corpus_export, origin_of
from mesm.figures.tables import Row, Table
from mesm.records.base import Record
from mesm.records.guidance import Guidance, GuidedRow
from mesm.studies.evaluation.tables import share_cell

#: Pairs that differ in the attention supervision alone: with it, without it; the first that was trained counts.
_PAIRS = (("truth", "truth-unsupervised"), ("labels-saliency", "labels"))

#: Row of the recipe -> the truth that it and its FE2E know.
_RECIPES = {
    "labels-face-saliency-distilled": "on labels alone",
    "units-distilled": "with a detector's action units",
    "truth": "with known action units",
}


def _values(estimates: Sequence[Estimate]) -> str:
    return " / ".join("–" if e.value is None else decimal_text(e.value, 2) for e in estimates)


def _cells(row: GuidedRow) -> tuple[str, ...]:
    lifts = tuple(e.words().replace(" to ", "–") for e in row.kept)
    return lifts or ("–",) * 3


def guidance_table(guidance: Guidance) -> Table:
    """Return a line per trained model: its score, its cost, its kept sites on the truly active units."""
    layers = max((len(row.kept) for row in guidance.rows), default=3)
    rows = tuple(
        Row((r.what, r.wacc, r.f1, share_cell(r.macs_ratio), *_cells(r), _values(r.own_over_other) or "–",
             None if r.leak_auc is None else decimal_text(r.leak_auc, 2)), r.row.partition("-")[0])
        for r in guidance.rows
    )  # fmt: skip
    lifts = tuple(f"lift L{i + 1}" for i in range(layers))
    return Table(("model", "WAcc", "F1", "work", *lifts, "own over other", "leak AUC"), rows, best=(1, 2))


def size_words(guidance: Guidance) -> str:
    """Return the size of the trained models in words."""
    return f"one seed, width {guidance.width:g}, {guidance.training_clips or 'all'} training clips"


def setup_words(guidance: Guidance) -> str:
    """Return the size and the epochs of the comparison in words."""
    return f"reduced: {size_words(guidance)}, {counted(guidance.epochs, 'epoch')} of FE2E and as many again of each other row"


def guidance_export(record: Record[Guidance]) -> FigureExport:
    """Build the table of every guidance of the attention."""
    data, corpus = record.data, record.provenance.corpus
    return corpus_export(
        corpus,
        "guidance",
        f"Guidance of the attention on {corpus.name}",
        f"Averages in percent on {data.clips} {data.split} clips of {counted(data.speakers, 'speaker')}, p = {data.top_p:g}; "
        f"{setup_words(data)}. Group: truth used in training. Lift: kept sites on the regions of the truly active units, "
        "1 is chance, 95 % intervals over speakers. Work: share of FE2E's multiply-adds. Leak AUC: of the text's emotion "
        "from the face branch's scores on neutral faces, 0.5 is none. The attention is supervised in the rows that name a map.",
        guidance_table(data),
        origin_of(record),
    )


def fair_null(guidance: Guidance) -> str | None:
    """Return a sentence on the checkpoint trained without attention supervision; None where neither pair was trained."""
    for names in _PAIRS:
        supervised, free = (guidance.row(name) for name in names)
        if supervised is not None and free is not None:
            apart = [
                a.low is not None and b.high is not None and a.low > b.high
                for a, b in zip(supervised.kept, free.kept, strict=True)
            ]
            verdict = (
                "the agreement comes from the supervision" if all(apart) else "the intervals overlap in some layer"
            )
            return (
                f"MESM trained without attention supervision keeps sites on the active units at {_values(free.kept)} of "
                f"chance (L1 / L2 / L3), with it at {_values(supervised.kept)}: {verdict}. Both are smaller than this "
                f"checkpoint, of which no unsupervised twin was trained: {size_words(guidance)}."
            )
    return None


def same_budget(guidance: Guidance) -> str | None:
    """Return a sentence on FE2E against the recipe's MESM with the same epochs and truth; None where no pair was trained."""
    lines = []
    for name, truth in _RECIPES.items():
        dense, sparse = guidance.row(f"{name.partition('-')[0]}-fe2e-long"), guidance.row(name)
        if dense is not None and sparse is not None:
            lines.append(
                f"{decimal_text(dense.wacc, 1)} against MESM's {decimal_text(sparse.wacc, 1)} (trained {truth})"
            )
    return f"After as many epochs, FE2E has WAcc {listed(lines)}." if lines else None
