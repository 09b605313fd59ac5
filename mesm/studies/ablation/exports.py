"""Build the export of an ablation: every row, with its difference to the row it is compared with."""

from __future__ import annotations

from mesm.figures.export import FigureExport, corpus_export, origin_of
from mesm.records.ablation import Ablation
from mesm.records.base import Record
from mesm.studies.ablation.tables import ablation_table


def ablation_export(record: Record[Ablation]) -> FigureExport:
    """Build the table of every row of an ablation."""
    data, corpus = record.data, record.provenance.corpus
    seeds = f"{len(data.seeds)} seed{'s' if len(data.seeds) > 1 else ''}"
    return corpus_export(
        corpus,
        "ablation",
        f"Effect of each part on {corpus.name}",
        f"Averages in percent on the {data.setup.split} split of {corpus.name}, intervals over speakers; {seeds} per row, "
        f"width {data.setup.width:g}, {data.setup.epochs} epochs. Work: convolutions and attention, share of FE2E's "
        "multiply-adds. Difference: WAcc, in points, to the row named under against. AUC lost: drop in face-branch AUC "
        "with another clip's transcript as query.",
        ablation_table(data),
        origin_of(record, setup=data.setup, seeds=data.seeds),
    )
