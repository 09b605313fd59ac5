"""Batch norm over active sites against an oracle; folded weights that are never stale."""

import copy
import socket

import pytest
import torch
import torch.multiprocessing
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mesm.layers.normalisation import MaskedBatchNorm
from mesm.layers.vgg import ConvNorm, VGGBlock


@given(st.integers(2, 4), st.integers(0, 2**31), st.floats(0.1, 1.0))
@settings(max_examples=25, deadline=None)
def test_rows_of_active_sites_are_what_counts(segments, seed, density):
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(segments, 3, 5, 4, generator=generator) * 2 + 1
    mask = torch.rand(segments, 5, 4, generator=generator) < density
    mask[0, 0, :2] = True
    norm = MaskedBatchNorm(3)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2)
        norm.bias.normal_()
    rows = maps.permute(0, 2, 3, 1)[mask]
    out = norm(rows)
    mean, var = rows.mean(0), rows.var(0, unbiased=False)
    truth = (rows - mean) / (var + norm.eps).sqrt() * norm.weight + norm.bias
    torch.testing.assert_close(out, truth, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(norm.running_mean, 0.1 * mean)
    torch.testing.assert_close(norm.running_var, 0.9 + 0.1 * rows.var(0), atol=1e-5, rtol=1e-5)


def test_full_maps_are_what_torch_computes():
    torch.manual_seed(0)
    ours, theirs = MaskedBatchNorm(3), nn.BatchNorm2d(3)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(4, 3, 5, 6)
    for train in (True, False):
        torch.testing.assert_close(ours.train(train)(x), theirs.train(train)(x))
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert torch.equal(ours.running_var, theirs.running_var)


def test_one_row_or_none_in_training():
    norm = MaskedBatchNorm(2)
    one = norm(torch.tensor([[5.0, -3.0]]))
    assert torch.equal(one, norm.bias.expand(1, 2))
    assert norm(torch.zeros(0, 2)).shape == (0, 2)
    assert torch.equal(norm.running_mean, torch.zeros(2)), "one row says nothing of a variance"


def test_moments_equal_torchs_statistics():
    torch.manual_seed(0)
    rows = torch.randn(7, 3, dtype=torch.float64, requires_grad=True)
    plain, moments = MaskedBatchNorm(3).double(), MaskedBatchNorm(3).double()
    probe = torch.randn(7, 3, dtype=torch.float64)
    results = []
    for out in (plain(rows), moments._by_moments(rows)):
        results.append((out.detach(), *torch.autograd.grad((out * probe).sum(), rows)))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close(plain.running_var, moments.running_var)


def _member(rank: int, port: int, results) -> None:
    import torch.distributed as dist

    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    torch.manual_seed(0)
    everything = torch.randn(9, 2, dtype=torch.float64)
    probe = torch.randn(9, 2, dtype=torch.float64)
    mine = everything[:6] if rank == 0 else everything[6:]
    rows = mine.clone().requires_grad_()
    norm = MaskedBatchNorm(2).double()
    out = norm(rows)
    (out * (probe[:6] if rank == 0 else probe[6:])).sum().backward()
    results[rank] = (out.detach().tolist(), rows.grad.tolist(), norm.running_var.tolist())
    nothing = norm(torch.zeros(0, 2, dtype=torch.float64) if rank else rows.detach())
    assert len(nothing) == (0 if rank else 6)
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_share_their_moments_and_gradients():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    results = torch.multiprocessing.get_context("spawn").Manager().dict()
    torch.multiprocessing.spawn(_member, (port, results), nprocs=2)
    torch.manual_seed(0)
    rows = torch.randn(9, 2, dtype=torch.float64, requires_grad=True)
    probe = torch.randn(9, 2, dtype=torch.float64)
    norm = MaskedBatchNorm(2).double()
    out = norm(rows)
    (out * probe).sum().backward()
    torch.testing.assert_close(torch.tensor(results[0][0] + results[1][0], dtype=torch.float64), out.detach())
    torch.testing.assert_close(torch.tensor(results[0][1] + results[1][1], dtype=torch.float64), rows.grad)
    torch.testing.assert_close(torch.tensor(results[1][2], dtype=torch.float64), norm.running_var)


def shaken_block() -> VGGBlock:
    torch.manual_seed(0)
    block = VGGBlock(3, 4, 1e-5)
    for norm in (block.bn1, block.bn2):
        with torch.no_grad():
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
            norm.weight.uniform_(0.5, 2)
            norm.bias.normal_()
    return block.eval()


def both_ways(block: VGGBlock, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Folded, and conv and norm one after the other."""
    with torch.no_grad():
        folded = block(x)
    return folded, block(x).detach()


def _step(block: VGGBlock) -> None:
    optimiser = torch.optim.SGD(block.parameters(), lr=0.5)
    block(torch.randn(2, 3, 5, 5)).square().sum().backward()
    optimiser.step()


def _load(block: VGGBlock, assign: bool) -> None:
    block.load_state_dict({k: v + 0.5 for k, v in block.state_dict().items()}, assign=assign)


def _in_place(block: VGGBlock) -> None:
    with torch.no_grad():
        block.conv2.weight.mul_(2)


def _train_a_batch(block: VGGBlock) -> None:
    block.train()(torch.randn(8, 3, 5, 5))
    block.eval()


CHANGES = {
    "optimiser step": _step,
    "load": lambda b: _load(b, False),
    "load by assignment": lambda b: _load(b, True),
    "in place": _in_place,
    "running statistics": _train_a_batch,
    "one running statistic": lambda b: b.bn1.running_mean.add_(1),
    "dtype": lambda b: b.double(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_folded_weights_follow_every_change(change):
    block, x = shaken_block(), torch.randn(2, 3, 5, 5)
    before, truth = both_ways(block, x)
    torch.testing.assert_close(before, truth, atol=1e-5, rtol=1e-5)
    CHANGES[change](block)
    after, truth = both_ways(block, x.to(block.conv1.weight.dtype))
    torch.testing.assert_close(after, truth, atol=1e-5, rtol=1e-5)
    if change != "dtype":
        assert not torch.allclose(after, before, atol=1e-3), "the change must be one that shows"


def test_a_copy_folds_its_own_weights():
    block, x = shaken_block(), torch.randn(2, 3, 5, 5)
    both_ways(block, x)
    other = copy.deepcopy(block)
    _in_place(other)
    for one in (block, other):
        torch.testing.assert_close(*both_ways(one, x), atol=1e-5, rtol=1e-5)


def test_folded_weights_are_kept_while_nothing_changes():
    block = shaken_block()
    step: ConvNorm = block.steps[0]
    with torch.no_grad():
        x = torch.zeros(1)
        assert step.folded(x) is step.folded(x)
        assert step.folded(x).panels is step.folded(x).panels
    assert not step.foldable, "outside no_grad the gradients of conv and norm are wanted"


def test_weights_made_in_inference_mode_are_folded_each_time():
    with torch.inference_mode():
        block = shaken_block()
        x = torch.randn(1, 3, 4, 4)
        first = block(x)
        block.conv2.weight.mul_(3)
        assert not torch.allclose(block(x), first)
