"""Corpora by key: which folder a name opens, and two corpora of one name told apart."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mesm.data.corpora import corpus_folders, find_corpora, open_corpus
from mesm.data.manifest import MANIFEST_NAME, Manifest
from mesm.data.store import Corpus, CorpusWriter
from mesm.errors import ConfigError, DataError
from mesm.records.base import CorpusId
from mesm.runtime import assets
from mesm.vocabulary import CAPABILITIES
from tests.data.made_samples import make_sample


def write(folder: Path, name: str, clips: int = 1, seed: int = 0, **options: Any) -> Path:
    with CorpusWriter(folder, name, **options) as writer:
        for number in range(clips):
            writer.add(make_sample(f"{name}{number}", seed=seed + number))
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("mesm.data.corpora.assets", lambda: tmp_path / "assets")
    return tmp_path / "home"


def test_the_bundled_corpus_keeps_the_plain_name(home: Path, tmp_path: Path) -> None:
    own = write(home / "corpora" / "one", "mine")
    other = write(home / "corpora" / "two", "shipped", seed=5)
    shipped = write(tmp_path / "assets" / "shipped", "shipped")
    (tmp_path / "assets" / "broken").mkdir()
    (tmp_path / "assets" / "broken" / MANIFEST_NAME).write_text("{")
    assert corpus_folders(home) == (tmp_path / "assets", home / "corpora")
    digest = Corpus(other).digest
    assert find_corpora(home) == {"shipped": shipped, "mine": own, f"shipped@{digest[:8]}": other}
    assert open_corpus("shipped", home).folder == shipped and open_corpus("mine", home).folder == own
    for key in (f"shipped@{digest[:8]}", f"shipped@{digest}", other):
        assert open_corpus(key, home).folder == other
    assert open_corpus(f"shipped@{Corpus(shipped).digest}", home).folder == shipped
    for unknown in ("other", "mine@", f"mine@{digest[:8]}", f"shipped@{digest[:4]}"):
        with pytest.raises(DataError, match=rf"no corpus '{unknown}'.*shipped, mine, shipped@"):
            open_corpus(unknown, home)


def test_two_own_corpora_of_one_name(home: Path) -> None:
    one, two = (write(home / "corpora" / folder, "mine", seed=k) for k, folder in enumerate("ab"))
    keys = [f"mine@{Corpus(folder).digest[:8]}" for folder in (one, two)]
    assert find_corpora(home) == dict(zip(keys, (one, two), strict=True))
    with pytest.raises(DataError, match=f"2 corpora are named 'mine'; give one of {keys[0]}, {keys[1]}"):
        open_corpus("mine", home)


def test_the_largest_part_of_a_generated_corpus_is_listed(home: Path) -> None:
    meta = {"generator": "g", "clips": 3}
    write(home / "corpora" / "a", "made", 1, meta=meta)
    whole = write(home / "corpora" / "b", "made", 3, meta={**meta, "command": "whole"})
    write(home / "corpora" / "c", "made", 2, meta=meta)
    assert find_corpora(home) == {"made": whole}


def test_no_corpora(home: Path) -> None:
    assert find_corpora(home) == {}


def test_the_digest_is_the_design_or_the_clips(tmp_path: Path) -> None:
    made = Manifest(
        "m", ("anger",), {"generator": 4, "seed": 0, "command": "x"}, capabilities=("design",), complete=True
    )
    same = Manifest("m", ("anger",), {"seed": 0, "command": "y", "generator": 4}, complete=True)
    assert made.digest == same.digest and len(made.digest) == 16
    others = [
        replace(made, name="n"),
        replace(made, labels=("fear",)),
        replace(made, meta={**made.meta, "seed": 1}),
    ]
    assert len({made.digest, *(other.digest for other in others)}) == 4
    one, two, copy = (Corpus(write(tmp_path / name, "r", seed=seed)) for name, seed in (("a", 0), ("b", 1), ("c", 0)))
    assert one.digest == copy.digest != two.digest


def test_capabilities_are_stored(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", "known", capabilities=["action_units", "prosody"])
    assert Corpus(folder).capabilities == ("action_units", "prosody")
    assert Corpus(write(tmp_path / "b", "recorded")).capabilities == ()
    with pytest.raises(ConfigError, match=r"'pose' is no capability.*action_units"):
        write(tmp_path / "c", "wrong", capabilities=["pose"])


def test_manifests_without_the_field_are_read(tmp_path: Path) -> None:
    for meta, neutral_faces, expected in (
        ({}, True, ()),
        ({"generator": 4}, True, CAPABILITIES),
        ({"generator": 4}, False, tuple(name for name in CAPABILITIES if name != "neutral_faces")),
    ):
        folder = write(tmp_path / f"{len(meta)}{neutral_faces}", "old", meta=meta)
        content = json.loads((folder / MANIFEST_NAME).read_text())
        del content["capabilities"]
        (folder / MANIFEST_NAME).write_text(json.dumps(content))
        if neutral_faces:
            (folder / "neutral_faces.npz").write_bytes(b"")
        assert Manifest.read(folder).capabilities == expected


def test_the_shipped_corpus() -> None:
    corpus = open_corpus("marionette")
    assert corpus.folder == assets() / "marionette" and corpus.id == CorpusId("marionette", corpus.digest)
    assert set(CAPABILITIES) - set(corpus.capabilities) == {"neutral_faces"}
