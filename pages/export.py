"""Export: everything put aside, as files for paper."""

from mesm.ui import controls, frame, layout
from mesm.ui.export import basket_view

frame.enter()
layout.heading("Export", "Everything you put aside, at the exact width of a column, with where it comes from.")
controls.pick_model()
controls.pick_corpus(needed=False)
basket_view.show()
