"""A damaged file of the workspace costs the row that it belongs to, and nothing else."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st

from mesm.analysis.checkpoints import find_checkpoints, read_facts
from mesm.data.corpora import find_corpora, find_damaged_corpora, open_corpus
from mesm.data.store import Corpus
from mesm.errors import MesmError
from mesm.records.store import RecordStore
from mesm.runtime import record_folders
from mesm.ui import frame
from mesm.ui.case_studies import notebook
from mesm.ui.efficiency import sweep_job
from mesm.ui.runs import training_runs
from tests.app.app_page import open_page, texts
from tests.ui.hostile_workspaces import (
    CONFIG,
    DAMAGES,
    FILES,
    LOG,
    MANIFEST,
    METRICS,
    NOTEBOOK,
    RECORD,
    damage,
    fill_rest,
    with_wrong_values,
)

JSON_FILES = [name for name in FILES if name.endswith(".json")]


@pytest.fixture
def whole(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_assets: None) -> Iterator[Path]:
    """A workspace with something of everything."""
    home = tmp_path / "home"
    shutil.copytree(filled, home)
    shutil.copytree(filled / "corpora" / "noise", home / "corpora" / "other")
    manifest = home / "corpora" / "other" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"noise"', '"other"'))
    fill_rest(home)
    monkeypatch.setenv("MESM_HOME", str(home))
    yield home
    st.cache_data.clear()


def read_first_clip(corpus: Corpus) -> None:
    for row in corpus.index[:1]:
        corpus.read(row.clip_id)


def read_everything() -> list[str]:
    """Read the workspace as the pages do; return the sentences."""
    sentences: list[str] = []

    def tried(read: object) -> None:
        try:
            read()  # type: ignore[operator]
        except MesmError as error:
            sentences.append(str(error))

    sentences += [str(error) for error in find_damaged_corpora().values()]
    for name in find_corpora():
        tried(lambda name=name: read_first_clip(open_corpus(name)))
    for folder in find_checkpoints().values():
        tried(lambda folder=folder: read_facts(folder))
    store = RecordStore(record_folders, lambda error: sentences.append(str(error)))
    store.find("evaluate")
    tried(lambda: [entry.link for entry in notebook.read().values()])
    for run in training_runs.list_runs().values():
        sentences += [run.failure] if run.failure else []
        assert run.planned_epochs >= 0 and run.curves is not None
    if (job := sweep_job.current_sweep()) is not None:
        assert 0 <= job.share <= 1 and not job.running and isinstance(job.failure, str)
    for sentence in sentences:
        assert "\n" not in sentence and len(sentence) < 600, sentence
    return sentences


def test_a_whole_workspace_has_only_the_run_that_failed(whole: Path) -> None:
    assert read_everything() == ["it broke; mend it"]


@pytest.mark.parametrize("file", FILES)
def test_every_damage_of_a_file_is_a_sentence_or_a_gap(whole: Path, file: str) -> None:
    for how in DAMAGES:
        start = time.monotonic()
        restore = damage(whole, file, how)
        others = [s for s in read_everything() if s != "it broke; mend it"]
        restore()
        assert len(others) <= 1, (how, others)
        assert time.monotonic() - start < 20, how
        is_there = how not in ("pipe", "folder", "link to itself", "device")  # else the file counts as missing
        if is_there and how != "empty object" and file in (MANIFEST, CONFIG, METRICS, RECORD, NOTEBOOK):
            assert others, how
    assert read_everything() == ["it broke; mend it"]


@pytest.mark.parametrize("file", JSON_FILES)
def test_values_of_another_kind(whole: Path, file: str) -> None:
    path = whole / file
    good = path.read_text()
    variants = list(with_wrong_values(json.loads(good)))
    for what, changed in variants[:: max(1, len(variants) // 12)]:
        path.write_text(json.dumps(changed))
        try:
            read_everything()
        except Exception as error:
            raise AssertionError(what) from error
    path.write_text(good)


PAGES = list(frame.PAGES)
#: What is damaged, and a page on which it matters.
SHOWN = [
    (MANIFEST, "nested 100 000 deep", "pages/overview.py"),
    (CONFIG, "cut", "pages/case_studies.py"),
    (METRICS, "objects 100 000 deep", "pages/results.py"),
    (RECORD, "number of 5000 digits", "pages/results.py"),
    (NOTEBOOK, "a number", "pages/case_studies.py"),
    ("runs/r/config.json", "a list", "pages/runs.py"),
    (LOG, "a number", "pages/runs.py"),
]


@pytest.mark.parametrize(("file", "how", "page"), SHOWN)
def test_a_page_says_it_and_lives(whole: Path, file: str, how: str, page: str) -> None:
    damage(whole, file, how)
    shown = open_page(page, checkpoint="tiny-mesm", corpus="noise")
    assert not shown.exception
    assert (Path(file).name in texts(shown).lower()) == (file != LOG)
    pickers = {picker.key: picker for picker in shown.sidebar.selectbox}
    assert pickers["checkpoint"].options and pickers["corpus"].options
    if file in (MANIFEST, CONFIG, METRICS):
        assert pickers["corpus" if file == MANIFEST else "checkpoint"].value in ("noise", "tiny-mesm")
        key, other = ("corpus", "other") if file == MANIFEST else ("checkpoint", "tiny-fe2e")
        pickers[key].set_value(other)
        after = shown.run()
        assert not after.exception and Path(file).name not in texts(after).lower(), "another choice is all it takes"


@pytest.mark.slow
@pytest.mark.parametrize("file", [MANIFEST, CONFIG, METRICS, RECORD, NOTEBOOK, LOG])
@pytest.mark.parametrize("how", list(DAMAGES)[:10])
def test_sixty_workspaces_and_every_page(whole: Path, file: str, how: str) -> None:
    damage(whole, file, how)
    for page in PAGES:
        shown = open_page(page, checkpoint="tiny-mesm", corpus="noise")
        assert not shown.exception, page
        assert len(shown.sidebar.selectbox) == 2
