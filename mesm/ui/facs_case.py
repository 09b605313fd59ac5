"""One clip's masks against action units: regions outlined over the mask, and a table with chance beside it."""

from __future__ import annotations

import streamlit as st

from mesm.analysis.clip_regions import Region, clip_regions
from mesm.figures.facs_overlay import OUTLINES, draw_regions
from mesm.figures.png import encode_png
from mesm.records import Prediction
from mesm.ui import layout, state
from mesm.ui.resources import Case
from mesm.vocabulary import ACTION_UNITS

LAYERS = ("L1", "L2", "L3")
#: Faces in a row.
MOST_FACES = 6
ACTIVE_FROM = 0.2


def show(case: Case, prediction: Prediction) -> None:
    """The section; nothing where the model has no mask on a face."""
    layers = prediction.trace.layers.get("visual", ()) if prediction.trace else ()
    if not layers:
        return
    with st.expander("Action units and the mask"):
        regions, usable = clip_regions(case.sample, layers)
        if not regions:
            st.caption("No face was found in this clip, so no region can be laid on it.")
            return
        names = {region.name: region for region in regions}
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            picked = st.segmented_control(
                "Mask of", LAYERS[: len(layers)], default="L2", required=True, key="units-layer", bind="query-params"
            )
            chosen = st.multiselect(
                "Regions", list(names), _first(regions), max_selections=len(OUTLINES), key=f"units-{case.key}"
            )
        layer = LAYERS.index(picked or "L2")
        some = usable[:MOST_FACES]
        picture = draw_regions(
            case.sample.faces[some],
            layers[layer].kept[some],
            {name: names[name].coverage[: len(some)] for name in chosen},
            state.dark(),
        )
        laid = "where the renderer moves the skin" if case.sample.truth is not None else "by the face's five points"
        layout.picture(
            encode_png(picture),
            f"{len(some)} faces; what layer {layer + 1} left out is faded, with the outlines of {', '.join(chosen) or 'nothing'}.",
            f"What L{layer + 1} left out is faded. Regions lie {laid}.",
        )
        _table(regions, len(layers))


def _first(regions: list[Region]) -> list[str]:
    """What to outline at first: the most active units, else those of brows, eyes and mouth."""
    active = sorted((r for r in regions if (r.active or 0) >= ACTIVE_FROM), key=lambda r: -(r.active or 0))
    usual = [r for r in regions if {1, 6, 12} & set(r.units)]
    return [region.name for region in (active or usual)[:3]]


def _table(regions: list[Region], layers: int) -> None:
    known = any(region.active is not None for region in regions)
    rows = [
        {
            "units": region.name,
            "movement": ", ".join(ACTION_UNITS[n] for n in region.units),
            **({"active": bool(region.active and region.active >= ACTIVE_FROM)} if known else {}),
            **{
                f"L{i + 1}": f"{region.covered[i]:.0%} ({region.covered[i] / max(region.chance[i], 1e-9):.2f}×)"
                for i in range(layers)
            },
        }
        for region in sorted(regions, key=lambda r: -(r.active or 0))
    ]
    st.dataframe(rows, hide_index=True, alt="Action units: active, and how much of each region every layer keeps")
    chance = ", ".join(f"L{i + 1} {share:.0%}" for i, share in enumerate(regions[0].chance))
    st.caption(
        f"Share of each region that a layer keeps, and its multiple of chance: as many sites anywhere would cover {chance}. "
        + (
            "Active: what the renderer was told to do, at least trace. "
            if known
            else "Nobody knows which units are active. "
        )
        + "Kept means computed with; it does not say what anyone feels."
    )
