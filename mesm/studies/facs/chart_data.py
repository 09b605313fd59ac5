"""What the FACS figures draw, read from the records `facs`, `canonical` and from the statements' rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mesm.vocabulary import EMOTIONS

Record = Mapping[str, Any]

#: Maps of a facs record -> words on the screen, in the order in which they stand side by side.
MAP_WORDS: dict[str, str] = {
    "checkpoint": "this checkpoint",
    "hard": "untrained, the paper's hard gate",
    "random": "attention drawn anew",
}
LOOK_WORDS: dict[str, str] = {"kept": "kept sites", "attention": "attention"}
#: Discoveries at this false-discovery rate count as significant.
ALPHA = 0.05
#: Lifts beyond chance times or divided by this take the strongest colour; a mask of a fifth can reach five.
STRONGEST = 4.0
#: Below chance, at chance (the ground's colour stands there), above chance: apart for every common colour vision.
BELOW, ABOVE = "#0072B2", "#D55E00"


@dataclass(frozen=True)
class Cell:
    """One emotion and one region. `lift` None where nothing was measured; `marked`: the codebook lists the region."""

    emotion: str
    region: str
    lift: float | None
    low: float | None
    high: float | None
    q: float | None
    marked: bool

    @property
    def significant(self) -> bool:
        """Whether the lift differs from chance at the false-discovery rate `ALPHA`."""
        return self.q is not None and self.q < ALPHA

    @property
    def shade(self) -> float | None:
        """Colour in [-1, 1]: the logarithm of the lift, 0 at chance."""
        if self.lift is None:
            return None
        return float(np.clip(np.log(max(self.lift, 1e-3)) / np.log(STRONGEST), -1, 1))


def heat_cells(
    data: Record, layer: int, *, map_name: str = "checkpoint", look: str = "kept", units: Mapping[str, Sequence[int]]
) -> list[list[Cell]]:
    """Rows of cells, an emotion each in the order of every page; columns are the record's groups of action units.

    Args:
        layer: from 0.
        units: emotion -> action units of the codebook in use.
    """
    measured = data["maps"][map_name][look]["groups"]
    rows = []
    for emotion in (e for e in EMOTIONS if e in data["emotions"]):
        row = []
        for group in data["groups"]:
            layers = (measured.get(emotion) or {}).get(group["name"])
            found = layers[layer] if layers else {}
            marked = bool(set(group["units"]) & set(units.get(emotion, ())))
            value, low, high, q = (found.get(k) for k in ("value", "low", "high", "q"))
            row.append(Cell(emotion, group["name"], value, low, high, q, marked))
        rows.append(row)
    return rows


def unpack(rows: Sequence[str]) -> np.ndarray:
    """A map of a canonical record: (H, W) float, NaN where too few frames show a cell."""
    return np.array([[np.nan if v == "-" else int(v) / 100 for v in row.split()] for row in rows])


def unpack_mask(rows: Sequence[str]) -> np.ndarray:
    """(H, W) bool from rows of 0 and 1."""
    return np.array([[letter == "1" for letter in row] for row in rows])


@dataclass(frozen=True)
class Face:
    """One canonical map: (H, W) values, and the cells that are significant where it is a difference."""

    title: str
    values: np.ndarray
    significant: np.ndarray | None = None


#: What a canonical map can show -> words.
VIEWS: dict[str, str] = {
    "kept": "share of frames that keep a site",
    "attention": "attention, as a multiple of an even share",
    "others": "kept sites: this emotion minus the other faces",
    "wrong": "kept sites: right clips minus wrong clips",
}


def view_words(data: Record) -> dict[str, str]:
    """Views of this record: the maps, and every difference that it holds."""
    more = {
        name: f"kept sites: minus {'the same with attention drawn anew' if name == 'random' else name}"
        for name in data["differences"]
        if name not in VIEWS
    }
    return VIEWS | more


def canonical_faces(data: Record, layer: int, view: str) -> list[Face]:
    """One face per emotion, for a layer from 0 and one of `view_words`; empty maps where nothing was measured."""
    faces = []
    for emotion in (e for e in EMOTIONS if e in data["labels"]):
        if view in ("kept", "attention"):
            faces.append(Face(emotion, unpack(data["maps"]["checkpoint"][view][emotion][layer])))
            continue
        found = data["differences"][view][emotion][layer]
        if found is None:
            size = len(data["maps"]["checkpoint"]["kept"][emotion][layer])
            faces.append(Face(f"{emotion}: too few", np.full((size, size), np.nan), np.zeros((size, size), bool)))
        else:
            faces.append(Face(emotion, unpack(found["map"]), unpack_mask(found["significant"])))
    return faces


def is_difference(view: str) -> bool:
    """Whether a view has a sign."""
    return view not in ("kept", "attention")


def colour_range(faces: Sequence[Face], view: str) -> tuple[float, float]:
    """One range of values for all faces of a figure; symmetric for a difference."""
    values = np.concatenate([face.values[np.isfinite(face.values)] for face in faces])
    if not len(values):
        return (-1.0, 1.0) if is_difference(view) else (0.0, 1.0)
    if is_difference(view):
        most = max(float(np.abs(values).max()), 0.01)
        return -most, most
    return float(values.min()), max(float(values.max()), float(values.min()) + 0.01)


def outline_lines(data: Record) -> list[np.ndarray]:
    """The lines (n, 2) of the template face, canonical coordinates."""
    return [np.array(line) for lines in data["outline"].values() for line in lines]


def control_series(data: Record, look: str = "kept") -> dict[str, list[Mapping[str, float | None]]]:
    """Name of a map -> its lift on the truly active units, layer after layer; empty where they are unknown."""
    found = {}
    for name, words in MAP_WORDS.items():
        active = (data["maps"].get(name) or {}).get(look, {}).get("active")
        if active:
            found[words] = [layer["lift"] for layer in active]
    return found


def own_other_series(data: Record, look: str = "kept") -> dict[str, list[Mapping[str, float | None]]]:
    """Name of a map -> own emotion's regions over other emotions', layer after layer."""
    found = {}
    for name, words in MAP_WORDS.items():
        ratio = (data["maps"].get(name) or {}).get(look, {}).get("own_other")
        if ratio:
            found[words] = list(ratio["layers"])
    return found
