"""Compute submanifold convolution as a masked dense one: slow where few sites are active, simple, the tests' oracle."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from mesm.sparse.sites import Rulebook, maps_to_rows, rows_to_maps


def convolve(features_NC: Tensor, book: Rulebook, weight_KCRR: Tensor, bias_K: Tensor | None = None) -> Tensor:
    """Zero the inactive sites, convolve densely, read the result at the destinations.

    Args:
        features_NC: (sources, C) rows in the order of `book`'s sources.
        book: the sites.
        weight_KCRR: (K, C, 3, 3).
        bias_K: (K,) or None.

    Returns:
        (destinations, K).
    """
    maps = rows_to_maps(features_NC, book.sources)
    return maps_to_rows(F.conv2d(maps, weight_KCRR, bias_K, padding=1), book.destinations)
