"""Export of an ablation: every row, with its difference to the row it is compared with."""

from __future__ import annotations

from mesm.figures.bibliography import PAPER, corpus_cites
from mesm.figures.export import FigureExport, origin_of
from mesm.files import slug
from mesm.records.ablation import Ablation
from mesm.records.base import Record
from mesm.studies.ablation.tables import ablation_table


def ablation_export(record: Record[Ablation]) -> FigureExport:
    """Export every row of an ablation."""
    data, corpus = record.data, record.provenance.corpus
    seeds = f"{len(data.seeds)} seed{'s' if len(data.seeds) > 1 else ''}"
    return FigureExport(
        name=f"ablation-{slug(corpus.name)}",
        title=f"Effect of each part on {corpus.name}",
        caption=(
            f"Averages in percent on the {data.setup.split} split of {corpus.name}, intervals over speakers; {seeds} per row, "
            f"width {data.setup.width:g}, {data.setup.epochs} epochs. Work: convolutions and attention, share of FE2E's "
            "multiply-adds. Difference: WAcc, in points, to the row named under against. AUC lost: drop in face-branch AUC "
            "with another clip's transcript as query."
        ),
        command=f"mesm figure ablation --corpus {corpus.key}",
        origin=origin_of(record, setup=data.setup, seeds=data.seeds),
        table=ablation_table(data),
        cites=(PAPER, *corpus_cites(corpus.name)),
    )
