"""Count the multiply-adds of a two-phase baseline on one utterance's features, in closed form.

The same unit and the same things left out as in `mesm.analysis.cost`. Phase one, the making of the features, is not
counted: no baseline's paper does, and OpenFace's work alone is more than everything here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mesm.analysis.cost import CostEntry, CostReport, transformer_layer
from mesm.config import FeatureModelConfig
from mesm.models.baselines.emo_embs import similarity_width
from mesm.models.baselines.mult import MEMORY_LAYERS, WIDTH

NOT_COUNTED = "phase one: the making of the hand-crafted features"


def _lstm(rows: int, dim: int, width: int) -> int:
    """Count both directions of an LSTM, four gates each."""
    return 2 * rows * 4 * width * (dim + width)


def _late_fusion(config: FeatureModelConfig, modality: str, rows: int, dim: int) -> Iterator[tuple[str, str, int]]:
    """Yield (stage, layer, MACs) of one modality."""
    classes = len(config.labels)
    if config.name == "lf_lstm":
        yield "head", "lstm", _lstm(rows, dim, dim)
        yield "head", "classifier", 2 * dim * dim + dim * classes
    elif config.name == "lf_transformer":
        layer = transformer_layer(rows + 1, dim, config.transformer_feedforward)
        yield "transformer", "transformer", config.transformer_layers * layer
        yield "head", "classifier", dim * (dim // 2) + (dim // 2) * classes
    else:
        words = config.feature_dims[config.modalities.index("text")]
        width = similarity_width(modality, words, config)
        yield "head", "lstm", _lstm(rows, dim, width)
        mapping = 0 if modality == "text" else classes * words * width
        yield "head", "similarity", mapping + classes * width


def _mult(config: FeatureModelConfig, rows: Mapping[str, int]) -> Iterator[tuple[str, str, str, int]]:
    """Yield (modality, stage, layer, MACs); an absent modality has one row of zeros, as in the model."""
    names, dims = config.modalities, dict(zip(config.modalities, config.feature_dims, strict=True))
    length = {m: max(rows[m], 1) for m in names}
    width = WIDTH * max(len(names) - 1, 1)
    memory = max(config.transformer_layers, MEMORY_LAYERS)
    for name in names:
        n = length[name]
        yield name, "head", "projection", n * dims[name] * WIDTH
        for other in names:
            if other != name:
                keys = length[other]
                layer = (2 * n + 2 * keys) * WIDTH**2 + 2 * n * keys * WIDTH + 8 * n * WIDTH**2
                yield name, "transformer", f"attends to {other}", config.transformer_layers * layer
        yield name, "transformer", "memory", memory * transformer_layer(n, width, 4 * width)
    total = width * len(names)
    yield names[0], "head", "classifier", 2 * total * total + total * len(config.labels)


def count_baseline(config: FeatureModelConfig, rows: Mapping[str, int]) -> CostReport:
    """Count the multiply-adds of one utterance.

    Args:
        config: a two-phase baseline's, with `feature_dims`.
        rows: modality -> rows of features; 0 where the utterance lacks it.
    """
    if config.name == "mult":
        layers = list(_mult(config, rows))
    else:
        layers = [
            (m, *entry)
            for m, dim in zip(config.modalities, config.feature_dims, strict=True)
            if rows[m]
            for entry in _late_fusion(config, m, rows[m], dim)
        ]
    entries = tuple(CostEntry(modality, stage, layer, macs, macs) for modality, stage, layer, macs in layers)
    return CostReport(entries, 0, (NOT_COUNTED,))
