"""Does the picture depend on what was learnt? Masks and scores when the attention's weights are drawn anew.

Source: Adebayo et al. 2018, "Sanity Checks for Saliency Maps": a map that survives random weights shows the input, not
the model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mesm.models import ModelOutput
from mesm.studies.faithfulness.evaluation_clips import Clips, Progress, section, top_is_true
from mesm.studies.faithfulness.intervals import mean_estimate, ratio_estimate
from mesm.studies.faithfulness.interventions import redrawn_attention


def rank_correlation(first_SL: np.ndarray, second_SL: np.ndarray) -> np.ndarray:
    """(S,) Spearman correlation of two maps per segment, ties by order; NaN where a map is constant."""
    ranks = [np.argsort(np.argsort(v, axis=1, kind="stable"), axis=1).astype(float) for v in (first_SL, second_SL)]
    a, b = (r - r.mean(1, keepdims=True) for r in ranks)
    flat = (np.ptp(first_SL, axis=1) == 0) | (np.ptp(second_SL, axis=1) == 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(flat, np.nan, (a * b).sum(1) / np.sqrt((a**2).sum(1) * (b**2).sum(1)))


def overlap(first_SHW: Tensor, second_SHW: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """(S,) intersection over union of two masks, and what two random masks of these sizes on the map would have."""
    a, b = first_SHW.flatten(1).double(), second_SHW.flatten(1).double()
    both, sizes_a, sizes_b = (a * b).sum(1), a.sum(1), b.sum(1)
    met = sizes_a * sizes_b / a.shape[1]
    return (
        (both / (sizes_a + sizes_b - both).clamp(min=1)).cpu().numpy(),
        (met / (sizes_a + sizes_b - met).clamp(min=1)).cpu().numpy(),
    )


@torch.no_grad()
def redraw_test(clips: Clips, *, draws: int = 5, seed: int = 0, progress: Progress | None = None) -> dict[str, Any]:
    """Compare the trained attention with `draws` redrawn ones, the rest of the network as it is.

    Returns:
        `draws`, and per branch: `layers`, each with `rank_correlation` of the maps with every site active (0 = nothing
        shared), `iou` of the kept sites at top-p and `iou_chance` of random sets of the same sizes on the whole map;
        `score_change` (mean absolute difference of the branch's scores), `first_label_changes` (share of the clips) and
        `accuracy` of the trained and the redrawn in percent.
    """
    model, truth, groups = clips.predictor.attention_model, clips.truth, clips.groups
    rows: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in clips.branches}
    for part, prepared in clips.prepared(progress):
        own = model.finish(prepared, clips.top_p, trace=True)
        wide = model.finish(prepared, 1.0, trace=True)
        for draw in range(draws):
            with redrawn_attention(model, seed + draw):
                other = model.finish(prepared, clips.top_p, trace=True)
                other_wide = model.finish(prepared, 1.0, trace=True)
            for name in clips.branches:
                if name in own.layers:
                    compared = _compare(name, (own, wide), (other, other_wide), prepared.counts[name])
                    scores = [clips.branch_scores(output)[name] for output in (own, other)]
                    compared |= _score_change(scores[0], scores[1], truth[part])
                    rows[name].append(compared | {"groups": groups[part]})
    return section(clips, draws=draws, top_p=clips.top_p, **{n: _summary(found) for n, found in rows.items() if found})


def _per_clip(values_S: np.ndarray, counts_B: Tensor) -> np.ndarray:
    """Mean over the segments of each clip; NaN where there is none."""
    ends = np.cumsum(counts_B.cpu().numpy())[:-1]
    return np.array([np.nanmean(v) if len(v) and np.isfinite(v).any() else np.nan for v in np.split(values_S, ends)])


def _compare(
    name: str, own: tuple[ModelOutput, ModelOutput], other: tuple[ModelOutput, ModelOutput], counts_B: Tensor
) -> dict[str, np.ndarray]:
    found = {}
    for layer in range(len(own[0].layers[name])):
        maps = [o[1].layers[name][layer].attention_SHW.flatten(1).float().cpu().numpy() for o in (own, other)]
        iou, chance = overlap(own[0].layers[name][layer].kept_SHW, other[0].layers[name][layer].kept_SHW)
        found[f"rank_correlation{layer}"] = _per_clip(rank_correlation(maps[0], maps[1]), counts_B)
        found[f"iou{layer}"], found[f"iou_chance{layer}"] = _per_clip(iou, counts_B), _per_clip(chance, counts_B)
    return found


def _score_change(own_NE: np.ndarray, other_NE: np.ndarray, truth_NE: np.ndarray) -> dict[str, np.ndarray]:
    known = np.isfinite(own_NE).all(1)
    first = [np.where(np.isfinite(s), s, -1.0).argmax(1) for s in (own_NE, other_NE)]
    return {
        "score_change": np.abs(own_NE - other_NE).mean(1),
        "first_label_changes": np.where(known, first[0] != first[1], np.nan),
        "own": 100 * top_is_true(own_NE, truth_NE),
        "redrawn": 100 * top_is_true(other_NE, truth_NE),
    }


def _summary(rows: list[dict[str, np.ndarray]]) -> dict[str, Any]:
    every = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    groups = every.pop("groups")
    layers = sum(name.startswith("iou_chance") for name in every)
    return {
        "layers": [
            {k: mean_estimate(every[f"{k}{layer}"], groups) for k in ("rank_correlation", "iou", "iou_chance")}
            | {"iou_over_chance": _over(every[f"iou{layer}"], every[f"iou_chance{layer}"], groups)}
            for layer in range(layers)
        ],
        **{k: mean_estimate(every[k], groups) for k in ("score_change", "first_label_changes")},
        "accuracy": {k: mean_estimate(every[k], groups, places=2) for k in ("own", "redrawn")},
    }


def _over(iou: np.ndarray, chance: np.ndarray, groups: np.ndarray) -> dict[str, float | None]:
    known = np.isfinite(iou)
    return ratio_estimate(iou[known], chance[known], groups[known])
