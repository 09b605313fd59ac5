"""Score a checkpoint on a corpus by the paper's protocol and write the record."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesm.analysis.cost import CostReport
from mesm.analysis.predictor import Predictor
from mesm.analysis.tracing import clip_traces
from mesm.analysis.utterance_cost import utterance_costs
from mesm.batch import Batch
from mesm.config import check_top_p
from mesm.data.loading import SplitLoader
from mesm.data.store import Corpus
from mesm.errors import DataError
from mesm.models import ModelOutput
from mesm.runtime import Progress
from mesm.training import metrics
from mesm.training.scoring import SplitScores, loader_arguments, score_batches


def shared_labels(predictor: Predictor, corpus: Corpus) -> tuple[str, ...]:
    """Labels that both the checkpoint and the corpus have, in the checkpoint's order.

    Raises:
        DataError: there is none.
    """
    both = tuple(label for label in predictor.labels if label in corpus.labels)
    if not both:
        raise DataError(
            f"checkpoint {predictor.name!r} scores {', '.join(predictor.labels)}, corpus {corpus.name!r} has "
            f"{', '.join(corpus.labels)}: they share no label"
        )
    return both


def evaluate(
    predictor: Predictor,
    corpus: Corpus,
    split: str = "test",
    top_p: float | None = None,
    *,
    batch_size: int = 16,
    draws: int = 1000,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Metrics, intervals over speakers, trivial rows and the cost of every utterance, JSON-ready.

    The thresholds are the checkpoint's own, chosen on its validation split. On a corpus with other labels the shared
    ones are scored, and the record says so.
    """
    labels = shared_labels(predictor, corpus)
    columns = [predictor.labels.index(label) for label in labels]
    top_p = check_top_p(predictor.config.top_p if top_p is None else top_p)
    costs: list[dict[str, int]] = []
    rows = [row for row in corpus.index if row.split == split]
    if not rows:
        raise DataError(f"corpus {corpus.name!r} has no split {split!r}")

    def on_output(batch: Batch, output: ModelOutput) -> None:
        costs.extend(batch_costs(predictor, batch, output, top_p))
        if progress is not None:
            progress(len(costs), len(rows))

    loader = labelled_batches(predictor, corpus, split, labels, batch_size)
    found = score_batches(
        predictor.model, loader.epoch(0), top_p, device=predictor.device, trace=True, on_output=on_output
    )
    scores, thresholds = found.scores[:, columns], predictor.thresholds[columns]
    speaker = {row.clip_id: row.group for row in rows}
    groups = np.array([speaker[c] for c in found.clip_ids])
    ratio = np.array([c["conv_stack"] / c["fe2e_conv_stack"] for c in costs if c["fe2e_conv_stack"]])
    summary = metrics.summarise(scores, found.truth, thresholds, labels)
    return {
        "split": split,
        "top_p": top_p if predictor.has_attention else None,
        "labels": list(labels),
        "left_out": [label for label in predictor.labels if label not in labels],
        "clips": len(found.clip_ids),
        "speakers": len(set(groups)),
        "thresholds": [float(t) for t in thresholds],
        **summary,
        "interval": metrics.bootstrap_interval(scores, found.truth, thresholds, groups, draws=draws),
        "branches": _branches(found, columns, predictor, labels),
        "trivial": metrics.trivial_rows(found.truth, labels),
        "macs_ratio": round(float(ratio.mean()), 4) if len(ratio) else None,
        "macs_ratio_range": [round(float(v), 4) for v in np.percentile(ratio, [5, 50, 95])] if len(ratio) else None,
        "macs": {stage: round(float(np.mean([c[stage] for c in costs]))) for stage in costs[0]},
        "per_clip": {
            "id": list(found.clip_ids),
            "speaker": groups.tolist(),
            "scores": np.round(scores, 4).tolist(),
            "truth": found.truth.astype(int).tolist(),
            "conv_stack_ratio": np.round(ratio, 4).tolist(),
        },
    }


def labelled_batches(
    predictor: Predictor, corpus: Corpus, split: str, labels: tuple[str, ...], batch_size: int
) -> SplitLoader:
    """Return the loader of a split in stored order, with the inputs of the predictor's model."""
    inputs = loader_arguments(predictor.model, predictor.text_encoder, corpus, (split,))
    return SplitLoader(corpus, split, labels, batch_size=batch_size, shuffle=False, **inputs)


def batch_costs(predictor: Predictor, batch: Batch, output: ModelOutput, top_p: float) -> list[dict[str, int]]:
    """Multiply-adds of each utterance of a traced batch: every stage and the totals."""
    return [report.by_stage | report.totals for report in batch_reports(predictor, batch, output, top_p)]


def batch_reports(predictor: Predictor, batch: Batch, output: ModelOutput, top_p: float) -> list[CostReport]:
    """The cost of each utterance of a traced batch, layer by layer."""
    counts = {"visual": batch.face_counts, "acoustic": batch.chunk_counts}
    counts = counts if batch.features is None else batch.features.counts
    counts = {m: counts[m] for m in predictor.config.modalities if m in counts}
    # The text encoder is left out (tokens = 0): it is the same for every model and p, and not part of the ratio.
    return utterance_costs(predictor.config, counts, clip_traces(output, counts, top_p))


def _branches(
    found: SplitScores, columns: list[int], predictor: Predictor, labels: tuple[str, ...]
) -> dict[str, dict[str, float | None]]:
    """AUC of each modality's own scores: what a branch knows, whatever the thresholds; empty without branches."""
    modalities = predictor.config.modalities if predictor.model.has_branches else ()
    return {
        modality: dict(
            zip(
                labels,
                map(metrics.to_json, metrics.auc(found.branch_scores[:, i][:, columns], found.truth)),
                strict=True,
            )
        )
        for i, modality in enumerate(modalities)
    }
