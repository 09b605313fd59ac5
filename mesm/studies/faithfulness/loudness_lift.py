"""Does the attention go to the loud parts of the spectrogram, and do later layers keep fewer points?

The paper says of its Figure 4: early layers attend to high spectral values, later layers keep fewer points. Here the
first is held against chance: the same number of sites, anywhere among the layer's active ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.batch import LOUD_FRACTION
from mesm.errors import DataError
from mesm.studies.faithfulness.evaluation_clips import Clips, Progress, section
from mesm.studies.faithfulness.intervals import ratio_estimate


def loud_cells(mel_SHW: np.ndarray, share: float = LOUD_FRACTION) -> np.ndarray:
    """(chunks, 128, 32) bool: the highest `share` of one clip's mel values; none where the clip is even."""
    return mel_SHW > np.quantile(mel_SHW.astype(np.float32), 1 - share)


@torch.no_grad()
def loud_sites(clips: Clips, *, progress: Progress | None = None) -> dict[str, Any]:
    """Per layer of the voice: what share of its sites is loud, kept against active, and how many it keeps.

    Returns:
        `loudest` (the share of the mel values that counts as loud), and `layers`: `kept_lift` (mean loudness of the
        kept sites over that of the active ones: how much of a site's area is loud, by coverage; chance 1),
        `attention_lift` (the same, weighted with the attention), `lift_over_map` (kept sites over the whole map, which
        also holds what earlier layers chose), `kept_sites` per chunk, `kept_share` of the layer's whole map and
        `kept_of_active`, all with intervals over speakers.

    Raises:
        DataError: the checkpoint has no voice.
    """
    if "acoustic" not in clips.branches:
        raise DataError(
            f"checkpoint {clips.predictor.name!r} has no voice; there is nothing to measure on a spectrogram"
        )
    tallies: list[list[np.ndarray]] = [[], [], []]
    for part, prepared in clips.prepared(progress):
        if "acoustic" not in prepared.maps:
            for tally in tallies:
                tally.append(np.zeros((len(clips.rows[part]), 9)))
            continue
        layers = clips.predictor.model.finish(prepared, clips.top_p, trace=True).layers["acoustic"]
        mels = [clips.corpus.read(row.clip_id, full=False).mel for row in clips.rows[part]]
        loud = torch.from_numpy(np.concatenate([loud_cells(m) if len(m) else m.astype(bool) for m in mels])).float()
        counts = prepared.counts["acoustic"].cpu()
        for tally, layer in zip(tallies, layers, strict=True):
            kept, active, attention = (v.float().cpu() for v in (layer.kept_SHW, layer.active_SHW, layer.attention_SHW))
            tally.append(_tally(loud, kept, active, attention, counts))
    return section(
        clips,
        top_p=clips.top_p,
        loudest=LOUD_FRACTION,
        layers=[_layer(np.concatenate(tally), clips.groups) for tally in tallies],
    )


def _tally(loud: Tensor, kept: Tensor, active: Tensor, attention: Tensor, counts_B: Tensor) -> np.ndarray:
    """(B, 9) sums over each clip's chunks; lifts are formed from per-clip means, so that a long clip counts once."""
    size = (kept.shape[1], kept.shape[2])
    share = F.adaptive_avg_pool2d(loud[:, None], size)[:, 0]
    columns = [
        (share * kept).sum((1, 2)) / kept.sum((1, 2)).clamp(min=1),
        (share * active).sum((1, 2)) / active.sum((1, 2)).clamp(min=1),
        (share * attention).sum((1, 2)),
        share.mean((1, 2)),
        kept.sum((1, 2)),
        active.sum((1, 2)),
        torch.ones(len(kept)),
        torch.full((len(kept),), float(size[0] * size[1])),
    ]
    rows = torch.stack(columns, 1)
    means = [part.mean(0) if len(part) else torch.zeros(rows.shape[1]) for part in rows.split(counts_B.tolist())]
    return torch.cat([torch.stack(means), (counts_B > 0).float()[:, None]], 1).double().numpy()


def _layer(rows_B9: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    kept_loud, active_loud, attended, map_loud, kept, active, _, size, present = rows_B9.T
    return {
        "kept_lift": ratio_estimate(kept_loud, active_loud, groups),
        "attention_lift": ratio_estimate(attended, active_loud, groups),
        "lift_over_map": ratio_estimate(kept_loud, map_loud, groups),
        "kept_sites": ratio_estimate(kept, present, groups, places=2),
        "kept_share": ratio_estimate(kept, size, groups),
        "kept_of_active": ratio_estimate(kept, active, groups),
    }
