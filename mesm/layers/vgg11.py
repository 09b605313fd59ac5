"""Compute torchvision's 11-layer VGG per face and per mel chunk, without its last max-pool and its classifier.

A 48x48 face ends as 512x3x3 and a 128x32 mel chunk as 512x8x2, as in the authors' own stack, so that everything behind
it stays the same. Simonyan & Zisserman 2015, configuration A; the paper's text describes a pre-trained VGG.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from mesm.errors import BackendUnavailable, CheckpointError

#: (input, output) channels of each convolution, and how often the map was halved before it.
CONVOLUTIONS: tuple[tuple[int, int, int], ...] = (
    (3, 64, 0), (64, 128, 1), (128, 256, 2), (256, 256, 2), (256, 512, 3), (512, 512, 3), (512, 512, 4), (512, 512, 4),
)  # fmt: skip


class VGG11(nn.Module):
    """Represent the convolutional part of `torchvision.models.vgg11`.

    Args:
        in_channels: 3 for faces; 1 for mels, whose first convolution has one input channel.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        from torchvision.models.vgg import cfgs, make_layers

        # Without the classifier, whose random weights would take half a gigabyte and seconds; drawn as torchvision does.
        self.features = make_layers(cfgs["A"])[:-1]
        if in_channels != 3:
            self.features[0] = nn.Conv2d(in_channels, 64, 3, padding=1)
        for layer in self.features:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)

    def forward(self, maps_SCHW: Tensor) -> Tensor:
        """Map (S, in_channels, H, W) to (S, 512, H // 16, W // 16)."""
        return self.features(maps_SCHW)

    @torch.no_grad()
    def load_weights(self, state: dict[str, Tensor]) -> None:
        """Load torchvision's weights; with one input channel, the first filters summed over red, green and blue.

        Raises:
            CheckpointError: they are not those of a VGG of 11 layers.
        """
        kept = {k.removeprefix("features."): v for k, v in state.items() if k.startswith("features.")}
        first: Tensor | None = kept.get("0.weight")
        if first is not None and self.features[0].in_channels == 1:
            kept["0.weight"] = first.sum(1, keepdim=True)
        try:
            self.features.load_state_dict(kept)
        except RuntimeError as error:
            raise CheckpointError("these weights are not those of torchvision's vgg11; give its state dict") from error


def vgg11_weights(source: str) -> dict[str, Tensor]:
    """Read torchvision's state dict: "imagenet" downloads it, anything else is a file.

    Raises:
        BackendUnavailable: they cannot be downloaded.
        CheckpointError: the file cannot be read as plain tensors.
    """
    if source != "imagenet":
        try:
            return torch.load(Path(source), map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises pickle, runtime, value and OS errors
            raise CheckpointError(f"{source} cannot be read as plain tensors; give torchvision's vgg11 file") from error
    from torchvision.models import VGG11_Weights

    try:
        return VGG11_Weights.IMAGENET1K_V1.get_state_dict(progress=False, check_hash=True)
    except Exception as error:  # torch.hub raises errors of every kind
        raise BackendUnavailable(
            "the ImageNet weights cannot be downloaded; give their file with train.cnn_weights=FILE, or start from random "
            "ones with train.cnn_weights="
        ) from error
