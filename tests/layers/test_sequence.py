"""The sequence Transformer and the fusion."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mesm.config import ModelConfig
from mesm.layers.fusion import WeightedFusion
from mesm.layers.transformer import SequenceTransformer, segments_to_sequences

CONFIG = ModelConfig(
    transformer_dim=8, transformer_layers=2, transformer_heads=2, transformer_feedforward=16, max_segments=12
)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=5))
def test_sequences_hold_each_utterances_segments(counts: list[int]) -> None:
    total = sum(counts)
    segments = torch.arange(1, total + 1).float()[:, None].expand(total, 3)
    sequences, present = segments_to_sequences(segments, torch.tensor(counts))
    start = 0
    for b, n in enumerate(counts):
        assert sequences[b, :n, 0].tolist() == list(range(start + 1, start + n + 1))
        assert not sequences[b, n:].any() and present[b].tolist() == [i < n for i in range(present.shape[1])]
        start += n


@pytest.mark.parametrize("positions", [True, False])
@settings(max_examples=20)
@given(st.lists(st.integers(0, 6), min_size=2, max_size=4))
def test_a_longer_padding_changes_nothing(positions: bool, counts: list[int]) -> None:
    torch.manual_seed(0)
    model = SequenceTransformer(replace(CONFIG, positions=positions)).eval()
    segments = torch.randn(sum(counts), 8)
    with torch.no_grad():
        together = model(segments, torch.tensor(counts))
        for b, part in enumerate(segments.split(counts)):
            torch.testing.assert_close(model(part, torch.tensor([counts[b]]))[0], together[b], atol=1e-5, rtol=1e-5)


def test_order_matters_only_with_positions() -> None:
    segments = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    counts = torch.tensor([5])
    for positions in (True, False):
        torch.manual_seed(0)
        model = SequenceTransformer(replace(CONFIG, positions=positions)).eval()
        with torch.no_grad():
            same = torch.allclose(model(segments, counts), model(segments.flip(0), counts), atol=1e-5)
        assert same != positions


def test_fusion_by_hand() -> None:
    fusion = WeightedFusion(3)
    with torch.no_grad():
        fusion.weight.copy_(torch.tensor([2.0, 1.0, 1.0]))  # type: ignore[union-attr]
    logits = torch.tensor([[[1.0], [2.0], [3.0]]] * 2)
    fused, weights = fusion(logits, torch.tensor([[True, True, True], [True, False, True]]))
    # All three: 2*1 + 2 + 3. Without the second, 2 and 1 grow by 4/3.
    torch.testing.assert_close(fused[:, 0], torch.tensor([7.0, (2 * 1 + 1 * 3) * 4 / 3]))
    torch.testing.assert_close(weights[1], torch.tensor([8 / 3, 0.0, 4 / 3]))
