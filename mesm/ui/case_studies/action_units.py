"""Show one clip's masks against the regions of action units: outlines over the mask, a table with chance beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from mesm.batch import ACTIVE_INTENSITY
from mesm.estimate import counted, decimal_text
from mesm.figures.png import encode_png
from mesm.records.prediction import Prediction
from mesm.studies.case.exports import MOST_FACES, export_regions
from mesm.studies.case.region_outlines import OUTLINES, draw_regions
from mesm.studies.case.tables import regions_table
from mesm.ui import export_menu, layout, state, tables
from mesm.ui.corpora import Case
from mesm.ui.models import Model

if TYPE_CHECKING:
    from mesm.studies.case.regions import Region

LAYERS = ("L1", "L2", "L3")


def show_action_units(case: Case, model: Model, prediction: Prediction) -> None:
    """Show the section; nothing where the model has no mask on a face."""
    layers = prediction.layers.get("visual", ())
    if not layers:
        return
    section = layout.folded("Action units and the mask", "units-mask")
    if section is None:
        return
    with section:
        from mesm.studies.case.regions import clip_regions  # it loads torch

        regions, usable = clip_regions(case.sample, layers)
        if not regions:
            st.caption("No region can be placed: no face of this clip has facial landmarks.")
            return
        names = {region.name: region for region in regions}
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            picked = layout.choose("Mask of", LAYERS[: len(layers)], "units-layer", default="L2")
            chosen = st.multiselect(
                "Regions", list(names), _first(regions), max_selections=len(OUTLINES), key=f"units-{case.key}"
            )
        layer = LAYERS.index(picked)
        some = usable[:MOST_FACES]
        picture = draw_regions(
            case.shown.faces[some],
            layers[layer].kept[some],
            {name: names[name].coverage[: len(some)] for name in chosen},
            state.dark(),
        )
        source = "from the renderer's geometry" if case.sample.truth is not None else "from five facial landmarks"
        layout.picture(
            encode_png(picture),
            f"{counted(len(some), 'face')}; sites that layer {layer + 1} dropped are faded; "
            f"outlined: {', '.join(chosen) or 'nothing'}.",
            f"Faded: dropped by L{layer + 1}. Outlines: regions of action units, placed {source}.",
        )
        _table(regions, len(layers))
        origin = case.origin(model.facts)
        export = export_regions(case.shown, prediction, (regions, usable), chosen, layer, origin, case.privacy)
        export_menu.offer(export, "regions")


def _first(regions: list[Region]) -> list[str]:
    """Return the regions outlined at first: of the most active units, else of brows, eyes and mouth."""
    active = sorted((r for r in regions if (r.active or 0) >= ACTIVE_INTENSITY), key=lambda r: -(r.active or 0))
    usual = [r for r in regions if {1, 6, 12} & set(r.units)]
    return [region.name for region in (active or usual)[:3]]


def _table(regions: list[Region], layers: int) -> None:
    known = any(region.active is not None for region in regions)
    alt = "Action units: active, and the share of each region that every layer keeps"
    tables.show_table(regions_table(regions, layers), alt)
    chance = ", ".join(f"L{i + 1} {decimal_text(100 * share, 0)} %" for i, share in enumerate(regions[0].chance))
    st.caption(
        f"Share of each region that a layer keeps, and its lift over chance. Chance is the layer's kept share: {chance}. "
        + (
            "Active: the renderer moved the unit, at least at trace intensity. "
            if known
            else "No AU ground truth for this clip. "
        )
        + "Kept sites enter the computation; they are no evidence of a person's feeling."
    )
