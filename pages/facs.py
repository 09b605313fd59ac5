"""Show the FACS page: compare the attention with the Facial Action Coding System."""

from mesm.ui import controls, frame, layout, record_cache
from mesm.ui.facs import view
from mesm.ui.facs.facs_records import pick_record

frame.enter()
layout.heading(
    "FACS",
    "Does the attention lie on the facial regions that a codebook lists, more than chance and controls do?",
)
model = controls.pick_model()
opened = controls.pick_corpus()

with layout.one_sentence_errors():
    if model is not None and opened is not None and not model.facts.has_attention:
        layout.empty("This checkpoint has no attention: it computes every site.", "Choose a MESM.")
    elif model is not None and opened is not None:
        facs, faithfulness, canonical = (
            pick_record(kind, model, opened) for kind in ("facs", "faithfulness", "canonical")
        )
        view.show_counter_view()
        section = layout.choose("Show", list(view.SECTIONS), "section", words=view.SECTIONS)
        if section == "codebook":
            view.show_heat_map(facs)
            view.show_leak(faithfulness, facs)
        elif section == "faces":
            view.show_faces(canonical)
        elif section == "controls":
            view.show_controls(facs)
            view.show_fair_null(record_cache.records().first("guidance", corpus=opened.corpus.id))
        elif section == "statements":
            view.show_statements(facs, faithfulness)
        else:
            view.show_tests(faithfulness)
