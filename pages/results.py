"""Results: how good is each model, for whom, and what do its averages hide?"""

import streamlit as st

from mesm.ui import controls, frame, layout, records
from mesm.ui.results import view as results_view

NAMES = {
    "models": "models",
    **{key: name for key, (name, _) in results_view.OF_ONE_MODEL.items()},
    "ablation": "ablation (Table 5)",
    "splits": "corpus (Tables 1, 2)",
}

frame.enter()
layout.heading("Results", "How good is each model, where does it fail, and what would doing nothing score?")
model = controls.pick_model()
shelf = controls.pick_corpus()

if shelf is not None:
    show = st.segmented_control(
        "Show", list(NAMES), default="models", required=True, format_func=NAMES.__getitem__, key="show",
        bind="query-params",
    )  # fmt: skip
    with layout.one_sentence_errors():
        found = [record for record in records.of_kind("evaluate") if records.here(record, shelf.corpus.name)]
        if show == "splits":
            results_view.splits(shelf)
        elif show == "ablation":
            results_view.ablation(shelf)
        elif not found:
            name = model.facts.name if model is not None else "CHECKPOINT"
            layout.empty(
                f"Nothing was evaluated on {shelf.corpus.name} yet.",
                f"Run: mesm evaluate {name} --corpus {shelf.corpus.name}.",
            )
        elif show in results_view.OF_ONE_MODEL:
            known = {record["provenance"]["checkpoint"]: record for record in found}
            names = sorted(known, key=lambda n: (model is None or n != model.facts.name, n))
            chosen = st.selectbox("Model", names, key="evaluated", bind="query-params", filter_mode=None)
            records.say_other_weights(known[chosen], model)
            results_view.OF_ONE_MODEL[show][1](known[chosen], shelf)
        else:
            for record in found:
                records.say_other_weights(record, model)
            results_view.models(found, shelf)

if model is not None:
    with st.expander(f"Model card of {model.facts.name}", icon=":material/badge:"):
        st.markdown(model.facts.card or "This checkpoint has no card.")
