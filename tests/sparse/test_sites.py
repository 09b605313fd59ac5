"""SparseMap is immutable, ordered and says how to build it; Rulebook holds exactly the neighbour pairs."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mesm.errors import DataError
from mesm.sparse.sites import KERNEL_OFFSETS, OFFSET_ORDER, Rulebook, Sites, SparseMap, list_pairs


@st.composite
def masks(draw):
    """Masks of 0-4 segments of up to 7x6, each empty, full, one site or random."""
    s, h, w = draw(st.integers(0, 4)), draw(st.integers(1, 7)), draw(st.integers(1, 6))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    mask = torch.zeros(s, h, w, dtype=torch.bool)
    for segment in mask:
        kind = draw(st.sampled_from(["empty", "one", "full", "random"]))
        if kind == "one":
            segment[draw(st.integers(0, h - 1)), draw(st.integers(0, w - 1))] = True
        elif kind == "full":
            segment[:] = True
        elif kind == "random":
            segment[:] = torch.rand(h, w, generator=generator) < 0.5
    return mask


@given(masks(), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_rulebook_lists_every_neighbour_pair_once(mask, seed):
    wider = mask | (torch.rand(mask.shape, generator=torch.Generator().manual_seed(seed)) < 0.5)
    for source_mask in (mask, wider):
        book = Rulebook(Sites.of_mask(mask), None if source_mask is mask else Sites.of_mask(wider))
        sources = {tuple(site): row for row, site in enumerate(source_mask.nonzero().tolist())}
        expected = [
            (k, sources[(s, y + dy, x + dx)], row)
            for k, (dy, dx) in enumerate(KERNEL_OFFSETS[offset] for offset in OFFSET_ORDER)
            for row, (s, y, x) in enumerate(mask.nonzero().tolist())
            if (s, y + dy, x + dx) in sources
        ]
        places = [k for k, count in enumerate(book.pairs_per_offset) for _ in range(count)]
        assert list(zip(places, book.source_P.tolist(), book.destination_P.tolist(), strict=True)) == expected
        assert book.num_pairs == len(expected)


@given(masks(), st.booleans(), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_torch_lists_the_pairs_that_the_compiled_loop_lists(mask, widened, seed):
    wider = mask | (torch.rand(mask.shape, generator=torch.Generator().manual_seed(seed)) < 0.5) if widened else mask
    book = Rulebook(Sites.of_mask(mask), Sites.of_mask(wider) if widened else None)
    source_P, destination_P, counts = list_pairs(mask, wider)
    assert torch.equal(source_P, book.source_P) and torch.equal(destination_P, book.destination_P)
    assert counts.tolist() == book.pairs_per_offset


@given(masks())
@settings(max_examples=40, deadline=None)
def test_torch_pools_as_the_compiled_loop_does(mask):
    rows = SparseMap.from_dense(torch.randn(len(mask), 3, *mask.shape[1:]), mask)
    compiled = rows.with_features(rows.features_NC.clone().requires_grad_())
    in_torch = rows.with_features(rows.features_NC.double().requires_grad_())  # a type that the loops do not take
    ours, theirs = compiled.max_pool2(), in_torch.max_pool2()
    assert torch.equal(ours.features_NC.double(), theirs.features_NC)
    assert torch.equal(ours.sites.mask_SHW, theirs.sites.mask_SHW)
    assert torch.equal(ours.sites.rows_N, theirs.sites.rows_N)
    weight = torch.randn(ours.features_NC.shape)
    (ours.features_NC * weight).sum().backward()
    (theirs.features_NC * weight.double()).sum().backward()
    assert torch.equal(compiled.features_NC.grad.double(), in_torch.features_NC.grad)


def test_of_equal_largest_sites_one_gets_the_gradient():
    rows = torch.zeros(4, 2, requires_grad=True)
    sparse = SparseMap(rows, Sites.of_mask(torch.ones(1, 2, 2, dtype=torch.bool)))
    sparse.max_pool2().features_NC.sum().backward()
    assert rows.grad.tolist() == [[1, 1], [0, 0], [0, 0], [0, 0]]


@given(masks())
@settings(max_examples=40, deadline=None)
def test_dense_and_back(mask):
    maps = torch.randn(mask.shape[0], 3, *mask.shape[1:])
    sparse = SparseMap.from_dense(maps, mask)
    assert torch.equal(sparse.sites.mask_SHW, mask)
    assert torch.equal(sparse.sites.sites_N3, mask.nonzero())
    assert torch.equal(sparse.to_dense(), maps * mask[:, None])
    listed = SparseMap.from_list(sparse.features_NC, mask.nonzero(), tuple(mask.shape))
    assert torch.equal(listed.to_dense(), sparse.to_dense())


@given(masks())
@settings(max_examples=40, deadline=None)
def test_max_pool_of_what_follows_a_relu(mask):
    if min(mask.shape[1:]) < 2:
        return
    maps = torch.rand(mask.shape[0], 2, *mask.shape[1:])
    pooled = SparseMap.from_dense(maps, mask).max_pool2()
    lowered = maps.masked_fill(~mask[:, None], float("-inf"))
    truth = torch.nn.functional.max_pool2d(lowered, 2)
    assert torch.equal(pooled.sites.mask_SHW, truth[:, 0] > float("-inf"))
    assert torch.equal(pooled.features_NC, truth.permute(0, 2, 3, 1)[pooled.sites.mask_SHW])


def test_max_pool_of_a_map_of_one_site_leaves_nothing():
    pooled = SparseMap.from_dense(torch.ones(2, 3, 1, 1), torch.ones(2, 1, 1, dtype=torch.bool)).max_pool2()
    assert len(pooled) == 0 and pooled.sites.shape == (2, 0, 0) and pooled.to_dense().shape == (2, 3, 0, 0)


SITES = torch.tensor([[0, 0, 1], [0, 1, 0], [1, 0, 0]])


@pytest.mark.parametrize(
    ("features", "sites", "says"),
    [
        (torch.zeros(3, 2), SITES[[1, 0, 2]], "rise in the order"),
        (torch.zeros(3, 2), SITES[[0, 0, 2]], "without repeats"),
        (torch.zeros(2, 2), SITES, "one row .* per site"),
        (torch.zeros(3, 2), SITES.int(), "sites.long()"),
        (torch.zeros(3, 2), SITES + 1, "lies outside"),
        (torch.zeros(3, 2), SITES - 1, "lies outside"),
        (torch.zeros(3, 2, 2), SITES, "from_dense"),
        (torch.zeros(3, 2), SITES[:, :2], "from_dense"),
    ],
)
def test_misuse_teaches(features, sites, says):
    with pytest.raises(DataError, match=says):
        SparseMap.from_list(features, sites, (2, 2, 2))


def test_wrong_masks_teach():
    with pytest.raises(DataError, match="must be bool"):
        SparseMap.from_dense(torch.zeros(1, 2, 3, 3), torch.ones(1, 3, 3))
    with pytest.raises(DataError, match="must agree"):
        Rulebook(*(Sites.of_mask(torch.ones(s, 3, 3, dtype=torch.bool)) for s in (1, 2)))


def test_values_cannot_be_changed():
    sparse = SparseMap.from_list(torch.zeros(3, 2), SITES, (2, 2, 2))
    with pytest.raises(dataclasses.FrozenInstanceError):
        sparse.features_NC = torch.ones(3, 2)
    other = sparse.with_features(torch.ones(3, 1))
    assert sparse.features_NC.sum() == 0 and other.features_NC.shape == (3, 1)
