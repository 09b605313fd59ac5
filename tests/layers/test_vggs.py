"""The dense and the sparse CNN: shapes, warm start, equality at p = 1, members of a batch, gradients, backends."""

import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from mesm.config import GATES, FE2EConfig, MESMConfig
from mesm.errors import BackendUnavailable, ConfigError
from mesm.layers.sparse_vgg import SparseVGG
from mesm.layers.vgg import DenseVGG

TINY = MESMConfig(width=0.125, gate="hard", text_dim=6)
SHAPES = {"face": (3, 48, 48), "mel": (1, 128, 32)}


def shake(module: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Every parameter and statistic away from its start, so that no equality holds by accident."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in module.named_buffers():
            if "mean" in name:
                value.copy_(torch.randn(value.shape, generator=generator) * 0.1)
            elif "var" in name:
                value.copy_(0.5 + torch.rand(value.shape, generator=generator))
        for name, value in module.named_parameters():
            if ".bn" in name or name.startswith("bn"):
                value.copy_(0.5 + torch.rand(value.shape, generator=generator))
            if "bilinear" in name:
                value.copy_(torch.randn(value.shape, generator=generator) * 0.3)
    return module


def pair(config: MESMConfig, channels: int = 3) -> tuple[DenseVGG, SparseVGG]:
    torch.manual_seed(0)
    dense = shake(DenseVGG(channels, config)).eval()
    sparse = shake(SparseVGG(channels, config, 6)).eval()
    missing, unexpected = sparse.load_state_dict(dense.state_dict(), strict=False)
    assert not unexpected and all(name.startswith("attention.") for name in missing)
    return dense, sparse


@pytest.mark.parametrize(("kind", "out"), [("face", (512, 3, 3)), ("mel", (512, 8, 2))])
def test_shapes_of_the_paper(kind, out):
    channels, *size = SHAPES[kind]
    vgg = DenseVGG(channels, FE2EConfig()).eval()
    with torch.no_grad():
        assert vgg(torch.zeros(1, channels, *size)).shape == (1, *out)
    assert vgg.out_channels == 512
    assert sum(p.dim() == 4 for p in vgg.parameters()) == 11


def test_the_dense_stack_is_plain_torch():
    torch.manual_seed(0)
    vgg = shake(DenseVGG(3, TINY)).eval()
    x = torch.randn(2, 3, 48, 48)
    state = vgg.state_dict()

    def conv(x, name, norm):
        w = state[f"{name}.weight"]
        x = F.conv2d(x, w, padding=w.shape[-1] // 2)
        args = (state[f"{norm}.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
        return F.relu(F.batch_norm(x, *args))

    with torch.no_grad():
        y = F.max_pool2d(conv(x, "conv", "bn"), 2)
        for i in range(5):
            y = conv(conv(y, f"blocks.{i}.conv1", f"blocks.{i}.bn1"), f"blocks.{i}.conv2", f"blocks.{i}.bn2")
            y = F.max_pool2d(y, 2) if i >= 2 else y
        torch.testing.assert_close(vgg(x), y, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("backend", ["dense", "fused", "auto"])
@pytest.mark.parametrize("stem_blocks", [0, 1, 2])
@pytest.mark.parametrize("kind", SHAPES)
def test_everything_kept_by_a_hard_gate_is_the_dense_path(kind, stem_blocks, backend):
    channels, *size = SHAPES[kind]
    dense, sparse = pair(replace(TINY, stem_blocks=stem_blocks, backend=backend), channels)
    x, q = torch.randn(3, channels, *size), torch.randn(3, 6)
    for grad in (False, True):
        with torch.set_grad_enabled(grad):
            result = sparse(x, q, 1.0, trace=True)
            torch.testing.assert_close(result.features_SCHW, dense(x), atol=1e-4, rtol=1e-4)
        assert all(layer.kept_SHW.all() for layer in result.layers)


def masked_dense(net: SparseVGG, x: torch.Tensor, kept: list[torch.Tensor], gates: list[torch.Tensor]) -> torch.Tensor:
    """What the sparse CNN must compute, with dense convolutions and given selections; eval only."""
    y = net.stem(x)
    for group, mask, gate in zip(net.groups, kept, gates, strict=True):
        m = mask[:, None].to(y.dtype)
        y = y * gate[:, None]
        for index in group:
            block = net.blocks[index]
            y = F.relu(block.bn1(block.conv1(y))) * m
            y = F.relu(block.bn2(block.conv2(y))) * m
        y = F.max_pool2d(y, 2)
    return y


@pytest.mark.parametrize("gate", ["hard", "soft_straight_through"])
@pytest.mark.parametrize("stem_blocks", [0, 2])
@pytest.mark.parametrize("backend", ["dense", "fused", "auto"])
@given(top_p=st.sampled_from([0.05, 0.3, 0.7, 0.95]), seed=st.integers(0, 1000))
@settings(max_examples=4, deadline=None)
def test_the_sparse_stack_is_the_masked_dense_one(gate, stem_blocks, backend, top_p, seed):
    _, net = pair(replace(TINY, gate=gate, stem_blocks=stem_blocks, backend=backend, score="additive_bilinear"))
    torch.manual_seed(seed)
    x, q = torch.randn(2, 3, 48, 48), torch.randn(2, 6)
    with torch.no_grad():
        result = net(x, q, top_p, trace=True)
        gates = []
        for layer in result.layers:
            kept, a = layer.kept_SHW.float(), layer.attention_SHW
            mean = (a * kept).sum((1, 2), keepdim=True) / kept.sum((1, 2), keepdim=True)
            gates.append(kept if gate == "hard" else (a / mean * kept).clamp(max=net.config.gate_clip))
        truth = masked_dense(net, x, [layer.kept_SHW for layer in result.layers], gates)
    torch.testing.assert_close(result.features_SCHW, truth, atol=1e-4, rtol=1e-4)
    for before, after in zip(result.layers[:-1], result.layers[1:], strict=True):
        pooled = F.max_pool2d(before.kept_SHW.float()[:, None], 2)[:, 0] > 0
        assert torch.equal(after.active_SHW, pooled)
    for layer in result.layers:
        torch.testing.assert_close(layer.attention_SHW.sum((1, 2)), torch.ones(2))
        assert (layer.kept_SHW.flatten(1).sum(1) >= 1).all()
        assert len(layer.backends) in (2, 2 * (3 - stem_blocks))


@pytest.mark.parametrize("gate", GATES)
def test_a_batch_gives_what_each_segment_gives_alone(gate):
    _, net = pair(replace(TINY, gate=gate, score="additive_bilinear"))
    torch.manual_seed(5)
    x, q = torch.randn(5, 3, 48, 48), torch.randn(5, 6)
    with torch.no_grad():
        together = net(x, q, 0.5, trace=True)
        for s in range(5):
            alone = net(x[s : s + 1], q[s : s + 1], 0.5, trace=True)
            torch.testing.assert_close(alone.features_SCHW[0], together.features_SCHW[s], atol=1e-5, rtol=1e-5)
            for a, b in zip(alone.layers, together.layers, strict=True):
                assert torch.equal(a.kept_SHW[0], b.kept_SHW[s])


@pytest.mark.parametrize("gate", GATES[1:])
@pytest.mark.parametrize("stem_blocks", [0, 2])
def test_every_parameter_gets_a_gradient_and_both_backends_the_same(gate, stem_blocks):
    results = []
    for backend in ("dense", "fused"):
        config = replace(TINY, gate=gate, backend=backend, score="additive_bilinear", stem_blocks=stem_blocks)
        torch.manual_seed(0)
        net = shake(SparseVGG(1, config, 6)).train()
        torch.manual_seed(1)
        x = torch.randn(3, 1, 128, 32)
        result = net(x, torch.randn(3, 6), 0.5)
        (result.features_SCHW * torch.randn(result.features_SCHW.shape)).sum().backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())
        results.append({n: p.grad for n, p in net.named_parameters()})
    for name, grad in results[0].items():
        scale = grad.abs().max()
        for other in results[1:]:
            torch.testing.assert_close(other[name] / scale, grad / scale, atol=2e-3, rtol=1e-3)


def test_sites_left_out_pass_the_straight_through_gradient():
    """The attention's gradient under soft_straight_through differs from soft's: the dropped sites take part."""
    grads = {}
    for gate in ("soft", "soft_straight_through"):
        torch.manual_seed(0)
        net = shake(SparseVGG(3, replace(TINY, gate=gate), 6)).train()
        torch.manual_seed(1)
        x, q = torch.randn(2, 3, 48, 48), torch.randn(2, 6)
        out = net(x, q, 0.5).features_SCHW
        out.square().sum().backward()
        grads[gate] = (out.detach(), net.attention[0].map_projection.weight.grad)
    torch.testing.assert_close(grads["soft"][0], grads["soft_straight_through"][0], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(grads["soft"][1], grads["soft_straight_through"][1], rtol=0.05)


def test_the_hard_gate_trains_the_trunk_only():
    net = SparseVGG(3, TINY, 6).train()
    net(torch.randn(2, 3, 48, 48), torch.randn(2, 6), 0.5).features_SCHW.sum().backward()
    assert all(p.grad is None for p in net.attention_parameters())
    assert all(p.grad is not None for p in net.trunk_parameters())
    both = {*map(id, net.attention_parameters()), *map(id, net.trunk_parameters())}
    assert both == set(map(id, net.parameters()))


def test_without_a_query_no_query_is_needed():
    net = SparseVGG(3, replace(TINY, query="none", score="additive_bilinear"), 6).eval()
    assert net(torch.randn(2, 3, 48, 48), None, 0.5).features_SCHW.shape == (2, 64, 3, 3)
    assert not any("query" in name or "bilinear" in name for name, _ in net.named_parameters())


@pytest.mark.parametrize("kind", SHAPES)
def test_maps_stay_channels_last(kind):
    channels, *size = SHAPES[kind]
    dense, _ = pair(TINY, channels)
    with torch.no_grad():
        stem = dense.stem(torch.randn(2, channels, *size))
    assert stem.is_contiguous(memory_format=torch.channels_last) and not stem.is_contiguous()


def test_the_stem_can_be_kept():
    _, net = pair(TINY)
    x, q = torch.randn(2, 3, 48, 48), torch.randn(2, 6)
    with torch.no_grad():
        stem = net.stem(x)
        before = stem.clone()
        for top_p in (0.3, 0.9):
            assert torch.equal(net.sparse_part(stem, q, top_p).features_SCHW, net(x, q, top_p).features_SCHW)
        assert torch.equal(stem, before)


def test_inference_mode_no_grad_and_copies_do_not_disturb_each_other():
    _, net = pair(replace(TINY, backend="fused"))
    x, q = torch.randn(2, 3, 48, 48), torch.randn(2, 6)
    with torch.inference_mode():
        first = net(x, q, 0.5).features_SCHW
    with torch.no_grad():
        assert torch.equal(net(x, q, 0.5).features_SCHW, first)
        assert torch.equal(copy.deepcopy(net)(x, q, 0.5).features_SCHW, first)


def test_threads_share_a_network():
    _, net = pair(replace(TINY, backend="fused"))
    inputs = [(torch.randn(3, 3, 48, 48), torch.randn(3, 6)) for _ in range(4)]

    def run(item):
        with torch.no_grad():
            return net(*item, 0.5).features_SCHW

    alone = [run(item) for item in inputs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(run, inputs * 5))
    assert all(torch.equal(together[i], alone[i % 4]) for i in range(20))


def test_no_segments():
    dense, net = pair(TINY)
    for grad in (False, True):
        with torch.set_grad_enabled(grad):
            assert dense(torch.zeros(0, 3, 48, 48)).shape == (0, 64, 3, 3)
            assert net(torch.zeros(0, 3, 48, 48), torch.zeros(0, 6), 0.5).features_SCHW.shape == (0, 64, 3, 3)


def test_autocast_keeps_the_masks_in_float32():
    _, net = pair(TINY)
    x, q = torch.randn(2, 3, 48, 48), torch.randn(2, 6)
    with torch.no_grad():
        plain, everything = net(x, q, 0.5, trace=True), net(x, q, 1.0)
        with torch.autocast("cpu", torch.bfloat16):
            low, low_everything = net(x, q, 0.5, trace=True), net(x, q, 1.0)
    assert all(layer.attention_SHW.dtype == torch.float32 for layer in low.layers)
    assert (low.layers[0].kept_SHW == plain.layers[0].kept_SHW).float().mean() > 0.9
    error = (low_everything.features_SCHW.float() - everything.features_SCHW).norm() / everything.features_SCHW.norm()
    assert error < 0.05


def test_a_bfloat16_model_chooses_its_sites_in_float32():
    _, net = pair(TINY)
    with torch.no_grad():
        result = net.bfloat16()(torch.randn(2, 3, 48, 48).bfloat16(), torch.randn(2, 6), 0.5, trace=True)
    assert result.features_SCHW.dtype == torch.bfloat16
    assert all(layer.attention_SHW.dtype == torch.float32 for layer in result.layers)


def test_settings_that_cannot_work():
    _, net = pair(TINY)
    x, q = torch.zeros(1, 3, 48, 48), torch.zeros(1, 6)
    for top_p in (0.0, 1.5):
        with pytest.raises(ConfigError):
            net(x, q, top_p)
    _, net = pair(replace(TINY, backend="spconv"))
    with pytest.raises(BackendUnavailable, match="CUDA"):
        net(x, q, 0.5)
