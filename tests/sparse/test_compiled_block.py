"""Pairs and tiles compute the same convolution, and the rule between them counts the pairs of a rulebook."""

from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from mesm.sparse import compiled_block
from mesm.sparse.fused_backend import pack, panels
from mesm.sparse.sites import STEPS, Rulebook, Sites, SparseMap


@given(
    seed=st.integers(0, 2**31),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 13), st.integers(1, 13)),
    density=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    channels=st.sampled_from([(16, 16, 16), (5, 20, 7), (32, 48, 16)]),
)
@settings(max_examples=40, deadline=None)
def test_both_ways_are_the_dense_convolution_at_the_kept_sites(seed, shape, density, channels):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(shape, generator=generator) < density
    sites = Sites.of_mask(mask)
    rows = torch.randn(len(sites), channels[0], generator=generator)
    weights = [torch.randn(k, c, 3, 3, generator=generator) / c for c, k in pairwise(channels)]
    maps = SparseMap(rows, sites).to_dense()
    for weight in weights:
        maps = F.conv2d(maps, weight, padding=1).relu() * mask[:, None]
    truth = maps.permute(0, 2, 3, 1)[mask]
    packed = tuple(panels(pack(weight)).numpy() for weight in weights)
    biases = tuple(np.zeros(p.shape[1] * 16, np.float32) for p in packed)
    arrays = mask.numpy(), packed, biases
    tiles = compiled_block._by_tiles(rows.numpy(), *arrays, 2, np.array(STEPS))
    pairs = compiled_block._by_pairs(rows.numpy(), *arrays, 0, np.array(STEPS))
    first = compiled_block._by_tiles(rows.numpy(), *arrays, 1, np.array(STEPS))
    mixed = compiled_block._by_pairs(first, *arrays, 1, np.array(STEPS))
    for result in (tiles, pairs, mixed):
        torch.testing.assert_close(torch.from_numpy(result)[:, : channels[-1]], truth, atol=1e-5, rtol=1e-4)
    assert compiled_block.count_pairs(mask.numpy()) == Rulebook(sites).num_pairs


def test_few_channels_and_many_sites_run_by_tiles():
    assert compiled_block.suits_tiles(int(0.55 * 9 * 1000), 1000, 16)
    assert not compiled_block.suits_tiles(int(0.3 * 9 * 1000), 1000, 16)
    assert not compiled_block.suits_tiles(int(0.8 * 9 * 1000), 1000, 512)
    assert compiled_block.suits_tiles(9 * 1000, 1000, 512)
