"""State what a checkpoint's scores are good for, from its metrics: for its card, the app and the command line."""

from __future__ import annotations

import re

from mesm.estimate import counted
from mesm.records.checkpoint import CheckpointMetrics

#: Name of the rendered corpus, as it starts the line of a source.
_RENDERED = "marionette"
RENDERED_FACES = "Trained on rendered faces; its scores on real people are not reliable."


def is_rendered(metrics: CheckpointMetrics) -> bool:
    """Return True if every source is rendered; with at most one source, also if the training corpus knew its regions."""
    if len(metrics.sources) == 1 and "regions" in (metrics.trained_on_capabilities or ()):
        return True
    if metrics.sources:
        return all(_name(source).lower().startswith(_RENDERED) for source in metrics.sources)
    if metrics.trained_on_capabilities is None:
        return metrics.trained_on == _RENDERED
    return "regions" in metrics.trained_on_capabilities


def is_non_commercial(metrics: CheckpointMetrics) -> bool:
    """Return True if the licence of a source allows non-commercial use only."""
    licences = [source.split(";")[1] for source in metrics.sources if ";" in source]
    return any(re.search(r"\bNC\b|non-?commercial", licence, re.IGNORECASE) for licence in licences)


def training_note(metrics: CheckpointMetrics) -> str:
    """Return the sentences that belong beside a checkpoint's scores; "" without known sources."""
    if is_rendered(metrics):
        return RENDERED_FACES
    if not metrics.sources:
        return ""
    names = ", ".join(dict.fromkeys(_name(source) for source in metrics.sources))
    notes = [f"Trained on {names}. A score is not a feeling; do not use it to judge people."]
    test = metrics.test
    if test is not None and test.auc is not None:
        clips = counted(test.n, "clip") + (
            f" of {counted(test.speakers, 'speaker')} it was not trained on" if test.speakers else ""
        )
        notes.append(f"AUC on the test split of its corpus ({clips}): {test.auc:.1f} %, chance 50 %.")
    if is_non_commercial(metrics):
        notes.append("For non-commercial use only.")
    return " ".join(notes)


def _name(source: str) -> str:
    return source.split(";")[0].strip()
