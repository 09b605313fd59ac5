"""The shipped prediction is what its checkpoint computes today, and it is shown for exactly this view alone."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from mesm.analysis.checkpoints import read_facts
from mesm.analysis.predictor import load
from mesm.data.store import Corpus
from mesm.records.base import CorpusId
from mesm.runtime import assets, bundle
from mesm.ui.corpora import OpenCorpus
from mesm.ui.shipped_predictions import find_shipped_prediction

FACTS = read_facts(assets() / "checkpoints" / "marionette-mesm")
OPENED = OpenCorpus(Corpus(assets() / "marionette"), "digest", "marionette")


def test_the_clip_that_the_pages_open_with_is_shipped() -> None:
    first = next(row.clip_id for row in OPENED.corpus.index if row.present)
    assert first == OPENED.corpus.index[0].clip_id  # of Case studies and of the Overview
    case, top_p = OPENED.case(first), FACTS.config.top_p
    shipped = find_shipped_prediction(FACTS, case, top_p)
    assert shipped is not None
    predictor = load("marionette-mesm")
    now = predictor.run(predictor.prepare(case.sample), top_p)
    np.testing.assert_allclose(shipped.scores, now.scores, atol=1e-5)
    np.testing.assert_array_equal(shipped.thresholds, now.thresholds)
    assert shipped.macs == now.macs and shipped.flags == now.flags
    for modality, layers in now.layers.items():
        for layer, read in zip(layers, shipped.layers[modality], strict=True):
            np.testing.assert_allclose(read.attention, layer.attention, atol=1e-5)
            assert read.counts == layer.counts and (read.padding is None) == (layer.padding is None)


def test_another_clip_corpus_top_p_or_weights_is_scored() -> None:
    case, top_p = OPENED.case(OPENED.corpus.index[0].clip_id), FACTS.config.top_p
    other = OPENED.case(OPENED.corpus.index[1].clip_id)
    for facts, of_case, at in (
        (FACTS, case, 0.55),
        (FACTS, other, top_p),
        (FACTS, replace(case, corpus=None), top_p),
        (FACTS, replace(case, corpus=CorpusId("marionette", "another")), top_p),
        (replace(FACTS, sha256="another"), case, top_p),
        (replace(FACTS, name="another"), case, top_p),
    ):
        assert find_shipped_prediction(facts, of_case, at) is None


@pytest.mark.slow
@pytest.mark.parametrize("page", ["overview", "case_studies", "facs", "results", "efficiency", "runs"])
def test_a_page_opens_without_torch(page: str) -> None:
    code = (
        "import sys; from streamlit.testing.v1 import AppTest\n"
        f"page = AppTest.from_file({str(bundle() / 'pages' / page)!r} + '.py', default_timeout=120).run()\n"
        "assert not page.exception and not page.error, page\n"
        "sys.exit(str({'torch', 'numba', 'scipy'} & set(sys.modules)) if 'torch' in sys.modules else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=bundle(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-800:]
