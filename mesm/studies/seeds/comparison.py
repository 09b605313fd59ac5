"""Average one model over its seeds, and compare two models on the same clips: from records, without a model.

Shape legend: N clips, E emotions, R runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import cast

import numpy as np

from mesm.errors import ConfigError, DataError
from mesm.json_form import Json
from mesm.records.comparison import ComparedModel, Comparison, PairedDifference
from mesm.records.evaluation import METRICS, ClassScores, Evaluation, ScoredModel, Scores, intervals_from
from mesm.records.seeds import SeedClipScores, SeedRun, SeedsSummary
from mesm.training import metrics

#: Settings in which runs of one model may differ.
_FREE = {"seed", "corpus", "init_from"}


@dataclass(frozen=True)
class ScoredRuns:
    """Hold N clips scored by R runs of a model.

    Attributes:
        runs: per run (N, E) scores and (E,) thresholds.
        truth_NE: 0 or 1.
        speakers_N: groups that the intervals resample.
    """

    runs: tuple[metrics.Answers, ...]
    ids: tuple[str, ...]
    truth_NE: np.ndarray
    speakers_N: np.ndarray
    labels: tuple[str, ...]


def scored_runs(data: Evaluation | SeedsSummary) -> ScoredRuns:
    """Return the clips of an evaluation or of a summary over seeds."""
    clips = data.per_clip
    scores = np.asarray(clips.scores, float)
    if isinstance(data, SeedsSummary):
        runs = tuple((s, np.array(run.thresholds)) for s, run in zip(scores, data.runs, strict=True))
    else:
        runs = ((scores, np.array(data.thresholds)),)
    return ScoredRuns(runs, clips.ids, np.asarray(clips.truth, int), np.array(clips.speakers), data.labels)


def average_over_seeds(evaluations: Sequence[Evaluation], names: Sequence[str], seeds: Sequence[int]) -> SeedsSummary:
    """Average evaluations of one model's runs: means, spread (n - 1), and the mean's interval over speakers.

    Args:
        evaluations: of one split of one corpus.
        names: of the checkpoints.
        seeds: of their trainings.

    Raises:
        DataError: they are not of the same clips and labels.
    """
    first, scored = evaluations[0], [scored_runs(evaluation) for evaluation in evaluations]
    for other, name in zip(scored[1:], names[1:], strict=True):
        _match_clips(scored[0], other, f"{names[0]} and {name}")
    mean, spread = mean_and_spread([vars(e.average) | {"macs_ratio": e.macs_ratio} for e in evaluations])
    answers = [answer for runs in scored for answer in runs.runs]
    return SeedsSummary(
        split=first.split,
        top_p=first.top_p,
        labels=first.labels,
        clips=first.clips,
        speakers=first.speakers,
        average=Scores(**{metric: mean.get(metric) for metric in METRICS}),
        per_class={label: _mean_class_scores([e.per_class[label] for e in evaluations]) for label in first.labels},
        interval=intervals_from(metrics.mean_estimates(answers, scored[0].truth_NE, scored[0].speakers_N)),
        trivial=first.trivial,
        macs_ratio=mean.get("macs_ratio"),
        spread=spread if len(evaluations) > 1 else {},
        runs=tuple(
            SeedRun(name, seed, e.average, e.macs_ratio, e.thresholds, e.interval)
            for e, name, seed in zip(evaluations, names, seeds, strict=True)
        ),
        per_clip=SeedClipScores(
            first.per_clip.ids,
            first.per_clip.speakers,
            np.stack([e.per_clip.scores for e in evaluations]),
            first.per_clip.truth,
        ),
    )


def mean_and_spread(rows: Sequence[Mapping[str, float | None]]) -> tuple[dict[str, float], dict[str, float]]:
    """Return mean and sample standard deviation (n - 1) of every value that all rows have."""
    shared = [name for name in rows[0] if all(row.get(name) is not None for row in rows)]
    known = [{name: float(cast(float, row[name])) for name in shared} for row in rows]
    table = metrics.over_seeds(known)
    return {k: v["mean"] for k, v in table.items()}, {k: v["spread"] for k, v in table.items()}


def _mean_class_scores(rows: Sequence[ClassScores]) -> ClassScores:
    """Average one emotion's metrics over runs; None where a run has none."""
    values = {f.name: [getattr(row, f.name) for row in rows] for f in fields(Scores)}
    means = {n: None if None in v else metrics.to_json(float(np.mean(v))) for n, v in values.items()}
    return ClassScores(**means, positives=rows[0].positives)


def check_only_seeds_differ(configs: Mapping[str, Mapping[str, Json]]) -> None:
    """Refuse runs whose settings differ in more than the seed and the checkpoint they started from.

    Raises:
        ConfigError: two runs differ in a setting.
    """
    (first, settings), *others = configs.items()
    for name, other in others:
        for key in sorted(set(settings) | set(other)):
            if key not in _FREE and settings.get(key) != other.get(key):
                raise ConfigError(
                    f"{first} and {name} differ in {key} ({settings.get(key)!r} and {other.get(key)!r}), not in their "
                    "seed alone; give runs of one model, or compare two with mesm compare"
                )


def compare(
    first: Evaluation | SeedsSummary,
    second: Evaluation | SeedsSummary,
    names: tuple[str, str] = ("first", "second"),
    draws: int = 2000,
) -> Comparison:
    """Return the differences first - second in WAcc and F1, in points, by a paired bootstrap over speakers.

    Raises:
        DataError: they are not of the same clips and labels; these may be in another order.
    """
    a, b = scored_runs(first), scored_runs(second)
    b = _in_order_of(a.labels, b)
    order = _match_clips(a, b, " and ".join(names))
    moved = tuple((scores[order], thresholds) for scores, thresholds in b.runs)
    return Comparison(
        split=first.split,
        labels=a.labels,
        clips=len(a.ids),
        speakers=len(set(a.speakers_N.tolist())),
        draws=draws,
        first=_compared_model(first, names[0]),
        second=_compared_model(second, names[1]),
        difference=paired_differences(a.runs, moved, a.truth_NE, a.speakers_N, draws),
    )


def paired_differences(
    first: Sequence[metrics.Answers],
    second: Sequence[metrics.Answers],
    truth_NE: np.ndarray,
    speakers_N: np.ndarray,
    draws: int,
) -> dict[str, PairedDifference]:
    """Return metric -> difference of the means over runs, first - second, with its interval over speakers."""
    rows = metrics.paired_estimates(first, second, truth_NE, speakers_N, draws=draws)
    return {
        metric: PairedDifference(estimate.value, estimate.low, estimate.high, share)
        for metric, (estimate, share) in rows.items()
    }


def _compared_model(data: ScoredModel, name: str) -> ComparedModel:
    return ComparedModel(name, data.seeds, data.average.wacc, data.average.f1, data.top_p, data.macs_ratio)


def _in_order_of(labels: tuple[str, ...], runs: ScoredRuns) -> ScoredRuns:
    """Return the same scores with the emotions in another order; unchanged if they are not the same emotions."""
    if sorted(labels) != sorted(runs.labels):
        return runs
    columns = [runs.labels.index(label) for label in labels]
    moved = tuple((scores[:, columns], thresholds[columns]) for scores, thresholds in runs.runs)
    return replace(runs, runs=moved, truth_NE=runs.truth_NE[:, columns], labels=labels)


def _match_clips(a: ScoredRuns, b: ScoredRuns, names: str) -> np.ndarray:
    """Return the index in b of each of a's clips; `DataError` if the clips, labels or truths differ."""
    if a.labels != b.labels:
        raise DataError(
            f"{names} have other labels ({', '.join(a.labels)}; {', '.join(b.labels)}); score the same ones"
        )
    if set(a.ids) != set(b.ids):
        only = sorted(set(a.ids) ^ set(b.ids))
        raise DataError(f"{names} are not of the same clips ({only[0]!r} is in one only); evaluate both on one split")
    index_of = {clip_id: i for i, clip_id in enumerate(b.ids)}
    order = np.array([index_of[clip_id] for clip_id in a.ids])
    if (b.truth_NE[order] != a.truth_NE).any():
        raise DataError(f"{names} disagree about the labels of their clips; evaluate both on the same corpus")
    return order
