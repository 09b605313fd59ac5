"""One checkpoint at many top-p: what is gained and what it costs (Figure 5 of the paper)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from mesm.analysis.evaluation import Progress, batch_costs, labelled_batches, shared_labels
from mesm.analysis.predictor import Predictor
from mesm.config import check_top_p
from mesm.data.store import Corpus
from mesm.errors import ConfigError
from mesm.training import metrics


@dataclass
class _Collected:
    """What a split gave at one top-p."""

    scores: list[np.ndarray] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    seconds: float = 0.0


def parse_range(text: str) -> tuple[float, ...]:
    """`0.1:1.0:0.1` (both ends included) or `0.3,0.5` as top-p values.

    Raises:
        ConfigError: the text is neither, or a value lies outside (0, 1].
    """
    try:
        if ":" in text:
            low, high, step = (float(x) for x in text.split(":"))
            values = [low + i * step for i in range(round((high - low) / step) + 1)]
        else:
            values = [float(x) for x in text.split(",")]
    except (ValueError, ZeroDivisionError) as error:
        raise ConfigError(f"--top-p {text!r} must look like 0.1:1.0:0.1 or 0.3,0.5") from error
    return tuple(check_top_p(round(v, 6)) for v in values)


def elbow(costs: Sequence[float], gains: Sequence[float]) -> int:
    """Index of the point furthest above the line from the cheapest to the dearest point, both axes scaled to [0, 1].

    Source: Satopaa et al. 2011, "Finding a 'Kneedle' in a Haystack", without its smoothing.
    """
    x, y = np.asarray(costs, float), np.asarray(gains, float)
    x = (x - x.min()) / max(np.ptp(x), 1e-12)
    y = (y - y.min()) / max(np.ptp(y), 1e-12)
    order = np.argsort(x)
    line = np.interp(x, [0, 1], [y[order[0]], y[order[-1]]])
    return int(np.argmax(y - line))


def sweep(
    predictor: Predictor,
    corpus: Corpus,
    top_ps: Sequence[float],
    *,
    split: str = "test",
    batch_size: int = 16,
    draws: int = 1000,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Metrics, cost and time at every top-p, JSON-ready.

    The work that does not depend on top-p (text, stems) is done once per batch. The thresholds of each top-p are chosen
    on the validation split at that top-p, so that a shift of all scores does not look like a loss.

    Raises:
        ConfigError: the checkpoint has no attention.
    """
    if not predictor.has_attention:
        raise ConfigError(f"checkpoint {predictor.name!r} has no attention, so there is no top-p to sweep; give a MESM")
    labels = shared_labels(predictor, corpus)
    columns = [predictor.labels.index(label) for label in labels]
    total = sum(len(corpus.ids(s)) for s in ("valid", split))
    valid, valid_truth, valid_ids, _ = _run(predictor, corpus, "valid", labels, top_ps, batch_size, progress, 0, total)
    test, truth, ids, shared_s = _run(
        predictor, corpus, split, labels, top_ps, batch_size, progress, len(valid_ids), total
    )
    groups = np.array([corpus.row(clip_id).speaker or clip_id for clip_id in ids])
    rows = []
    for top_p in top_ps:
        thresholds = metrics.choose_thresholds(np.concatenate(valid[top_p].scores)[:, columns], valid_truth)
        scores = np.concatenate(test[top_p].scores)[:, columns]
        summary = metrics.summarise(scores, truth, thresholds, labels)
        ratio = np.array(test[top_p].ratios)
        rows.append(
            {
                "top_p": top_p,
                **{k: summary[k] for k in ("accuracy", "wacc", "f1", "auc")},
                "interval": metrics.bootstrap_interval(scores, truth, thresholds, groups, draws=draws),
                "macs_ratio": round(float(ratio.mean()), 4),
                "macs_ratio_range": [round(float(v), 4) for v in np.percentile(ratio, [5, 50, 95])],
                "ms_per_clip": round(1e3 * (test[top_p].seconds + shared_s) / len(ids), 2),
                "per_clip_ratio": np.round(ratio, 4).tolist(),
                "thresholds": [float(t) for t in thresholds],
            }
        )
    best = elbow([r["macs_ratio"] for r in rows], [r["wacc"] or 0.0 for r in rows])
    return {
        "split": split,
        "labels": list(labels),
        "clips": len(ids),
        "speakers": len(set(groups)),
        "rows": rows,
        "elbow": {"top_p": rows[best]["top_p"], "by": "largest distance of WAcc above the chord over work (Kneedle)"},
        "trivial": metrics.trivial_rows(truth, labels),
        "top_p_range": list(predictor.metrics.get("train", {}).get("top_p_range", [])),
    }


@torch.no_grad()
def _run(
    predictor: Predictor,
    corpus: Corpus,
    split: str,
    labels: tuple[str, ...],
    top_ps: Sequence[float],
    batch_size: int,
    progress: Progress | None,
    done: int,
    total: int,
) -> tuple[dict[float, _Collected], np.ndarray, list[str], float]:
    """Every top-p over one split: what each gave, the truth, the clip ids, and the seconds of the shared work."""
    found = {top_p: _Collected() for top_p in top_ps}
    truth, shared_s = [], 0.0
    ids: list[str] = []
    for batch in labelled_batches(predictor, corpus, split, labels, batch_size).epoch(0):
        batch = batch.to(predictor.device)
        started = time.perf_counter()
        prepared = predictor.model.prepare(batch)
        shared_s += time.perf_counter() - started
        for top_p in top_ps:
            started = time.perf_counter()
            output = predictor.model.finish(prepared, top_p, trace=True)
            found[top_p].seconds += time.perf_counter() - started
            found[top_p].scores.append(output.scores_BE.cpu().numpy())
            costs = batch_costs(predictor, batch, output, top_p)
            found[top_p].ratios += [c["conv_stack"] / c["fe2e_conv_stack"] for c in costs if c["fe2e_conv_stack"]]
        assert batch.labels is not None
        truth.append(batch.labels.cpu().numpy())
        ids += batch.clip_ids
        if progress is not None:
            progress(done + len(ids), total)
    return found, np.concatenate(truth), ids, shared_s
