"""One model over its seeds, and two models on the same clips: from what evaluations wrote down, without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mesm.errors import ConfigError, DataError
from mesm.training import metrics

_SCALARS = ("accuracy", "wacc", "f1", "weighted_f1", "auc", "macs_ratio")
#: Settings in which runs of one model may differ.
_FREE = {"seed", "corpus", "init_from"}


@dataclass(frozen=True)
class ScoredRuns:
    """N clips scored by one or several runs of a model: scores and thresholds of each, and what is true."""

    runs: tuple[metrics.Answers, ...]
    ids: tuple[str, ...]
    truth_NE: np.ndarray
    speakers_N: np.ndarray
    labels: tuple[str, ...]
    split: str


def scored_runs(data: Mapping[str, Any], name: str = "record") -> ScoredRuns:
    """The clips of an `evaluate` or a `seeds` record's data.

    Raises:
        DataError: the record has no clips, or was written before records knew the speakers.
    """
    clips = data.get("per_clip", {})
    if not {"id", "speaker", "scores", "truth"} <= set(clips):
        raise DataError(f"{name} has no scores by clip and speaker; make it again with mesm evaluate or mesm seeds")
    scores = np.array(clips["scores"], float)
    several = scores if scores.ndim == 3 else scores[None]
    thresholds = [run["thresholds"] for run in data["runs"]] if "runs" in data else [data["thresholds"]]
    return ScoredRuns(
        tuple((s, np.array(t)) for s, t in zip(several, thresholds, strict=True)),
        tuple(clips["id"]),
        np.array(clips["truth"], int),
        np.array(clips["speaker"]),
        tuple(data["labels"]),
        str(data["split"]),
    )


def over_seeds(evaluations: Sequence[Mapping[str, Any]], names: Sequence[str], seeds: Sequence[int]) -> dict[str, Any]:
    """Data of a `seeds` record: the mean over runs, their spread, and the mean's interval over speakers.

    Args:
        evaluations: data of `evaluate` on one split of one corpus.
        names: of the checkpoints.
        seeds: that they were trained with.
    """
    first, found = evaluations[0], [scored_runs(data, name) for data, name in zip(evaluations, names, strict=True)]
    for other, name in zip(found[1:], names[1:], strict=True):
        _same_clips(found[0], other, f"{names[0]} and {name}")
    summaries = [{k: float(d[k]) for k in _SCALARS if d[k] is not None} for d in evaluations]
    shared = [k for k in _SCALARS if all(k in s for s in summaries)]
    table = metrics.over_seeds([{k: s[k] for k in shared} for s in summaries])
    runs = [
        {"checkpoint": name, "seed": seed, **{k: data[k] for k in (*_SCALARS, "thresholds", "interval")}}
        for data, name, seed in zip(evaluations, names, seeds, strict=True)
    ]
    answers = [answer for one in found for answer in one.runs]
    return {
        **{k: first[k] for k in ("split", "top_p", "labels", "clips", "speakers", "trivial")},
        **{k: v["mean"] for k, v in table.items()},
        "spread": {k: v["spread"] for k, v in table.items()},
        "interval": metrics.mean_interval(answers, found[0].truth_NE, found[0].speakers_N),
        "per_class": _mean_per_class(evaluations),
        "runs": runs,
        "per_clip": {
            **{k: first["per_clip"][k] for k in ("id", "speaker", "truth")},
            "scores": [data["per_clip"]["scores"] for data in evaluations],
        },
    }


def _mean_per_class(found: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Label -> metric -> mean over the runs; None where a run has none."""
    made: dict[str, dict[str, float | None]] = {}
    for label in found[0]["labels"]:
        rows = [f["per_class"][label] for f in found]
        made[label] = {
            name: None
            if any(row[name] is None for row in rows)
            else metrics.to_json(np.mean([row[name] for row in rows]))
            for name in rows[0]
        }
    return made


def check_only_seeds_differ(configs: Mapping[str, Mapping[str, Any]]) -> None:
    """Runs are one model's if all but the seed and where they started agree.

    Args:
        configs: run's name -> its model's and its training's settings in one dict.

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
    first: Mapping[str, Any], second: Mapping[str, Any], names: tuple[str, str] = ("first", "second"), draws: int = 2000
) -> dict[str, Any]:
    """Paired bootstrap over speakers of two records' data: the differences first - second in WAcc and F1, in points.

    Raises:
        DataError: they are not of the same clips and labels.
    """
    a, b = (scored_runs(data, name) for data, name in zip((first, second), names, strict=True))
    order = _same_clips(a, b, " and ".join(names))
    moved = tuple((scores[order], thresholds) for scores, thresholds in b.runs)
    sides = [
        {k: data.get(k) for k in ("wacc", "f1", "top_p", "macs_ratio")} | {"name": name, "runs": len(runs.runs)}
        for data, name, runs in zip((first, second), names, (a, b), strict=True)
    ]
    return {
        "split": a.split,
        "labels": list(a.labels),
        "clips": len(a.ids),
        "speakers": len(set(a.speakers_N.tolist())),
        "draws": draws,
        "first": sides[0],
        "second": sides[1],
        "difference": metrics.paired_difference(a.runs, moved, a.truth_NE, a.speakers_N, draws=draws),
    }


def _same_clips(a: ScoredRuns, b: ScoredRuns, names: str) -> np.ndarray:
    """Where each of a's clips stands in b."""
    if a.labels != b.labels:
        raise DataError(
            f"{names} have other labels ({', '.join(a.labels)}; {', '.join(b.labels)}); score the same ones"
        )
    if set(a.ids) != set(b.ids):
        only = sorted(set(a.ids) ^ set(b.ids))
        raise DataError(f"{names} are not of the same clips ({only[0]!r} is in one only); evaluate both on one split")
    place = {clip_id: i for i, clip_id in enumerate(b.ids)}
    order = np.array([place[clip_id] for clip_id in a.ids])
    if (b.truth_NE[order] != a.truth_NE).any():
        raise DataError(f"{names} disagree about the labels of their clips; evaluate both on the same corpus")
    return order
