"""The model card names the corpora that the weights were trained on, with their licences."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesm.data.store import Corpus, CorpusWriter
from mesm.json_form import Json
from mesm.models.card import model_card
from mesm.records.checkpoint import CheckpointMetrics
from mesm.training.validation import corpus_sources
from tests.models.model_fixtures import tiny

SENTENCE = "A source allows non-commercial use only; so do these weights."
FACES: Json = {"corpus": "faces", "licence": "CC BY-NC-SA 4.0", "citation": "Doe 2020"}


@pytest.mark.parametrize(
    ("meta", "lines"),
    [
        ({}, ["- mine; licence not stated"]),
        ({"licence": "CC0", "citation": "Roe 2021"}, ["- mine; CC0; Roe 2021"]),
        ({"licence": "free, by SYNC Inc."}, ["- mine; free, by SYNC Inc."]),
        ({"licence": "for non-commercial use"}, ["- mine; for non-commercial use", SENTENCE]),
        (
            {"kind": "composed", "sources": [FACES, {"corpus": "words"}, FACES]},
            ["- faces; CC BY-NC-SA 4.0; Doe 2020", "- words; licence not stated", SENTENCE],
        ),
    ],
)
def test_sources_and_licences(meta: dict[str, Json], lines: list[str], tmp_path: Path) -> None:
    with CorpusWriter(tmp_path, "mine", ("anger",), meta):
        pass
    card = model_card("a", tiny("fe2e"), CheckpointMetrics(sources=corpus_sources(Corpus(tmp_path))))
    section = card.split("## Sources and licences")[1].split("## Limits")[0]
    assert [line for line in section.splitlines() if line][:-1] == lines and "A file LICENSE" in section
    assert "## Sources" not in model_card("a", tiny("fe2e"), CheckpointMetrics())
