"""What the drawing of the architecture is made of: a model's grids from its config, and an example of its selection.

The sizes are the model's own. The attention is drawn, not measured: soft spots where a face and a voice have something
to show. What each layer keeps of it then follows the model's rule (section 4.3 of the paper), with the config's top-p.
Shape legend: H W cells of a layer's grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesm.batch import CHUNK_HOPS, FACE_SIZE_PX, MEL_BANDS
from mesm.config import EndToEndConfig, ModelConfig

LAYERS = 3
#: Modality -> height and width of a segment.
SEGMENT_SIZES: dict[str, tuple[int, int]] = {
    "visual": (FACE_SIZE_PX, FACE_SIZE_PX),
    "acoustic": (MEL_BANDS, CHUNK_HOPS),
}
#: Modality -> soft spots: middle x, y, spread in x, y, weight; as shares of the width and the height.
_SPOTS: dict[str, tuple[tuple[float, float, float, float, float], ...]] = {
    "visual": (
        (0.31, 0.36, 0.11, 0.07, 1.0),
        (0.69, 0.36, 0.11, 0.07, 0.97),
        (0.50, 0.55, 0.05, 0.10, 0.5),
        (0.50, 0.75, 0.14, 0.06, 1.2),
        (0.23, 0.62, 0.08, 0.06, 0.35),
        (0.77, 0.62, 0.08, 0.06, 0.33),
    ),
    "acoustic": (
        (0.30, 0.92, 0.28, 0.022, 1.0),
        (0.32, 0.83, 0.28, 0.022, 1.0),
        (0.36, 0.73, 0.26, 0.024, 0.9),
        (0.42, 0.62, 0.24, 0.026, 0.8),
        (0.80, 0.88, 0.14, 0.022, 0.7),
        (0.80, 0.79, 0.14, 0.022, 0.7),
        (0.62, 0.44, 0.20, 0.050, 0.6),
        (0.80, 0.20, 0.14, 0.080, 0.5),
    ),
}
#: Weight of every cell beside the spots, per layer: deeper cells see more of the picture each, and differ less.
_EVERYWHERE = (0.2, 0.4, 0.6)


@dataclass(frozen=True)
class Selection:
    """One layer of the example.

    Attributes:
        attention: (H, W), sums to 1 over the active cells, 0 elsewhere.
        active: (H, W) bool, the cells to choose from.
        kept: (H, W) bool.
    """

    attention: np.ndarray
    active: np.ndarray
    kept: np.ndarray


def grid(modality: str, layer: int) -> tuple[int, int]:
    """Height and width of a layer's grid; layer 3 is the last map."""
    height, width = SEGMENT_SIZES[modality]
    return height >> (layer + 1), width >> (layer + 1)


def has_cnn(config: ModelConfig) -> bool:
    """Whether it is one of the end-to-end models, which the drawing is of."""
    return isinstance(config, EndToEndConfig) and config.cnn == "stem5x5"


def example(config: ModelConfig, modality: str) -> tuple[Selection, ...]:
    """What three layers keep of the drawn attention; a model without attention keeps every cell."""
    active = np.ones(grid(modality, 0), bool)
    found = []
    for layer in range(LAYERS):
        height, width = grid(modality, layer)
        weights = np.where(active, _spots(modality, height, width) + _EVERYWHERE[layer], 0)
        attention = weights / weights.sum()
        kept = _nucleus(attention, config.top_p) & active if config.has_attention else active
        found.append(Selection(attention, active, kept))
        active = pooled(kept)
    return tuple(found)


def pooled(kept: np.ndarray) -> np.ndarray:
    """(H, W) bool -> (H // 2, W // 2): the cells that a 2x2 max-pool leaves."""
    height, width = kept.shape
    return kept.reshape(height // 2, 2, width // 2, 2).max((1, 3))


def _spots(modality: str, height: int, width: int) -> np.ndarray:
    y, x = ((np.arange(n) + 0.5) / n for n in (height, width))
    spots = (
        weight * np.exp(-(((x[None] - at_x) / wide) ** 2 + ((y[:, None] - at_y) / high) ** 2) / 2)
        for at_x, at_y, wide, high, weight in _SPOTS[modality]
    )
    return sum(spots, np.zeros((height, width)))


def _nucleus(attention: np.ndarray, top_p: float) -> np.ndarray:
    """The fewest cells that hold a share of the attention."""
    order = np.argsort(-attention, axis=None, kind="stable")
    count = int(np.searchsorted(np.cumsum(attention.ravel()[order]), top_p - 1e-9)) + 1
    kept = np.zeros(attention.size, bool)
    kept[order[:count]] = True
    return kept.reshape(attention.shape)
