"""Measure whether the voice's attention lies on loud mel values, and how many sites each layer keeps.

The paper states about its Figure 4: early layers attend to high spectral values, later layers keep fewer points. Here the
first is compared with chance: the same number of sites, anywhere among the layer's active ones.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.batch import LOUD_FRACTION
from mesm.errors import DataError
from mesm.records.faithfulness import LoudnessLayer, LoudnessLift
from mesm.statistics import PERCENT_DIGITS, Speakers
from mesm.studies.faithfulness.evaluation_clips import EvaluationClips, Progress


def loud_cells(mel_SHW: np.ndarray, share: float = LOUD_FRACTION) -> np.ndarray:
    """Return (chunks, 128, 32) bool: the highest `share` of one clip's mel values; none where all are equal."""
    return mel_SHW > np.quantile(mel_SHW.astype(np.float32), 1 - share)


@torch.no_grad()
def loudness_lift(clips: EvaluationClips, *, progress: Progress | None = None) -> LoudnessLift:
    """Measure, per layer of the voice, the loudness of the kept sites against that of the active ones.

    A site's loudness is the share of its area that is loud.

    Raises:
        DataError: the checkpoint has no voice.
    """
    if "acoustic" not in clips.branches:
        raise DataError(
            f"checkpoint {clips.predictor.name!r} has no voice; there is nothing to measure on a spectrogram"
        )
    tallies: list[list[np.ndarray]] = [[], [], []]
    for part, samples, prepared in clips.batches(progress):
        if "acoustic" not in prepared.maps:
            for tally in tallies:
                tally.append(np.zeros((len(clips.rows[part]), 9)))
            continue
        layers = clips.predictor.model.finish(prepared, clips.top_p, trace=True).layers["acoustic"]
        cells = [loud_cells(s.mel) if len(s.mel) else s.mel.astype(bool) for s in samples]
        loud = torch.from_numpy(np.concatenate(cells)).float()
        counts = prepared.counts["acoustic"].cpu()
        for tally, layer in zip(tallies, layers, strict=True):
            padding = torch.zeros_like(layer.kept_SHW) if layer.padding_SHW is None else layer.padding_SHW
            maps = (layer.kept_SHW, layer.active_SHW, layer.attention_SHW, ~padding)
            kept, active, attention, inside = (map_SHW.float().cpu() for map_SHW in maps)
            tally.append(_clip_rows(loud, kept, active, attention, inside, counts))
    size = clips.size
    summaries = tuple(_summarise_layer(np.concatenate(tally), clips.groups) for tally in tallies)
    return LoudnessLift(size.clips, size.speakers, clips.top_p, LOUD_FRACTION, summaries)


def _clip_rows(
    loud: Tensor, kept: Tensor, active: Tensor, attention: Tensor, inside: Tensor, counts_B: Tensor
) -> np.ndarray:
    """Return (B, 9) means over each clip's chunks: lifts are ratios of these, so that a long clip counts once.

    Args:
        inside: (S, H, W) 1 at the sites without padding, which alone are measured.
    """
    share = F.adaptive_avg_pool2d(loud[:, None], (kept.shape[1], kept.shape[2]))[:, 0]
    kept, active, attention = kept * inside, active * inside, attention * inside

    def mean(weight: Tensor) -> Tensor:
        return (share * weight).sum((1, 2)) / weight.sum((1, 2)).clamp(min=1e-12)

    columns = [
        *map(mean, (kept, active, attention, inside)),
        *(part.sum((1, 2)) for part in (kept, active)),
        torch.ones(len(kept)),
        inside.sum((1, 2)),
    ]
    rows = torch.stack(columns, 1)
    means = [part.mean(0) if len(part) else torch.zeros(rows.shape[1]) for part in rows.split(counts_B.tolist())]
    return torch.cat([torch.stack(means), (counts_B > 0).float()[:, None]], 1).double().numpy()


def _summarise_layer(rows_B9: np.ndarray, groups: np.ndarray) -> LoudnessLayer:
    kept_loud, active_loud, attended, map_loud, kept, active, _, size, present = rows_B9.T
    ratio = Speakers(groups).ratio
    return LoudnessLayer(
        kept_lift=ratio(kept_loud, active_loud),
        attention_lift=ratio(attended, active_loud),
        lift_over_map=ratio(kept_loud, map_loud),
        kept_sites=ratio(kept, present, PERCENT_DIGITS),
        kept_share=ratio(kept, size),
        kept_of_active=ratio(kept, active),
    )
