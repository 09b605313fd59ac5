"""Does the text speak through the mask? What a branch loses when it is asked with other clips' texts.

The pattern of kept sites depends on the text and can carry it into the face's and the voice's branch, which would then
answer with what was said rather than with what is seen and heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mesm.studies.faithfulness.evaluation_clips import Clips, Progress, section, stacked, top_is_true
from mesm.studies.faithfulness.intervals import mean_estimate
from mesm.training import metrics


def shuffled_texts(
    clips: Clips, shuffles: int = 5, *, seed: int = 0, progress: Progress | None = None
) -> dict[str, Any]:
    """What each branch's scores lose when the attention is asked with another clip's text.

    Returns:
        `clips`, `speakers`, `shuffles`, and per branch `accuracy` (the strongest score is a true label, clips with a
        label), `wacc` (chance 50) and `auc`, in percent: `own`, `shuffled` (mean over the shuffles), `cost` (own minus
        shuffled, with its interval for the accuracy). WAcc's thresholds are the best for the clips' own texts on these
        very clips, which favours them: its cost is if anything too high.
    """
    rng = np.random.default_rng(seed)
    texts = [row.text for row in clips.rows]
    asked = [texts, *([texts[i] for i in _derangement(len(texts), rng)] for _ in range(shuffles))]
    parts: list[list[dict[str, np.ndarray]]] = [[] for _ in asked]
    for part, prepared in clips.prepared(progress):
        for found, question in zip(parts, asked, strict=True):
            query = clips.queries(question[part])
            found.append(clips.branch_scores(clips.predictor.attention_model.finish(prepared, clips.top_p, query_BD=query)))
    runs = [stacked(found) for found in parts]
    return section(
        clips, shuffles=shuffles, **{name: _costs(clips, [run[name] for run in runs]) for name in clips.branches}
    )


def _derangement(count: int, rng: np.random.Generator) -> np.ndarray:
    """Another clip for each clip: a cycle through a random order; with one clip, itself."""
    order = rng.permutation(count)
    other = np.empty(count, int)
    other[order] = np.roll(order, 1)
    return other


def _costs(clips: Clips, runs: Sequence[np.ndarray]) -> dict[str, Any]:
    known = np.isfinite(runs[0]).all(1)
    truth, groups = clips.truth[known], clips.groups[known]
    runs = [run[known] for run in runs]
    if not len(truth):
        return {}
    right = np.stack([top_is_true(run, truth) for run in runs])
    thresholds = metrics.choose_thresholds(runs[0], truth)

    def wacc(run: np.ndarray) -> float:
        return float(np.nanmean(metrics.weighted_accuracy(metrics.count(run >= thresholds, truth))))

    measures = {
        "accuracy": [float(100 * np.nanmean(r)) if np.isfinite(r).any() else np.nan for r in right],
        "wacc": [wacc(run) for run in runs],
        "auc": [float(np.nanmean(metrics.auc(run, truth))) for run in runs],
    }
    found: dict[str, Any] = {}
    for name, (own, *others) in measures.items():
        mean = float(np.mean(others))
        found[name] = {k: metrics.to_json(v) for k, v in (("own", own), ("shuffled", mean), ("cost", own - mean))}
    cost = mean_estimate(100 * (right[0] - right[1:].mean(0)), groups, places=2)
    found["accuracy"]["interval"] = [cost["low"], cost["high"]]
    return found
