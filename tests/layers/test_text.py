"""The bundled text encoder, offline and checked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mesm.config import ModelConfig
from mesm.errors import CheckpointError, ConfigError
from mesm.layers import text as text_module
from mesm.layers.text import MINILM_SHA256, TextEncoder


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder(ModelConfig())


def test_meaning_is_in_the_vectors(encoder: TextEncoder) -> None:
    assert encoder.sha256 == MINILM_SHA256 and encoder.dim == 384
    a, b, c = torch.nn.functional.normalize(
        encoder.vectors(["I am so happy today", "What a joyful day for me", "The engine needs new oil"]), dim=1
    )
    assert a @ b > a @ c + 0.2


def test_each_text_alone_gives_the_same(encoder: TextEncoder) -> None:
    texts = ["short", "a much longer sentence that pads the short one to its own length"]
    torch.testing.assert_close(encoder.vectors(texts)[0], encoder.vectors(texts[:1])[0], atol=1e-5, rtol=1e-4)


def test_long_texts_are_cut(encoder: TextEncoder) -> None:
    text = "word " * 200
    ids, mask = encoder.tokenize([text, "one"])
    assert ids.shape == (2, 50) and mask.sum(1).tolist() == [50, 3]
    assert encoder.count_tokens(text) == 202


def test_pooling_is_the_named_position() -> None:
    encoder = TextEncoder(replace(ModelConfig(), text_pooling="cls"))
    ids, mask = encoder.tokenize(["hello there"])
    with torch.no_grad():
        hidden = encoder.encoder(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        assert torch.equal(encoder(ids, mask), hidden[:, 0])


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="the checkpoint was trained with"):
        TextEncoder(replace(ModelConfig(), text_sha256="0" * 64))
    with pytest.raises(ConfigError, match="set text_dim"):
        TextEncoder(replace(ModelConfig(), text_dim=768))
    with pytest.raises(CheckpointError, match="hub id that this machine can reach"):
        TextEncoder(replace(ModelConfig(), text_source=str(tmp_path)))
    monkeypatch.setattr(text_module, "MINILM_SHA256", "1" * 64)
    with pytest.raises(CheckpointError, match="install the package again"):
        text_module.minilm_folder()


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("I never thought they would come.", True),
        ("Ugh! No. I'm so happyyy 😀", True),
        ("", True),
        ("Ich hätte nie gedacht, dass sie kommen würden.", False),
        ("Nunca pensé que vendrían a visitarnos.", False),
        ("Я никогда не думал, что они придут.", False),
        ("我从来没想过他们会来。", False),
        ("لم أعتقد أبدا أنهم سيأتون.", False),
        ("不", False),
    ],
)
def test_languages_outside_the_vocabulary(encoder: TextEncoder, text: str, known: bool) -> None:
    assert encoder.covers_language(text) is known
