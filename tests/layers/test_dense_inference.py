"""The compiled dense layers compute what torch does for every shape, width and number of threads, and step aside where needed."""

import copy
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from mesm.config import MESMConfig
from mesm.errors import DataError
from mesm.layers import dense_inference
from mesm.layers.vgg import DenseVGG, VGGTrunk


def network(channels: int = 3, width: float = 0.25, seed: int = 0) -> DenseVGG:
    torch.manual_seed(seed)
    net = DenseVGG(channels, MESMConfig(width=width)).eval()
    for module in net.modules():  # statistics that folding must use, and maps that do not die out
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.1, 0.3)
            torch.nn.init.normal_(module.bias, 0, 0.2)
    return net


@torch.inference_mode()
def by_torch(net: DenseVGG, maps: torch.Tensor) -> torch.Tensor:
    with mock.patch.object(VGGTrunk, "_can_run_compiled", lambda *a: False):
        return net(maps)


@given(
    seed=st.integers(0, 2**31),
    shape=st.tuples(st.integers(1, 9), st.sampled_from([1, 3]), st.integers(16, 40), st.integers(16, 40)),
    width=st.sampled_from([0.125, 0.2, 0.25]),
    threads=st.integers(1, 3),
    shared=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_it_is_torchs_network(seed, shape, width, threads, shared):
    net, before = network(shape[1], width, seed), torch.get_num_threads()
    maps = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    torch.set_num_threads(threads)
    try:
        with (
            torch.inference_mode(),
            mock.patch.object(dense_inference, "SHARED_MACS", 0 if shared else 1e12),
            mock.patch.object(dense_inference, "run_layers", wraps=dense_inference.run_layers) as ran,
        ):
            fast = net(maps)
            stem = net.stem(maps)
            assert ran.call_count == 2
            torch.testing.assert_close(net.after_stem(stem), fast, atol=1e-6, rtol=1e-4)
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(fast, by_torch(net, maps), atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_a_segments_maps_do_not_depend_on_its_neighbours():
    net, maps = network(), torch.randn(11, 3, 48, 48)
    whole = net(maps)
    assert torch.equal(net(maps[4:7]), whole[4:7])
    assert torch.equal(net(maps[10:]), whole[10:])
    assert not torch.equal(whole[0], whole[1])
    assert (whole > 0).float().mean() > 0.1


def test_weights_are_laid_out_once_and_every_change_is_followed():
    net, maps = network(), torch.randn(2, 3, 48, 48)
    other = network(seed=5)
    with (
        torch.inference_mode(),
        mock.patch.object(dense_inference.DenseLayer, "of", wraps=dense_inference.DenseLayer.of) as of,
    ):
        net(maps), net(maps)
        assert of.call_count == 11
    changes = {
        "load_state_dict": lambda n: n.load_state_dict(other.state_dict()),
        "assign": lambda n: n.load_state_dict(copy.deepcopy(other.state_dict()), assign=True),
        "one weight": lambda n: n.blocks[3].conv2.weight.mul_(2),
        "statistics": lambda n: n.blocks[4].bn1.running_var.add_(1),
        "data": lambda n: (n.bn.weight.data.mul_(3), n.eval()),
    }
    for name, change in changes.items():
        one = copy.deepcopy(net)
        with torch.no_grad():
            before = one(maps)
            change(one)
            torch.testing.assert_close(one(maps), by_torch(one, maps), atol=1e-5, rtol=1e-4, msg=name)
            assert not torch.allclose(one(maps), before), name
            torch.testing.assert_close(net(maps), before, msg=f"{name} changed the network that it was copied from")


@torch.inference_mode()
def test_it_steps_aside_where_its_work_would_not_be_seen():
    net, maps = network(), torch.randn(2, 3, 48, 48)
    with mock.patch.object(dense_inference, "run_layers", side_effect=AssertionError):
        with FlopCounterMode(display=False) as counter:
            net(maps)
        assert counter.get_total_flops() > 0
        network().double()(maps.double())
        with torch.autocast("cpu", torch.bfloat16):
            net(maps)
        assert net(maps[:0]).shape == (0, 128, 3, 3)
        with torch.enable_grad(), torch.inference_mode(False):
            network()(torch.randn(1, 3, 48, 48)).sum().backward()


@torch.inference_mode()
def test_numbers_that_are_none_stay_so():
    net, maps = network(), torch.randn(2, 3, 48, 48)
    maps[1, 0, 20, 20] = float("nan")
    out = net(maps)
    assert out[0].isfinite().all() and out[1].isnan().any()


@pytest.mark.parametrize("shape", [(2, 1, 48, 48), (2, 4, 48, 48)])
@torch.inference_mode()
def test_maps_of_other_channels_are_refused(shape):
    with pytest.raises(DataError, match="this network reads"):
        network()(torch.randn(shape))
