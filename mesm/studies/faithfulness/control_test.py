"""Measure whether maps and scores depend on the learnt attention weights, by replacing these with drawn ones.

Source: Adebayo et al. 2018, "Sanity Checks for Saliency Maps": a map that survives random weights shows the input, not
the model.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mesm.analysis.attention_controls import control_attention
from mesm.models import ModelOutput
from mesm.records.faithfulness import BranchControl, ControlAttention, ControlLayer, ControlTest, OwnAndControl
from mesm.statistics import PERCENT_DIGITS, Speakers
from mesm.studies.faithfulness.evaluation_clips import EvaluationClips, Progress, concatenate_batches, strongest_is_true


def rank_correlation(first_SL: np.ndarray, second_SL: np.ndarray) -> np.ndarray:
    """Return the (S,) Spearman correlation of two maps per segment, ties by order; NaN where a map is constant."""
    ranks = [np.argsort(np.argsort(v, axis=1, kind="stable"), axis=1).astype(float) for v in (first_SL, second_SL)]
    a, b = (r - r.mean(1, keepdims=True) for r in ranks)
    flat = (np.ptp(first_SL, axis=1) == 0) | (np.ptp(second_SL, axis=1) == 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(flat, np.nan, (a * b).sum(1) / np.sqrt((a**2).sum(1) * (b**2).sum(1)))


def overlap(first_SHW: Tensor, second_SHW: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return (S,) intersection over union of two masks, and that of two random masks of these sizes on the map."""
    a, b = first_SHW.flatten(1).double(), second_SHW.flatten(1).double()
    both, sizes_a, sizes_b = (a * b).sum(1), a.sum(1), b.sum(1)
    expected = sizes_a * sizes_b / a.shape[1]
    return (
        (both / (sizes_a + sizes_b - both).clamp(min=1)).cpu().numpy(),
        (expected / (sizes_a + sizes_b - expected).clamp(min=1)).cpu().numpy(),
    )


@torch.no_grad()
def control_test(
    clips: EvaluationClips,
    *,
    draws: int = 5,
    control: ControlAttention = "moment_matched",
    seed: int = 0,
    progress: Progress | None = None,
) -> ControlTest:
    """Compare the trained attention with `draws` control attentions."""
    model, truth, groups = clips.predictor.attention_model, clips.truth, clips.groups
    rows: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in clips.branches}
    for part, _, prepared in clips.batches(progress):
        own = model.finish(prepared, clips.top_p, trace=True)
        own_whole = model.finish(prepared, 1.0, trace=True)
        for draw in range(draws):
            with control_attention(model, seed + draw, control):
                other = model.finish(prepared, clips.top_p, trace=True)
                other_whole = model.finish(prepared, 1.0, trace=True)
            for name in clips.branches:
                if name in own.layers:
                    compared = _compare_layers(name, (own, own_whole), (other, other_whole), prepared.counts[name])
                    scores = [clips.branch_scores(output)[name] for output in (own, other)]
                    compared |= _compare_scores(scores[0], scores[1], truth[part])
                    rows[name].append(compared | {"groups": groups[part]})
    size = clips.size
    branches = {name: _summarise(concatenate_batches(parts)) for name, parts in rows.items() if parts}
    return ControlTest(size.clips, size.speakers, draws, clips.top_p, control, branches)


def _clip_means(values_S: np.ndarray, counts_B: Tensor) -> np.ndarray:
    """Mean over the segments of each clip; NaN where there is none."""
    ends = np.cumsum(counts_B.cpu().numpy())[:-1]
    return np.array([np.nanmean(v) if len(v) and np.isfinite(v).any() else np.nan for v in np.split(values_S, ends)])


def _compare_layers(
    name: str, own: tuple[ModelOutput, ModelOutput], other: tuple[ModelOutput, ModelOutput], counts_B: Tensor
) -> dict[str, np.ndarray]:
    """Compare kept sites at top-p (first outputs) and maps at p = 1 (second outputs), layer by layer."""
    values = {}
    for layer in range(len(own[0].layers[name])):
        maps = [o[1].layers[name][layer].attention_SHW.flatten(1).float().cpu().numpy() for o in (own, other)]
        iou, chance = overlap(own[0].layers[name][layer].kept_SHW, other[0].layers[name][layer].kept_SHW)
        values[f"rank_correlation{layer}"] = _clip_means(rank_correlation(maps[0], maps[1]), counts_B)
        values[f"iou{layer}"], values[f"iou_chance{layer}"] = _clip_means(iou, counts_B), _clip_means(chance, counts_B)
    return values


def _compare_scores(own_NE: np.ndarray, other_NE: np.ndarray, truth_NE: np.ndarray) -> dict[str, np.ndarray]:
    known = np.isfinite(own_NE).all(1)
    first = [np.where(np.isfinite(s), s, -1.0).argmax(1) for s in (own_NE, other_NE)]
    return {
        "score_change": np.abs(own_NE - other_NE).mean(1),
        "first_label_changes": np.where(known, first[0] != first[1], np.nan),
        "own": 100 * strongest_is_true(own_NE, truth_NE),
        "control": 100 * strongest_is_true(other_NE, truth_NE),
    }


def _summarise(values: dict[str, np.ndarray]) -> BranchControl:
    groups = values["groups"]
    speakers = Speakers(groups)

    def layer(number: int) -> ControlLayer:
        correlation, iou, chance = (values[f"{name}{number}"] for name in ("rank_correlation", "iou", "iou_chance"))
        known = np.isfinite(iou)
        return ControlLayer(
            speakers.mean(correlation),
            speakers.mean(iou),
            speakers.mean(chance),
            Speakers(groups[known]).ratio(iou[known], chance[known]),
        )

    return BranchControl(
        tuple(layer(number) for number in range(sum(name.startswith("iou_chance") for name in values))),
        speakers.mean(values["score_change"]),
        speakers.mean(values["first_label_changes"]),
        OwnAndControl(speakers.mean(values["own"], PERCENT_DIGITS), speakers.mean(values["control"], PERCENT_DIGITS)),
    )
