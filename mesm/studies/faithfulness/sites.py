"""Are the kept sites the ones that matter? The branch's score when other sites are kept, in order and at random.

In every run each kept site has the same gate (factor 1), so that the runs differ in which sites are kept and in nothing
else. What is followed is the score of the label that the branch puts first when all sites are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mesm.layers.nucleus import nucleus_mask
from mesm.models import Prepared
from mesm.studies.faithfulness.evaluation_clips import Clips, Progress, section, stacked, top_is_true
from mesm.studies.faithfulness.intervals import mean_estimate
from mesm.studies.faithfulness.interventions import Choice, finish_with_sites, keep_count, keep_share

#: Shares of the active sites at which the curves are read.
SHARES: tuple[float, ...] = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75)
LAYERS: tuple[str, ...] = ("all", "L1", "L2", "L3")
#: Which sites a run keeps: the most attended, the least attended, or any.
ORDERS: tuple[str, ...] = ("attention", "reverse", "random")


def _everything(modality: str, layer: int, attention: Tensor, active: Tensor) -> Tensor:
    return active


def _in_order(
    order: str,
    share: float,
    layers: frozenset[int],
    rng: torch.Generator,
    modality: str,
    layer: int,
    attention: Tensor,
    active: Tensor,
) -> Tensor:
    if layer not in layers:
        return active
    return keep_share(_ranked(order, attention, rng), active, share)


def _ranked(order: str, attention: Tensor, rng: torch.Generator) -> Tensor:
    if order == "random":
        return torch.rand(attention.shape, generator=rng).to(attention.device)
    return attention if order == "attention" else -attention


def _scored(clips: Clips, prepared: Prepared, choice: Choice) -> dict[str, np.ndarray]:
    found = clips.branch_scores(finish_with_sites(clips.predictor.attention_model, prepared, choice))
    return {name: found[name] for name in clips.branches}


def deletion_insertion(
    clips: Clips, *, shares: Sequence[float] = SHARES, seed: int = 0, progress: Progress | None = None
) -> dict[str, Any]:
    """Curves and areas when sites are kept in the order of the attention, against it, and at random.

    *Insertion* keeps the most attended share first; *deletion* takes the most attended away first, so at share q of the
    sites left it keeps the least attended. Random order serves both. A faithful attention inserts above random and
    deletes below. Source: Petsiuk et al. 2018 (RISE); limits: Gomez et al. 2022.

    Returns:
        `shares`, and per branch and layer (`all` three at once, or one with the others kept whole): the `curves` (mean
        score at each share, 1 included), the areas under them over [0, 1] of the sites (trapezoids from the lowest
        share on, scaled to the range seen), and `insertion_gain` = attention - random, `deletion_gain` = random -
        reverse, each with its interval over speakers; above 0 speaks for the attention.
    """
    rng = torch.Generator().manual_seed(seed)
    runs: dict[tuple[str, str, float], list[dict[str, np.ndarray]]] = {}
    whole: list[dict[str, np.ndarray]] = []
    for _, prepared in clips.prepared(progress):
        whole.append(_scored(clips, prepared, _everything))
        for where in LAYERS:
            layers = frozenset(range(3)) if where == "all" else frozenset({int(where[1]) - 1})
            for order in ORDERS:
                for share in shares:
                    choice = partial(_in_order, order, share, layers, rng)
                    runs.setdefault((where, order, share), []).append(_scored(clips, prepared, choice))
    at_all = stacked(whole)
    found = {key: stacked(parts) for key, parts in runs.items()}
    branches = {}
    for name in clips.branches:
        followed = partial(_followed, _first_label(at_all[name]))
        branches[name] = {
            where: _areas(
                clips,
                {
                    order: np.stack(
                        [*(followed(found[where, order, share][name]) for share in shares), followed(at_all[name])], 1
                    )
                    for order in ORDERS
                },
                np.array([*shares, 1.0]),
            )
            for where in LAYERS
        }
    return section(clips, shares=[*shares, 1.0], **branches)


def _followed(label_N: np.ndarray, scores_NE: np.ndarray) -> np.ndarray:
    return scores_NE[np.arange(len(label_N)), label_N]


def _areas(clips: Clips, curves: dict[str, np.ndarray], shares: np.ndarray) -> dict[str, Any]:
    """Of one branch and layer; `curves` are (N, shares) followed scores, NaN where a clip lacks the branch."""
    span = float(shares[-1] - shares[0])
    areas = {order: np.trapezoid(curve, shares, axis=1) / span for order, curve in curves.items()}
    known = np.isfinite(areas["random"])
    if not known.any():
        return {}
    groups = clips.groups[known]
    areas = {order: area[known] for order, area in areas.items()}
    return {
        "curves": {order: [round(float(v), 4) for v in curve[known].mean(0)] for order, curve in curves.items()},
        "insertion_auc": round(float(areas["attention"].mean()), 4),
        "deletion_auc": round(float(areas["reverse"].mean()), 4),
        "random_auc": round(float(areas["random"].mean()), 4),
        "insertion_gain": mean_estimate(areas["attention"] - areas["random"], groups),
        "deletion_gain": mean_estimate(areas["random"] - areas["reverse"], groups),
    }


# -------------------------------------------------------------------------------------------- keep only these sites
def _nucleus(
    top_p: float, counts: dict[tuple[str, int], Tensor], modality: str, layer: int, attention: Tensor, active: Tensor
) -> Tensor:
    kept = nucleus_mask(attention, active, top_p)
    counts[modality, layer] = kept.sum((1, 2))
    return kept


def _same_number(
    order: str,
    counts: dict[tuple[str, int], Tensor],
    rng: torch.Generator,
    modality: str,
    layer: int,
    attention: Tensor,
    active: Tensor,
) -> Tensor:
    return keep_count(_ranked(order, attention, rng), active, counts[modality, layer])


def _complement(top_p: float, modality: str, layer: int, attention: Tensor, active: Tensor) -> Tensor:
    rest = active & ~nucleus_mask(attention, active, top_p)
    alone = rest.sum((1, 2), keepdim=True) == 0
    return torch.where(alone, keep_count(-attention, active, torch.ones_like(alone[:, 0, 0], dtype=torch.long)), rest)


def keep_only(clips: Clips, *, draws: int = 3, seed: int = 0, progress: Progress | None = None) -> dict[str, Any]:
    """Keep only the nucleus, as many random sites, as many of the least attended, or everything but the nucleus.

    Returns:
        `draws`, and per branch and set of sites (`nucleus`, `random`, `least`, `complement`): `share` of all sites that
        it keeps over the three layers, `score` of the label put first with all sites, `same` (share of the clips whose
        first label stays), `accuracy` in percent; and `nucleus_gain` = score of the nucleus - of random sites, with its
        interval over speakers.
    """
    rng = torch.Generator().manual_seed(seed)
    repeats = {"nucleus": 1, "random": draws, "least": 1, "complement": 1}
    whole: list[dict[str, np.ndarray]] = []
    parts: dict[str, list[list[dict[str, np.ndarray]]]] = {name: [[] for _ in range(n)] for name, n in repeats.items()}
    kept: dict[str, dict[str, list[float]]] = {name: {b: [0.0, 0.0] for b in clips.branches} for name in repeats}
    for _, prepared in clips.prepared(progress):
        counts: dict[tuple[str, int], Tensor] = {}
        choices: dict[str, Choice] = {
            "nucleus": partial(_nucleus, clips.top_p, counts),
            "random": partial(_same_number, "random", counts, rng),
            "least": partial(_same_number, "reverse", counts, rng),
            "complement": partial(_complement, clips.top_p),
        }
        whole.append(_scored(clips, prepared, _everything))
        for name, found in parts.items():
            for draw in found:
                draw.append(_scored(clips, prepared, _counted(choices[name], kept[name])))
    runs = {name: [stacked(draw) for draw in found] for name, found in parts.items()}
    at_all = stacked(whole)
    branches = {}
    for branch in clips.branches:
        of_branch = {name: [draw[branch] for draw in found] for name, found in runs.items()}
        shares = {name: kept[name][branch][0] / max(kept[name][branch][1], 1.0) for name in repeats}
        branches[branch] = _sets(clips, at_all[branch], of_branch, shares)
    return section(clips, draws=draws, top_p=clips.top_p, **branches)


def _sets(
    clips: Clips, at_all: np.ndarray, runs: dict[str, list[np.ndarray]], shares: dict[str, float]
) -> dict[str, Any]:
    """The sets of sites of one branch; `runs` are (N, E) scores, one per draw."""
    first, truth, groups = _first_label(at_all), clips.truth, clips.groups
    followed = {name: np.mean([_followed(first, run) for run in found], axis=0) for name, found in runs.items()}
    known = np.isfinite(at_all).all(1)
    return {
        name: {
            "share": round(shares[name], 4),
            "score": mean_estimate(followed[name], groups),
            "same": mean_estimate(
                np.where(known, np.mean([_first_label(run) == first for run in found], axis=0), np.nan), groups
            ),
            "accuracy": mean_estimate(
                100 * np.mean([top_is_true(run, truth) for run in found], axis=0), groups, places=2
            ),
        }
        for name, found in runs.items()
    } | {"nucleus_gain": mean_estimate(followed["nucleus"] - followed["random"], groups)}


def _first_label(scores_NE: np.ndarray) -> np.ndarray:
    """(N,) the label put first; 0 where a clip lacks the branch, whose scores are NaN."""
    return np.where(np.isfinite(scores_NE), scores_NE, -1.0).argmax(1)


def _counted(choice: Callable[..., Tensor], tally: dict[str, list[float]]) -> Choice:
    def counted(modality: str, layer: int, attention: Tensor, active: Tensor) -> Tensor:
        kept = choice(modality, layer, attention, active)
        tally[modality][0] += float(kept.sum())
        tally[modality][1] += float(kept.numel())
        return kept

    return counted
