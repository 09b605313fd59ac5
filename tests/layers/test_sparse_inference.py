"""Segment by segment or layer by layer for the whole batch: the same attention, sites and features."""

from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mesm.config import MESMConfig
from mesm.errors import DataError
from mesm.layers import sparse_inference
from mesm.layers.sparse_vgg import SparseResult, SparseVGG

QUERY_DIM = 9


def network(seed: int = 0, **settings: object) -> SparseVGG:
    torch.manual_seed(seed)
    config = MESMConfig(**({"width": 0.125, "text_dim": QUERY_DIM, "score": "additive_bilinear"} | settings))
    net = SparseVGG(1, config, QUERY_DIM).eval()
    for attention in net.attention:
        if attention.bilinear is not None:
            torch.nn.init.normal_(attention.bilinear.weight)
    return net


@torch.inference_mode()
def both_ways(net: SparseVGG, segments: int, top_p: float, sound: torch.Tensor | None) -> list[SparseResult]:
    stem, query = torch.randn(segments, net.conv.out_channels, 24, 20).relu(), torch.randn(segments, QUERY_DIM)
    results = [net.sparse_part(stem, query, top_p, trace=True, sound_SW=sound)]
    with mock.patch.object(SparseVGG, "_can_run_by_segment", lambda *a: False):
        return [*results, net.sparse_part(stem, query, top_p, trace=True, sound_SW=sound)]


@given(
    seed=st.integers(0, 2**31),
    segments=st.integers(1, 7),
    top_p=st.sampled_from([0.01, 0.3, 0.7, 0.99, 1.0]),
    gate=st.sampled_from(["hard", "soft", "soft_straight_through"]),
    width=st.sampled_from([0.125, 0.2]),
    threads=st.integers(1, 3),
    masked=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_both_ways_are_one(seed, segments, top_p, gate, width, threads, masked):
    net = network(seed, gate=gate, width=width, padding="masked" if masked else "kept")
    sound = torch.rand(segments, 40) < 0.6  # some segments may have no sound at all
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        fast, general = both_ways(net, segments, top_p, sound)
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(fast.features_SCHW, general.features_SCHW, atol=1e-5, rtol=1e-4)
    for one, other in zip(fast.layers, general.layers, strict=True):
        assert torch.equal(one.active_SHW, other.active_SHW) and torch.equal(one.kept_SHW, other.kept_SHW)
        assert torch.equal(one.padding_SHW, other.padding_SHW)
        torch.testing.assert_close(one.attention_SHW, other.attention_SHW, atol=1e-5, rtol=1e-3)


def test_a_segments_result_does_not_depend_on_its_neighbours(monkeypatch):
    net, stem, query = network(), torch.randn(9, 8, 24, 20), torch.randn(9, QUERY_DIM)
    with torch.inference_mode():
        whole = net.sparse_part(stem, query, 0.5).features_SCHW
        monkeypatch.setattr(sparse_inference, "GROUP_SEGMENTS", 1)
        assert torch.equal(net.sparse_part(stem, query, 0.5).features_SCHW, whole)
        assert torch.equal(net.sparse_part(stem[4:6], query[4:6], 0.5).features_SCHW, whole[4:6])


def test_it_runs_where_it_can_and_only_there():
    net, stem, query = network(), torch.randn(2, 8, 24, 20), torch.randn(2, QUERY_DIM)
    with mock.patch.object(sparse_inference, "run_blocks", wraps=sparse_inference.run_blocks) as ran:
        net.sparse_part(stem, query, 0.5)
        assert not ran.called, "gradients are recorded"
        with torch.inference_mode():
            hook = net.attention[1].register_forward_hook(lambda module, inputs, attention: attention)
            net.sparse_part(stem, query, 0.5)
            assert not ran.called, "the hook would not be called"
            hook.remove()
            net.sparse_part(stem, query, 0.5)
            assert ran.called
            dense = network(backend="dense")
            dense.sparse_part(stem, query, 0.5)
            assert ran.call_count == 1


@pytest.mark.parametrize("place", ["features", "query"])
def test_what_is_not_a_number_ends_in_one_sentence(place):
    net, stem, query = network(), torch.randn(5, 8, 24, 20), torch.randn(5, QUERY_DIM)
    (stem if place == "features" else query)[3] = float("nan")
    with torch.inference_mode(), pytest.raises(DataError, match="not a number"):
        net.sparse_part(stem, query, 0.5)
