"""The share of the way to the ideal observer: where 0 and 1 lie, and where there is no observer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mesm.data.marionette.build import GENERATOR
from mesm.data.store import Corpus, CorpusWriter
from mesm.studies.evaluation.bayes_ceiling import ceiling_wacc, share_of_bayes_wacc
from tests.training.corpora import LABELS, tinted_corpus, tinted_sample


def test_the_share_is_a_straight_line() -> None:
    assert share_of_bayes_wacc(50, 80) == 0
    assert share_of_bayes_wacc(80, 80) == 1
    assert share_of_bayes_wacc(74, 80) == pytest.approx(0.8)
    assert share_of_bayes_wacc(44, 80) < 0, "below chance"


def made(folder: Path, generator: str) -> Corpus:
    """A corpus that says which generator made it."""
    with CorpusWriter(folder, "made", LABELS, meta={"generator": generator}, capabilities=["design"]) as writer:
        writer.add(tinted_sample("a", np.eye(6, dtype=int)[0], "test", np.random.default_rng(0)))
    return Corpus(folder)


def test_more_modalities_have_a_higher_ceiling(tmp_path: Path) -> None:
    corpus = made(tmp_path, GENERATOR)
    everything = ceiling_wacc(corpus, ("text", "visual", "acoustic"), corpus.labels, clips=300)
    face = ceiling_wacc(corpus, ("visual",), corpus.labels, clips=300)
    assert face is not None and everything is not None and 50 < face < everything < 100
    assert ceiling_wacc(corpus, ("visual",), corpus.labels[:3], clips=300) is None, "another average"


def test_no_design_no_ceiling(tmp_path: Path) -> None:
    corpus = Corpus(tinted_corpus(tmp_path / "tinted", train=1, valid=1, test=1))
    assert ceiling_wacc(corpus, ("text",), corpus.labels) is None
    old = made(tmp_path / "old", "marionette 0")
    assert ceiling_wacc(old, ("text",), old.labels) is None, "another version has another design"
