"""Compute what the drawing of the architecture shows: a model's grids from its config, and an example of kept sites.

The sizes are the model's own. The example's attention is made up: soft spots where a face and a voice have something to
show. Each layer keeps sites of it by the model's rule (section 4.3 of the paper), at the config's top-p.
Shape legend: H W sites of a layer's grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesm.batch import CHUNK_HOPS, FACE_SIZE_PX, MEL_BANDS
from mesm.config import EndToEndConfig, MESMConfig, ModelConfig

LAYERS = 3
#: Modality -> height and width of a segment.
SEGMENT_SIZES: dict[str, tuple[int, int]] = {
    "visual": (FACE_SIZE_PX, FACE_SIZE_PX),
    "acoustic": (MEL_BANDS, CHUNK_HOPS),
}
#: Modality -> soft spots: middle x, y, spread in x, y, weight; as shares of the width and the height.
_SPOTS: dict[str, tuple[tuple[float, float, float, float, float], ...]] = {
    "visual": (
        (0.31, 0.36, 0.11, 0.07, 1.0), (0.69, 0.36, 0.11, 0.07, 0.97), (0.50, 0.55, 0.05, 0.10, 0.5),
        (0.50, 0.75, 0.14, 0.06, 1.2), (0.23, 0.62, 0.08, 0.06, 0.35), (0.77, 0.62, 0.08, 0.06, 0.33),
    ),
    "acoustic": (
        (0.30, 0.92, 0.28, 0.022, 1.0), (0.32, 0.83, 0.28, 0.022, 1.0), (0.36, 0.73, 0.26, 0.024, 0.9),
        (0.42, 0.62, 0.24, 0.026, 0.8), (0.80, 0.88, 0.14, 0.022, 0.7), (0.80, 0.79, 0.14, 0.022, 0.7),
        (0.62, 0.44, 0.20, 0.050, 0.6), (0.80, 0.20, 0.14, 0.080, 0.5),
    ),
}  # fmt: skip
#: Weight of every site beside the spots, per layer: deeper sites cover more of the picture each, and differ less.
_EVERYWHERE = (0.2, 0.4, 0.6)


@dataclass(frozen=True)
class Selection:
    """Hold one layer of the example.

    Attributes:
        attention: (H, W), sums to 1 over the active sites, 0 elsewhere.
        active: (H, W) bool, the sites to choose from.
        kept: (H, W) bool.
    """

    attention: np.ndarray
    active: np.ndarray
    kept: np.ndarray


def grid(modality: str, layer: int) -> tuple[int, int]:
    """Return height and width of a layer's grid; layer 3 is the last feature map."""
    height, width = SEGMENT_SIZES[modality]
    return height >> (layer + 1), width >> (layer + 1)


def has_cnn(config: ModelConfig) -> bool:
    """Return whether the config is of an end-to-end model, the only kind that the drawing shows."""
    return isinstance(config, EndToEndConfig) and config.cnn == "stem5x5"


def example(config: ModelConfig, modality: str) -> tuple[Selection, ...]:
    """Return the sites that three layers keep of the made-up attention; a model without attention keeps every site."""
    active = np.ones(grid(modality, 0), bool)
    selections = []
    for layer in range(LAYERS):
        height, width = grid(modality, layer)
        weights = np.where(active, _spots(modality, height, width) + _EVERYWHERE[layer], 0)
        attention = weights / weights.sum()
        kept = keep_nucleus(attention, active, config.top_p) if config.name == "mesm" else active
        selections.append(Selection(attention, active, kept))
        active = pooled(kept)
    return tuple(selections)


def pooled(kept: np.ndarray) -> np.ndarray:
    """Return the sites after a 2x2 max-pool: (H, W) bool -> (H // 2, W // 2)."""
    height, width = kept.shape
    return kept.reshape(height // 2, 2, width // 2, 2).max((1, 3))


def _spots(modality: str, height: int, width: int) -> np.ndarray:
    y, x = ((np.arange(n) + 0.5) / n for n in (height, width))
    spots = (
        weight * np.exp(-(((x[None] - at_x) / wide) ** 2 + ((y[:, None] - at_y) / high) ** 2) / 2)
        for at_x, at_y, wide, high, weight in _SPOTS[modality]
    )
    return sum(spots, np.zeros((height, width)))


def keep_nucleus(attention_HW: np.ndarray, active_HW: np.ndarray, top_p: float) -> np.ndarray:
    """Return the smallest set of active sites, by falling attention, whose mass reaches `top_p`; section 4.3.1.

    `mesm.layers.nucleus.nucleus_mask` for one segment, in numpy: figures do not import torch.

    Args:
        attention_HW: sums to 1 over the active sites and is 0 elsewhere.
        active_HW: bool, the sites to choose from.
        top_p: in (0, 1]; 1 keeps every active site.

    Returns:
        (H, W) bool.
    """
    if top_p == 1:
        return active_HW
    mass = attention_HW.ravel().astype(np.float32)
    order = np.argsort(-mass, kind="stable")
    falling = mass[order].astype(np.float64)
    count = int(((np.cumsum(falling) - falling) < top_p).sum())
    kept = np.zeros(mass.size, bool)
    kept[order[:count]] = True
    return kept.reshape(attention_HW.shape) & active_HW  # a mass that rounding keeps below p adds no inactive site


def architecture_caption(config: ModelConfig) -> str:
    """Return the caption under the drawing."""
    sizes = "Under each grid: its height and width in sites, and its channels."
    if not isinstance(config, MESMConfig):
        return f"The dense model computes every site of every grid. {sizes}"
    weighted = (
        "In each block the sentence embedding weights every site"
        if config.query != "none"
        else "In each block the attention, without a text query, weights every site"
    )
    return (
        f"{weighted}. The smallest set holding p = {config.top_p:g} of the attention is kept (full colour); the rest "
        f"(faint) is dropped for all later blocks. {sizes} The sizes are those of this model; the kept sites are an example."
    )


def architecture_alt(config: ModelConfig) -> str:
    """Return the description of the drawing for readers who do not see it."""
    lanes = " and ".join({"visual": "Faces", "acoustic": "Mel chunks"}[m] for m in config.modalities if m != "text")
    words = "The words pass a text encoder. " if "text" in config.modalities else ""
    blocks = (
        "three blocks of attention, nucleus selection, submanifold convolution and max-pool"
        if config.name == "mesm"
        else "three blocks of convolution and max-pool"
    )
    images = f"{lanes} pass a dense stem, {blocks}, and a Transformer. " if lanes else ""
    return f"Diagram. {words}{images}The modalities' scores are summed with weights: {', '.join(config.labels)}."
