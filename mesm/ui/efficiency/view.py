"""The parts of the Efficiency page: which sweeps, how they are looked at, the figures, a sweep of one's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from mesm.analysis.checkpoints import find_checkpoints
from mesm.figures.charts import PLOTLY_CONFIG
from mesm.studies.reproduction.reported import figure_5_shares
from mesm.studies.sweep import exports as exhibits
from mesm.studies.sweep.chart_data import (
    AXES,
    METRICS,
    UNITS,
    View,
    bands_of,
    dense_by_corpus,
    layers_of,
    read_curves,
    reference_of,
    spread_of,
)
from mesm.studies.sweep.screen import chart_frontier, chart_layers, chart_spread, frontier_alt, layers_alt, spread_alt
from mesm.ui import export_menu, layout, records, state
from mesm.ui.corpora import OpenCorpus
from mesm.ui.efficiency import sweep_job
from mesm.ui.models import Model
from mesm.ui.records import Record

AXIS_WORDS = {"share": "share of FE2E", "gmac": "GMAC", "gflop": "GFLOP", "ms": "measured ms"}
METRIC_WORDS = {"wacc": "WAcc", "f1": "F1", "accuracy": "accuracy"}


def pick_sweeps(model: Model | None, shelf: OpenCorpus | None) -> list[Record]:
    """Sweeps to draw on one figure; at first that of the checkpoint and the corpus at the side."""
    known = {records.name_of(record): record for record in records.of_kind("sweep")}
    if not known:
        layout.empty("There is no sweep yet.", "Start one below, or with: mesm sweep CHECKPOINT --corpus CORPUS.")
        return []
    wanted = f"{model.facts.name}@{shelf.corpus.name}" if model is not None and shelf is not None else ""
    first = wanted if wanted in known else next(iter(known))
    chosen = st.multiselect("Sweeps on the figure", list(known), [first], key="sweeps", bind="query-params")
    if not chosen:
        layout.empty("No sweep is chosen.", "Choose one above.")
    return [known[name] for name in chosen]


def pick_view(has_reference: bool) -> View:
    """Which score over which work."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        metric = st.segmented_control(
            "Score", list(METRICS), default="wacc", required=True, format_func=METRIC_WORDS.__getitem__,
            key="metric", bind="query-params",
        )  # fmt: skip
        axis = st.segmented_control(
            "Work", list(AXES), default="share", required=True, format_func=AXIS_WORDS.__getitem__, key="axis",
            bind="query-params", help="MAC: one multiply-add. FLOP: two per multiply-add; the paper counts one.",
        )  # fmt: skip
        relative = st.toggle(
            "Beside the paper's curve", value=has_reference, disabled=not has_reference, key="relative",
            bind="query-params", help="Scores as a share of FE2E's: the paper's curve is of another corpus.",
        )  # fmt: skip
        log = st.toggle("Logarithmic", key="log", bind="query-params")
    return View(metric or "wacc", axis or "share", bool(relative and has_reference), log)


def show(chosen: list[Record], model: Model | None) -> None:
    """The frontier, where the work goes, and how it differs between utterances."""
    dense = dense_by_corpus(records.of_kind("evaluate"))
    view = pick_view(all(reference_of(record, dense) for record in chosen))
    with layout.one_sentence_errors():
        _elbow(chosen[0], dense)
        for record in chosen:
            records.say_other_weights(record, model)
        curves = read_curves(chosen, view, dense, figure_5_shares())
        st.plotly_chart(
            chart_frontier(curves, view, state.dark()), theme=None, config=PLOTLY_CONFIG, key="frontier",
            alt=frontier_alt(curves, view),
        )  # fmt: skip
        exhibit = exhibits.frontier(chosen, view, dense, figure_5_shares())
        st.caption(exhibit.caption)
        _say_untimed(chosen, view, dense)
        export_menu.offer(exhibit, "frontier")
    unit = view.axis if view.axis in UNITS else "gmac"
    left, right = st.columns([1.5, 1], gap="medium")
    with left, layout.one_sentence_errors():
        _layers(chosen[0], unit)
    with right, layout.one_sentence_errors():
        _spread(chosen[0])


def _say_untimed(chosen: list[Record], view: View, dense: Mapping[str, Mapping[str, Any]]) -> None:
    """A line where FE2E's time is not known: only the same process on the same machine compares times."""
    for record in chosen if view.axis == "ms" else ():
        reference = reference_of(record, dense)
        if reference is None or "ms_per_clip" not in reference[1]:
            origin = record["provenance"]
            fe2e = reference[0] if reference is not None else "FE2E"
            st.caption(
                f":material/info: {fe2e} was not timed beside {origin['checkpoint']}; its time comes with: mesm sweep "
                f"{origin['checkpoint']} --corpus {origin['corpus']} --against {fe2e}"
            )


def _elbow(record: Record, dense: Mapping[str, Mapping[str, Any]]) -> None:
    """The record's best bargain in four numbers."""
    data = record["data"]
    row = next(row for row in data["rows"] if row["top_p"] == data["elbow"]["top_p"])
    reference = reference_of(record, dense)
    low, high = row["interval"]["wacc"]
    cells = st.columns(4, gap="medium")
    cells[0].metric("Elbow", f"p = {row['top_p']:g}", help=data["elbow"]["by"])
    cells[1].metric("Work, share of FE2E", f"{row['macs_ratio']:.2f}")
    cells[2].metric("WAcc (chance: 50)", f"{row['wacc']:.1f} %", help=f"95 %: {low:.1f} to {high:.1f}")
    if reference is not None:
        cells[3].metric("WAcc of FE2E", f"{reference[1]['wacc']:.1f} %", help=f"{reference[0]}, every site")
    st.caption(f"{records.name_of(record)}, {data['split']} split, {data['clips']} clips, {data['speakers']} speakers.")


def _layers(record: Record, unit: str) -> None:
    st.markdown("##### Where the work goes")
    top_ps, found = layers_of(record, unit)
    bands = bands_of(found)
    st.plotly_chart(
        chart_layers(top_ps, bands, unit, state.dark()), theme=None, config=PLOTLY_CONFIG, key="layers",
        alt=layers_alt(top_ps, bands, unit),
    )  # fmt: skip
    exhibit = exhibits.layers(record, unit)
    st.caption(exhibit.caption)
    export_menu.offer(exhibit, "layers")


def _spread(record: Record) -> None:
    st.markdown("##### From utterance to utterance")
    shares = spread_of(record)
    st.plotly_chart(
        chart_spread(shares, state.dark()), theme=None, config=PLOTLY_CONFIG, key="spread", alt=spread_alt(shares)
    )
    exhibit = exhibits.spread(record)
    st.caption(exhibit.caption)
    export_menu.offer(exhibit, "spread")


def own_sweep(model: Model | None, shelf: OpenCorpus | None) -> None:
    """Start a sweep of the checkpoint and the corpus at the side; see how far it is; stop it."""
    job = sweep_job.current()
    with st.expander("Sweep this checkpoint over this corpus", expanded=job is not None, icon=":material/play_circle:"):
        if job is not None:
            _progress()
            return
        if model is None or shelf is None:
            st.caption("Choose a checkpoint and a corpus at the side.")
            return
        missing = [split for split in ("valid", "test") if not shelf.corpus.ids(split)]
        reason = ""
        if not model.facts.has_attention:
            reason = f"{model.facts.name} computes every site: it has no top-p. Choose a MESM at the side."
        elif missing:
            reason = (
                f"{shelf.corpus.name} has no {' and no '.join(missing)} split: thresholds are chosen on valid, scored on "
                "test. Choose the whole corpus at the side."
            )
        left, middle, right = st.columns([1, 1, 1], vertical_alignment="bottom")
        values = left.text_input("top-p", "0.1:1.0:0.1", key="sweep-p", help="low:high:step, or a list such as 0.3,0.5")
        dense = {"none": None, **dense_checkpoints()}
        against = middle.selectbox("FE2E beside it", list(dense), index=min(1, len(dense) - 1), key="sweep-against")
        if reason:
            st.caption(f":material/info: {reason}")
        if right.button("Start", type="primary", disabled=bool(reason), width="stretch"):
            with layout.one_sentence_errors():
                from mesm.studies.sweep.measure import parse_range

                parse_range(values)
                sweep_job.keep(
                    sweep_job.start(model.facts.folder, shelf.corpus.folder, values, dense[against or "none"])
                )
                st.rerun()


def dense_checkpoints() -> dict[str, Path]:
    """Checkpoints without attention, by what their config says."""
    found = {}
    for name, folder in find_checkpoints().items():
        try:
            if json.loads((folder / "config.json").read_text()).get("name") == "fe2e":
                found[name] = folder
        except (OSError, ValueError):
            continue  # a damaged checkpoint is reported where it is chosen
    return found


@st.fragment(run_every=sweep_job.POLL_S)
def _progress() -> None:
    """A bar that moves by itself; when the sweep ends, the whole page shows its record."""
    job = sweep_job.current()
    if job is None:
        return
    if job.running:
        bar, stop = st.columns([4, 1], vertical_alignment="center")
        bar.progress(job.share, f"{job.target}: {100 * job.share:.0f} % of the clips")
        if stop.button("Stop", width="stretch", key="sweep-stop"):
            job.cancel()
        return
    sweep_job.keep(None)
    if job.failure:
        st.session_state["sweep-failed"] = job.failure
    st.rerun()
