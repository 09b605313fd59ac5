"""The parts of the Results page: the paper's tables with ours, and what their averages hide."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st

from mesm.data.store import IndexRow
from mesm.figures.charts import PLOTLY_CONFIG
from mesm.figures.tables import Table
from mesm.studies.ablation.exports import ablation as every_row
from mesm.studies.evaluation import breakdown
from mesm.studies.evaluation import exports as exhibits
from mesm.studies.evaluation.screen import chart_matrix, chart_reliability
from mesm.studies.reproduction import reported
from mesm.studies.reproduction.exports import models_table
from mesm.ui import export_menu, layout, records, state
from mesm.ui.corpora import OpenCorpus
from mesm.ui.records import Record

ALL_EMOTIONS, AVERAGES = "all emotions", "averages"
PER_EMOTION = ("accuracy of each emotion", "F1 of each emotion")


def models(found: list[Record], shelf: OpenCorpus) -> None:
    """Tables 3 and 4: every evaluated model beside the reported numbers and the trivial answers."""
    number = st.segmented_control(
        "Scores", [3, 4], default=4, required=True, key="scores-of", bind="query-params",
        format_func={3: "accuracy and F1 (Table 3)", 4: "weighted accuracy and F1 (Table 4)"}.__getitem__,
    )  # fmt: skip
    seeds = [record for record in records.of_kind("seeds") if records.here(record, shelf.corpus.name)]
    exhibit = exhibits.scores_table([*found, *seeds], number or 4, *reported.rows_for(number or 4))
    export_menu.tabled(exhibit, "models", shown=_columns(exhibit.table))
    trivial = found[0]["data"]["trivial"]
    st.markdown(
        f"Answering “never” to everything scores an accuracy of {trivial['never']['accuracy']:.1f} %: accuracy says "
        "little here. Weighted accuracy is 50 % for every trivial answer, and F1 is the number that informs."
    )
    lines = [record for record in records.of_kind("reproduce") if records.here(record, shelf.corpus.name)]
    if lines:
        st.markdown("##### Size, work and time")
        export_menu.tabled(models_table(lines), "sizes")


def _columns(table: Table | None) -> Table:
    """Averages, or one score of every emotion: all of it at once is wider than a screen."""
    assert table is not None
    averages = [i for i, head in enumerate(table.heads) if head == "average"]
    kinds = dict(zip(PER_EMOTION, (table.columns[i] for i in averages[::2]), strict=True))
    chosen = st.segmented_control(
        "Columns", [AVERAGES, *kinds], default=AVERAGES, required=True, key="columns", bind="query-params"
    )
    if chosen not in kinds:
        few = [0, 1, *averages]
        return table.part(few, [table.columns[i] for i in few])
    few = [i for i, column in enumerate(table.columns) if column == kinds[chosen]]
    return table.part([0, *few], [table.columns[0], *(table.heads[i] for i in few)])


def splits(shelf: OpenCorpus) -> None:
    """Tables 1 and 2: what the corpus holds."""
    number = 1 if set(shelf.corpus.labels) & {"excited", "frustrated", "neutral"} else 2
    counts = breakdown.split_counts(shelf.corpus.index, shelf.corpus.labels)
    export_menu.tabled(
        exhibits.splits_table(shelf.corpus.name, counts, number, reported.split_counts(number)), "splits"
    )


def ablation(shelf: OpenCorpus) -> None:
    """Table 5 and every other row that was trained."""
    found = [r for r in records.of_kind("ablation") if records.here(r, shelf.corpus.name)]
    if not found:
        layout.empty("Nothing was ablated on this corpus.", f"Run: mesm ablate --corpus {shelf.corpus.name}.")
        export_menu.tabled(exhibits.reported_ablation(reported.TABLE_5), "ablation")
        return
    export_menu.tabled(exhibits.ablation_table(found[0], reported.TABLE_5), "ablation")
    st.markdown("##### What each part is worth")
    exhibit = every_row(found[0])
    assert exhibit.table is not None
    few = [i for i, name in enumerate(exhibit.table.columns) if name not in ("WAcc 95 %", "AUC", "against")]
    export_menu.tabled(exhibit, "ablation-all", "varied", exhibit.table.part(few))


def emotions(record: Record, shelf: OpenCorpus) -> None:
    """Every metric of every emotion, and what each branch alone knows of it."""
    export_menu.tabled(exhibits.classes_table(record), "classes")


def slices(record: Record, shelf: OpenCorpus) -> None:
    """Scores of clips that share something."""
    rows = {row.clip_id: row for row in shelf.corpus.index}
    clips = record["data"]["per_clip"]["id"]
    known = sum(clip in rows for clip in clips)
    if known < len(clips):
        st.caption(f":material/info: Of the {len(clips)} clips evaluated, this copy of the corpus has {known}.")
    if known:
        export_menu.tabled(
            exhibits.slices_table(record, _slices(shelf.digest, tuple(clips), record, rows)), "slices", "by"
        )


@st.cache_data(max_entries=8, show_spinner="Scoring the parts …")
def _slices(
    digest: str, clips: tuple[str, ...], _record: Record, _rows: dict[str, IndexRow]
) -> tuple[breakdown.Slice, ...]:
    return breakdown.slices(breakdown.scored(_record["data"]), _rows)


def mistakes(record: Record, shelf: OpenCorpus) -> None:
    """Confusion and co-occurrence."""
    found = breakdown.scored(record["data"])
    names, counts = breakdown.confusion(found)
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("##### Which score is strongest")
        _matrix(names, counts, ("highest score", "true"), "confusion")
        exhibit = exhibits.matrix(record, "confusion", names, counts)
        st.caption(exhibit.caption)
        export_menu.offer(exhibit, "confusion")
    with right:
        truth, decided = breakdown.cooccurrence(found.truth_NE), breakdown.cooccurrence(found.decided_NE)
        st.markdown("##### Which emotions come together")
        above = st.container()
        which = st.segmented_control("Emotions", ["true", "decided"], default="true", required=True, key="pairs")
        with above:
            _matrix(
                found.labels, truth if which == "true" else decided, ("this one too", "this emotion"), "cooccurrence"
            )
        exhibit = exhibits.matrix(record, "cooccurrence", found.labels, truth, decided)
        st.caption(exhibit.caption)
        export_menu.offer(exhibit, "cooccurrence")


def _matrix(names: tuple[str, ...], counts: np.ndarray, titles: tuple[str, str], key: str) -> None:
    shown = ", ".join(f"{name} {int(counts[i, i])}" for i, name in enumerate(names))
    st.plotly_chart(
        chart_matrix(names, counts, titles, state.dark()), theme=None, config=PLOTLY_CONFIG, key=f"map-{key}",
        alt=f"Map of {titles[1]} against {titles[0]}; on its diagonal, in clips: {shown}.",
    )  # fmt: skip


def calibration(record: Record, shelf: OpenCorpus) -> None:
    """Whether scores can be read as probabilities."""
    emotion = st.segmented_control(
        "Emotion", [ALL_EMOTIONS, *record["data"]["labels"]], default=ALL_EMOTIONS, required=True, key="calibrated",
        bind="query-params",
    )  # fmt: skip
    name = "" if emotion in (None, ALL_EMOTIONS) else str(emotion)
    found = breakdown.reliability(breakdown.scored(record["data"]), name)
    chart, numbers = st.columns([2, 1], gap="medium")
    with chart:
        said = ", ".join(f"{b.mean_score:.2f}: {100 * b.share_true:.0f} %" for b in found.bins)
        st.plotly_chart(
            chart_reliability(found.bins, state.dark()), theme=None, config=PLOTLY_CONFIG, key="calibration",
            alt=f"Line chart of the share that is true over the score: {said}.",
        )  # fmt: skip
    with numbers:
        st.metric("Expected calibration error", f"{found.ece:.3f}", help="Mean distance of score and share; 0 is best.")
        st.metric("Brier score", f"{found.brier:.3f}", help="Mean squared distance of score and truth; 0 is best.")
    exhibit = exhibits.calibration(record, name, found)
    st.caption(exhibit.caption)
    export_menu.offer(exhibit, "calibration")


#: What can be asked of one model's evaluation, in the URL by its key.
OF_ONE_MODEL: dict[str, tuple[str, Callable[[Record, OpenCorpus], None]]] = {
    "emotions": ("emotions", emotions),
    "slices": ("slices", slices),
    "mistakes": ("confusion", mistakes),
    "calibration": ("calibration", calibration),
}
