"""torchvision's VGG: the same maps as torchvision computes, in the sizes that the rest of FE2E expects."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mesm.analysis.cost import count_executed, count_macs
from mesm.config import FE2EConfig
from mesm.errors import CheckpointError, ConfigError
from mesm.layers.vgg11 import VGG11, vgg11_weights
from mesm.models import build_model
from mesm.models.encoders import load_cnn


def test_it_is_torchvisions_without_the_last_pool(tmp_path: Path) -> None:
    from torchvision.models import vgg11

    with torch.device("meta"):  # its classifier has half a gigabyte
        theirs = vgg11(weights=None).features.eval()
    torch.manual_seed(0)
    drawn = VGG11(3).features.state_dict()
    theirs.load_state_dict(drawn, assign=True)
    whole = {f"features.{name}": value for name, value in drawn.items()} | {"classifier.6.bias": torch.zeros(1000)}
    torch.save(whole, tmp_path / "vgg11.pth")
    ours, mono = VGG11(3).eval(), VGG11(1).eval()
    state = vgg11_weights(str(tmp_path / "vgg11.pth"))
    ours.load_weights(state)
    mono.load_weights(state)
    with torch.no_grad():
        face, mel = torch.randn(1, 3, 48, 48), torch.randn(1, 1, 128, 32)
        maps = ours(face)
        assert maps.shape == (1, 512, 3, 3)
        torch.testing.assert_close(torch.max_pool2d(maps, 2), theirs(face))
        assert mono(mel).shape == (1, 512, 8, 2)
        torch.testing.assert_close(mono(mel), ours(mel.expand(-1, 3, -1, -1)), atol=1e-5, rtol=1e-4)
    with pytest.raises(CheckpointError, match="not those of torchvision"):
        ours.load_weights({"features.0.weight": torch.zeros(1)})
    with pytest.raises(CheckpointError, match="plain tensors"):
        vgg11_weights(str(tmp_path / "none.pth"))


def test_fe2e_with_it_and_its_cost() -> None:
    config = FE2EConfig(
        cnn="vgg11", modalities=("visual",), head_dim=8, transformer_dim=8, transformer_layers=1,
        transformer_feedforward=8,
    )  # fmt: skip
    model = build_model(config).eval()
    counted, _ = count_executed(model.branches["visual"].cnn, (torch.zeros(2, 3, 48, 48),))
    report = count_macs(config, None, 2, 0)
    assert sum(counted.values()) == report.conv_stack == report.fe2e_conv_stack
    with pytest.raises(ConfigError, match="width=1"):
        replace(config, width=0.5)
    with pytest.raises(ConfigError, match="cnn=vgg11"):
        load_cnn(build_model(replace(config, cnn="stem5x5", width=0.125)), "imagenet")
