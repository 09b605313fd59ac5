"""A checkpoint's architecture in one picture."""

from __future__ import annotations

from mesm.analysis.origin import clip_origin
from mesm.figures import captions, schematic
from mesm.figures.exhibits.model import architecture
from mesm.figures.static.architecture import screen_svg
from mesm.ui import export_menu, layout, state
from mesm.ui.resources import Model


def show(model: Model) -> None:
    """The picture and its menu; nothing for a model that it is not of."""
    facts = model.facts
    if schematic.has_cnn(facts.config):
        svg = screen_svg(facts.config, state.dark())
        layout.drawing(svg, captions.architecture_alt(facts.config), captions.architecture_caption(facts.config))
        export_menu.offer(architecture(facts.config, clip_origin(facts, "", "")), "architecture")
