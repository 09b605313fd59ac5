"""The plain classifier of faces: it lays faces upright, and it can be right and wrong."""

import importlib.util

import numpy as np
import pytest

pytest.importorskip("numba")
if importlib.util.find_spec("anny") is None:
    pytest.skip("needs mesm[marionette]", allow_module_level=True)

from mesm.data.marionette.separability import (
    _UPRIGHT,
    Separability,
    fit_softmax,
    gradient_histograms,
    separability_text,
    upright,
)


def dots(points: np.ndarray) -> np.ndarray:
    """A crop with a bright spot at each of the five points."""
    y, x = np.mgrid[:48, :48] + 0.5
    light = sum(np.exp(-((x - px) ** 2 + (y - py) ** 2) / 4) for px, py in points)
    return (np.clip(np.stack([light] * 3, -1), 0, 1) * 255).astype(np.uint8)


@pytest.mark.parametrize(("turn", "scale"), [(0.0, 1.0), (0.25, 0.85), (-0.3, 1.1)])
def test_a_tilted_face_is_laid_upright(turn: float, scale: float) -> None:
    rotation = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    tilted = (_UPRIGHT - 24) @ rotation.T + [24.5, 22]
    straight = upright(dots(tilted), tilted).astype(float)
    for x, y in _UPRIGHT.round().astype(int):
        assert straight[y - 1 : y + 1, x - 1 : x + 1].max() > 150
    assert np.corrcoef(straight.ravel(), dots(_UPRIGHT).ravel())[0, 1] > 0.9


def test_histograms_see_the_direction_of_an_edge() -> None:
    stripes = np.zeros((2, 48, 48, 3), np.uint8)
    stripes[0, :, ::8] = 255
    stripes[1, ::8] = 255
    one, other = gradient_histograms(stripes)
    assert one.shape == (11 * 11 * 36,) and np.isfinite(one).all()
    assert one @ other < 0.2 * (one @ one)


def test_the_classifier_learns_what_can_be_learned_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, 300)
    clear = rng.standard_normal((300, 5)) + 4 * np.eye(5)[classes]
    blind = rng.standard_normal((300, 5))

    def accuracy(inputs: np.ndarray) -> float:
        return float(fit_softmax(inputs[:200], classes[:200]).score(inputs[200:], classes[200:]))

    assert accuracy(clear) > 0.95
    assert accuracy(blind) < 0.5


def test_the_text_names_both_halves() -> None:
    text = separability_text(Separability(12, 6, 4, (0.9, 0.8), np.eye(6, dtype=int)))
    assert "90.0 % and 80.0 %" in text and len(text.splitlines()) == 8
