"""What top-p buys and what it costs, read from sweep records: the points that the screen and the paper both draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mesm.errors import ConfigError, DataError
from mesm.figures.style import MODALITY_WORDS, STAGE_WORDS
from mesm.figures.tables import Row, Table
from mesm.vocabulary import MODALITIES

METRICS: dict[str, str] = {"wacc": "weighted accuracy", "f1": "F1", "accuracy": "accuracy"}
#: Axis -> its title. A FLOP is counted twice per MAC here; the paper's counter counts it once.
AXES: dict[str, str] = {
    "share": "work of convolutions and attention, share of FE2E's",
    "gmac": "work of convolutions and attention, GMAC per clip",
    "gflop": "work of convolutions and attention, GFLOP per clip",
    "ms": "measured time per clip, ms",
}
#: Operations per multiply-add, by unit.
UNITS: dict[str, int] = {"gmac": 1, "gflop": 2}
REPORTED_NAME = "reported in the paper: accuracy, IEMOCAP"
SWEEP, DENSE, REPORTED = "sweep", "dense", "reported"


@dataclass(frozen=True)
class Point:
    """One measurement; `low` and `high` are its 95 % interval over speakers, or `y` itself where there is none."""

    top_p: float | None
    x: float
    y: float
    low: float
    high: float
    elbow: bool = False


@dataclass(frozen=True)
class Curve:
    """Points of one model: a sweep, a dense model's one point, or what the paper reports."""

    name: str
    kind: str
    points: tuple[Point, ...]

    @property
    def in_order(self) -> bool:
        """Whether its work grows from point to point; measured times need not, and a band would fold over itself."""
        return all(a.x < b.x for a, b in zip(self.points, self.points[1:], strict=False))

    @property
    def reach(self) -> tuple[list[float], list[float]]:
        """How far its intervals reach below and above its points."""
        return [p.y - p.low for p in self.points], [p.high - p.y for p in self.points]


@dataclass(frozen=True)
class View:
    """How a sweep is looked at.

    Attributes:
        metric: one of `METRICS`.
        axis: one of `AXES`.
        relative: as a share of what FE2E scores, which is where the paper's curve can stand beside ours.
        log: logarithmic work.
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
        """Title of the vertical axis."""
        words = METRICS[self.metric]
        return f"{words}, share of FE2E's" if self.relative else f"{words}, %"


def read_curves(
    records: Sequence[Mapping[str, Any]],
    view: View,
    dense: Mapping[str, Mapping[str, Any]] | None = None,
    reported: Sequence[tuple[float, float, float]] = (),
) -> tuple[Curve, ...]:
    """Sweeps, FE2E's point, and the paper's curve where its ratios fit the axes.

    Args:
        records: whole sweep records.
        dense: corpus -> an evaluation of FE2E, for sweeps that did not measure it themselves.
        reported: (top-p, share of FE2E's work, share of FE2E's accuracy).

    Raises:
        DataError: a record lacks what the view needs.
    """
    curves: list[Curve] = []
    points: dict[str, Curve] = {}
    for record in records:
        data, origin = record["data"], record["provenance"]
        reference = reference_of(record, dense)
        if view.relative and reference is None:
            raise DataError(
                f"the sweep of {origin['checkpoint']} has no FE2E beside it; make it again with --against, "
                "or draw it in percent"
            )
        scale = reference[1][view.metric] if view.relative and reference else 1.0
        elbow = data["elbow"]["top_p"]
        rows = [row for row in data["rows"] if row[view.metric] is not None]
        made = tuple(_point(row, view, scale, row["top_p"] == elbow, origin["checkpoint"]) for row in rows)
        curves.append(Curve(f"{origin['checkpoint']}, {origin['corpus']}", SWEEP, made))
        if reference is not None and (view.axis != "ms" or "ms_per_clip" in reference[1]):
            point = _point(reference[1], view, scale, False, reference[0])
            name = f"{reference[0]}, {origin['corpus']}"
            points[name] = Curve(name, DENSE, (point,))
    curves += points.values()
    if reported and view.relative and view.axis == "share":
        shown = tuple(Point(p, work, gain, gain, gain) for p, work, gain in reported)
        curves.append(Curve(REPORTED_NAME, REPORTED, shown))
    return tuple(curves)


def dense_by_corpus(evaluations: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Corpus -> the evaluation of a model that computes every site, the first of several."""
    found: dict[str, Mapping[str, Any]] = {}
    for record in evaluations:
        if record["data"]["top_p"] is None and record["data"]["macs_ratio"] is not None:
            found.setdefault(record["provenance"]["corpus"], record)
    return found


def reference_of(
    record: Mapping[str, Any], dense: Mapping[str, Mapping[str, Any]] | None
) -> tuple[str, Mapping[str, Any]] | None:
    """Name and scores of the FE2E that a sweep is compared with: its own, else an evaluation on the same clips."""
    data = record["data"]
    if "against" in data:
        return data["against"]["checkpoint"], data["against"]
    other = (dense or {}).get(record["provenance"]["corpus"])
    if other is None or other["data"]["split"] != data["split"] or other["data"]["clips"] != data["clips"]:
        return None
    return other["provenance"]["checkpoint"], other["data"]


def _point(row: Mapping[str, Any], view: View, scale: float, elbow: bool, name: str) -> Point:
    low, high = row["interval"][view.metric]
    return Point(
        row.get("top_p"), _work(row, view.axis, name), row[view.metric] / scale, low / scale, high / scale, elbow
    )


def _work(row: Mapping[str, Any], axis: str, name: str) -> float:
    if axis == "share":
        return float(row["macs_ratio"])
    if axis == "ms":
        return float(row["ms_per_clip"])
    if "macs" not in row:
        raise DataError(f"the sweep of {name} counted shares only; make it again for amounts and layers")
    return UNITS[axis] * row["macs"]["conv_stack"] / 1e9


def frontier_table(curves: Sequence[Curve], view: View) -> Table:
    """The points as numbers."""
    columns = ("model", "top-p", AXES[view.axis], view.y_title, "95 % from", "to", "elbow")
    rows = []
    for curve in curves:
        for p in curve.points:
            interval = (None, None) if curve.kind == REPORTED else (p.low, p.high)
            rows.append(
                Row((curve.name, p.top_p, p.x, p.y, *interval, "elbow" if p.elbow else ""), ranked=curve.kind == SWEEP)
            )
    return Table(columns, tuple(rows), digits=3 if view.relative else 2)


@dataclass(frozen=True)
class LayerWork:
    """Work of one layer over the top-p of a sweep, GMAC or GFLOP per clip."""

    modality: str
    stage: str
    layer: str
    amounts: tuple[float, ...]

    @property
    def name(self) -> str:
        """As a legend has it."""
        return f"{MODALITY_WORDS[self.modality]}: {self.layer}"


def layers_of(record: Mapping[str, Any], unit: str) -> tuple[tuple[float, ...], tuple[LayerWork, ...]]:
    """Top-p values of a sweep, and the work of every layer of every modality.

    Args:
        unit: one of `UNITS`.

    Raises:
        DataError: the record has no layers.
    """
    rows = record["data"]["rows"]
    if not rows or "macs_by_layer" not in rows[0]:
        raise DataError(
            f"the sweep of {record['provenance']['checkpoint']} does not say where the work goes; make it again"
        )
    keys = [(e["modality"], e["stage"], e["layer"]) for e in rows[0]["macs_by_layer"]]
    keys.sort(key=lambda key: MODALITIES.index(key[0]))
    by_row = [{(e["modality"], e["stage"], e["layer"]): e["macs"] for e in row["macs_by_layer"]} for row in rows]
    return tuple(row["top_p"] for row in rows), tuple(
        LayerWork(*key, tuple(UNITS[unit] * found.get(key, 0) / 1e9 for found in by_row)) for key in keys
    )


@dataclass(frozen=True)
class Band:
    """A layer's place in the stack: "face: block 3" and so on; layers too thin to see stand together."""

    modality: str
    name: str
    amounts: tuple[float, ...]


def bands_of(layers: Sequence[LayerWork]) -> tuple[Band, ...]:
    """Layers joined to the parts that a reader knows: first layers, each attention, each block, the rest."""
    found: dict[tuple[str, str], list[float]] = {}
    for layer in layers:
        key = (layer.modality, _part(layer))
        sums = found.setdefault(key, [0.0] * len(layer.amounts))
        found[key] = [a + b for a, b in zip(sums, layer.amounts, strict=True)]
    return tuple(
        Band(modality, f"{MODALITY_WORDS[modality]}: {part}", tuple(sums)) for (modality, part), sums in found.items()
    )


def _part(layer: LayerWork) -> str:
    if layer.stage == "stem":
        return STAGE_WORDS["stem"]
    if layer.stage == "conv":
        # Counted as the attention's layers are; the convolutions' own numbers begin in the stem.
        return f"block {max(int(layer.layer.partition('.')[0].removeprefix('block')) - 1, 1)}"
    if layer.stage == "attention":
        return STAGE_WORDS["attention"]
    return "last layers"


def layers_table(record: Mapping[str, Any], unit: str) -> Table:
    """Every layer of every modality at every top-p."""
    top_ps, layers = layers_of(record, unit)
    columns = ("modality", "stage", "layer", *(f"p = {p:g}" for p in top_ps))
    return Table(columns, tuple(Row((w.modality, w.stage, w.layer, *w.amounts)) for w in layers), digits=4)


def spread_of(record: Mapping[str, Any]) -> tuple[tuple[float, tuple[float, ...]], ...]:
    """Top-p -> share of FE2E's work of every utterance."""
    return tuple((row["top_p"], tuple(row["per_clip_ratio"])) for row in record["data"]["rows"])


def spread_table(record: Mapping[str, Any]) -> Table:
    """One line per utterance, one column per top-p."""
    spread = spread_of(record)
    clips = record["data"].get("clip_ids") or range(len(spread[0][1]))
    rows = tuple(Row((str(clip), *(shares[i] for _, shares in spread))) for i, clip in enumerate(clips))
    return Table(("clip", *(f"p = {p:g}" for p, _ in spread)), rows, digits=4)
