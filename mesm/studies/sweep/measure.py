"""Measure one checkpoint at many top-p: scores, multiply-adds and time (Figure 5 of the paper)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from mesm.analysis.cost import CostReport
from mesm.analysis.predictor import Predictor
from mesm.data.store import Corpus
from mesm.errors import ConfigError, DataError
from mesm.records.evaluation import Scores, intervals_from
from mesm.records.sweep import DenseReference, LayerMacs, Sweep, SweepPoint
from mesm.studies.evaluation.measure import (
    Progress,
    batch_reports,
    labelled_batches,
    labelled_rows,
    shared_labels,
    trivial_scores,
)
from mesm.studies.evaluation.timing import ms_per_clip, timed_on
from mesm.studies.sweep.top_ps import find_elbow
from mesm.training import metrics
from mesm.training.scoring import clip_notes


@dataclass
class _Outputs:
    """Outputs of a model on a split at one top-p.

    Attributes:
        scores: a (B, E) array per batch, of all the checkpoint's labels.
        reports: multiply-adds of every clip.
    """

    scores: list[np.ndarray] = field(default_factory=list)
    reports: list[CostReport] = field(default_factory=list)


@dataclass
class _SplitPass:
    """Hold one model's pass over a split: the outputs at each top-p, and the values that all of them share.

    Attributes:
        truth_NE: 0 or 1.
    """

    outputs: dict[float, _Outputs]
    truth_NE: np.ndarray
    clip_ids: list[str]


@dataclass(frozen=True)
class _Protocol:
    """Hold the rules by which the checkpoint and FE2E are measured alike."""

    corpus: Corpus
    split: str
    labels: tuple[str, ...]
    batch_size: int
    draws: int
    #: Called with the number of clips of each batch that is done.
    advance: Callable[[int], None]


def measure_sweep(
    predictor: Predictor,
    corpus: Corpus,
    top_ps: Sequence[float],
    *,
    against: Predictor | None = None,
    split: str = "test",
    batch_size: int = 16,
    draws: int = 1000,
    progress: Progress | None = None,
) -> Sweep:
    """Measure scores, multiply-adds and time at every top-p.

    The part of the model that does not depend on top-p (text encoder, stems) runs once per batch. The thresholds of each
    top-p are chosen on the validation split at that top-p, so that a shift of all scores does not look like a loss; at the
    checkpoint's own top-p, and on a corpus without that split, they are the checkpoint's.

    Args:
        against: an FE2E, scored and timed by the same rules in the same process.
        draws: bootstrap samples of the intervals over speakers.
        progress: called with the clips done and the clips in total, of both splits and both models.

    Raises:
        ConfigError: the checkpoint has no attention, or `against` is no FE2E.
        DataError: the corpus lacks the split, or its clips labels, faces and sound.
    """
    labels = _check(predictor, corpus, split, against)
    total = (len(corpus.ids("valid")) + len(corpus.ids(split))) * (1 if against is None else 2)
    done = 0

    def advance(clips: int) -> None:
        nonlocal done
        done += clips
        if progress is not None:
            progress(done, total)

    protocol = _Protocol(corpus, split, labels, batch_size, draws, advance)
    runs: list[tuple[Predictor, float | None]] = [(predictor, top_p) for top_p in top_ps]
    times = ms_per_clip([*runs, *([(against, None)] if against is not None else [])], corpus, split)
    points, tested = _measure_points(predictor, protocol, top_ps, times)
    best = find_elbow([point.macs_ratio for point in points], [point.average.wacc for point in points])
    reference = None
    if against is not None:
        (point,), _ = _measure_points(against, protocol, (1.0,), times[-1:])
        reference = DenseReference(against.name, against.sha256, point)
    return Sweep(
        split=split,
        labels=protocol.labels,
        clips=len(tested.clip_ids),
        speakers=len(set(_groups(corpus, tested.clip_ids))),
        points=tuple(points),
        elbow=None if best is None else points[best].top_p,
        trivial=trivial_scores(tested.truth_NE, protocol.labels),
        clip_ids=tuple(tested.clip_ids),
        top_p_range=predictor.metrics.top_p_range,
        reference=reference,
        positives=tuple(int(count) for count in tested.truth_NE.sum(0)),
        own_thresholds=not corpus.ids("valid"),
        notes=clip_notes(predictor.config, labelled_rows(corpus, split)),
        timed_on=timed_on(predictor.device),
    )


def _check(predictor: Predictor, corpus: Corpus, split: str, against: Predictor | None) -> tuple[str, ...]:
    """Return the labels to score, if the checkpoint can be swept on this corpus."""
    if not predictor.has_attention:
        raise ConfigError(f"checkpoint {predictor.name!r} has no attention, so there is no top-p to sweep; give a MESM")
    if against is not None and against.config.name != "fe2e":
        raise ConfigError(f"checkpoint {against.name!r} is {against.config.name}; compare the sweep with an FE2E")
    labels = shared_labels(predictor, corpus)
    for needed in (split, *(("valid",) if corpus.ids("valid") else ())):
        labelled_rows(corpus, needed)
    if against is not None:
        missing = [label for label in labels if label not in against.labels]
        if missing:
            raise ConfigError(f"checkpoint {against.name!r} does not score {', '.join(missing)}; choose another FE2E")
    return labels


def _groups(corpus: Corpus, clip_ids: Sequence[str]) -> list[str]:
    """Return the groups that the intervals resample: the speaker of every clip, or the clip of an unknown one."""
    return [corpus.row(clip_id).group for clip_id in clip_ids]


def _measure_points(
    predictor: Predictor, protocol: _Protocol, top_ps: Sequence[float], times: Sequence[float | None]
) -> tuple[list[SweepPoint], _SplitPass]:
    """Return a point per top-p with its milliseconds, and the pass over the scored split."""
    valid, tested = (_run_split(predictor, protocol, split, top_ps) for split in ("valid", protocol.split))
    points = [
        _point(predictor, protocol, top_p, ms or 0.0, valid, tested) for top_p, ms in zip(top_ps, times, strict=False)
    ]
    return points, tested


def _has_own_thresholds(predictor: Predictor, corpus: Corpus, top_p: float) -> bool:
    """Return whether the checkpoint's thresholds were chosen on this corpus at this top-p: its evaluation uses them."""
    own = predictor.metrics
    same_p = not predictor.has_attention or top_p == own.thresholds_top_p
    return bool(own.thresholds) and own.trained_on == corpus.name and same_p


def _point(
    predictor: Predictor, protocol: _Protocol, top_p: float, ms: float, valid: _SplitPass, tested: _SplitPass
) -> SweepPoint:
    """Return one point: thresholds from the validation split, everything else from the scored split."""
    labels, outputs = protocol.labels, tested.outputs[top_p]
    columns = [predictor.labels.index(label) for label in labels]
    thresholds = predictor.thresholds[columns]
    if valid.clip_ids and not _has_own_thresholds(predictor, protocol.corpus, top_p):
        valid_scores = np.concatenate(valid.outputs[top_p].scores)[:, columns]
        thresholds = metrics.choose_thresholds(valid_scores, valid.truth_NE)
    scores = np.concatenate(outputs.scores)[:, columns]
    summary = metrics.summarise(scores, tested.truth_NE, thresholds, labels)
    groups = np.array(_groups(protocol.corpus, tested.clip_ids))
    estimates = metrics.mean_estimates([(scores, thresholds)], tested.truth_NE, groups, draws=protocol.draws)
    ratios = np.array([report.ratio for report in outputs.reports])  # NaN for a clip without face and sound
    if np.isnan(ratios).all():
        raise DataError(
            f"no {protocol.split} clip of corpus {protocol.corpus.name!r} has a face or sound to be selected from"
        )
    low, middle, high = (round(float(v), 4) for v in np.nanpercentile(ratios, [5, 50, 95]))
    counts = [report.by_stage | report.totals for report in outputs.reports]
    return SweepPoint(
        top_p=top_p if predictor.has_attention else None,
        average=Scores(**{name: summary[name] for name in ("accuracy", "wacc", "f1", "auc")}),
        interval=intervals_from(estimates),
        macs_ratio=round(float(np.nanmean(ratios)), 4),
        macs_ratio_range=(low, middle, high),
        ms_per_clip=ms,
        per_clip_ratio=tuple(None if np.isnan(ratio) else round(float(ratio), 4) for ratio in ratios),
        thresholds=tuple(metrics.to_json(t) for t in thresholds),
        macs={name: round(float(np.mean([c[name] for c in counts]))) for name in counts[0]},
        macs_by_layer=_mean_macs_by_layer(outputs.reports),
    )


def _mean_macs_by_layer(reports: list[CostReport]) -> tuple[LayerMacs, ...]:
    """Return the mean multiply-adds per clip of every layer, in the order in which a clip passes them."""
    sums: dict[tuple[str, str, str], int] = {}
    for report in reports:
        for entry in report.entries:
            key = (entry.modality, entry.stage, entry.layer)
            sums[key] = sums.get(key, 0) + entry.macs
    return tuple(LayerMacs(*key, round(macs / len(reports))) for key, macs in sums.items())


@torch.no_grad()
def _run_split(predictor: Predictor, protocol: _Protocol, split: str, top_ps: Sequence[float]) -> _SplitPass:
    """Run a model over one split at every top-p."""
    result = _SplitPass({top_p: _Outputs() for top_p in top_ps}, np.zeros((0, len(protocol.labels))), [])
    if not protocol.corpus.ids(split):
        return result
    truth = []
    for batch in labelled_batches(predictor, protocol.corpus, split, protocol.labels, protocol.batch_size).epoch(0):
        batch = batch.to(predictor.device)
        prepared = predictor.model.prepare(batch)
        for top_p, outputs in result.outputs.items():
            output = predictor.model.finish(prepared, top_p, trace=True)
            outputs.scores.append(output.scores_BE.cpu().numpy())
            outputs.reports += batch_reports(predictor, batch, output, top_p)
        assert batch.labels is not None
        truth.append(batch.labels.cpu().numpy())
        result.clip_ids += batch.clip_ids
        protocol.advance(len(batch.clip_ids))
    result.truth_NE = np.concatenate(truth)
    return result
