"""The limits of a checkpoint follow its sources, not its name."""

from __future__ import annotations

import pytest

from mesm.config import MESMConfig
from mesm.models.card import model_card
from mesm.records.checkpoint import CheckpointMetrics
from mesm.records.limits import RENDERED_FACES, is_non_commercial, is_rendered, training_note

RAVDESS = "ravdess; CC BY-NC-SA 4.0; Livingstone & Russo 2018"
MIXED = CheckpointMetrics("people", sources=(RAVDESS, "marionette; CC0-1.0"), trained_on_capabilities=("regions",))


@pytest.mark.parametrize(
    ("metrics", "rendered"),
    [
        (CheckpointMetrics("marionette"), True),
        (CheckpointMetrics("mosei"), False),
        (CheckpointMetrics("small", sources=("small; CC0-1.0",), trained_on_capabilities=("regions",)), True),
        (CheckpointMetrics("marionette", sources=(RAVDESS,)), False),
        (MIXED, False),
    ],
)
def test_rendered_by_its_sources(metrics: CheckpointMetrics, rendered: bool) -> None:
    assert is_rendered(metrics) is rendered
    assert (training_note(metrics) == RENDERED_FACES) is rendered


def test_people_are_named_with_their_licence() -> None:
    note = training_note(MIXED)
    assert "ravdess, marionette" in note and "not a feeling" in note and "judge people" in note
    assert "non-commercial" in note and "AUC" not in note
    free = CheckpointMetrics("people", sources=("NC voices; CC BY 4.0", "no licence named"))
    assert not is_non_commercial(free) and "non-commercial" not in training_note(free)


def test_the_card_of_people_has_use_and_licence() -> None:
    card = model_card("people-mesm", MESMConfig(), MIXED)
    assert "not for judging people" in card and "LICENSE" in card and "non-commercial" in card
    assert "It was trained on rendered faces" not in card
