"""Cross-modal attention and its gates against the equations, on maps and in the masked dense form."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mesm.layers.attention import CrossModalAttention, _sigmoid_scores, gate_values
from mesm.layers.nucleus import nucleus_mask
from mesm.sparse.compiled_attention import sigmoid_scores
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


@given(st.integers(0, 2**31), st.floats(1e-3, 1e4), st.integers(1, 300), st.sampled_from([1, 2, 3]))
@settings(max_examples=30, deadline=None)
def test_the_compiled_scores_are_torchs(seed, scale, rows, threads):
    torch.manual_seed(seed)
    features, segment = scale * torch.randn(rows, 5), torch.randint(3, (rows,)).sort().values
    weight, shift, score, direction = torch.randn(7, 5), torch.randn(3, 7), torch.randn(7), torch.randn(3, 5)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = sigmoid_scores(features, segment, weight, shift, score, direction)
    finally:
        torch.set_num_threads(before)
    truth = _sigmoid_scores(
        *(t.double() if t.is_floating_point() else t for t in (features, segment, weight, shift, score, direction))
    )
    torch.testing.assert_close(found[0].double(), truth[0], atol=2e-5 + 1e-5 * scale, rtol=1e-5)  # float32 sums
    torch.testing.assert_close(found[1].double(), truth[1], atol=1e-5 * (1 + scale**2), rtol=1e-4)


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
