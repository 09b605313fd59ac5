"""Force which sites a model keeps; it is unchanged afterwards, also after an error.

Shape legend: S segments, H W map.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mesm.analysis.attention_controls import sparse_cnns
from mesm.models import EmotionModel, ModelOutput, Prepared

#: (modality, layer from 0, attention (S, H, W), active (S, H, W)) -> kept (S, H, W) bool, among the active sites and
#: at least one in every segment that has one.
Choice = Callable[[str, int, Tensor, Tensor], Tensor]

#: With this nucleus mass, and an even attention of `_FORCED_P / (n - 1/2)` on n sites, the nucleus is these n sites.
_FORCED_P = 0.5


def _forced(
    choose: Choice, modality: str, layer: int, module: nn.Module, inputs: tuple[Any, ...], attention: Tensor
) -> Tensor:
    kept = choose(modality, layer, attention, inputs[0].sites.mask_SHW)
    count = kept.sum((1, 2), keepdim=True).clamp(min=1)
    return kept * (_FORCED_P / (count - 0.5))


@torch.no_grad()
def finish_with_sites(
    model: EmotionModel, prepared: Prepared, choose: Choice, *, query_BD: Tensor | None = None
) -> ModelOutput:
    """Return the scores when `choose` decides in every layer which sites are kept, each with the same gate (factor 1).

    `choose` gets the attention that the model computes in that layer, on the sites that the earlier choices left.
    """
    with forced_sites(model, choose):
        return model.finish(prepared, _FORCED_P, query_BD=query_BD)


@contextmanager
def forced_sites(model: EmotionModel, choose: Choice) -> Iterator[None]:
    """Make the attention of every layer even on the chosen sites and 0 elsewhere; call the model at p = 0.5 within."""
    hooks = [
        attention.register_forward_hook(partial(_forced, choose, modality, layer))
        for modality, cnn in sparse_cnns(model).items()
        for layer, attention in enumerate(cnn.attention)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def keep_share(order_SHW: Tensor, active_SHW: Tensor, share: float) -> Tensor:
    """Return the `share` of each segment's active sites that comes first in falling `order_SHW`; at least one site."""
    return keep_count(order_SHW, active_SHW, (active_SHW.sum((1, 2)).double() * share).ceil().long())


def keep_count(order_SHW: Tensor, active_SHW: Tensor, count_S: Tensor) -> Tensor:
    """Return the first `count_S` active sites of each segment in falling `order_SHW`; at least one, at most all."""
    active_SL = active_SHW.flatten(1)
    order_SL = order_SHW.flatten(1).double().masked_fill(~active_SL, -torch.inf)
    falling = order_SL.sort(dim=1, descending=True, stable=True).indices
    places = torch.arange(falling.shape[1], device=falling.device).expand_as(falling)
    rank = torch.empty_like(falling).scatter_(1, falling, places)
    kept = (rank < count_S.clamp(min=1)[:, None]) & active_SL
    return kept.view(active_SHW.shape)
