"""The worked examples of CONTRIBUTING.md run: a model, a corpus and a study, added to the packages that they name."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mesm import cli
from mesm.cli import corpus_import
from mesm.config.model import MODEL_CONFIGS, FeatureModelConfig
from mesm.data import importers
from mesm.data.corpora import open_corpus
from mesm.models import build_model
from mesm.models.registry import MODELS
from mesm.records import base
from tests.models.model_fixtures import member, random_batch, tiny

TEXT = (Path(__file__).resolve().parent.parent / "CONTRIBUTING.md").read_text()
#: Path of a file -> its text.
EXAMPLES = dict(re.findall(r"^```python\n# (mesm/\S+\.py)\n(.*?)^```$", TEXT, flags=re.M | re.S))


@pytest.fixture(autouse=True)
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Write the examples into a folder that the packages of `mesm` look into, too."""
    for name, code in EXAMPLES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
    for name in ("records", "studies", "cli", "data.importers", "models.baselines"):
        package = importlib.import_module(f"mesm.{name}")
        folder = tmp_path.joinpath("mesm", *name.split("."))
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    yield
    for name in EXAMPLES:
        sys.modules.pop(name.removesuffix(".py").replace("/", "."), None)


def test_there_is_an_example_of_each() -> None:
    assert {Path(name).parts[1] for name in EXAMPLES} == {"models", "data", "records", "studies", "cli"}


def test_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("mesm.models.baselines.mean_pool")
    monkeypatch.setitem(MODELS, "mean_pool", module.MeanPool)
    monkeypatch.setitem(MODEL_CONFIGS, "mean_pool", FeatureModelConfig)
    torch.manual_seed(0)
    model, batch = build_model(tiny("mean_pool")).eval(), random_batch([2, 3], [2, 1])
    with torch.no_grad():
        torch.testing.assert_close(model(batch).logits_BE[1:], model(member(batch, 1)).logits_BE)


@pytest.mark.slow
def test_the_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert tuple(importers.IMPORTERS) == corpus_import.NAMES
    monkeypatch.setitem(importers.IMPORTERS, "mycorpus", "mycorpus")
    monkeypatch.setattr(corpus_import, "NAMES", (*corpus_import.NAMES, "mycorpus"))
    clip = open_corpus("marionette").media_path("m0-00356")
    assert clip is not None
    release = tmp_path / "release"
    release.mkdir()
    for name in ("s01_anger_3", "s02_happiness_1", "s03_sadness_7"):
        (release / f"{name}.mp4").write_bytes(clip.read_bytes())
        (release / f"{name}.txt").write_text("You can pick up the parcel at the office.")
    assert cli.main(["corpus", "import", "mycorpus", str(release), str(tmp_path / "stored"), "--dry-run"]) == 0
    assert "3 utterances found, 3 can be stored" in capsys.readouterr().out


@pytest.mark.slow
def test_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(base.KINDS, "shares", ("mesm.records.shares", "Shares"))
    monkeypatch.setitem(cli.VERBS, "shares", ("mesm.cli.shares", "measure the share of kept sites"))
    assert cli.main(["shares", "marionette-mesm", "--corpus", "marionette", "--out", str(tmp_path)]) == 0
    shares = base.read_record(capsys.readouterr().out.splitlines()[-1]).data
    assert shares.clips == 96 and [round(one.value, 2) for one in shares.layers] == sorted(
        (round(one.value, 2) for one in shares.layers), reverse=True
    )
