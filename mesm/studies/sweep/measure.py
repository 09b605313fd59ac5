"""One checkpoint at many top-p: what is gained and what it costs (Figure 5 of the paper)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from mesm.analysis.cost import CostReport
from mesm.analysis.predictor import Predictor
from mesm.config import check_top_p
from mesm.data.store import Corpus
from mesm.errors import ConfigError, DataError
from mesm.studies.evaluation.measure import Progress, batch_reports, labelled_batches, shared_labels
from mesm.training import metrics


@dataclass
class _Collected:
    """What a split gave at one top-p.

    Attributes:
        scores: a (B, E) array per batch, of all the checkpoint's labels.
        reports: cost of every utterance.
        seconds: of the work that depends on top-p.
    """

    scores: list[np.ndarray] = field(default_factory=list)
    reports: list[CostReport] = field(default_factory=list)
    seconds: float = 0.0


@dataclass
class _Run:
    """One checkpoint over one split: what each top-p gave, and what they share."""

    found: dict[float, _Collected]
    truth: np.ndarray
    clip_ids: list[str]
    shared_s: float


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
    against: Predictor | None = None,
    split: str = "test",
    batch_size: int = 16,
    draws: int = 1000,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Metrics, cost and time at every top-p, JSON-ready.

    The work that does not depend on top-p (text, stems) is done once per batch. The thresholds of each top-p are chosen
    on the validation split at that top-p, so that a shift of all scores does not look like a loss.

    Args:
        against: a model without attention (FE2E), scored and timed by the same rules in the same process.

    Raises:
        ConfigError: the checkpoint has no attention, or `against` has one.
        DataError: the corpus lacks one of the two splits.
    """
    labels = _check(predictor, corpus, split, against)
    all_ = len(corpus.ids("valid")) + len(corpus.ids(split))
    total = all_ * (1 if against is None else 2)

    def measure(one: Predictor, values: Sequence[float], done: int) -> tuple[list[dict[str, Any]], _Run]:
        valid = _run(one, corpus, "valid", labels, values, batch_size, progress, done, total)
        done += len(valid.clip_ids)
        tested = _run(one, corpus, split, labels, values, batch_size, progress, done, total)
        columns = [one.labels.index(label) for label in labels]
        groups = np.array([corpus.row(clip_id).group for clip_id in tested.clip_ids])
        return [_row(value, valid, tested, columns, labels, groups, draws) for value in values], tested

    rows, tested = measure(predictor, top_ps, 0)
    best = elbow([r["macs_ratio"] for r in rows], [r["wacc"] or 0.0 for r in rows])
    data = {
        "split": split,
        "labels": list(labels),
        "clips": len(tested.clip_ids),
        "speakers": len({corpus.row(clip_id).group for clip_id in tested.clip_ids}),
        "rows": rows,
        "elbow": {"top_p": rows[best]["top_p"], "by": "largest distance of WAcc above the chord over work (Kneedle)"},
        "trivial": metrics.trivial_rows(tested.truth, labels),
        "top_p_range": predictor.metrics.train.get("top_p_range", []),
        "clip_ids": tested.clip_ids,
    }
    if against is not None:
        (dense,), _ = measure(against, (1.0,), all_)
        data["against"] = {"checkpoint": against.name, "sha256": against.sha256, **dense, "top_p": None}
    return data


def _check(predictor: Predictor, corpus: Corpus, split: str, against: Predictor | None) -> tuple[str, ...]:
    """The labels that are scored, if these can be swept at all."""
    if not predictor.has_attention:
        raise ConfigError(f"checkpoint {predictor.name!r} has no attention, so there is no top-p to sweep; give a MESM")
    if against is not None and against.has_attention:
        raise ConfigError(f"checkpoint {against.name!r} has an attention; compare the sweep with an FE2E")
    labels = shared_labels(predictor, corpus)
    for needed in ("valid", split):
        if not corpus.ids(needed):
            raise DataError(
                f"corpus {corpus.name!r} has no split {needed!r}: thresholds are chosen on valid and scored on {split}; "
                "give the whole corpus"
            )
    if against is not None:
        missing = [label for label in labels if label not in against.labels]
        if missing:
            raise ConfigError(f"checkpoint {against.name!r} does not score {', '.join(missing)}; choose another FE2E")
    return labels


def _row(
    top_p: float,
    valid: _Run,
    tested: _Run,
    columns: list[int],
    labels: tuple[str, ...],
    groups: np.ndarray,
    draws: int,
) -> dict[str, Any]:
    """One top-p of a record: thresholds from valid, everything else from the tested split."""
    thresholds = metrics.choose_thresholds(np.concatenate(valid.found[top_p].scores)[:, columns], valid.truth)
    here = tested.found[top_p]
    scores = np.concatenate(here.scores)[:, columns]
    summary = metrics.summarise(scores, tested.truth, thresholds, labels)
    ratio = np.array([report.ratio for report in here.reports if report.fe2e_conv_stack])
    return {
        "top_p": top_p,
        **{k: summary[k] for k in ("accuracy", "wacc", "f1", "auc")},
        "interval": metrics.bootstrap_interval(scores, tested.truth, thresholds, groups, draws=draws),
        "macs_ratio": round(float(ratio.mean()), 4) if len(ratio) else None,
        "macs_ratio_range": [round(float(v), 4) for v in np.percentile(ratio, [5, 50, 95])] if len(ratio) else None,
        "macs": _mean([report.by_stage | report.totals for report in here.reports]),
        "macs_by_layer": _by_layer(here.reports),
        "ms_per_clip": round(1e3 * (here.seconds + tested.shared_s) / len(tested.clip_ids), 2),
        "per_clip_ratio": np.round(ratio, 4).tolist(),
        "thresholds": [float(t) for t in thresholds],
    }


def _mean(counts: list[dict[str, int]]) -> dict[str, int]:
    return {name: round(float(np.mean([c[name] for c in counts]))) for name in counts[0]}


def _by_layer(reports: list[CostReport]) -> list[dict[str, Any]]:
    """Mean MACs per utterance of every layer of every modality, in the order in which a clip passes them."""
    sums: dict[tuple[str, str, str], int] = {}
    for report in reports:
        for entry in report.entries:
            key = (entry.modality, entry.stage, entry.layer)
            sums[key] = sums.get(key, 0) + entry.macs
    return [
        {"modality": modality, "stage": stage, "layer": layer, "macs": round(macs / len(reports))}
        for (modality, stage, layer), macs in sums.items()
    ]


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
) -> _Run:
    """Every top-p over one split."""
    run = _Run({top_p: _Collected() for top_p in top_ps}, np.zeros((0, len(labels))), [], 0.0)
    truth = []
    for batch in labelled_batches(predictor, corpus, split, labels, batch_size).epoch(0):
        batch = batch.to(predictor.device)
        started = time.perf_counter()
        prepared = predictor.model.prepare(batch)
        run.shared_s += time.perf_counter() - started
        for top_p in top_ps:
            here = run.found[top_p]
            started = time.perf_counter()
            output = predictor.model.finish(prepared, top_p, trace=True)
            here.seconds += time.perf_counter() - started
            here.scores.append(output.scores_BE.cpu().numpy())
            here.reports += batch_reports(predictor, batch, output, top_p)
        assert batch.labels is not None
        truth.append(batch.labels.cpu().numpy())
        run.clip_ids += batch.clip_ids
        if progress is not None:
            progress(done + len(run.clip_ids), total)
    run.truth = np.concatenate(truth)
    return run
