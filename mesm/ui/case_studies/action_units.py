"""One clip's masks against action units: regions outlined over the mask, and a table with chance beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from mesm.batch import ACTIVE_INTENSITY
from mesm.figures.png import encode_png
from mesm.records.prediction import Prediction
from mesm.studies.case.clip_exports import MOST_FACES, regions_table
from mesm.studies.case.region_outlines import OUTLINES, draw_regions
from mesm.ui import layout, records, state
from mesm.ui.case_studies import case_export
from mesm.ui.corpora import Case
from mesm.ui.models import Model

if TYPE_CHECKING:
    from mesm.studies.case.regions import Region

LAYERS = ("L1", "L2", "L3")


def show(case: Case, model: Model, prediction: Prediction) -> None:
    """The section; nothing where the model has no mask on a face."""
    layers = prediction.trace.layers.get("visual", ()) if prediction.trace else ()
    if not layers:
        return
    section = layout.folded("Action units and the mask", "units-mask")
    if section is None:
        return
    with section:
        from mesm.studies.case.regions import clip_regions  # here: it loads torch

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
        case_export.offer_regions(case, model, prediction, (regions, usable), chosen, layer)


def _first(regions: list[Region]) -> list[str]:
    """What to outline at first: the most active units, else those of brows, eyes and mouth."""
    active = sorted((r for r in regions if (r.active or 0) >= ACTIVE_INTENSITY), key=lambda r: -(r.active or 0))
    usual = [r for r in regions if {1, 6, 12} & set(r.units)]
    return [region.name for region in (active or usual)[:3]]


def _table(regions: list[Region], layers: int) -> None:
    known = any(region.active is not None for region in regions)
    alt = "Action units: active, and how much of each region every layer keeps"
    records.show_table(regions_table(regions, layers), alt)
    chance = ", ".join(f"L{i + 1} {100 * share:.0f} %" for i, share in enumerate(regions[0].chance))
    st.caption(
        f"Share of each region that a layer keeps, and its multiple of chance: as many sites anywhere would cover {chance}. "
        + (
            "Active: what the renderer was told to do, at least trace. "
            if known
            else "Nobody knows which units are active. "
        )
        + "Kept means computed with; it does not say what anyone feels."
    )
