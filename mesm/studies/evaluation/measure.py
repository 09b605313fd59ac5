"""Score a checkpoint on a corpus by the paper's protocol (Dai et al. 2021, section 5.2)."""

from __future__ import annotations

import numpy as np

from mesm.analysis.cost import CostReport
from mesm.analysis.predictor import Predictor
from mesm.analysis.tracing import clip_traces
from mesm.analysis.utterance_cost import utterance_costs
from mesm.batch import Batch
from mesm.config import check_top_p
from mesm.data.loading import SplitLoader
from mesm.data.store import Corpus, IndexRow
from mesm.errors import DataError
from mesm.models import ModelOutput
from mesm.records.evaluation import ClipScores, Evaluation, Scores, class_scores_from, intervals_from, scores_from
from mesm.runtime import Progress
from mesm.training import metrics
from mesm.training.scoring import SplitScores, clip_notes, loader_arguments, score_batches


def shared_labels(predictor: Predictor, corpus: Corpus) -> tuple[str, ...]:
    """Return the labels that checkpoint and corpus share, in the checkpoint's order.

    Raises:
        DataError: there is none.
    """
    both = tuple(label for label in predictor.labels if label in corpus.labels)
    if not both:
        raise DataError(
            f"checkpoint {predictor.name!r} scores {', '.join(predictor.labels)}, corpus {corpus.name!r} has "
            f"{', '.join(corpus.labels) or 'no labels'}: they share no label"
        )
    return both


def labelled_rows(corpus: Corpus, split: str) -> list[IndexRow]:
    """Return the index rows of a split that is to be scored.

    Raises:
        DataError: there is none, or one has no labels.
    """
    rows = [row for row in corpus.index if row.split == split]
    if not rows:
        raise DataError(f"corpus {corpus.name!r} has no split {split!r}")
    unlabelled = [row.clip_id for row in rows if row.labels is None]
    if unlabelled:
        raise DataError(
            f"{len(unlabelled)} of the {len(rows)} {split} clips of corpus {corpus.name!r} have no labels to score against "
            f"({unlabelled[0]!r}); label them, or score them with mesm predict"
        )
    return rows


def evaluate(
    predictor: Predictor,
    corpus: Corpus,
    split: str = "test",
    top_p: float | None = None,
    *,
    batch_size: int = 16,
    draws: int = 1000,
    progress: Progress | None = None,
) -> Evaluation:
    """Score every clip of a split and count its multiply-adds.

    Decisions use the checkpoint's own thresholds, which were chosen on its validation split. On a corpus with other
    labels the shared ones are scored.

    Args:
        top_p: nucleus mass in (0, 1]; the checkpoint's by default.
        draws: of speakers, for the intervals.
        progress: called with the clips scored and their number.

    Raises:
        ConfigError: top-p is outside (0, 1].
        DataError: the corpus has no such split, its clips have no labels, or it shares none with the checkpoint.
    """
    labels = shared_labels(predictor, corpus)
    columns = [predictor.labels.index(label) for label in labels]
    top_p = check_top_p(predictor.config.top_p if top_p is None else top_p)
    costs: list[dict[str, int]] = []
    named = labelled_rows(corpus, split)
    loader = labelled_batches(predictor, corpus, split, labels, batch_size)
    rows = loader.rows

    def on_output(batch: Batch, output: ModelOutput) -> None:
        costs.extend(report.by_stage | report.totals for report in batch_reports(predictor, batch, output, top_p))
        if progress is not None:
            progress(len(costs), len(rows))

    result = score_batches(
        predictor.model, loader.epoch(0), top_p, device=predictor.device, trace=True, on_output=on_output
    )
    scores, thresholds = result.scores[:, columns], predictor.thresholds[columns]
    group_of = {row.clip_id: row.group for row in rows}
    groups = np.array([group_of[clip_id] for clip_id in result.clip_ids])
    # NaN for a clip without face and sound; empty for a model without convolutions.
    ratios = np.array([c["conv_stack"] / (c["fe2e_conv_stack"] or np.nan) for c in costs])
    ratio = ratios[np.isfinite(ratios)]
    summary = metrics.summarise(scores, result.truth, thresholds, labels)
    estimates = metrics.mean_estimates([(scores, thresholds)], result.truth, groups, draws=draws)
    low, middle, high = np.percentile(ratio, [5, 50, 95]).round(4).tolist() if len(ratio) else (0.0, 0.0, 0.0)
    return Evaluation(
        split=split,
        top_p=top_p if predictor.has_attention else None,
        labels=labels,
        left_out=tuple(label for label in predictor.labels if label not in labels),
        clips=len(result.clip_ids),
        speakers=len(set(groups)),
        thresholds=tuple(metrics.to_json(t) for t in thresholds),
        average=scores_from(summary),
        per_class=class_scores_from(summary["per_class"]),
        interval=intervals_from(estimates),
        branches=_branch_auc(result, columns, predictor, labels),
        trivial=trivial_scores(result.truth, labels),
        macs_ratio=round(float(ratio.mean()), 4) if len(ratio) else None,
        macs_ratio_range=(low, middle, high) if len(ratio) else None,
        macs={stage: round(float(np.mean([c[stage] for c in costs]))) for stage in costs[0]},
        notes=clip_notes(predictor.config, named),
        per_clip=ClipScores(
            tuple(result.clip_ids),
            tuple(groups.tolist()),
            np.round(scores, 4),
            result.truth.astype(int),
            np.round(ratios if len(ratio) else ratio, 4),
        ),
    )


def trivial_scores(truth_NE: np.ndarray, labels: tuple[str, ...]) -> dict[str, Scores]:
    """Score answering "never", "always", and by chance with each label's frequency."""
    return {name: scores_from(row) for name, row in metrics.trivial_rows(truth_NE, labels).items()}


def labelled_batches(
    predictor: Predictor, corpus: Corpus, split: str, labels: tuple[str, ...], batch_size: int
) -> SplitLoader:
    """Return the loader of a split in stored order, with the inputs of the predictor's model."""
    inputs = loader_arguments(predictor.model, predictor.text_encoder, corpus, (split,))
    return SplitLoader(corpus, split, labels, batch_size=batch_size, modalities=predictor.config.modalities, **inputs)


def batch_reports(predictor: Predictor, batch: Batch, output: ModelOutput, top_p: float) -> list[CostReport]:
    """Count the multiply-adds of each clip of a traced batch, layer by layer."""
    counts = {"visual": batch.face_counts, "acoustic": batch.chunk_counts}
    counts = counts if batch.features is None else batch.features.counts
    counts = {m: counts[m] for m in predictor.config.modalities if m in counts}
    # The text encoder is left out (tokens = 0): it is the same for every model and p, and not part of the ratio.
    return utterance_costs(predictor.config, counts, clip_traces(output, counts, top_p))


def _branch_auc(
    result: SplitScores, columns: list[int], predictor: Predictor, labels: tuple[str, ...]
) -> dict[str, dict[str, float | None]]:
    """Return modality -> label -> AUC of that branch's own scores; empty for a model without branches."""
    modalities = predictor.config.modalities if predictor.model.has_branches else ()
    return {
        modality: {
            label: metrics.to_json(value)
            for label, value in zip(
                labels, metrics.auc(result.branch_scores[:, i][:, columns], result.truth), strict=True
            )
        }
        for i, modality in enumerate(modalities)
    }
