"""Invariants of the nucleus: minimal, sufficient, never empty, everything at 1."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mesm.errors import ConfigError
from mesm.layers.nucleus import nucleus_mask
from mesm.sparse.compiled_attention import nucleus


def compiled_mask(attention, active, top_p):
    kept, count = nucleus(attention.numpy(), active.numpy(), top_p)
    assert count == kept.sum()
    return torch.from_numpy(kept)


both = pytest.mark.parametrize("mask_of", [nucleus_mask, compiled_mask])


@st.composite
def attention(draw):
    s, h, w = draw(st.integers(0, 3)), draw(st.integers(1, 6)), draw(st.integers(1, 6))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    scale = draw(st.sampled_from([0.0, 0.1, 3.0, 60.0]))  # uniform (all ties) to nearly one site
    active = torch.rand(s, h, w, generator=generator) < draw(st.sampled_from([0.2, 0.7, 1.0]))
    if s:
        active[:, 0, 0] = True
    logits = torch.randn(s, h, w, generator=generator) * scale
    logits = logits.masked_fill(~active, float("-inf"))
    return logits.view(s, h * w).softmax(1).view(s, h, w), active


@both
@given(case=attention(), top_p=st.floats(1e-6, 1.0))
@settings(max_examples=150, deadline=None)
def test_smallest_prefix_that_reaches_the_mass(mask_of, case, top_p):
    mass, active = case
    kept = mask_of(mass, active, top_p)
    assert not (kept & ~active).any()
    for segment in range(len(mass)):
        chosen = mass[segment][kept[segment]].double()
        others = mass[segment][active[segment] & ~kept[segment]]
        assert len(chosen) >= 1
        if len(others):
            assert chosen.sum() >= top_p - 1e-12
            assert others.max() <= chosen.min()
        assert chosen.sum() - chosen.min() < top_p + 1e-6  # one site fewer would not do


@given(attention(), st.floats(1e-6, 1.0))
@settings(max_examples=150, deadline=None)
def test_the_compiled_nucleus_is_torchs(case, top_p):
    assert torch.equal(compiled_mask(*case, top_p), nucleus_mask(*case, top_p))


@both
@given(case=attention())
@settings(max_examples=40, deadline=None)
def test_one_keeps_every_active_site(mask_of, case):
    assert torch.equal(mask_of(*case, 1.0), case[1])


@both
def test_equal_masses_are_taken_in_reading_order(mask_of):
    mass = torch.full((1, 2, 2), 0.25)
    kept = mask_of(mass, torch.ones(1, 2, 2, dtype=torch.bool), 0.5)
    assert kept.tolist() == [[[True, True], [False, False]]]


@both
def test_many_small_masses_do_not_reach_p_early(mask_of):
    n = 4096
    mass = torch.full((1, 64, 64), 1.0 / n)
    kept = mask_of(mass, torch.ones(1, 64, 64, dtype=torch.bool), 0.75)
    assert int(kept.sum()) == n * 3 // 4


@pytest.mark.parametrize("top_p", [0.0, -0.1, 1.0001, float("nan")])
def test_other_masses_are_errors(top_p):
    with pytest.raises(ConfigError, match="top_p"):
        nucleus_mask(torch.ones(1, 1, 1), torch.ones(1, 1, 1, dtype=torch.bool), top_p)


@both
def test_a_segment_without_sites_keeps_none(mask_of):
    none = torch.zeros(2, 3, 3, dtype=torch.bool)
    assert not mask_of(torch.zeros(2, 3, 3), none, 0.5).any()
