"""Show the parts of the Efficiency page: the choice of sweeps and axes, the charts, and a sweep of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import streamlit as st

from mesm.access import access
from mesm.analysis.checkpoints import find_checkpoints, read_facts
from mesm.errors import CheckpointError
from mesm.estimate import Estimate, counted, decimal_text
from mesm.records.base import Record
from mesm.records.evaluation import Evaluation
from mesm.records.store import one_per_checkpoint
from mesm.records.sweep import Sweep, SweepPoint
from mesm.studies.reproduction.reported import figure_5_shares
from mesm.studies.reproduction.tables import time_note
from mesm.studies.sweep.chart_data import (
    METRICS,
    OPERATIONS,
    REPORTED_AXES,
    SWEEP,
    SweepChart,
    SweepView,
    clip_cost_chart,
    elbow_of,
    find_reference,
    layers_chart,
    score_of,
    sweep_chart,
    time_ratio,
    time_sentence,
    with_evaluations,
    with_times,
)
from mesm.studies.sweep.exports import clip_cost_export, layers_export, sweep_export
from mesm.studies.sweep.screen import draw_clip_cost, draw_layers, draw_sweep
from mesm.studies.sweep.tables import notes
from mesm.studies.sweep.top_ps import parse_top_ps
from mesm.ui import export_menu, layout, record_cache, state, workspace_job
from mesm.ui.case_studies import parts
from mesm.ui.corpora import OpenCorpus
from mesm.ui.efficiency import figure_5, sweep_job, time_here
from mesm.ui.efficiency.sweep_records import default_sweep, label_sweeps
from mesm.ui.models import Model, note_other_weights

AXIS_WORDS = {"share": "share of FE2E", "top_p": "top-p", "gmac": "GMAC", "gflop": "GFLOP", "ms": "measured ms"}
METRIC_WORDS = {"wacc": "WAcc", "f1": "F1", "accuracy": "accuracy"}
_FAILED = "sweep-failed"


def show_sweeps(model: Model | None, corpus: OpenCorpus | None) -> None:
    """Show the charts of the chosen sweeps, or a notice that there is none."""
    failure = st.session_state.pop(_FAILED, "")
    if failure:
        st.error(f"{failure[:1].upper()}{failure[1:]}", icon=":material/error:")
    chosen = _pick_sweeps(model, corpus)
    if not chosen:
        return
    evaluations, timings = record_cache.records().find("evaluate"), record_cache.records().find("time")
    chosen = [with_times(with_evaluations(record, evaluations), timings) for record in chosen]
    view = _pick_view(all(find_reference(record, evaluations) for record in chosen))
    with layout.one_sentence_errors():
        _show_elbow(chosen[0], evaluations, view.metric)
        time_here.show_time_here(chosen[0], model, corpus, list_references())
        for record in chosen:
            note_other_weights(record, model)
        chart = sweep_chart(chosen, view, evaluations, figure_5_shares())
        point = layout.clickable_chart(draw_sweep(chart, state.dark()), "sweep", chart.alt)
        if point is not None:
            _open_clips(chosen, chart, (float(point["x"]), float(point["y"])), corpus)
        st.caption("Click a point to see its clips at that top-p.")
        exhibit = sweep_export(chosen, view, evaluations, figure_5_shares())
        st.caption(exhibit.caption)
        if view.axis == "ms":
            _note_untimed(chosen, evaluations)
        export_menu.offer(exhibit, "sweep")
        figure_5.show_figure_5(chosen[0], view.metric, evaluations)
    unit = view.axis if view.axis in OPERATIONS else "gmac"
    left, right = st.columns([1.5, 1], gap="medium")
    with left, layout.one_sentence_errors():
        st.markdown("##### Cost by layer")
        layers = layers_chart(chosen[0], unit)
        layout.chart(draw_layers(layers, state.dark()), "layers", layers.alt)
        export_menu.captioned(layers_export(chosen[0], unit), "layers")
    with right, layout.one_sentence_errors():
        st.markdown("##### Cost of each clip")
        spread = clip_cost_chart(chosen[0])
        layout.chart(draw_clip_cost(spread, state.dark()), "spread", spread.alt)
        export_menu.captioned(clip_cost_export(chosen[0]), "spread")


def _open_clips(
    chosen: Sequence[Record[Sweep]], chart: SweepChart, clicked: tuple[float, float], corpus: OpenCorpus | None
) -> None:
    """Leave for the clips of the clicked point; a point that is of none of the sweeps leads nowhere."""
    lines = [line for line in chart.lines if line.kind == SWEEP]
    for record, line in zip(chosen, lines, strict=True):
        for point in line.points:
            if point.top_p is not None and np.allclose((point.x, point.y), clicked):
                parts.open_point(record, corpus, point.top_p)


def _pick_sweeps(model: Model | None, corpus: OpenCorpus | None) -> list[Record[Sweep]]:
    """Return the sweeps to draw on one chart; at first that of the checkpoint and the corpus at the side."""
    store = record_cache.records()
    corpus_id = None if corpus is None else corpus.corpus.id
    labels = label_sweeps(store.find("sweep"), {} if corpus_id is None else {corpus_id.name: corpus_id})
    if not labels:
        layout.empty("There is no sweep yet.", "Start one below, or with: mesm sweep CHECKPOINT --corpus CORPUS.")
        return []
    name, sha256 = (model.facts.name, model.facts.sha256) if model is not None else (None, None)
    default = default_sweep(store, name, sha256, corpus_id)
    first = next((label for label, record in labels.items() if record is default), next(iter(labels)))
    chosen = st.multiselect("Sweeps on the chart", list(labels), [first], key="sweeps", bind="query-params")
    if not chosen:
        layout.empty("No sweep is chosen.", "Choose one above.")
    return [labels[label] for label in chosen]


def _pick_view(has_reference: bool) -> SweepView:
    """Return the chosen score and cost."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        metric = layout.choose("Score", list(METRICS), "metric", words=METRIC_WORDS)
        unit_help = "MAC: one multiply-add. FLOP: two per multiply-add; the paper counts one."
        axis = layout.choose("Horizontal axis", list(AXIS_WORDS), "axis", words=AXIS_WORDS, help=unit_help)
        reason = ""
        if not has_reference:
            reason = "there is no FE2E beside every chosen sweep"
        elif axis not in REPORTED_AXES:
            reason = f"the paper's curve has no {AXIS_WORDS[axis]}"
        relative = st.toggle(
            "Paper's curve", value=has_reference, disabled=bool(reason), key="relative", bind="query-params",
            help="Draws scores as a share of FE2E's, because the paper's curve is of another corpus.",
        )  # fmt: skip
        log = st.toggle("Log axis", key="log", bind="query-params")
    if reason:
        st.caption(
            f":material/info: Scores are in percent: {reason}. It stands over the share of FE2E's cost and over top-p."
        )
    return SweepView(metric, axis, bool(relative) and not reason, log)


def _note_untimed(chosen: Sequence[Record[Sweep]], evaluations: Sequence[Record[Evaluation]]) -> None:
    """Note that FE2E's time is not known: only times of one process on one machine can be compared."""
    for record in chosen:
        reference = find_reference(record, evaluations)
        if reference is None or not isinstance(reference[1], SweepPoint):
            origin = record.provenance
            fe2e = reference[0] if reference is not None else "FE2E"
            st.caption(
                f":material/info: {fe2e} was not timed beside {origin.checkpoint}; measure both with: mesm sweep "
                f"{origin.checkpoint} --corpus {origin.corpus.key} --against {fe2e}"
            )


def _show_elbow(record: Record[Sweep], evaluations: Sequence[Record[Evaluation]], metric: str) -> None:
    """Show the elbow of the chosen score in numbers: top-p, cost, time, score, and FE2E's score."""
    sweep = record.data
    point, reference = elbow_of(sweep, metric), find_reference(record, evaluations)
    for line in notes(sweep):
        st.caption(f":material/info: {line[0].upper()}{line[1:]}.")
    if point is None:
        return
    interval = point.interval.get(metric)
    ends = interval.words() if interval is not None else "none with so few speakers"
    cells = st.columns([1, 1.3, 1.1, 1.3, 1.1], gap="medium")
    cells[0].metric(
        "Elbow",
        f"p = {point.top_p:g}",
        help=f"Point with the largest distance of {METRIC_WORDS[metric]} above the chord over cost (Kneedle).",
    )
    cells[1].metric("Multiply-adds, FE2E = 1", decimal_text(point.macs_ratio, 2))
    ratio, machine = time_ratio(record, point), sweep.timed_on
    if ratio is not None and machine is not None:
        cells[2].metric("Time, FE2E = 1", decimal_text(ratio, 2), help=f"One clip alone: {machine.words()}.")
    score = Estimate(score_of(point.average, metric)).words(1, " %")
    cells[3].metric(
        f"{METRIC_WORDS[metric]} ({_trivial(sweep, metric)})", score, help=f"95 % interval over speakers: {ends}"
    )
    if reference is not None:
        dense = Estimate(score_of(reference[1].average, metric)).words(1, " %")
        cells[4].metric(f"{METRIC_WORDS[metric]} of FE2E", dense, help=f"{reference[0]} computes every site.")
    source = f"{record.provenance.checkpoint}@{record.provenance.corpus.name}"
    lines = one_per_checkpoint(record_cache.records().find("reproduce", corpus=record.provenance.corpus))
    time = time_sentence(record) or time_note(lines)
    st.caption(
        f"{source}, {sweep.split} split, {counted(sweep.clips, 'clip')}, {counted(sweep.speakers, 'speaker')}."
        + (f" {layout.plain(time)}" if time is not None else "")
    )


def _trivial(sweep: Sweep, metric: str) -> str:
    """Return the best trivial answer of a metric, such as "never: 81.2"."""
    if metric == "wacc":
        return "chance: 50"
    known = {name: value for name, row in sweep.trivial.items() if (value := score_of(row, metric)) is not None}
    best = max(known, key=known.__getitem__, default="")
    return f"{best}: {decimal_text(known[best], 1)}" if best else "no trivial answer"


def show_own_sweep(model: Model | None, corpus: OpenCorpus | None) -> None:
    """Show the form that starts a sweep of the checkpoint and the corpus at the side, or the progress of one."""
    if not access().runs_jobs:
        layout.switched_off("Sweeping a checkpoint over a corpus, and measuring its time,")
        return
    job = sweep_job.current_sweep()
    with st.expander("Sweep this checkpoint over this corpus", expanded=job is not None, icon=":material/play_circle:"):
        if job is not None:
            workspace_job.show_progress(sweep_job.VERB, _FAILED)
            return
        if model is None or corpus is None:
            st.caption("Choose a checkpoint and a corpus at the side.")
            return
        reason = ""
        if not model.facts.has_attention:
            reason = f"{model.facts.name} computes every site: it has no top-p. Choose a MESM at the side."
        elif not corpus.corpus.ids("test"):
            reason = f"{corpus.corpus.name} has no test split to score. Choose another corpus at the side."
        left, middle, right = st.columns([1, 1, 1], vertical_alignment="bottom")
        values = left.text_input("top-p", "0.1:1.0:0.1", key="sweep-p", help="low:high:step, or a list such as 0.3,0.5")
        references = {"none": None, **list_references()}
        against = middle.selectbox(
            "FE2E beside it", list(references), index=min(1, len(references) - 1), key="sweep-against",
            help="An FE2E, scored and timed by the same rules.",
        )  # fmt: skip
        if reason:
            st.caption(f":material/info: {reason}")
        if right.button("Start", type="primary", disabled=bool(reason), width="stretch"):
            with layout.one_sentence_errors():
                parse_top_ps(values)
                sweep_job.start_sweep(model.facts.folder, corpus.corpus.folder, values, references[against or "none"])
                st.rerun()


def list_references() -> dict[str, Path]:
    """Return the folders of the FE2E checkpoints by name."""
    folders = {}
    for name, folder in find_checkpoints().items():
        try:
            if _model_name(str(folder), (folder / "config.json").stat().st_mtime_ns) == "fe2e":
                folders[name] = folder
        except (OSError, CheckpointError):
            continue  # a damaged checkpoint is reported where it is chosen
    return folders


@st.cache_data(max_entries=64, show_spinner=False)
def _model_name(folder: str, stamp: int) -> str:
    return read_facts(Path(folder)).config.name
