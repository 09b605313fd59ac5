"""Show agreement with a codebook on the FACS page: emotion x region, and the controls beside it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from mesm.records.facs import FacsStudy
from mesm.studies.facs import exports
from mesm.studies.facs.chart_data import (
    CONTROLS,
    KIND_WORDS,
    MAP_WORDS,
    HeatMap,
    heat_map,
    layer_names,
    layer_series,
)
from mesm.studies.facs.codebooks import CODEBOOKS, COUNTER_VIEW, COUNTER_VIEW_SOURCE
from mesm.studies.facs.screen import chart_heat_map, chart_layers
from mesm.studies.facs.tables import counts_line, supervision_notes
from mesm.studies.facs.targets import missing_text_effect
from mesm.ui import export_menu, layout, state
from mesm.ui.facs.facs_records import RecordLookup


def show_counter_view() -> None:
    """Show the case against inferring emotions from faces, before anything else."""
    st.info(COUNTER_VIEW, icon=":material/balance:")
    st.caption(COUNTER_VIEW_SOURCE)


def pick_layer(key: str, names: Sequence[str]) -> int:
    """Return an attention layer, from 0; the second by default."""
    return names.index(layout.choose("Layer", names, key, default=names[min(1, len(names) - 1)]))


def show_heat_map(facs: RecordLookup[FacsStudy]) -> None:
    """Show the heat map with its pickers."""
    st.subheader("Agreement with a codebook")
    if facs.record is None:
        layout.empty("Nothing was measured.", facs.remedy)
        return
    study = facs.record.data
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        names = list(CODEBOOKS)
        first = names.index(study.codebook) if study.codebook in names else 0
        codebook = CODEBOOKS[
            st.selectbox(
                "Codebook", names, first, format_func=lambda n: CODEBOOKS[n].title, key="codebook", bind="query-params",
                width=200,
            )
        ]  # fmt: skip
        layer = pick_layer("facs-layer", layer_names(study.layers))
        kind = layout.choose("Measure", list(KIND_WORDS), "of", words=KIND_WORDS)
        maps = [name for name in MAP_WORDS if name in study.maps]
        map_name = st.selectbox(
            "Attention", maps, format_func=MAP_WORDS.__getitem__, key="whose", bind="query-params", width=240
        )
    heat = heat_map(study, layer, codebook, map_name=map_name, kind=kind)
    layout.chart(chart_heat_map(heat, state.dark()), "facs-heat", heat_alt(heat))
    st.caption(
        f"Lift of {KIND_WORDS[kind]} ({MAP_WORDS[map_name]}) on each region over the region's share of the crop, in faces "
        f"that show the emotion; 1 is chance. Hatched: does not differ from chance (sign flips over speakers, "
        f"false-discovery rate 5 %). Framed: the codebook lists the region. Corpus {facs.record.provenance.corpus.name}, "
        f"{counts_line(study)}"
    )
    for sentence in supervision_notes(study, map_name):
        st.caption(f":material/school: {sentence}")
    if map_name == "checkpoint" and (missing_effect := missing_text_effect(study)) is not None:
        st.caption(f":material/info: {missing_effect}")
    missing = [e for e in study.emotions if e not in codebook.units]
    if missing:
        st.caption(f":material/info: No prototype in this codebook: {', '.join(missing)}.")
    st.caption(f"{codebook.title}: {codebook.citation}. {codebook.note}")
    export_menu.offer(exports.heat_map_export(facs.record, codebook, layer, map_name, kind), "facs-heat")


def heat_alt(heat: HeatMap) -> str:
    """Return the heat map in words."""
    parts = []
    for row in heat.rows:
        best = max((c for c in row if c.lift is not None), key=lambda c: c.lift or 0, default=None)
        if best is not None and best.lift is not None:
            parts.append(f"{best.emotion} most on {best.region} ({best.units}), {best.lift:.2f} times chance")
    return f"Heat map of lifts over chance: {'; '.join(parts) or 'nothing measured'}."


def show_controls(facs: RecordLookup[FacsStudy]) -> None:
    """Show the checkpoint against re-initialised attention, layer after layer, and the targets of the attention."""
    st.subheader("Against untrained attention")
    if facs.record is None:
        layout.empty("Nothing was measured.", facs.remedy)
        return
    study = facs.record.data
    for column, control in zip(st.columns(2, gap="medium"), CONTROLS, strict=True):
        series = layer_series(study, control)
        with column:
            st.markdown(f"##### {series.title}")
            if not series.series:
                st.caption("Not measured: no AU ground truth for these faces.")
                continue
            words = "; ".join(f"{name}: {', '.join(e.words() for e in row)}" for name, row in series.series.items())
            alt = f"{series.axis}, layers {', '.join(series.layers)}: {words}"
            layout.chart(chart_layers(series, state.dark()), f"control-{series.title}", alt)
            st.caption(series.conclusion())
            export_menu.offer(exports.controls_export(facs.record, control), f"facs-{control}")
    st.caption(
        "Kept sites, 95 % intervals over speakers; 1 is chance. Re-initialised attention has new initial weights on the "
        "trained stems, with the checkpoint's gate or with the paper's hard gate. Lift that it also reaches is not learnt."
    )
    with st.expander("Targets of this attention"):
        export_menu.tabled(exports.targets_export(facs.record), "targets")
