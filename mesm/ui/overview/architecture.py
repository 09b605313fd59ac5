"""Show a checkpoint's architecture."""

from __future__ import annotations

from mesm.analysis.provenance import clip_origin
from mesm.studies.architecture.chart_data import architecture_alt, architecture_caption, has_cnn
from mesm.studies.architecture.exports import architecture
from mesm.studies.architecture.paper import screen_svg
from mesm.ui import export_menu, layout, state
from mesm.ui.models import Model


def show_architecture(model: Model) -> None:
    """Show the drawing and its export menu; nothing for a model that is not end-to-end."""
    config = model.facts.config
    if has_cnn(config):
        layout.drawing(screen_svg(config, state.dark()), architecture_alt(config), architecture_caption(config))
        export_menu.offer(architecture(config, clip_origin(model.facts)), "architecture")
