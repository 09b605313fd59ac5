"""A checkpoint's architecture in one picture."""

from __future__ import annotations

from mesm.analysis.provenance import clip_origin
from mesm.studies.architecture import schematic
from mesm.studies.architecture.exports import architecture
from mesm.studies.architecture.paper import screen_svg
from mesm.studies.case import captions
from mesm.ui import export_menu, layout, state
from mesm.ui.models import Model


def show(model: Model) -> None:
    """The picture and its menu; nothing for a model that it is not of."""
    facts = model.facts
    if schematic.has_cnn(facts.config):
        svg = screen_svg(facts.config, state.dark())
        layout.drawing(svg, captions.architecture_alt(facts.config), captions.architecture_caption(facts.config))
        export_menu.offer(architecture(facts.config, clip_origin(facts, "", "")), "architecture")
