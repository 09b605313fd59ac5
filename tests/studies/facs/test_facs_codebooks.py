"""Codebooks are data: every row names known units and known emotions, and says where it is printed."""

from __future__ import annotations

import pytest

from mesm.data.atlas import COLUMN
from mesm.errors import ConfigError
from mesm.studies.facs.codebooks import CODEBOOKS, COUNTER_VIEW, COUNTER_VIEW_SOURCE, codebook
from mesm.vocabulary import ACTION_UNITS, CORPUS_LABELS, EMOTIONS


@pytest.mark.parametrize("name", CODEBOOKS)
def test_a_codebook_names_known_things(name: str) -> None:
    book = codebook(name)
    assert book.name == name and book.citation and any(c.isdigit() for c in book.citation)
    assert set(book.units) == set(CORPUS_LABELS["mosei"])
    for units in book.units.values():
        assert units and set(units) <= set(ACTION_UNITS) and set(units) <= set(COLUMN)
        assert list(units) == sorted(set(units))


def test_what_has_no_prototype_gets_none() -> None:
    described = {emotion for book in CODEBOOKS.values() for emotion in book.units}
    assert described == set(EMOTIONS) - {"excited", "frustrated", "neutral"}
    with pytest.raises(ConfigError, match="there are emfacs"):
        codebook("mine")


def test_rows_that_are_often_quoted() -> None:
    emfacs, facs1978, paper, belharbi = (CODEBOOKS[n].units for n in ("emfacs", "facs1978", "paper", "belharbi2024"))
    assert emfacs["happiness"] == (6, 12) and facs1978["sadness"] == (1, 4, 15)
    assert paper["happiness"] == (12,) and belharbi["surprise"] == (1, 2, 5, 26, 27)
    assert len(COUNTER_VIEW) > 80 and "Barrett" in COUNTER_VIEW_SOURCE
