"""The packed convolution computes what torch's does, for every shape and number of threads, and steps aside where it must."""

import copy
import pickle
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from mesm.layers import packed_conv
from mesm.layers.packed_conv import KEPT_FORMS, PackedConv

needs_packing = pytest.mark.skipif(not packed_conv._runs_here(), reason="this torch has no packed convolution")


def a_conv(c_in: int = 3, c_out: int = 8, size: int = 3) -> PackedConv:
    torch.manual_seed(c_in + c_out)
    return PackedConv(torch.randn(c_out, c_in, size, size), torch.randn(c_out))


def plain(conv: PackedConv, maps: torch.Tensor) -> torch.Tensor:
    return F.conv2d(maps, conv.weight_KCRR, conv.bias_K, padding=conv.weight_KCRR.shape[2] // 2).relu()


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 20), st.integers(1, 20)), min_size=1, max_size=4),
    st.sampled_from([(1, 8), (3, 16), (16, 20)]),
    st.sampled_from([3, 5]),
    st.integers(1, 3),
    st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_it_is_torchs_convolution(shapes, channels, size, threads, last):
    conv, before = a_conv(*channels, size), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            for s, h, w in (shape for shape in shapes for _ in range(3)):
                maps = torch.randn(s, channels[0], h, w)
                maps = maps.contiguous(memory_format=torch.channels_last) if last else maps
                torch.testing.assert_close(conv.relu(maps, size // 2), plain(conv, maps), atol=1e-4, rtol=1e-4)
    finally:
        torch.set_num_threads(before)
    assert len(conv._packed) <= KEPT_FORMS


@needs_packing
@torch.inference_mode()
def test_weights_are_packed_when_a_shape_comes_again_and_survive_a_copy():
    conv, maps = a_conv(), torch.randn(2, 3, 6, 6)
    with mock.patch.object(packed_conv, "_pack", wraps=packed_conv._pack) as pack:
        conv.relu(maps, 1)
        assert pack.call_count == 0, "another shape may follow"
        for _ in range(3):
            conv.relu(maps, 1)
        assert pack.call_count == 1
        for _ in range(3):
            for part in (maps[:1], maps):
                conv.relu(part, 1)
        assert pack.call_count == 1
    assert pickle.dumps(conv), "the packed forms, which cannot be pickled, are left out"
    for other in (copy.deepcopy(conv), copy.copy(conv)):
        torch.testing.assert_close(other.relu(maps, 1), plain(conv, maps))


@torch.inference_mode()
def test_counters_of_multiply_adds_see_the_convolution():
    conv, maps = a_conv(), torch.randn(2, 3, 6, 6)
    with FlopCounterMode(display=False) as counter:
        conv.relu(maps, 1)
    assert counter.get_total_flops() == 2 * 2 * 36 * conv.weight_KCRR.numel()


@torch.inference_mode()
def test_a_torch_without_the_operation_computes_the_same(monkeypatch):
    monkeypatch.setattr(packed_conv, "_pack", mock.Mock(side_effect=AttributeError))
    packed_conv._runs_here.cache_clear()
    try:
        conv, maps = a_conv(), torch.randn(2, 3, 6, 6)
        assert not packed_conv._runs_here()
        torch.testing.assert_close(conv.relu(maps, 1), plain(conv, maps))
    finally:
        packed_conv._runs_here.cache_clear()
