"""Measure whether the kept sites carry the score: the branch's score when other sites are kept, in order and at random.

In every run each kept site has the same gate (factor 1), so that the runs differ in the kept sites and in nothing else.
The score that is compared is that of the label that the branch puts first at the model's own top-p: at p = 1 a model that was
trained with less decides otherwise. That label is chosen under the nucleus, which favours the nucleus; accuracies do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from mesm.layers.nucleus import nucleus_mask
from mesm.models import Prepared
from mesm.records.faithfulness import (
    PRUNED_LAYERS,
    SITE_SETS,
    BranchKeepOnly,
    DeletionInsertion,
    KeepOnly,
    SiteCurves,
    SiteOrder,
    SiteSetScores,
)
from mesm.statistics import PERCENT_DIGITS, Speakers, rounded
from mesm.studies.faithfulness.evaluation_clips import EvaluationClips, Progress, concatenate_batches, strongest_is_true
from mesm.studies.faithfulness.interventions import Choice, finish_with_sites, keep_count, keep_share

#: Shares of the active sites at which the curves are read.
SHARES: tuple[float, ...] = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75)
#: Order in which sites are kept: most attended first, least attended first, or random.
ORDERS: tuple[str, ...] = ("attention", "reverse", "random")

#: Scores (B, E) of each branch, batch by batch.
_Batches = list[dict[str, np.ndarray]]


def keep_all(modality: str, layer: int, attention: Tensor, active: Tensor) -> Tensor:
    """Keep every active site."""
    return active


def _rank(order: str, attention: Tensor, rng: torch.Generator) -> Tensor:
    """Return values by which the sites are kept, highest first."""
    if order == "random":
        return torch.rand(attention.shape, generator=rng).to(attention.device)
    return attention if order == "attention" else -attention


def keep_in_order(order: str, share: float, pruned: str, rng: torch.Generator) -> Choice:
    """Return the choice of the first `share` of the active sites in one of `ORDERS`, in one of `PRUNED_LAYERS`."""

    def choose(modality: str, layer: int, attention: Tensor, active: Tensor) -> Tensor:
        if pruned not in ("all", f"L{layer + 1}"):
            return active
        return keep_share(_rank(order, attention, rng), active, share)

    return choose


def _branch_scores(clips: EvaluationClips, prepared: Prepared, choice: Choice) -> dict[str, np.ndarray]:
    scores = clips.branch_scores(finish_with_sites(clips.predictor.attention_model, prepared, choice))
    return {name: scores[name] for name in clips.branches}


@torch.no_grad()
def _own_scores(clips: EvaluationClips, prepared: Prepared) -> dict[str, np.ndarray]:
    """Return the scores (B, E) of each branch as the model gives them, at the clips' top-p."""
    scores = clips.branch_scores(clips.predictor.attention_model.finish(prepared, clips.top_p))
    return {name: scores[name] for name in clips.branches}


def _first_label(scores_NE: np.ndarray) -> np.ndarray:
    """Return the (N,) label with the highest score; 0 where a clip lacks the branch, whose scores are NaN."""
    return np.where(np.isfinite(scores_NE), scores_NE, -1.0).argmax(1)


def _score_of(label_N: np.ndarray, scores_NE: np.ndarray) -> np.ndarray:
    return scores_NE[np.arange(len(label_N)), label_N]


# --------------------------------------------------------------------------------------------- deletion and insertion
def deletion_insertion(
    clips: EvaluationClips, *, shares: Sequence[float] = SHARES, seed: int = 0, progress: Progress | None = None
) -> SiteOrder:
    """Measure scores when sites are kept in the order of the attention, against it, and at random.

    *Insertion* keeps the most attended share; *deletion* removes the most attended, so at share q it keeps the q least
    attended. Source: Petsiuk et al. 2018 (RISE); limits: Gomez et al. 2022. Areas are computed by trapezoids.
    """
    rng = torch.Generator().manual_seed(seed)
    batches: dict[tuple[str, str, float], _Batches] = {}
    whole_batches: _Batches = []
    own_batches: _Batches = []
    for _, _, prepared in clips.batches(progress):
        own_batches.append(_own_scores(clips, prepared))
        whole_batches.append(_branch_scores(clips, prepared, keep_all))
        for pruned in PRUNED_LAYERS:
            for order in ORDERS:
                for share in shares:
                    scores = _branch_scores(clips, prepared, keep_in_order(order, share, pruned, rng))
                    batches.setdefault((pruned, order, share), []).append(scores)
    own, whole = concatenate_batches(own_batches), concatenate_batches(whole_batches)
    runs = {key: concatenate_batches(parts) for key, parts in batches.items()}
    rising = (*shares, 1.0)

    def curve(branch: str, pruned: str, order: str) -> np.ndarray:
        """(N, shares) scores of the first label."""
        label = _first_label(own[branch])
        at_share = [*(runs[pruned, order, share] for share in shares), whole]
        return np.stack([_score_of(label, run[branch]) for run in at_share], 1)

    branches = {}
    for branch in clips.branches:
        known = np.isfinite(whole[branch]).all(1)
        if known.any():
            speakers = Speakers(clips.groups[known])
            branches[branch] = {
                pruned: _areas({order: curve(branch, pruned, order)[known] for order in ORDERS}, rising, speakers)
                for pruned in PRUNED_LAYERS
            }
    size = clips.size
    return SiteOrder(size.clips, size.speakers, rising, branches, clips.top_p)


def _areas(curves: dict[str, np.ndarray], shares: Sequence[float], speakers: Speakers) -> DeletionInsertion:
    """Return the areas under the (N, shares) curves of one branch, scaled to the range of the shares."""
    span = shares[-1] - shares[0]
    insertion, deletion, random = (np.trapezoid(curves[order], shares, axis=1) / span for order in ORDERS)
    return DeletionInsertion(
        SiteCurves(*(tuple(round(float(v), 4) for v in curves[order].mean(0)) for order in ORDERS)),
        insertion_auc=round(float(insertion.mean()), 4),
        deletion_auc=round(float(deletion.mean()), 4),
        random_auc=round(float(random.mean()), 4),
        insertion_gain=speakers.mean(insertion - random),
        deletion_gain=speakers.mean(random - deletion),
    )


# -------------------------------------------------------------------------------------------- keep only these sites
class _SiteSets:
    """Choose one batch's `SITE_SETS`; the nucleus comes first, since two sets keep as many sites as it does."""

    def __init__(self, top_p: float, rng: torch.Generator) -> None:
        self.top_p, self.rng = top_p, rng
        self.nucleus_counts: dict[tuple[str, int], Tensor] = {}

    def nucleus(self, modality: str, layer: int, attention: Tensor, active: Tensor) -> Tensor:
        kept = nucleus_mask(attention, active, self.top_p)
        self.nucleus_counts[modality, layer] = kept.sum((1, 2))
        return kept

    def random(self, modality: str, layer: int, attention: Tensor, active: Tensor) -> Tensor:
        return keep_count(_rank("random", attention, self.rng), active, self.nucleus_counts[modality, layer])

    def least(self, modality: str, layer: int, attention: Tensor, active: Tensor) -> Tensor:
        return keep_count(-attention, active, self.nucleus_counts[modality, layer])

    def complement(self, modality: str, layer: int, attention: Tensor, active: Tensor) -> Tensor:
        """Keep the active sites outside the nucleus; the least attended one where the nucleus is all of them."""
        rest = active & ~nucleus_mask(attention, active, self.top_p)
        empty = rest.sum((1, 2), keepdim=True) == 0
        one = torch.ones(len(active), dtype=torch.long, device=active.device)
        return torch.where(empty, keep_count(-attention, active, one), rest)


class _ShareCounter:
    """Count the kept and all sites of each branch over the runs of one set."""

    def __init__(self, branches: Sequence[str]) -> None:
        self._sums = {branch: [0.0, 0.0] for branch in branches}

    def share(self, branch: str) -> float:
        """Return the share of all sites that was kept."""
        kept, every = self._sums[branch]
        return kept / max(every, 1.0)

    def count(self, choice: Callable[..., Tensor]) -> Choice:
        """Return the choice, counted whenever it is made."""

        def choose(modality: str, layer: int, attention: Tensor, active: Tensor) -> Tensor:
            kept = choice(modality, layer, attention, active)
            self._sums[modality][0] += float(kept.sum())
            self._sums[modality][1] += float(kept.numel())
            return kept

        return choose


def keep_only(clips: EvaluationClips, *, draws: int = 3, seed: int = 0, progress: Progress | None = None) -> KeepOnly:
    """Measure scores when only one of `SITE_SETS` is kept."""
    rng = torch.Generator().manual_seed(seed)
    own_batches: _Batches = []
    batches: dict[str, list[_Batches]] = {
        name: [[] for _ in range(draws if name == "random" else 1)] for name in SITE_SETS
    }
    counters = {name: _ShareCounter(clips.branches) for name in SITE_SETS}
    for _, _, prepared in clips.batches(progress):
        sets = _SiteSets(clips.top_p, rng)
        own_batches.append(_own_scores(clips, prepared))
        for name, draws_of_set in batches.items():
            for draw in draws_of_set:
                draw.append(_branch_scores(clips, prepared, counters[name].count(getattr(sets, name))))
    own = concatenate_batches(own_batches)
    runs = {name: [concatenate_batches(draw) for draw in draws_of_set] for name, draws_of_set in batches.items()}
    branches = {
        branch: _branch_keep_only(
            clips,
            own[branch],
            {name: np.stack([run[branch] for run in draws_of_set]) for name, draws_of_set in runs.items()},
            {name: counter.share(branch) for name, counter in counters.items()},
        )
        for branch in clips.branches
    }
    size = clips.size
    return KeepOnly(size.clips, size.speakers, draws, clips.top_p, branches, clips.top_p)


def _branch_keep_only(
    clips: EvaluationClips, own_NE: np.ndarray, runs: dict[str, np.ndarray], shares: dict[str, float]
) -> BranchKeepOnly:
    """Summarise the sets of sites of one branch; `runs` are (draws, N, E) scores, `own_NE` those of the free model."""
    label, known, speakers = _first_label(own_NE), np.isfinite(own_NE).all(1), Speakers(clips.groups)
    score = {
        name: np.mean([_score_of(label, run) for run in runs_of_set], axis=0) for name, runs_of_set in runs.items()
    }
    right = {
        name: 100 * np.mean([strongest_is_true(run, clips.truth) for run in runs_of_set], axis=0)
        for name, runs_of_set in runs.items()
    }

    def summarise(name: str) -> SiteSetScores:
        same = np.mean([_first_label(run) == label for run in runs[name]], axis=0)
        return SiteSetScores(
            rounded(shares[name]) or 0.0,
            speakers.mean(score[name]),
            speakers.mean(np.where(known, same, np.nan)),
            speakers.mean(right[name], PERCENT_DIGITS),
        )

    return BranchKeepOnly(
        **{name: summarise(name) for name in SITE_SETS},
        nucleus_gain=speakers.mean(score["nucleus"] - score["random"]),
        accuracy_gain=speakers.mean(right["nucleus"] - right["random"], PERCENT_DIGITS),
    )
