"""Low-rank updates start at nothing, are all that is trained and stored, and follow every step."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from mesm.config import FE2EConfig, ModelConfig
from mesm.errors import ConfigError
from mesm.layers.text import TextEncoder

TEXTS = ("I never thought they would come.", "so glad")
ADAPTED = FE2EConfig(text_adapter=4)


@pytest.fixture(scope="module")
def plain() -> TextEncoder:
    return TextEncoder(ModelConfig())


@pytest.fixture(scope="module")
def trained() -> TextEncoder:
    """An adapted encoder after two steps towards other vectors."""
    torch.manual_seed(0)
    encoder = TextEncoder(ADAPTED)
    step(encoder), step(encoder)
    return encoder


def step(encoder: TextEncoder) -> Tensor:
    """Take one step of gradient descent, and return the vectors before it."""
    optimizer = torch.optim.SGD(encoder.parameters(), 1e-2)
    vectors_BD: Tensor = encoder(*encoder.tokenize(TEXTS))
    vectors_BD[:, :8].sum().backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    optimizer.zero_grad()
    return vectors_BD.detach()


def test_an_untrained_adapter_changes_nothing(plain: TextEncoder) -> None:
    adapted = TextEncoder(ADAPTED)
    torch.testing.assert_close(adapted.vectors(TEXTS), plain.vectors(TEXTS), atol=1e-5, rtol=0)
    assert adapted.word_vectors(["glad"])["glad"].tolist() == plain.word_vectors(["glad"])["glad"].tolist()


def test_the_updates_alone_are_parameters_and_state(plain: TextEncoder) -> None:
    encoder, width, inner = TextEncoder(ADAPTED), 384, 1536
    pairs_per_layer = 4 * (width + width) + 2 * (width + inner)
    assert sum(p.numel() for p in encoder.parameters()) == 3 * 4 * pairs_per_layer
    names = list(encoder.state_dict())
    assert len(names) == 3 * 6 * 2 and all(name.endswith((".up", ".down")) for name in names)
    before = {k: v.clone() for k, v in encoder.encoder.named_buffers()}
    step(encoder)
    assert all(torch.equal(v, before[k]) for k, v in encoder.encoder.named_buffers())
    kept = plain.encoder.state_dict()
    assert sum(v.numel() for v in before.values()) == sum(v.numel() for v in kept.values())


def test_without_gradients_the_vectors_are_those_of_the_training_after_every_step() -> None:
    torch.manual_seed(0)
    encoder = TextEncoder(ADAPTED)
    seen = []
    for _ in range(3):
        one_matrix = encoder.vectors(TEXTS)
        torch.testing.assert_close(one_matrix, step(encoder), atol=1e-4, rtol=0)
        seen.append(one_matrix)
    assert not torch.allclose(seen[0], seen[2], atol=1e-3), "the steps changed nothing"


def test_the_state_carries_the_trained_encoder(trained: TextEncoder, plain: TextEncoder) -> None:
    other = TextEncoder(ADAPTED)
    other.load_state_dict(trained.state_dict())
    torch.testing.assert_close(other.vectors(TEXTS), trained.vectors(TEXTS), atol=1e-6, rtol=0)
    assert not torch.allclose(other.vectors(TEXTS), plain.vectors(TEXTS), atol=1e-3)
    copied = copy.deepcopy(trained)
    torch.testing.assert_close(copied.vectors(TEXTS), trained.vectors(TEXTS), atol=1e-6, rtol=0)


def test_only_a_frozen_minilm_is_adapted() -> None:
    for settings in ({"text_trainable": True}, {"text_source": "albert-base-v2"}):
        with pytest.raises(ConfigError, match="text_adapter updates a frozen MiniLM"):
            FE2EConfig(text_adapter=4, **settings)  # type: ignore[arg-type]
