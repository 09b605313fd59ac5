"""Agreement with a codebook on the FACS page: emotion x region, and the controls beside it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from mesm.figures.charts import PLOTLY_CONFIG
from mesm.studies.facs import exports as exhibits
from mesm.studies.facs.chart_data import LOOK_WORDS, MAP_WORDS, Cell, control_series, heat_cells, own_other_series
from mesm.studies.facs.codebooks import CODEBOOKS, COUNTER_VIEW, COUNTER_VIEW_SOURCE, codebook
from mesm.studies.facs.screen import chart_heat_map, chart_layers
from mesm.studies.facs.targets import unsteered
from mesm.studies.faithfulness import exports as tests
from mesm.ui import export_menu, layout, state
from mesm.ui.facs import leak_tests as facs_leak
from mesm.ui.facs.facs_records import Found

LAYERS = ("L1", "L2", "L3")


def counter_view() -> None:
    """What speaks against reading emotions off faces, before anything else is shown."""
    st.info(COUNTER_VIEW, icon=":material/balance:")
    st.caption(COUNTER_VIEW_SOURCE)


def pick_layer(key: str) -> int:
    """An attention layer, from 0."""
    chosen = st.segmented_control("Layer", LAYERS, default="L2", required=True, key=key, bind="query-params")
    return LAYERS.index(chosen or "L2")


def show(found: Found, leak: Found) -> None:
    """The heat map with its pickers."""
    st.subheader("Agreement with a codebook")
    if found.data is None:
        layout.empty("Nothing was measured.", found.remedy)
        return
    data = found.data
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        names = list(CODEBOOKS)
        first = names.index(data["codebook"]) if data.get("codebook") in names else 0
        chosen = st.selectbox(
            "Codebook", names, first, format_func=lambda n: CODEBOOKS[n].title, key="codebook", bind="query-params",
            width=200,
        )  # fmt: skip
        layer = pick_layer("facs-layer")
        look = st.segmented_control(
            "Of", list(LOOK_WORDS), default="kept", required=True, format_func=LOOK_WORDS.__getitem__, key="of",
            bind="query-params",
        )  # fmt: skip
        maps = [name for name in MAP_WORDS if data["maps"].get(name)]
        whose = st.selectbox(
            "Attention", maps, format_func=MAP_WORDS.__getitem__, key="whose", bind="query-params", width=240
        )
    table = codebook(chosen)
    rows = heat_cells(data, layer, map_name=whose, look=look or "kept", units=table.units)
    st.plotly_chart(
        chart_heat_map(rows, state.dark()), theme=None, config=PLOTLY_CONFIG, key="facs-heat", alt=heat_alt(rows)
    )
    counts = data["counts"]
    left_out = counts.get("frames_without_face", 0)
    st.caption(
        f"Lift of {LOOK_WORDS[look or 'kept']} on each region over the region's share of the crop, in faces that show the "
        f"emotion; 1 is chance. Hatched: does not differ from chance (speakers' signs flipped, false-discovery rate 5 %). "
        f"Framed: the codebook lists the region. {counts['frames_used']} faces of {counts['speakers']} speakers, corpus "
        f"{data['corpus']}, p = {data['top_p']:g}; {left_out} frames without a face left out."
    )
    for sentence in data.get("taught", []):
        st.caption(f":material/school: {sentence}")
    if (sentence := unsteered(data)) is not None:
        st.caption(f":material/info: {sentence}")
    missing = [e for e in data["emotions"] if e not in table.units]
    if missing:
        st.caption(f":material/info: No prototype in this codebook: {', '.join(missing)}.")
    st.caption(f"{table.title}: {table.citation}. {table.note}")
    if found.record is not None:
        export_menu.offer(exhibits.heat_map(found.record, table, layer, whose, look or "kept"), "facs-heat")
    facs_leak.beside(leak, found)


def heat_alt(rows: list[list[Cell]]) -> str:
    """The heat map in words."""
    parts = []
    for row in rows:
        best = max((c for c in row if c.lift is not None), key=lambda c: c.lift or 0, default=None)
        if best is not None and best.lift is not None:
            parts.append(f"{row[0].emotion} most on {best.region}, {best.lift:.2f} times chance")
    return f"Heat map of lifts over chance: {'; '.join(parts) or 'nothing measured'}."


def controls_side_by_side(found: Found, leak: Found) -> None:
    """The checkpoint, the paper's untrained hard gate, and attention drawn anew, layer after layer."""
    st.subheader("Beside attention that learnt nothing")
    if found.data is None:
        layout.empty("Nothing was measured.", found.remedy)
        return
    data = found.data
    panels: list[tuple[str, str, dict[str, Any]]] = [
        ("Truly active units", "active", control_series(data)),
        ("Own emotion against others", "own", own_other_series(data)),
    ]
    columns = st.columns(2, gap="medium")
    for column, (title, which, series) in zip(columns, panels, strict=True):
        axis = exhibits.CONTROLS[which]
        with column:
            st.markdown(f"##### {title}")
            if not series:
                st.caption("Not measured: nobody knows which units are active in these faces.")
                continue
            said = "; ".join(
                f"{name}: {', '.join(facs_leak.words(e, 2) for e in layers)}" for name, layers in series.items()
            )
            st.plotly_chart(
                chart_layers(series, axis, state.dark()), theme=None, config=PLOTLY_CONFIG, key=f"control-{title}",
                alt=f"{axis}, layers 1 to 3: {said}",
            )  # fmt: skip
            if found.record is not None:
                export_menu.offer(exhibits.controls(found.record, which), f"facs-{which}")
    st.caption(
        "Kept sites, 95 % intervals over speakers; 1 is chance. What the untrained maps reach too was not learnt: the "
        "features' own contrast leads them to brows, eyes and mouth."
    )
    facs_leak.beside(leak, found)
    if data.get("targets") and found.record is not None:
        with st.expander("What this attention was to reach, and what it reached"):
            export_menu.tabled(tests.targets(found.record), "targets")
