"""Show the parts of the Results page: the paper's tables with ours, and breakdowns of one model's evaluation."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from mesm.data.store import IndexRow
from mesm.estimate import Estimate, decimal_text
from mesm.figures.tables import Table
from mesm.records.base import Record
from mesm.records.evaluation import Evaluation
from mesm.records.store import one_per_checkpoint
from mesm.studies.ablation.conclusions import conclusions, size_words
from mesm.studies.ablation.tables import ablation_export, screen_table
from mesm.studies.evaluation import breakdown, chart_data
from mesm.studies.evaluation import exports as evaluation_exports
from mesm.studies.evaluation.screen import chart_matrix, chart_reliability
from mesm.studies.reproduction import exports as paper_exports
from mesm.studies.reproduction.tables import scored_models, time_note
from mesm.studies.sweep.chart_data import with_times
from mesm.ui import export_menu, layout, state
from mesm.ui.case_studies import parts
from mesm.ui.corpora import OpenCorpus
from mesm.ui.record_cache import records as record_store

ALL_EMOTIONS, AVERAGES = "all emotions", "averages"
PER_EMOTION = ("accuracy of each emotion", "F1 of each emotion")


def show_models(evaluations: list[Record[Evaluation]], opened: OpenCorpus) -> None:
    """Show Tables 3 and 4: every evaluated model beside the reported numbers and the trivial answers."""
    words = {3: "accuracy and F1 (Table 3)", 4: "weighted accuracy and F1 (Table 4)"}
    number = layout.choose("Scores", list(words), "scores-of", default=4, words=words)
    seeds = one_per_checkpoint(record_store().find("seeds", corpus=opened.corpus.id))
    lines = one_per_checkpoint(record_store().find("reproduce", corpus=opened.corpus.id))
    export = paper_exports.scores_export(scored_models(evaluations, seeds, lines), number)
    export_menu.tabled(export, "models", shown=_pick_columns(export.table))
    never = evaluations[0].data.trivial["never"].accuracy
    st.markdown(
        f"Answering “never” for every emotion gives an accuracy of {decimal_text(never or 0, 1)} %, because each emotion is rare: "
        "accuracy alone does not separate the models. Every trivial answer has a weighted accuracy of 50 %; F1 separates them best."
    )
    if lines:
        st.markdown("##### Size, cost and time")
        timings = record_store().find("time", corpus=opened.corpus.id)
        sweeps = [with_times(record, timings) for record in record_store().find("sweep", corpus=opened.corpus.id)]
        export_menu.tabled(paper_exports.models_export(lines, sweeps), "sizes")
        if (note := time_note(lines, sweeps)) is not None:
            st.caption(f":material/timer: {layout.plain(note)}")


def _pick_columns(table: Table | None) -> Table:
    """Return the averages, or one score of every emotion: all columns together are wider than a screen."""
    assert table is not None
    averages = [i for i, head in enumerate(table.heads) if head == "average"]
    kinds = dict(zip(PER_EMOTION, (table.columns[i] for i in averages[::2]), strict=True))
    chosen = layout.choose("Columns", [AVERAGES, *kinds], "columns")
    if chosen not in kinds:
        few = [0, 1, *averages]
        return table.part(few, [table.columns[i] for i in few])
    few = [i for i, column in enumerate(table.columns) if column == kinds[chosen]]
    return table.part([0, *few], [table.columns[0], *(table.heads[i] for i in few)])


def show_splits(opened: OpenCorpus) -> None:
    """Show Tables 1 and 2: clips per split and emotion."""
    number = 1 if set(opened.corpus.labels) & {"excited", "frustrated", "neutral"} else 2
    counts = breakdown.split_counts(opened.corpus.index, opened.corpus.labels)
    export_menu.tabled(paper_exports.splits_export(opened.corpus.id, counts, number), "splits")


def show_ablation(opened: OpenCorpus) -> None:
    """Show Table 5 and every other row that was trained."""
    ablations = record_store().find("ablation", corpus=opened.corpus.id)
    if not ablations:
        layout.empty("No ablation on this corpus yet.", f"Run: mesm ablate --corpus {opened.corpus.name} --out FOLDER.")
        export_menu.tabled(paper_exports.reported_modalities_export(), "ablation")
        return
    st.markdown(f"**{size_words(ablations[0].data)}.** What it shows:")
    st.markdown("\n".join(f"- {layout.plain(line)}" for line in conclusions(ablations[0].data).values()))
    table = paper_exports.modalities_export(ablations[0])
    assert table.table is not None
    few = [i for i, name in enumerate(table.table.columns) if name not in ("row", "Acc 95 %")]
    export_menu.tabled(table, "ablation", shown=table.table.part(few))
    st.markdown("##### Effect of each part")
    export = ablation_export(ablations[0])
    export_menu.tabled(export, "ablation-all", "varied", screen_table(ablations[0].data))


def show_emotions(record: Record[Evaluation], opened: OpenCorpus) -> None:
    """Show every metric of every emotion."""
    export_menu.tabled(evaluation_exports.classes_export(record), "classes")


def show_slices(record: Record[Evaluation], opened: OpenCorpus) -> None:
    """Show the scores of clips that share a property."""
    rows = {row.clip_id: row for row in opened.corpus.index}
    clips = record.data.per_clip.ids
    known = sum(clip in rows for clip in clips)
    if known < len(clips):
        st.caption(f":material/info: This copy of the corpus has {known} of the {len(clips)} evaluated clips.")
    if known:
        slices = _slices(opened.digest, clips, record, rows)
        st.caption("Click a line to see its clips.")
        line = export_menu.tabled(evaluation_exports.slices_export(record, slices), "slices", "by", click_key="slice")
        if line is not None:
            parts.open_slice(record, opened, slices[line].group, slices[line].name)


@st.cache_data(max_entries=8, show_spinner="Scoring the slices …")
def _slices(
    digest: str, clips: tuple[str, ...], _record: Record[Evaluation], _rows: dict[str, IndexRow]
) -> tuple[breakdown.Slice, ...]:
    return breakdown.slices(breakdown.scored_clips(_record.data), _rows)


def show_confusion(record: Record[Evaluation], opened: OpenCorpus) -> None:
    """Show confusion and co-occurrence."""
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("##### Confusion of the highest score")
        chart = chart_data.confusion_chart(record.data)
        st.caption("Click a cell to see its clips.")
        cell = _show_matrix(chart, chart.panels[0], clickable=True)
        if cell is not None:
            parts.open_confusion(record, opened, *cell)
        export_menu.captioned(evaluation_exports.matrix_export(record, chart), chart.kind)
    with right:
        st.markdown("##### Co-occurrence of emotions")
        above = st.container()
        chart = chart_data.cooccurrence_chart(record.data)
        title = layout.choose("Emotions", [panel.title for panel in chart.panels], "pairs", in_url=False)
        with above:
            _show_matrix(chart, next(panel for panel in chart.panels if panel.title == title))
        export_menu.captioned(evaluation_exports.matrix_export(record, chart), chart.kind)


def _show_matrix(
    chart: chart_data.MatrixChart, panel: chart_data.MatrixPanel, clickable: bool = False
) -> tuple[str, str] | None:
    """Show a map; return the names of the row and the column of the cell that was clicked."""
    diagonal = ", ".join(f"{name} {int(panel.counts[i, i])}" for i, name in enumerate(chart.names))
    alt = f"Map of {chart.row_title} against {chart.column_title}; on its diagonal, in clips: {diagonal}."
    figure, key = chart_matrix(chart, panel, state.dark(), clickable), f"map-{chart.kind}"
    if not clickable:
        layout.chart(figure, key, alt)
        return None
    point = layout.clickable_chart(figure, key, alt)
    return None if point is None else (str(point["y"]), str(point["x"]))


def show_calibration(record: Record[Evaluation], opened: OpenCorpus) -> None:
    """Show the reliability of the scores."""
    emotion = layout.choose("Emotion", [ALL_EMOTIONS, *record.data.labels], "calibrated")
    chart = chart_data.reliability_chart(record.data, "" if emotion == ALL_EMOTIONS else emotion)
    left, numbers = st.columns([2, 1], gap="medium")
    with left:
        points = ", ".join(
            f"{decimal_text(x, 2)}: {decimal_text(100 * y, 0)} %" for x, y in zip(chart.x, chart.y, strict=True)
        )
        alt = f"Line chart of the share that is true over the score: {points}."
        st.caption("Click a point or a bar to see the clips with these scores.")
        point = layout.clickable_chart(chart_reliability(chart, state.dark()), "calibration", alt)
        if point is not None:
            parts.open_bin(record, opened, chart.emotion, float(point["x"]))
    with numbers:
        ece = (
            "Mean distance between a bin's score and its share of true answers, weighted by the bin's size; 0 is best."
        )
        st.metric("Expected calibration error", Estimate(chart.result.ece).words(3), help=ece)
        st.metric(
            "Brier score",
            Estimate(chart.result.brier).words(3),
            help="Mean squared distance of score and truth; 0 is best.",
        )
    export_menu.captioned(evaluation_exports.reliability_export(record, chart), "calibration")


#: Key in the URL -> name and part of one model's evaluation.
OF_ONE_MODEL: dict[str, tuple[str, Callable[[Record[Evaluation], OpenCorpus], None]]] = {
    "emotions": ("emotions", show_emotions),
    "slices": ("slices", show_slices),
    "mistakes": ("confusion", show_confusion),
    "calibration": ("calibration", show_calibration),
}
