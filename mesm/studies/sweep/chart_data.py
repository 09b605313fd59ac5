"""Compute what the charts of a sweep draw: points, bars and boxes with their labels, styles and axis titles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mesm.errors import ConfigError, DataError
from mesm.estimate import decimal_text
from mesm.figures.style import MODALITY_SHADES, MODALITY_WORDS, STAGE_WORDS, LineStyle, line_style
from mesm.records.base import CorpusId, Record
from mesm.records.evaluation import Evaluation, Scores
from mesm.records.sweep import LayerMacs, Sweep, SweepPoint
from mesm.records.timing import Timing
from mesm.studies.sweep.top_ps import find_elbow
from mesm.vocabulary import MODALITIES

METRICS: dict[str, str] = {"wacc": "weighted accuracy", "f1": "F1", "accuracy": "accuracy"}
#: Axis -> its title. A FLOP is counted twice per MAC here; the paper's counter counts it once.
AXES: dict[str, str] = {
    "share": "convolutions and attention, share of FE2E's multiply-adds",
    "gmac": "convolutions and attention, GMAC per clip",
    "gflop": "convolutions and attention, GFLOP per clip",
    "ms": "time of one clip alone, ms",
    "top_p": "top-p",
}
#: Axes on which the paper's curve has values: shares of FE2E's multiply-adds and accuracy, and top-p.
REPORTED_AXES = ("share", "top_p")
#: Operations per multiply-add, by unit.
OPERATIONS: dict[str, int] = {"gmac": 1, "gflop": 2}
UNIT_WORDS: dict[str, str] = {"gmac": "GMAC", "gflop": "GFLOP"}
REPORTED_NAME = "reported in the paper: accuracy, IEMOCAP"
SWEEP, DENSE, REPORTED = "sweep", "dense", "reported"
#: Bars whose largest amount is below this share of the whole stack are left out of the legend.
_LEGEND_FROM = 0.002
#: Percentiles of the boxes: whisker, quartile, median, quartile, whisker.
PERCENTILES = (2.5, 25, 50, 75, 97.5)


@dataclass(frozen=True)
class SweepView:
    """Hold the choice of the axes of a sweep's chart.

    Attributes:
        metric: one of `METRICS`.
        axis: one of `AXES`.
        relative: draw scores as a share of FE2E's; only then, and over `REPORTED_AXES`, the paper's curve stands beside ours.
        log: logarithmic cost.
    """

    metric: str = "wacc"
    axis: str = "share"
    relative: bool = False
    log: bool = False

    def __post_init__(self) -> None:
        if self.metric not in METRICS or self.axis not in AXES:
            raise ConfigError(
                f"a sweep is drawn over {', '.join(AXES)} with {', '.join(METRICS)}, not {self.metric} over {self.axis}"
            )

    @property
    def y_title(self) -> str:
        """Return the title of the vertical axis."""
        words = METRICS[self.metric]
        return f"{words}, share of FE2E's" if self.relative else f"{words}, %"


@dataclass(frozen=True)
class ChartPoint:
    """Hold one point; `low` and `high` are its 95 % interval over speakers, None where there is none."""

    top_p: float | None
    x: float
    y: float
    low: float | None = None
    high: float | None = None
    elbow: bool = False

    @property
    def elbow_label(self) -> str:
        """Return the words beside the ring around the elbow."""
        return f"elbow, p = {self.top_p:g}"


@dataclass(frozen=True)
class ChartLine:
    """Hold the points of one model.

    Attributes:
        kind: `SWEEP`, `DENSE` (one point of a model without attention) or `REPORTED` (the paper's points).
        style: not used for `DENSE`, which is drawn in ink, and for `REPORTED`, which is drawn faint.
    """

    name: str
    kind: str
    points: tuple[ChartPoint, ...]
    style: LineStyle

    @property
    def has_band(self) -> bool:
        """Return whether every point has an interval and costs more than the one before; else the band folds over itself."""
        grows = bool(self.points) and all(a.x < b.x for a, b in zip(self.points, self.points[1:], strict=False))
        return grows and all(p.low is not None for p in self.points)

    @property
    def x(self) -> list[float]:
        """Return the cost of every point."""
        return [p.x for p in self.points]

    @property
    def y(self) -> list[float]:
        """Score of every point."""
        return [p.y for p in self.points]

    @property
    def band(self) -> tuple[list[float], list[float]]:
        """Lower and upper ends of the intervals; NaN where there is none."""
        low = [math.nan if p.low is None else p.low for p in self.points]
        return low, [math.nan if p.high is None else p.high for p in self.points]

    @property
    def error_bars(self) -> tuple[list[float], list[float]]:
        """Lengths of the intervals below and above the points; NaN, which draws nothing, where there is none."""
        low, high = self.band
        return [y - end for y, end in zip(self.y, low, strict=True)], [
            end - y for y, end in zip(self.y, high, strict=True)
        ]


@dataclass(frozen=True)
class SweepChart:
    """Hold scores over cost: a line per sweep, a point per FE2E, the paper's curve where its ratios fit the axes."""

    view: SweepView
    lines: tuple[ChartLine, ...]

    @property
    def x_title(self) -> str:
        """Return the title of the horizontal axis."""
        return AXES[self.view.axis]

    @property
    def y_title(self) -> str:
        """Return the title of the vertical axis."""
        return self.view.y_title

    @property
    def alt(self) -> str:
        """Describe the chart for readers who do not see it."""
        parts = []
        for line in self.lines:
            if not line.points:
                parts.append(f"{line.name}: undefined at every top-p")
                continue
            first, last = line.points[0], line.points[-1]
            if line.kind == DENSE:
                parts.append(f"{line.name} at {first.x:.3g}: {first.y:.3g}")
            else:
                parts.append(f"{line.name} from {first.x:.3g}: {first.y:.3g} to {last.x:.3g}: {last.y:.3g}")
        return f"Line chart of {self.y_title} over {self.x_title}. {'; '.join(parts)}."


def with_evaluations(record: Record[Sweep], evaluations: Sequence[Record[Evaluation]]) -> Record[Sweep]:
    """Return a sweep whose point at an evaluated top-p has the evaluation's scores: one number for one thing.

    Older sweeps chose thresholds of their own at the checkpoint's top-p; the evaluation's are the checkpoint's.

    Args:
        evaluations: those of the same weights on the same clips are used.
    """
    sweep, origin = record.data, record.provenance
    points = list(sweep.points)
    for evaluation in evaluations:
        data, other = evaluation.data, evaluation.provenance
        same_model = set(other.checkpoint_sha256) == set(origin.checkpoint_sha256) and bool(origin.checkpoint_sha256)
        same_clips = other.corpus.same(origin.corpus) and data.per_clip.ids == sweep.clip_ids
        for i, point in enumerate(points):
            if same_model and same_clips and data.labels == sweep.labels and data.top_p == point.top_p:
                points[i] = replace(point, average=data.average, interval=data.interval, thresholds=data.thresholds)
    if points == list(sweep.points):
        return record
    changed = replace(sweep, points=tuple(points), elbow=None)
    elbow = elbow_of(changed, "wacc")
    return replace(record, data=replace(changed, elbow=None if elbow is None else elbow.top_p))


def with_times(record: Record[Sweep], timings: Sequence[Record[Timing]]) -> Record[Sweep]:
    """Return a sweep with the times of the first later measurement that has all of its points, and its FE2E.

    Args:
        timings: those of the same weights on clips of the same corpus are used.
    """
    sweep, origin = record.data, record.provenance
    measured = [(origin.checkpoint_sha256[0], point) for point in sweep.points if len(origin.checkpoint_sha256) == 1]
    if sweep.reference is not None:
        measured.append((sweep.reference.sha256, sweep.reference.point))
    for timing in timings:
        if timing.provenance.created <= origin.created or not timing.provenance.corpus.same(origin.corpus):
            continue
        times = [timing.data.ms(sha256, point.top_p) for sha256, point in measured]
        points = [
            replace(point, ms_per_clip=ms) for (_, point), ms in zip(measured, times, strict=True) if ms is not None
        ]
        if len(points) < len(sweep.points) + (sweep.reference is not None):
            continue
        reference = None if sweep.reference is None else replace(sweep.reference, point=points.pop())
        changed = replace(sweep, points=tuple(points), reference=reference, timed_on=timing.data.timed_on)
        return replace(record, data=changed)
    return record


def time_ratio(record: Record[Sweep], point: SweepPoint) -> float | None:
    """Return the time of a point as a share of FE2E's; None where both were not timed in one process, clip by clip."""
    reference = record.data.reference
    if reference is None or record.data.timed_on is None or not reference.point.ms_per_clip:
        return None
    return point.ms_per_clip / reference.point.ms_per_clip


def elbow_of(sweep: Sweep, metric: str) -> SweepPoint | None:
    """Return the point furthest above the chord of a metric over `macs_ratio`; None where it is undefined."""
    scores = [score_of(point.average, metric) for point in sweep.points]
    index = find_elbow([point.macs_ratio for point in sweep.points], scores)
    return None if index is None else sweep.points[index]


def time_sentence(record: Record[Sweep]) -> str | None:
    """Return FE2E's and the checkpoint's time of one clip alone at the elbow, and what it saves; None where not timed alike."""
    sweep = record.data
    reference, point = sweep.reference, sweep.elbow_point or sweep.points[-1]
    ratio = time_ratio(record, point)
    if ratio is None or reference is None or sweep.timed_on is None:
        return None
    return (
        f"One clip alone takes {record.provenance.checkpoint} {decimal_text(point.ms_per_clip, 1)} ms at p = {point.top_p:g} and "
        f"{reference.checkpoint} {decimal_text(reference.point.ms_per_clip, 1)} ms ({sweep.timed_on.words()}): "
        f"{saving(ratio, point.macs_ratio)}."
    )


def saving(time_ratio: float, macs_ratio: float) -> str:
    """Return the saving in words; time and multiply-adds are multiples of FE2E's."""
    if time_ratio >= 1:
        return "MESM saves multiply-adds, not time"
    time, macs = (decimal_text(100 * (1 - ratio), 0) for ratio in (time_ratio, macs_ratio))
    return f"MESM saves {time} % of the time and {macs} % of the multiply-adds"


def find_dense_evaluation(
    evaluations: Sequence[Record[Evaluation]], corpus: CorpusId, split: str, clips: int
) -> Record[Evaluation] | None:
    """Return the first evaluation of an FE2E on the same corpus, split and number of clips."""
    for record in evaluations:
        data = record.data
        is_dense = data.top_p is None and data.macs_ratio is not None
        if is_dense and corpus.same(record.provenance.corpus) and (data.split, data.clips) == (split, clips):
            return record
    return None


def reference_evaluation(record: Record[Sweep], evaluations: Sequence[Record[Evaluation]]) -> Record[Evaluation] | None:
    """Return the evaluation of FE2E for a sweep that has no reference of its own; None if it has one."""
    if record.data.reference is not None:
        return None
    return find_dense_evaluation(evaluations, record.provenance.corpus, record.data.split, record.data.clips)


def find_reference(
    record: Record[Sweep], evaluations: Sequence[Record[Evaluation]]
) -> tuple[str, SweepPoint | Evaluation] | None:
    """Return name and scores of the FE2E beside a sweep: its own, else that of an evaluation on the same clips."""
    if record.data.reference is not None:
        return record.data.reference.checkpoint, record.data.reference.point
    evaluation = reference_evaluation(record, evaluations)
    return None if evaluation is None else (evaluation.provenance.checkpoint, evaluation.data)


def score_of(scores: Scores, metric: str) -> float | None:
    """Return one of the `METRICS`, in percent."""
    value: float | None = getattr(scores, metric)
    return value


def sweep_chart(
    records: Sequence[Record[Sweep]],
    view: SweepView,
    evaluations: Sequence[Record[Evaluation]] = (),
    reported: Sequence[tuple[float, float, float]] = (),
) -> SweepChart:
    """Compute the chart of scores over cost.

    Args:
        evaluations: of FE2E, for sweeps that did not measure it themselves.
        reported: (top-p, share of FE2E's multiply-adds, share of FE2E's accuracy).

    Raises:
        DataError: a record lacks what the view needs.
    """
    sweeps: list[tuple[str, tuple[ChartPoint, ...]]] = []
    dense: dict[str, tuple[ChartPoint, ...]] = {}
    for record in records:
        name, corpus = record.provenance.checkpoint, record.provenance.corpus.name
        reference = find_reference(record, evaluations)
        if view.relative and reference is None:
            raise DataError(
                f"the sweep of {name} has no FE2E beside it; make it again with --against, or draw it in percent"
            )
        scale = score_of(reference[1].average, view.metric) if view.relative and reference else 1.0
        if not scale:
            raise DataError(f"{METRICS[view.metric]} of FE2E is undefined or 0 beside {name}; draw it in percent")
        if view.axis == "ms" and record.data.timed_on is None:
            raise DataError(
                f"the sweep of {name} was timed in whole batches, which no other time compares with; make it again, or choose "
                "another cost"
            )
        elbow = elbow_of(record.data, view.metric)
        points = [_chart_point(p, view, scale, p is elbow, name) for p in record.data.points]
        sweeps.append((f"{name}, {corpus}", tuple(point for point in points if point is not None)))
        if reference is not None and (view.axis != "ms" or isinstance(reference[1], SweepPoint)):
            point = _chart_point(reference[1], view, scale, False, reference[0])
            if point is not None:
                dense[f"{reference[0]}, {corpus}"] = (point,)
    lines = [ChartLine(name, SWEEP, points, line_style(i)) for i, (name, points) in enumerate(sweeps)]
    lines += [ChartLine(name, DENSE, points, line_style(len(lines))) for name, points in dense.items()]
    if reported and view.relative and view.axis in REPORTED_AXES:
        paper = tuple(ChartPoint(p, p if view.axis == "top_p" else cost, score) for p, cost, score in reported)
        lines.append(ChartLine(REPORTED_NAME, REPORTED, paper, line_style(len(lines))))
    return SweepChart(view, tuple(lines))


def _chart_point(
    measured: SweepPoint | Evaluation, view: SweepView, scale: float, elbow: bool, name: str
) -> ChartPoint | None:
    """Return a point of the chart; None where the metric is undefined."""
    score = score_of(measured.average, view.metric)
    if score is None:
        return None
    interval = measured.interval.get(view.metric)
    low, high = (None, None) if interval is None else (interval.low / scale, interval.high / scale)
    return ChartPoint(measured.top_p, _cost(measured, view.axis, name), score / scale, low, high, elbow)


def _cost(measured: SweepPoint | Evaluation, axis: str, name: str) -> float:
    if axis == "share":
        assert measured.macs_ratio is not None
        return measured.macs_ratio
    if axis == "top_p":
        return 1.0 if measured.top_p is None else measured.top_p  # FE2E computes every site
    if axis == "ms":
        assert isinstance(measured, SweepPoint)
        return measured.ms_per_clip
    if not measured.macs:
        raise DataError(f"the sweep of {name} counted shares only; make it again for amounts and layers")
    return OPERATIONS[axis] * measured.macs["conv_stack"] / 1e9


@dataclass(frozen=True)
class StackedBar:
    """Hold the cost of one part of one modality at every top-p: "face: block 2" and the like.

    Attributes:
        amounts: (P,) per clip, in the unit of the chart.
        colour: of the fill.
        hatched: voice.
        in_legend: False for a part that is too small to see.
    """

    modality: str
    name: str
    amounts: tuple[float, ...]
    colour: str
    hatched: bool
    in_legend: bool


@dataclass(frozen=True)
class LayersChart:
    """Hold the stacked bars of the mean cost per clip over top-p, by part and modality.

    Attributes:
        top_ps: (P,) labels of the horizontal axis.
        unit: "GMAC" or "GFLOP".
    """

    top_ps: tuple[str, ...]
    bars: tuple[StackedBar, ...]
    unit: str
    x_title: str = "top-p"

    @property
    def y_title(self) -> str:
        """Return the title of the vertical axis."""
        return f"{self.unit} per clip"

    @property
    def bottoms(self) -> tuple[tuple[float, ...], ...]:
        """Lower ends of each bar at every top-p, as the bars stand on each other."""
        amounts = np.array([bar.amounts for bar in self.bars])
        return tuple(map(tuple, (np.cumsum(amounts, axis=0) - amounts).tolist()))

    @property
    def alt(self) -> str:
        """Describe the chart for readers who do not see it."""
        largest = max(self.bars, key=lambda bar: bar.amounts[-1])
        totals = (sum(bar.amounts[i] for bar in self.bars) for i in (0, -1))
        first, last, part = (decimal_text(amount, 3) for amount in (*totals, largest.amounts[-1]))
        return (
            f"Stacked bars of the cost per clip over top-p: {first} {self.unit} at {self.top_ps[0]}, {last} at "
            f"{self.top_ps[-1]}, where the largest part is {largest.name} with {part}."
        )


@dataclass(frozen=True)
class LayerCost:
    """Hold the cost of one layer at every top-p, GMAC or GFLOP per clip."""

    modality: str
    stage: str
    layer: str
    amounts: tuple[float, ...]


def layer_costs(record: Record[Sweep], unit: str) -> tuple[LayerCost, ...]:
    """Return the cost of every layer of every modality.

    Args:
        unit: one of `OPERATIONS`.

    Raises:
        DataError: the record has no layers.
    """
    points = record.data.points
    if not points or not points[0].macs_by_layer:
        raise DataError(f"the sweep of {record.provenance.checkpoint} has no cost by layer; make it again")
    keys = sorted(map(_layer_key, points[0].macs_by_layer), key=lambda key: MODALITIES.index(key[0]))
    by_point = [{_layer_key(entry): entry.macs for entry in point.macs_by_layer} for point in points]
    return tuple(LayerCost(*key, tuple(OPERATIONS[unit] * macs.get(key, 0) / 1e9 for macs in by_point)) for key in keys)


def _layer_key(entry: LayerMacs) -> tuple[str, str, str]:
    return entry.modality, entry.stage, entry.layer


def layers_chart(record: Record[Sweep], unit: str) -> LayersChart:
    """Compute the bars: layers summed to first layers, each attention, each block, and the rest.

    Raises:
        DataError: the record has no layers.
    """
    parts: dict[tuple[str, str], list[float]] = {}
    for layer in layer_costs(record, unit):
        key = (layer.modality, _part(layer))
        sums = parts.setdefault(key, [0.0] * len(layer.amounts))
        parts[key] = [a + b for a, b in zip(sums, layer.amounts, strict=True)]
    highest = max(sum(amounts) for amounts in zip(*parts.values(), strict=True))
    bars, shade = [], dict.fromkeys(MODALITIES, 0)
    for (modality, part), amounts in parts.items():
        shades = MODALITY_SHADES[modality]
        colour = shades[shade[modality] % len(shades)]
        shade[modality] += 1
        name = f"{MODALITY_WORDS[modality]}: {part}"
        in_legend = max(amounts) > _LEGEND_FROM * highest
        bars.append(StackedBar(modality, name, tuple(amounts), colour, modality == "acoustic", in_legend))
    top_ps = tuple(f"{point.top_p:g}" for point in record.data.points)
    return LayersChart(top_ps, tuple(bars), UNIT_WORDS[unit])


def _part(layer: LayerCost) -> str:
    if layer.stage == "stem":
        return STAGE_WORDS["stem"]
    if layer.stage == "conv":
        # Counted as the attention's layers are; the convolutions' own numbers begin in the stem.
        return f"block {max(int(layer.layer.partition('.')[0].removeprefix('block')) - 1, 1)}"
    if layer.stage == "attention":
        return STAGE_WORDS["attention"]
    return "last layers"


@dataclass(frozen=True)
class Box:
    """Hold the distribution over the clips at one top-p.

    Attributes:
        marks: the `PERCENTILES`: whisker, quartile, median, quartile, whisker.
        outliers: values beyond the whiskers.
    """

    top_p: str
    marks: tuple[float, float, float, float, float]
    outliers: tuple[float, ...]


@dataclass(frozen=True)
class ClipCostChart:
    """Hold the boxes of the cost of every clip, as a share of FE2E's, over top-p."""

    boxes: tuple[Box, ...]
    x_title: str = "top-p"
    y_title: str = "multiply-adds per clip, share of FE2E's"

    @property
    def alt(self) -> str:
        """Describe the chart for readers who do not see it."""
        medians = ", ".join(f"{box.top_p}: {decimal_text(box.marks[2], 2)}" for box in self.boxes)
        return f"Boxes of each clip's multiply-adds as a share of FE2E's; medians by top-p: {medians}."


def clip_cost_chart(record: Record[Sweep]) -> ClipCostChart:
    """Compute the boxes: quartiles, and whiskers around 95 % of the clips."""
    boxes = []
    for point in record.data.points:
        ratios = np.array([ratio for ratio in point.per_clip_ratio if ratio is not None])
        low, first, middle, third, high = (float(v) for v in np.percentile(ratios, PERCENTILES))
        outliers = tuple(ratios[(ratios < low) | (ratios > high)].tolist())
        boxes.append(Box(f"{point.top_p:g}", (low, first, middle, third, high), outliers))
    return ClipCostChart(tuple(boxes))
