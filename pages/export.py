"""Download the basket as files for a paper."""

from mesm.cli.figure import remake
from mesm.ui import controls, frame, layout
from mesm.ui.export import basket_view

frame.enter()
layout.heading(
    "Export", "Download the figures and tables in your basket, at the exact width of a column, with their provenance."
)
controls.pick_model()
controls.pick_corpus(needed=False)
basket_view.show_basket(remake)
