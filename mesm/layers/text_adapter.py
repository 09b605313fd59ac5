"""Adapt a frozen text encoder: low-rank updates of the linear maps in its last layers.

LoRA (Hu et al. 2022, doi:10.48550/arXiv.2106.09685). The encoder's own weights are not trained and not stored: they are
those of the published file. At rank 16 the updates have 332 000 weights, beside MiniLM's 22.7 million.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mesm.layers.bert import Bert
from mesm.layers.versioned_cache import VersionedCache

#: Layers from the last one on whose maps are updated, of MiniLM's six.
ADAPTED_LAYERS = 3
#: Scale of the update: LoRA's quotient of alpha and rank.
_SCALE = 2.0


class LowRankUpdate(nn.Module):
    """Compute a frozen linear map plus the product of two trained thin matrices, zero at first."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base
        self.down = nn.Parameter(torch.randn(rank, base.in_features) / math.sqrt(base.in_features))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))
        self._updated: VersionedCache[Tensor] = VersionedCache()

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (..., in) to (..., out); without gradients by one matrix, the sum of both."""
        if torch.is_grad_enabled():
            low_rank = F.linear(F.linear(inputs, self.down), self.up)
            trained: Tensor = self.base(inputs) + _SCALE * low_rank
            return trained
        base = self.base.weight
        weight = self._updated.get((base, self.down, self.up), lambda: base + _SCALE * self.up @ self.down)
        return F.linear(inputs, weight, self.base.bias)


def adapt(bert: Bert, rank: int) -> None:
    """Freeze an encoder in place, and give the linear maps of its last layers low-rank updates.

    Its weights become buffers that `state_dict` leaves out: parameters and state are those of the updates alone.
    """
    for module in list(bert.modules()):
        for name, weight in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, weight.detach(), persistent=False)
    stack = bert.encoder["layer"]
    assert isinstance(stack, nn.ModuleList)
    for layer in stack[-ADAPTED_LAYERS:]:
        for parent in list(layer.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, nn.Linear):
                    setattr(parent, name, LowRankUpdate(child, rank))
