"""Name the files of a checkpoint's folder, and hold its metrics.json.

metrics.json keeps the flat form that checkpoints have always had: fields without a value are left out, and keys that this
version does not know are kept (`other`) and written again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TypeVar

from mesm.errors import DataError
from mesm.files import file_sha256
from mesm.json_form import Json, from_json, read_json, to_json
from mesm.records.evaluation import ClassScores, Evaluation, Scores

WEIGHTS, CONFIG, METRICS, CARD = "model.safetensors", "config.json", "metrics.json", "README.md"
#: Low-rank updates of the text encoder, where the model has them: the rest of the weights is the same without.
ADAPTER = "text_adapter.safetensors"

T = TypeVar("T")


def weight_files(folder: Path, adapted: bool) -> list[Path]:
    """Return the files that hold a model's weights.

    Args:
        folder: of the checkpoint.
        adapted: whether its text encoder has an adapter (`ModelConfig.is_adapted`).

    Raises:
        DataError: an adapter lies there that the model's config does not have.
    """
    if not adapted and (folder / ADAPTER).exists():
        raise DataError(f"{CONFIG} lacks text_adapter beside {ADAPTER}; copy it from where the checkpoint comes from")
    return [folder / name for name in ((WEIGHTS, ADAPTER) if adapted else (WEIGHTS,))]


def weights_sha256(folder: Path, adapted: bool) -> str:
    """Compute the digest of a checkpoint's weights: of its file, or of the digests of both files.

    Args:
        folder: of the checkpoint.
        adapted: see `weight_files`.

    Raises:
        OSError: a file cannot be read.
        DataError: see `weight_files`.
    """
    digests = [file_sha256(path) for path in weight_files(folder, adapted)]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


@dataclass(frozen=True)
class SplitMetrics(Scores):
    """Hold the metrics of a checkpoint on one split, in percent.

    Attributes:
        per_class: emotion -> metrics.
        n: clips that were scored.
        top_p: nucleus mass; None for a model without attention.
        speakers: groups that the intervals resample; None without intervals.
        interval: metric -> (low, high), the 95 % interval of its average over speakers.
        branches: modality -> emotion -> AUC of that branch's own scores.
        macs_ratio: mean multiply-adds of the convolution stack over FE2E's; None where they were not counted.
        macs_ratio_range: its 5th, 50th and 95th percentile over the clips.
        other: keys that this version does not know.
    """

    per_class: dict[str, ClassScores] = field(default_factory=dict)
    n: int = 0
    top_p: float | None = None
    clips: int | None = None
    speakers: int | None = None
    interval: dict[str, tuple[float, float]] = field(default_factory=dict)
    branches: dict[str, dict[str, float | None]] = field(default_factory=dict)
    macs_ratio: float | None = None
    macs_ratio_range: tuple[float, float, float] | None = None
    other: dict[str, Json] = field(default_factory=dict)

    @classmethod
    def from_json(cls, content: Json) -> SplitMetrics:
        """Read the scores of one split, such as `training.metrics.summarise` returns.

        Raises:
            DataError: a known field is missing or of another type.
        """
        return _read(SplitMetrics, content, cls.__name__)

    @classmethod
    def of_evaluation(cls, evaluation: Evaluation) -> SplitMetrics:
        """Return the part of an evaluation that a checkpoint keeps."""
        same = ("per_class", "top_p", "clips", "speakers", "branches", "macs_ratio", "macs_ratio_range")
        return cls(
            **vars(evaluation.average),
            **{name: getattr(evaluation, name) for name in same},
            n=evaluation.clips,
            interval={metric: (ends.low, ends.high) for metric, ends in evaluation.interval.items()},
        )


@dataclass(frozen=True)
class CheckpointMetrics:
    """Hold a checkpoint's training settings and its scores.

    Attributes:
        trained_on: name of the corpus.
        trained_on_capabilities: capabilities of that corpus beyond labels, as far as the training could read them; None
            where it has none, and in checkpoints of earlier versions.
        thresholds: (E,) decision thresholds, chosen on the validation split; empty before that, which counts as 0.5, and
            None for a label without a decision, because that split could not decide it.
        thresholds_top_p: nucleus mass at which they were chosen.
        valid: scores of the validation split.
        test: scores of the test split, once it was evaluated.
        epoch: number of the epoch that was kept, from 0.
        train: `TrainConfig.to_dict()` of the version that trained it; `init_from` names the checkpoint it started from.
        train_seconds: length of the training, without that of `init_from`.
        wacc: WAcc of the test split; beside it `f1`, `top_p` and `macs_ratio`, as lists of checkpoints show them.
        ceiling_wacc: WAcc of an ideal observer of the checkpoint's modalities; None without a known design.
        ceiling_share: share of the way from chance (50) to it.
        converted_from: file of the authors' weights.
        sources: corpora that the weights were trained on, each with its licence and citation.
        other: keys that this version does not know.
    """

    trained_on: str = "unknown"
    trained_on_capabilities: tuple[str, ...] | None = None
    thresholds: tuple[float | None, ...] = ()
    thresholds_top_p: float | None = None
    valid: SplitMetrics | None = None
    epoch: int | None = None
    train: dict[str, Json] = field(default_factory=dict)
    train_seconds: float | None = None
    test: SplitMetrics | None = None
    wacc: float | None = None
    f1: float | None = None
    top_p: float | None = None
    macs_ratio: float | None = None
    ceiling_wacc: float | None = None
    ceiling_share: float | None = None
    converted_from: str = ""
    sources: tuple[str, ...] = ()
    other: dict[str, Json] = field(default_factory=dict)

    @property
    def seed(self) -> int | None:
        """Seed of the training; None for converted weights."""
        seed = self.train.get("seed")
        return seed if isinstance(seed, int) else None

    @property
    def top_p_range(self) -> tuple[float, ...]:
        """Return the range from which top_p was drawn in training; empty for one fixed value."""
        ends = self.train.get("top_p_range")
        return tuple(float(p) for p in ends if isinstance(p, int | float)) if isinstance(ends, list | tuple) else ()

    @classmethod
    def from_json(cls, content: Json) -> CheckpointMetrics:
        """Read the content of a metrics.json.

        Raises:
            DataError: a known field is of another type.
        """
        return _read(CheckpointMetrics, content, METRICS)

    def to_json(self) -> dict[str, Json]:
        """Return the content of metrics.json."""
        return {**_without_empty(self), **{split: _without_empty(m) for split, m in self._splits().items()}}

    def _splits(self) -> dict[str, SplitMetrics]:
        return {split: m for split, m in (("valid", self.valid), ("test", self.test)) if m is not None}


def read_metrics(folder: Path) -> CheckpointMetrics:
    """Read the metrics.json of a checkpoint's folder; a checkpoint without one has no metrics.

    Raises:
        DataError: it is not readable.
    """
    path = folder / METRICS
    if not path.is_file():
        return CheckpointMetrics()
    try:
        return CheckpointMetrics.from_json(read_json(path))
    except DataError as error:
        raise DataError(f"{path} is not readable ({error}); evaluate or train the checkpoint again") from error


def _read(kind: type[T], content: Json, where: str) -> T:
    """Read a dataclass with a field `other`, which takes the keys that it does not know."""
    if not isinstance(content, dict):
        raise DataError(f"{where} is {type(content).__name__}; it must be dict")
    names = {f.name for f in fields(kind)} - {"other"}  # type: ignore[arg-type]
    known: dict[str, Json] = {key: value for key, value in content.items() if key in names}
    splits = {key: known.pop(key) for key in ("valid", "test") if kind is CheckpointMetrics and known.get(key)}
    known["other"] = {key: value for key, value in content.items() if key not in names}
    value = from_json(kind, known, where)
    changes = {key: _read(SplitMetrics, split, f"{where}.{key}") for key, split in splits.items()}
    return replace(value, **changes)  # type: ignore[type-var]


def _without_empty(metrics: CheckpointMetrics | SplitMetrics) -> dict[str, Json]:
    """Return the JSON form, without fields that have no value, and with `other` beside the rest."""
    content = to_json(metrics)
    assert isinstance(content, dict)
    other = content.pop("other")
    assert isinstance(other, dict)
    scores = {f.name for f in fields(Scores)} if isinstance(metrics, SplitMetrics) else set()
    kept = {key: value for key, value in content.items() if key in scores or value not in (None, "", [], {})}
    return kept | other
