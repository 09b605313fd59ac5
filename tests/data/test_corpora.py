"""Corpora by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesm.data.corpora import corpus_folders, find_corpora, open_corpus
from mesm.data.store import CorpusWriter
from mesm.errors import DataError
from tests.data.made_samples import make_sample


def write(folder: Path, name: str) -> Path:
    with CorpusWriter(folder, name) as writer:
        writer.add(make_sample(name))
    return folder


def test_by_name_and_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesm.data.corpora.assets", lambda: tmp_path / "assets")
    mine = write(tmp_path / "home" / "corpora" / "one", "mine")
    shipped = write(tmp_path / "assets" / "shipped", "shipped")
    same = write(tmp_path / "assets" / "zwei", "mine")
    (tmp_path / "assets" / "broken").mkdir()
    (tmp_path / "assets" / "broken" / "manifest.json").write_text("{")
    home = tmp_path / "home"
    assert corpus_folders(home) == (home / "corpora", tmp_path / "assets")
    found = find_corpora(corpus_folders(home))
    assert found == {"mine": mine, "shipped": shipped, f"mine ({same})": same}
    assert open_corpus("mine", home).folder == mine and open_corpus(same).folder == same
    with pytest.raises(DataError, match=r"no corpus 'other'.*mine, shipped"):
        open_corpus("other", home)


def test_nothing_there(tmp_path: Path) -> None:
    assert find_corpora([tmp_path, tmp_path / "no such folder"]) == {}
