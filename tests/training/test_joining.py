"""Checkpoints of one modality each, joined: branches as they were, the same settings, fusion fitted on held-out clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mesm.cli import main
from mesm.errors import ConfigError
from mesm.models import EmotionModel, build_model, load_checkpoint, save_checkpoint
from mesm.models.join import join
from mesm.records.checkpoint import CheckpointMetrics
from mesm.training.joining import join_checkpoints
from tests.models.model_fixtures import random_batch
from tests.training.corpora import tinted_corpus
from tests.training.test_single_modality import SMALL, corpus_of


def part(folder: Path, modality: str, **settings: object) -> Path:
    """Store an untrained model of one modality."""
    torch.manual_seed(len(modality))
    model = build_model(replace(SMALL, modalities=(modality,), **settings))  # type: ignore[arg-type]
    metrics = CheckpointMetrics(trained_on=modality, sources=(f"{modality}; CC BY 4.0",))
    return save_checkpoint(folder / modality, model, metrics, "", half=True)


def test_each_branch_scores_as_it_did_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MESM_HOME", str(tmp_path))
    corpus, out = tinted_corpus(tmp_path / "corpus", 1, 6, 1), tmp_path / "joined"
    parts = [part(tmp_path, modality) for modality in ("acoustic", "text")]
    assert main(["join", *map(str, parts), "--corpus", str(corpus), "--out", str(out)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(out)
    joined = load_checkpoint(out)
    assert joined.config.modalities == ("text", "acoustic") and len(joined.metrics.thresholds) == 6
    assert joined.metrics.trained_on == "acoustic, text" and "- text; CC BY 4.0" in joined.card
    batch = random_batch([1, 1], [2, 1], text_dim=SMALL.text_dim)
    with torch.no_grad():
        scores_BME = joined.model.eval()(batch).modality_logits_BME
        for place, folder in enumerate(reversed(parts)):
            alone_BE = load_checkpoint(folder).model.eval()(batch).modality_logits_BME[:, 0]
            torch.testing.assert_close(scores_BME[:, place], alone_BE)


def test_the_words_bring_their_adapted_encoder(tmp_path: Path) -> None:
    words, voice = (
        build_model(replace(SMALL, modalities=(m,), text_adapter=2 * (m == "text"))) for m in ("text", "acoustic")
    )
    assert isinstance(words, EmotionModel) and isinstance(voice, EmotionModel) and words.text_encoder is not None
    for update in words.text_encoder.parameters():
        torch.nn.init.normal_(update, std=0.02)
    joined = join([voice, words])
    assert joined.config.text_adapter == 2 and joined.text_encoder is not None
    assert torch.equal(joined.text_encoder.vectors(["so glad"]), words.text_encoder.vectors(["so glad"]))


def test_parts_that_do_not_go_together_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = []
    voice = replace(SMALL, modalities=("acoustic",))
    for config in (voice, replace(voice, width=0.0625)):
        model = build_model(config)
        assert isinstance(model, EmotionModel)
        models.append(model)
    for other in models[1:]:
        with pytest.raises(
            ConfigError, match=r"the checkpoints differ in .*; train the branches with the same settings"
        ):
            join([models[0], other])
    corpus = tinted_corpus(tmp_path / "corpus", 1, 2, 1)
    voices = str(part(tmp_path, "acoustic"))
    assert main(["join", voices, voices, "--corpus", str(corpus), "--out", str(tmp_path / "out")]) == 2
    assert "all checkpoints have acoustic alone; give one for another modality" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_modality_that_no_validation_clip_has_is_not_joined(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path / "corpus", "text")
    parts = [load_checkpoint(part(tmp_path, modality)) for modality in ("acoustic", "text")]
    with pytest.raises(ConfigError, match="no validation clip of text has acoustic, so their fusion weights cannot be"):
        join_checkpoints(parts, corpus, tmp_path / "out")
    assert not (tmp_path / "out").exists()
