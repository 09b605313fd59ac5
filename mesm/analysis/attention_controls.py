"""Replace a model's trained attention weights by drawn ones: what a map shows then was not learnt.

Source: Adebayo et al. 2018, "Sanity Checks for Saliency Maps" (NeurIPS), for the attention layers alone; the rest of the
network stays as it was trained.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import nn

from mesm.layers.sparse_vgg import SparseVGG
from mesm.models import EmotionModel
from mesm.records.faithfulness import ControlAttention


def sparse_cnns(model: EmotionModel) -> dict[str, SparseVGG]:
    """Return the CNNs with attention by modality; empty for a model without."""
    cnns = {modality: getattr(branch, "cnn", None) for modality, branch in model.branches.items()}
    return {modality: cnn for modality, cnn in cnns.items() if isinstance(cnn, SparseVGG)}


@contextmanager
def control_attention(
    model: EmotionModel, seed: int, how: ControlAttention = "reinitialised", *, gate: str | None = None
) -> Iterator[None]:
    """Replace the attention weights by random ones within the context; the trained ones return at its end, also after an error.

    Args:
        how: "reinitialised" draws them as at the start of training, with U = 0, so that the map is close to even;
            "moment_matched" from a normal distribution with each tensor's trained mean and spread, so that the map is
            about as peaked as the trained one.
        gate: use this gate within; "hard" with re-initialised weights is the paper's model, whose attention gets no
            gradient and stays as it was initialised.
    """
    cnns = list(sparse_cnns(model).values())
    parameters = [parameter for cnn in cnns for parameter in cnn.attention.parameters()]
    trained = [parameter.detach().clone() for parameter in parameters]
    configs = [cnn.config for cnn in cnns]
    try:
        with torch.no_grad():
            if how == "moment_matched":
                _draw_moment_matched(parameters, seed)
            else:
                _reinitialise(cnns, seed)
        for cnn in cnns:
            cnn.config = replace(cnn.config, gate=gate or cnn.config.gate)
        yield
    finally:
        for cnn, config in zip(cnns, configs, strict=True):
            cnn.config = config
        with torch.no_grad():
            for parameter, value in zip(parameters, trained, strict=True):
                parameter.copy_(value)


def _draw_moment_matched(parameters: list[nn.Parameter], seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    for parameter in parameters:
        spread, mean = torch.std_mean(parameter.float(), correction=0)
        drawn = torch.randn(parameter.shape, generator=rng).to(parameter.device)
        parameter.copy_(mean + spread * drawn)


def _reinitialise(cnns: list[SparseVGG], seed: int) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for cnn in cnns:
            for attention in cnn.attention:
                for layer in attention.modules():
                    if isinstance(layer, nn.Linear):
                        layer.reset_parameters()
                if attention.bilinear is not None:
                    nn.init.zeros_(attention.bilinear.weight)  # type: ignore[union-attr, arg-type]
