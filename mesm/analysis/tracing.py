"""Convert a model's attention tensors to records."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from mesm.layers.sparse_vgg import LayerTensors
from mesm.models import ModelOutput
from mesm.records.prediction import LayerTrace, Trace


def _layer(layer: LayerTensors, segments: slice) -> LayerTrace:
    return LayerTrace(
        layer.attention_SHW[segments].float().cpu().numpy(),
        layer.kept_SHW[segments].bool().cpu().numpy(),
        layer.active_SHW[segments].bool().cpu().numpy(),
        tuple(layer.backends),
        None if layer.padding_SHW is None else layer.padding_SHW[segments].cpu().numpy(),
    )


def clip_traces(output: ModelOutput, counts: dict[str, Tensor], top_p: float) -> list[Trace]:
    """Return one `Trace` per utterance of a batch that was run with `trace=True`.

    Args:
        counts: modality -> (B,) segments per utterance.
    """
    ends = {m: np.concatenate([[0], np.cumsum(c.cpu().numpy())]) for m, c in counts.items()}
    traces = []
    for b in range(len(output.logits_BE)):
        layers = {
            modality: tuple(
                _layer(layer, slice(int(ends[modality][b]), int(ends[modality][b + 1]))) for layer in of_batch
            )
            for modality, of_batch in output.layers.items()
        }
        traces.append(Trace({m: of_clip for m, of_clip in layers.items() if len(of_clip[0].kept)}, top_p))
    return traces
