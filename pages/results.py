"""Show the results: scores of every model, their breakdown, and the trivial answers beside them."""

from shlex import quote

import streamlit as st

from mesm.records.store import one_per_checkpoint
from mesm.ui import controls, frame, layout, models, record_cache
from mesm.ui.results import view as results_view

NAMES = {
    "models": "models",
    **{key: name for key, (name, _) in results_view.OF_ONE_MODEL.items()},
    "ablation": "ablation (Table 5)",
    "splits": "corpus (Tables 1, 2)",
}

frame.enter()
layout.heading(
    "Results", "How well does each model score, on which clips does it fail, and what do trivial answers score?"
)
model = controls.pick_model()
shelf = controls.pick_corpus()

if shelf is not None:
    part = st.segmented_control(
        "Show", list(NAMES), default="models", required=True, format_func=NAMES.__getitem__, key="show",
        bind="query-params",
    )  # fmt: skip
    with layout.one_sentence_errors():
        evaluations = one_per_checkpoint(record_cache.records().find("evaluate", corpus=shelf.corpus.id))
        if part == "splits":
            results_view.show_splits(shelf)
        elif part == "ablation":
            results_view.show_ablation(shelf)
        elif not evaluations:
            name = model.facts.name if model is not None else "CHECKPOINT"
            layout.empty(
                f"No model was evaluated on {layout.plain(shelf.corpus.name)} yet.",
                layout.plain(f"Run: mesm evaluate {quote(name)} --corpus {quote(shelf.corpus.id.key)}."),
            )
        elif part in results_view.OF_ONE_MODEL:
            by_name = {record.provenance.checkpoint: record for record in evaluations}
            names = sorted(by_name, key=lambda n: (model is None or n != model.facts.name, n))
            chosen = st.selectbox("Model", names, key="evaluated", bind="query-params", filter_mode=None)
            models.note_other_weights(by_name[chosen], model)
            results_view.OF_ONE_MODEL[part][1](by_name[chosen], shelf)
        else:
            for record in evaluations:
                models.note_other_weights(record, model)
            results_view.show_models(evaluations, shelf)

if model is not None:
    with st.expander(f"Model card of {model.facts.name}", icon=":material/badge:"):
        st.code(
            model.facts.card or "This checkpoint has no card.", language=None, wrap_lines=True
        )  # a card may be a stranger's
