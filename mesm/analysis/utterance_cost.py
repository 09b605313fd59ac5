"""Count the multiply-adds of each utterance of a scored batch, for a model of any kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from mesm.analysis.baseline_cost import count_baseline
from mesm.analysis.cost import CostReport, count_macs
from mesm.config import EndToEndConfig, FeatureModelConfig, ModelConfig
from mesm.records.prediction import Trace


def utterance_costs(
    config: ModelConfig, counts: Mapping[str, Tensor], traces: Sequence[Trace], tokens: int = 0
) -> list[CostReport]:
    """Count the multiply-adds of B utterances, layer by layer.

    Args:
        config: of the model that scored them.
        counts: modality -> (B,) segments, or rows of features, of each utterance (`Prepared.counts`).
        traces: of each utterance, see `clip_traces`.
        tokens: length of the transcripts for the text encoder; 0 leaves the encoder out.
    """
    lengths = {modality: counts_B.tolist() for modality, counts_B in counts.items()}
    reports = []
    for b, trace in enumerate(traces):
        own = {modality: values[b] for modality, values in lengths.items()}
        if isinstance(config, FeatureModelConfig):
            reports.append(count_baseline(config, own))
        else:
            assert isinstance(config, EndToEndConfig)
            reports.append(count_macs(config, trace, own.get("visual", 0), own.get("acoustic", 0), tokens))
    return reports
