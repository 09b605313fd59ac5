"""Releases that several tests read, built once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.data.importers import trees


@pytest.fixture(scope="session")
def left_half(astronaut: np.ndarray) -> np.ndarray:
    """(240, 200, 3): a face about 92 px wide, in its own colours."""
    return np.ascontiguousarray(astronaut[:240, 120:320])


@pytest.fixture(scope="session")
def right_half(left_half: np.ndarray) -> np.ndarray:
    """The same face mirrored, its red and blue exchanged."""
    return np.ascontiguousarray(left_half[:, ::-1, ::-1])


@pytest.fixture(scope="session")
def iemocap_tree(left_half: np.ndarray, right_half: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trees.iemocap(tmp_path_factory.mktemp("my releases é"), left_half, right_half)


@pytest.fixture(scope="session")
def mosei_tree(left_half: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trees.mosei(tmp_path_factory.mktemp("mosei"), left_half)
