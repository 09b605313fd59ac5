"""Compute what the FACS charts draw from the records, once for the paper's and the screen's renderer.

`heat_map` is emotions x regions, `face_grid` the canonical faces, `layer_series` the controls layer by layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mesm.estimate import Estimate, decimal_text, listed
from mesm.records.canonical import CanonicalFaces, unpack, unpack_mask
from mesm.records.facs import MAPS, Codebook, FacsStudy, RegionGroup
from mesm.vocabulary import ACTION_UNITS, EMOTIONS

#: Attention -> name in captions, legends and pickers, in the order of `MAPS`.
MAP_WORDS: dict[str, str] = {
    "checkpoint": "this checkpoint",
    "hard": "re-initialised attention with the paper's hard gate",
    "random": "re-initialised attention",
}
KIND_WORDS: dict[str, str] = {"kept": "kept sites", "attention": "attention"}
#: False-discovery rate below which a lift counts as different from chance.
ALPHA = 0.05
#: Lifts of this or its inverse take the strongest colour; a mask of a fifth can reach five.
STRONGEST = 4.0
#: Differences of lifts of this size take the strongest colour.
STRONGEST_DIFFERENCE = 1.0
#: What the cells of a heat map are compared with -> words.
CHANCE, OTHERS = "chance", "others"
AGAINST: dict[str, str] = {OTHERS: "own minus other emotions", CHANCE: "lift over chance"}
AGAINST_READING: dict[str, str] = {
    CHANCE: "1 is chance. Hatched: does not differ from chance (sign flips over speakers, false-discovery rate 5 %).",
    OTHERS: "0: as much as with other emotions, so the face's geometry alone. Hatched: the other emotions' mean lies in the "
    "95 % interval of the emotion's lift.",
}
#: Colours below and above chance, distinguishable for every common colour vision; chance has the ground's colour.
BELOW, ABOVE = "#0072B2", "#D55E00"
#: Distance in layers between two series of one layer.
_STEP = 0.16
#: First unit of a region group -> part of the face, for an axis.
_AREAS: dict[int, str] = {
    1: "inner brow", 2: "outer brow", 4: "brow", 5: "upper lid", 6: "cheek", 7: "lower lid", 9: "nose", 10: "upper lip",
    12: "lip corner", 16: "lower lip", 17: "chin", 20: "lip stretch", 23: "lips", 27: "mouth stretch", 45: "blink",
}  # fmt: skip


def layer_names(count: int) -> tuple[str, ...]:
    """Return the names of the attention layers, "L1" first."""
    return tuple(f"L{i + 1}" for i in range(count))


def group_names(group: RegionGroup) -> str:
    """Return the names of a group's action units, such as "lip corner puller, lip corner depressor"."""
    return ", ".join(ACTION_UNITS.get(number, f"AU {number}") for number in group.units)


@dataclass(frozen=True)
class Cell:
    """Hold the lift on one region in the frames that show one emotion.

    Attributes:
        region: such as "AU 12/15"; `units` the names of its action units.
        lift: value, 95 % interval, p and q against chance; None where it was not measured.
        listed: whether the codebook lists a unit of the region for the emotion.
        others: mean lift of the other emotions on the region, where the cell is drawn against it; None against chance.
    """

    emotion: str
    region: str
    units: str
    lift: float | None
    low: float | None
    high: float | None
    q: float | None
    listed: bool
    others: float | None = None

    @property
    def value(self) -> float | None:
        """Return the lift, or its difference to `others`."""
        return self.lift if self.lift is None or self.others is None else self.lift - self.others

    @property
    def text(self) -> str:
        """Return the value as printed; a difference with its sign."""
        return "" if self.value is None else decimal_text(self.value, 2, sign=self.others is not None)

    @property
    def significant(self) -> bool:
        """Return whether the lift differs from chance at the rate `ALPHA`, or its interval excludes `others`."""
        if self.others is None:
            return self.q is not None and self.q < ALPHA
        return self.low is not None and self.high is not None and not self.low <= self.others <= self.high

    @property
    def shade(self) -> float | None:
        """Return the colour in [-1, 1]: the logarithm of the lift, 0 at chance; the difference, 0 at `others`."""
        if self.lift is None:
            return None
        if self.others is not None:
            return float(np.clip((self.lift - self.others) / STRONGEST_DIFFERENCE, -1, 1))
        return float(np.clip(np.log(max(self.lift, 1e-3)) / np.log(STRONGEST), -1, 1))

    @property
    def hover(self) -> str:
        """Return the cell in words."""
        if self.lift is None:
            return f"{self.emotion}, {self.region} ({self.units}): not measured"
        q = "" if self.q is None else f", q = {decimal_text(self.q, 3)}"
        q += "" if self.others is None else f"; other emotions {decimal_text(self.others, 2)}"
        listed = "; listed by the codebook" if self.listed else ""
        return f"{self.emotion}, {self.region} ({self.units}): {Estimate(self.lift, self.low, self.high).words()}{q}{listed}"


@dataclass(frozen=True)
class HeatMap:
    """Hold the rows of cells, one emotion each in the order of every page.

    Attributes:
        areas: part of the face of each column.
        against: one of `AGAINST`.
    """

    rows: tuple[tuple[Cell, ...], ...]
    areas: tuple[str, ...]
    against: str = CHANCE

    @property
    def reading(self) -> str:
        """Return the sentences that explain colours and hatching."""
        return AGAINST_READING[self.against]

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Return position in [-1, 1] and label of the ticks of the colour bar."""
        if self.against == OTHERS:
            ends = (-1, -0.5, 0, 0.5, 1)
            return [(t, decimal_text(t * STRONGEST_DIFFERENCE, 1, sign=t != 0)) for t in ends]
        return [(t, f"{STRONGEST**t:g}×" if t else "chance") for t in (-1, -0.5, 0, 0.5, 1)]

    @property
    def columns(self) -> list[str]:
        """Return region and part of the face of each column, such as "AU 12/15 lip corner"."""
        return [f"{region} {area}".strip() for region, area in zip(self.regions, self.areas, strict=True)]

    @property
    def emotions(self) -> list[str]:
        """Return the names of the rows."""
        return [row[0].emotion for row in self.rows]

    @property
    def regions(self) -> list[str]:
        """Return the names of the columns."""
        return [cell.region for cell in self.rows[0]]

    @property
    def shades(self) -> np.ndarray:
        """Return the colours (rows, columns) in [-1, 1], NaN where nothing was measured."""
        return np.array([[np.nan if cell.shade is None else cell.shade for cell in row] for row in self.rows])


def others_lift(
    lifts: Mapping[str, Mapping[str, Sequence[Estimate]]], emotion: str, region: str, layer: int
) -> float | None:
    """Return the mean lift of the other emotions on a region: the baseline that holds the face's geometry; None without any.

    Args:
        lifts: emotion -> region group -> lifts of the layers.
        layer: from 0.
    """
    layers = [by_group.get(region, ()) for other, by_group in lifts.items() if other != emotion]
    known = [row[layer].value for row in layers if len(row) > layer]
    values = [value for value in known if value is not None]
    return float(np.mean(values)) if values else None


def heat_map(
    study: FacsStudy,
    layer: int,
    codebook: Codebook,
    *,
    map_name: str = "checkpoint",
    kind: str = "kept",
    against: str = CHANCE,
) -> HeatMap:
    """Return the lifts of one attention, as they are or minus those of the other emotions on the same region.

    Args:
        layer: from 0.
        map_name: one of the study's maps.
        kind: "kept" or "attention".
        against: one of `AGAINST`.
    """
    measured = study.maps[map_name].of(kind).groups
    rows = []
    for emotion in (e for e in EMOTIONS if e in study.emotions):
        row = []
        for group in study.groups:
            layers = measured.get(emotion, {}).get(group.name, ())
            lift = layers[layer] if layers else None
            values = (lift.value, lift.low, lift.high, lift.q) if lift is not None else (None, None, None, None)
            listed = bool(set(group.units) & set(codebook.units.get(emotion, ())))
            others = others_lift(measured, emotion, group.name, layer) if against == OTHERS else None
            row.append(Cell(emotion, group.name, group_names(group), *values, listed, others))
        rows.append(tuple(row))
    return HeatMap(tuple(rows), tuple(_AREAS.get(group.units[0], "") for group in study.groups), against)


@dataclass(frozen=True)
class Face:
    """Hold one canonical map: (H, W) values, and the cells that are significant where it is a difference."""

    title: str
    values: np.ndarray
    significant: np.ndarray | None = None


#: View of a canonical record -> words.
VIEWS: dict[str, str] = {
    "kept": "share of frames that keep a site",
    "attention": "attention, as a multiple of a uniform map",
    "others": "kept sites: this emotion minus the other faces",
    "wrong": "kept sites: right clips minus wrong clips",
}
_UNITS = {"kept": "share of frames", "attention": "multiple of a uniform map"}


def view_words(faces: CanonicalFaces) -> dict[str, str]:
    """Return the views of this record: the maps, and every difference."""
    more = {
        name: f"kept sites: minus {MAP_WORDS['random'] if name == 'random' else name}"
        for name in faces.differences
        if name not in VIEWS
    }
    return VIEWS | more


@dataclass(frozen=True)
class FaceGrid:
    """Hold the canonical faces of one view: a row per layer, a column per emotion, one colour scale.

    Attributes:
        words: the view in words; `unit` that of the colour scale.
        signed: whether it is a difference; its scale is symmetric.
        low: value of the first colour; `high` of the last.
        window: x0, x1, y0, y1 of the template in canonical coordinates.
        outline: lines (n, 2) that draw the template face.
    """

    words: str
    unit: str
    signed: bool
    layers: tuple[str, ...]
    rows: tuple[tuple[Face, ...], ...]
    low: float
    high: float
    window: tuple[float, float, float, float]
    outline: tuple[np.ndarray, ...]


def face_grid(faces: CanonicalFaces, view: str, layers: Sequence[int] | None = None) -> FaceGrid:
    """Return the canonical faces of a view, one of `view_words`; of all layers, or of some, from 0."""
    chosen = range(faces.layers) if layers is None else layers
    rows = tuple(_faces(faces, layer, view) for layer in chosen)
    signed = view not in ("kept", "attention")
    low, high = _colour_range([face for row in rows for face in row], signed)
    names = layer_names(faces.layers)
    return FaceGrid(
        view_words(faces)[view],
        _UNITS.get(view, "difference of the shares"),
        signed,
        tuple(names[layer] for layer in chosen),
        rows,
        low,
        high,
        faces.window,
        tuple(np.array(line) for lines in faces.outline.values() for line in lines),
    )


def _faces(faces: CanonicalFaces, layer: int, view: str) -> tuple[Face, ...]:
    emotions = [e for e in EMOTIONS if e in faces.labels]
    own = faces.maps["checkpoint"]
    if view in ("kept", "attention"):
        return tuple(Face(emotion, unpack(own.of(view)[emotion][layer])) for emotion in emotions)
    row = []
    for emotion in emotions:
        difference = faces.differences[view][emotion][layer]
        if difference is None:
            size = len(own.kept[emotion][layer])
            empty = np.full((size, size), np.nan)
            row.append(Face(f"{emotion}: too few", empty, np.zeros((size, size), bool)))
        else:
            row.append(Face(emotion, unpack(difference.map), unpack_mask(difference.significant)))
    return tuple(row)


def _colour_range(faces: Sequence[Face], signed: bool) -> tuple[float, float]:
    values = np.concatenate([face.values[np.isfinite(face.values)] for face in faces])
    if not len(values):
        return (-1.0, 1.0) if signed else (0.0, 1.0)
    if signed:
        most = max(float(np.abs(values).max()), 0.01)
        return -most, most
    return float(values.min()), max(float(values.max()), float(values.min()) + 0.01)


Control = Literal["active", "own"]
#: Comparison with the controls -> its title, title of its axis.
CONTROLS: dict[Control, tuple[str, str]] = {
    "active": ("Truly active units", "lift over chance"),
    "own": ("Own emotion against others", "own over others"),
}


@dataclass(frozen=True)
class LayerSeries:
    """Hold the estimates of several attentions, layer after layer, with chance at 1.

    Attributes:
        series: name of the attention -> one estimate per layer.
        axis: title of the value axis.
    """

    title: str
    axis: str
    layers: tuple[str, ...]
    series: dict[str, tuple[Estimate, ...]]

    def points(self) -> dict[str, list[tuple[float, float, float, float]]]:
        """Return (x, value, low, high) of every known estimate; series of one layer stand beside each other.

        Without an interval, low and high are the value.
        """
        count = len(self.series)
        return {
            name: [
                (
                    i + (number - (count - 1) / 2) * _STEP,
                    e.value,
                    e.value if e.low is None else min(e.low, e.value),
                    e.value if e.high is None else max(e.high, e.value),
                )
                for i, e in enumerate(layers)
                if e.value is not None
            ]
            for number, (name, layers) in enumerate(self.series.items())
        }

    def conclusion(self) -> str:
        """Return a sentence on each control: above, below or not apart from chance, layer after layer."""
        lines = []
        for name, layers in self.series.items():
            ends = [(e.low, e.high) for e in layers if e.low is not None and e.high is not None]
            if name == MAP_WORDS["checkpoint"] or not ends:
                continue
            above, below = [low > 1 for low, _ in ends], [high < 1 for _, high in ends]
            if all(below):
                lines.append(f"Below chance in every layer: {name}.")
            elif any(above):
                lines.append(
                    f"Above chance in {_layers_where(above)}: {name}; so much of the checkpoint's lift is not its attention's."
                )
            else:
                lines.append(f"Above chance in no layer: {name}.")
        return " ".join(lines)


def _layers_where(chosen: Sequence[bool]) -> str:
    """Return the layers for which it is true, such as "L1 and L3"."""
    return listed([name for name, yes in zip(layer_names(len(chosen)), chosen, strict=True) if yes])


def layer_series(study: FacsStudy, control: Control, kind: str = "kept") -> LayerSeries:
    """Return the checkpoint beside the controls; without series where the active units are not known."""
    series: dict[str, tuple[Estimate, ...]] = {}
    for name in MAPS:
        sites = study.maps[name].of(kind) if name in study.maps else None
        if sites is None:
            continue
        if control == "active" and sites.active:
            series[MAP_WORDS[name]] = tuple(layer.lift for layer in sites.active)
        if control == "own" and sites.specificity is not None:
            series[MAP_WORDS[name]] = sites.specificity.own_over_other_units.pooled
    return LayerSeries(*CONTROLS[control], layer_names(study.layers), series)
