"""Cross-modal attention and its gates against the equations, on maps and in the masked dense form."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mesm.errors import DataError
from mesm.layers.attention import CrossModalAttention, gate_values
from mesm.layers.nucleus import nucleus_mask
from mesm.sparse.sites import SparseMap


def a_map(seed: int, density: float = 0.6, channels: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(3, 4, 5, generator=generator) < density
    mask[:, 1, 1] = True
    return torch.randn(3, channels, 4, 5, generator=generator) * mask[:, None], mask


@given(st.integers(0, 2**31), st.booleans(), st.booleans())
@settings(max_examples=30, deadline=None)
def test_the_equation_on_dense_maps(seed, query, bilinear):
    maps, mask = a_map(seed)
    torch.manual_seed(seed)
    layer = CrossModalAttention(5, 6, 7, query=query, bilinear=bilinear)
    q = torch.randn(3, 6)
    if layer.bilinear is not None:
        torch.nn.init.normal_(layer.bilinear.weight)
    attention = layer(SparseMap.from_dense(maps, mask), q if query else None)
    with torch.no_grad():
        compiled = layer(SparseMap.from_dense(maps, mask), q if query else None)
    hidden = torch.einsum("kc,schw->skhw", layer.map_projection.weight, maps)
    hidden = hidden + layer.map_projection.bias[:, None, None]
    if query:
        hidden = hidden + (q @ layer.query_projection.weight.T)[:, :, None, None]
    logits = torch.einsum("ok,skhw->shw", layer.score.weight, torch.tanh(hidden))
    if query and bilinear:
        direction = (q @ layer.bilinear.weight.T)[:, :, None, None]
        logits = logits + (torch.nn.functional.group_norm(maps, 1) * direction).sum(1) / 5**0.5
    truth = logits.masked_fill(~mask, float("-inf")).flatten(1).softmax(1).view_as(logits)
    for found in (attention, compiled):
        torch.testing.assert_close(found, truth, atol=1e-5, rtol=1e-4)
        assert not found[~mask].any()


@given(st.integers(0, 2**31), st.floats(1e-3, 1e2), st.booleans(), st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_compiled_attention_is_torchs(seed, scale, query, bilinear):
    torch.manual_seed(seed)
    layer = CrossModalAttention(5, 6, 19, query=query, bilinear=bilinear)
    if layer.bilinear is not None:
        torch.nn.init.normal_(layer.bilinear.weight)
    maps = SparseMap.from_dense(scale * torch.randn(3, 5, 9, 17), torch.rand(3, 9, 17) < 0.7)
    q = torch.randn(3, 6) if query else None
    with torch.no_grad():
        compiled = layer(maps, q)
    truth = layer.double()(maps.with_features(maps.features_NC.double()), None if q is None else q.double())
    torch.testing.assert_close(compiled.double(), truth, atol=1e-7, rtol=1e-3)


def test_packed_weights_follow_the_weights():
    layer, (maps, mask), q = CrossModalAttention(5, 6, 7, bilinear=True), a_map(3), torch.randn(3, 6)
    sparse = SparseMap.from_dense(maps, mask)

    def agree() -> bool:
        with torch.no_grad():
            compiled = layer(sparse, q)
        return torch.allclose(compiled, layer(sparse, q), atol=1e-6)

    def packed() -> object:
        return layer._packed.get(tuple(layer.parameters()), layer.pack)

    assert agree()
    before = packed()
    assert agree() and packed() is before
    with torch.no_grad():
        layer.bilinear.weight.normal_()
    assert agree() and packed() is not before
    layer(sparse, q).square().sum().backward()
    torch.optim.SGD(layer.parameters(), lr=1.0).step()
    assert agree()
    other = CrossModalAttention(5, 6, 7, bilinear=True)
    layer.load_state_dict(other.state_dict(), assign=True)
    assert agree()
    assert torch.equal(copy.deepcopy(layer)(sparse, q), layer(sparse, q))


def test_segments_without_a_site_and_no_segments():
    layer = CrossModalAttention(5, 6, 7, bilinear=True)
    maps, mask = a_map(0)
    mask[1] = False
    attention = layer(SparseMap.from_dense(maps, mask), torch.randn(3, 6))
    assert attention[1].sum() == 0 and torch.isfinite(attention).all()
    attention.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in layer.parameters())
    none = SparseMap.from_dense(maps[:0], mask[:0])
    assert layer(none, torch.randn(0, 6)).shape == (0, 4, 5)


def test_the_bilinear_term_starts_silent():
    maps, mask = a_map(1)
    sparse, q = SparseMap.from_dense(maps, mask), torch.randn(3, 6)
    layer = CrossModalAttention(5, 6, 7, bilinear=True)
    with_term = layer(sparse, q)
    layer.bilinear = None
    assert torch.equal(with_term, layer(sparse, q))


def test_float32_whatever_autocast_says():
    maps, mask = a_map(2)
    layer = CrossModalAttention(5, 6, 7)
    plain = layer(SparseMap.from_dense(maps, mask), torch.ones(3, 6))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(SparseMap.from_dense(maps, mask), torch.ones(3, 6)), plain)


def dense_gate(gate: str, a: torch.Tensor, kept: torch.Tensor, active: torch.Tensor, clip: float) -> torch.Tensor:
    """The gates as masked dense maps (S, H, W)."""
    kept, active = kept.float(), active.float()
    if gate == "hard":
        return kept
    rel = a * active.sum((1, 2), keepdim=True)
    if gate == "straight_through":
        return kept + rel - rel.detach()
    mean = (a * kept).sum((1, 2), keepdim=True) / kept.sum((1, 2), keepdim=True)
    soft = ((a / mean) * kept).clamp(max=clip)
    out = rel * (1 - kept)
    return soft if gate == "soft" else soft + out - out.detach()


@pytest.mark.parametrize("gate", ["hard", "straight_through", "soft", "soft_straight_through"])
@given(seed=st.integers(0, 2**31), top_p=st.sampled_from([0.1, 0.5, 0.9, 1.0]))
@settings(max_examples=20, deadline=None)
def test_gates_in_value_and_gradient(gate, seed, top_p):
    generator = torch.Generator().manual_seed(seed)
    _, active = a_map(seed)
    logits = (torch.randn(3, 4, 5, generator=generator) * 2).masked_fill(~active, float("-inf")).requires_grad_()
    attention = logits.flatten(1).softmax(1).view(3, 4, 5)
    kept = nucleus_mask(attention, active, top_p)
    truth = dense_gate(gate, attention, kept, active, 2.0)
    found = gate_values(gate, attention, kept, active, 2.0)
    torch.testing.assert_close(found, truth)
    assert not found[~kept].any()
    if gate == "hard":
        assert not found.requires_grad
        return
    probe = torch.randn(truth.shape, generator=generator)
    got, want = (torch.autograd.grad((v * probe).sum(), logits, retain_graph=True)[0] for v in (found, truth))
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("gradients", [False, True])
def test_features_and_queries_that_do_not_fit_are_refused(gradients):
    layer = CrossModalAttention(5, 6, 7, bilinear=True)
    mask = torch.ones(3, 4, 5, dtype=torch.bool)
    right = SparseMap.from_dense(torch.zeros(3, 5, 4, 5), mask)
    wide = SparseMap.from_dense(torch.zeros(3, 6, 4, 5), mask)
    with torch.set_grad_enabled(gradients):
        for maps, query in (
            (wide, torch.zeros(3, 6)),
            (right, torch.zeros(3, 4)),
            (right, torch.zeros(2, 6)),
            (right, None),
        ):
            with pytest.raises(DataError):
                layer(maps, query)


def test_an_attention_that_is_not_a_number_ends_in_one_sentence():
    maps = SparseMap.from_dense(torch.full((1, 5, 4, 5), float("nan")), torch.ones(1, 4, 5, dtype=torch.bool))
    with torch.no_grad(), pytest.raises(DataError, match="not a number"):
        nucleus_mask(CrossModalAttention(5, 6, 7)(maps, torch.zeros(1, 6)), maps.sites.mask_SHW, 0.5)
