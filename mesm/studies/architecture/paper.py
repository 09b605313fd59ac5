"""Draw the architecture of a model: inputs, the sites that each block computes, the fusion of the modalities.

On a wide sheet the flow runs from left to right with a lane per modality, in a paper's column it runs downwards. The
sentence embedding runs along the sparse blocks and enters each of them as the query. Below, one block is shown in four
steps.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from shlex import quote
from typing import TYPE_CHECKING

import numpy as np

from mesm.batch import CHUNK_MS, FRAME_INTERVAL_MS
from mesm.config import MESMConfig, ModelConfig
from mesm.errors import ConfigError
from mesm.figures.export import FigureExport
from mesm.figures.page import WIDTHS_IN, paper_style
from mesm.figures.sheet import Point, Sheet
from mesm.figures.style import LIGHT, Theme, emotion_colour, theme
from mesm.json_form import Json
from mesm.studies.architecture.chart_data import (
    SEGMENT_SIZES,
    Selection,
    architecture_caption,
    example,
    has_cnn,
    pooled,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Inches from which on the flow runs from left to right.
WIDE_IN = 5.0
#: Modality -> colour on a light and on a dark ground.
_COLOURS: dict[str, tuple[str, str]] = {"visual": ("#0072B2", "#3D9BD9"), "acoustic": ("#B85100", "#F0A24B")}
_LAYERS = ("L1", "L2", "L3")
_CHANNELS = (128, 256, 512)
#: Modality -> width and height of the grid of layer 1 in units. A chunk's sites are drawn wider than they are high, or
#: they could not be told apart.
_GRIDS: dict[str, Point] = {"visual": (46, 46), "acoustic": (24, 62)}
#: Later grids are drawn smaller, but not half as large: their sites are larger.
_SHRINK = (1.0, 0.8, 0.62)
_FAINT = 0.22


@dataclass(frozen=True)
class _Plan:
    """Positions of the parts, in units: along the flow by station, across it by lane.

    Attributes:
        tall: the flow runs downwards.
        lengths: of the panels, along the flow.
        panels: first and last position of the panels across it.
        inside: left, top, width and height of the block in four steps.
        parts: upper left corners of its steps.
    """

    tall: bool
    size: Point
    stations: dict[str, float]
    lanes: dict[str, float]
    lengths: dict[str, float]
    panels: Point
    inside: tuple[float, float, float, float]
    parts: tuple[Point, ...]

    def at(self, along: str | float, across: str | float) -> Point:
        """Return a point of the sheet."""
        u = self.stations[along] if isinstance(along, str) else along
        v = self.lanes[across] if isinstance(across, str) else across
        return (v, u) if self.tall else (u, v)

    def turned(self, along: float, across: float) -> Point:
        """Return a size on the sheet."""
        return (across, along) if self.tall else (along, across)


_WIDE = _Plan(
    False,
    (454, 324),
    {"input": 32, "stem": 102, "L1": 170, "L2": 229, "L3": 280, "sequence": 331, "scores": 369, "fusion": 390, "out": 409},
    {"text": 22, "visual": 100, "acoustic": 178},
    {"stem": 60, "L1": 60, "L2": 50, "L3": 44, "sequence": 50},
    (52, 230),
    (0, 242, 454, 82),
    ((10, 269), (123, 269), (236, 269), (347, 269)),
)  # fmt: skip
_TALL = _Plan(
    True,
    (218, 599),
    {"input": 30, "stem": 112, "L1": 186, "L2": 251, "L3": 307, "sequence": 359, "scores": 394, "fusion": 410, "out": 426},
    {"text": 29, "visual": 104, "acoustic": 174},
    {"stem": 70, "L1": 70, "L2": 56, "L3": 48, "sequence": 48},
    (60, 218),
    (0, 455, 218, 144),
    ((8, 482), (113, 482), (8, 543), (113, 543)),
)  # fmt: skip


@dataclass(frozen=True)
class _Drawing:
    """Sheet, plan, config and theme that all parts of the drawing share."""

    sheet: Sheet
    plan: _Plan
    config: ModelConfig
    theme: Theme

    @property
    def segments(self) -> tuple[str, ...]:
        """Modalities that pass a CNN."""
        return tuple(m for m in self.config.modalities if m != "text")

    @property
    def has_query(self) -> bool:
        """Whether the sentence embedding is the query of the blocks."""
        return isinstance(self.config, MESMConfig) and self.config.query != "none"

    def colour(self, modality: str) -> str:
        """Return the colour of a modality's sites."""
        return _COLOURS[modality][self.theme is not LIGHT]

    def middle(self, station: str) -> Point:
        """Return the middle of a panel."""
        return self.plan.at(station, sum(self.plan.panels) / 2)


def plot_architecture(config: ModelConfig, width: float, theme: Theme = LIGHT) -> Figure:
    """Draw the architecture with a config's sizes, on the ground of paper or of a screen.

    Args:
        config: of an end-to-end model (`chart_data.has_cnn`).
        width: inches; narrower than `WIDE_IN`, the flow runs downwards.
    """
    plan = _WIDE if width >= WIDE_IN else _TALL
    sparse = config.name == "mesm"
    height = plan.size[1] if sparse else plan.inside[1] - 8
    d = _Drawing(Sheet(width, (plan.size[0], height), theme), plan, config, theme)
    _panels(d)
    for modality in d.segments:
        _lane(d, modality)
    if "text" in config.modalities:
        _words(d)
    _fusion(d)
    if sparse and d.segments:
        _inside(d, d.segments[0])
    return d.sheet.figure


@lru_cache(maxsize=8)
def screen_svg(config: ModelConfig, dark: bool) -> str:
    """Return the drawing as SVG for a page: wide, on the screen's ground."""
    out = io.StringIO()
    with paper_style():
        plot_architecture(config, WIDTHS_IN["acl-text"], theme(dark)).savefig(
            out, format="svg", metadata={"Date": None}
        )
    return out.getvalue()[out.getvalue().index("<svg") :]


def screen_boxes(config: ModelConfig) -> dict[str, tuple[float, float, float, float]]:
    """Return the boxes of the parts on `screen_svg`: left, top, width and height as shares of the drawing.

    The parts are "words", "segments" (faces and voice), the stations of the panels, "scores", and "step 1" to "step 4"
    of a sparse block.
    """
    plan, sparse = _WIDE, config.name == "mesm"
    top, bottom = plan.panels
    corners = {
        "words": (0, 6, plan.stations["stem"] + 30, 46),
        "segments": (0, 56, plan.stations["input"] + 30, bottom),
        **{
            name: (plan.stations[name] - length / 2, top, plan.stations[name] + length / 2, bottom)
            for name, length in plan.lengths.items()
        },
        "scores": (plan.stations["scores"] - 8, 0, plan.size[0], bottom),
        **{f"step {i}": (x - 4, y - 4, x + 106, y + 50) for i, (x, y) in enumerate(plan.parts, 1) if sparse},
    }
    wide, high = plan.size[0], plan.size[1] if sparse else plan.inside[1] - 8
    return {
        name: (left / wide, above / high, (right - left) / wide, (below - above) / high)
        for name, (left, above, right, below) in corners.items()
        if name != "words" or "text" in config.modalities
    }


def _panels(d: _Drawing) -> None:
    """Draw a panel behind each stage of faces and voice, with its name."""
    first, last = d.plan.panels
    names = ("dense stem", "block 1", "block 2", "block 3", "Transformer")
    for (station, length), name in zip(d.plan.lengths.items(), names, strict=True):
        x, y = d.middle(station)
        d.sheet.box((x, y), d.plan.turned(length, last - first), fill=d.theme.panel)
        if d.plan.tall:
            d.sheet.text((first + 6, y), name, weight="bold", rotation=90)
        else:
            d.sheet.text((x, first + 8), name, weight="bold")


def _lane(d: _Drawing, modality: str) -> None:
    """Draw one modality from its segments to its scores."""
    plan, colour = d.plan, d.colour(modality)
    (_faces if modality == "visual" else _chunks)(d, plan.at("input", modality))
    wide, high = _GRIDS[modality]
    sizes = {name: (wide * by, high * by) for name, by in zip(("stem", *_LAYERS), (1.0, *_SHRINK), strict=True)}
    half = {name: size[plan.tall] / 2 + 2 for name, size in sizes.items()}
    half |= {"input": (28 if modality == "visual" else 22), "sequence": 14, "scores": 5}
    if plan.tall:
        half |= {"input": 40 if modality == "visual" else 42, "sequence": 10}
    stops = ("input", *sizes, "sequence", "scores")
    for before, after in pairwise(stops):
        ends = (plan.stations[before] + half[before], plan.stations[after] - half[after])
        d.sheet.line([plan.at(end, modality) for end in ends], d.theme.faint, tip=True)
    layers = example(d.config, modality)
    stem = layers[0].active
    _cells(d, plan.at("stem", modality), sizes["stem"], ((stem, 1.0),), colour)
    _note(d, "stem", modality, sizes["stem"], (*stem.shape, d.config.channels(64)))
    for name, selection, channels in zip(_LAYERS, layers, _CHANNELS, strict=True):
        _cells(d, plan.at(name, modality), sizes[name], _chosen(selection), colour)
        _note(d, name, modality, sizes[name], (*selection.kept.shape, d.config.channels(channels)))
    _sequence(d, modality)
    _scores(d, modality)


def _chosen(selection: Selection) -> tuple[tuple[np.ndarray, float], ...]:
    """Return kept sites at full strength and sites dropped in this layer faint; sites dropped earlier are not drawn."""
    return (selection.active & ~selection.kept, _FAINT), (selection.kept, 1.0)


def _cells(d: _Drawing, middle: Point, size: Point, shades: Sequence[tuple[np.ndarray, float]], colour: str) -> None:
    """Draw a grid; each shade is a (H, W) mask of sites and its strength."""
    d.sheet.box(middle, (size[0] + 2, size[1] + 2), fill=d.theme.ground, round_by=0.6)
    for chosen, strength in shades:
        d.sheet.cells(middle, size, chosen, colour, strength)
    d.sheet.mesh(middle, size, shades[0][0].shape, d.theme.ground)


def _note(d: _Drawing, station: str, modality: str, size: Point, numbers: tuple[int, ...]) -> None:
    """Write height, width and channels beside or below a grid."""
    x, y = d.plan.at(station, modality)
    height, width, channels = numbers
    if d.plan.tall:
        d.sheet.text((x + size[0] / 2 + 2.5, y), f"{height}×{width}\n×{channels}", size=5.8, ha="left")
    else:
        d.sheet.text((x, y + size[1] / 2 + 5), f"{height}×{width}×{channels}", size=5.8)


def _faces(d: _Drawing, at: Point) -> None:
    """Draw three faces, one behind the other, with their size and rate."""
    x, y = at
    ink, side = d.theme.ink, 34.0
    for back in (2, 1, 0):
        d.sheet.box((x + 4 * back - 2, y - 4 * back - 4), (side, side), fill=d.theme.ground, edge=d.theme.faint)
    x, y = x - 2, y - 4
    d.sheet.ellipse((x, y + 1), (22, 28), edge=ink)
    for way in (-1, 1):
        d.sheet.ellipse((x + 5 * way, y - 2.5), (3.4, 2.2), fill=ink)
        d.sheet.line([(x + 2.6 * way, y - 6.5), (x + 5 * way, y - 7.5), (x + 7.4 * way, y - 6.5)], ink)
    d.sheet.line([(x, y - 1), (x - 1.2, y + 3.6), (x + 0.6, y + 3.8)], ink, width=0.6)
    d.sheet.line([(x - 4.6, y + 8), (x - 2, y + 9.6), (x + 2, y + 9.6), (x + 4.6, y + 8)], ink)
    height, width = SEGMENT_SIZES["visual"]
    _input_name(d, (at[0], y + 23), "faces", f"{height}×{width}, {1000 // FRAME_INTERVAL_MS} a second")


def _chunks(d: _Drawing, at: Point) -> None:
    """Draw three mel chunks, one behind the other, with their size and duration."""
    x, y = at
    size = (18.0, 42.0)
    for back in (2, 1, 0):
        d.sheet.box((x + 4 * back - 4, y - 4 * back), size, fill=d.theme.ground, edge=d.theme.faint, round_by=2)
    loud = example(d.config, "acoustic")[0].attention
    inner = (size[0] - 2, size[1] - 2)
    for share, alpha in ((0.15, 0.25), (0.35, 0.35), (0.6, 0.6)):
        d.sheet.cells((x - 4, y), inner, loud > share * loud.max(), d.theme.ink, alpha)
    height, width = SEGMENT_SIZES["acoustic"]
    _input_name(d, (x, y + 27), "voice", f"{height}×{width}, {CHUNK_MS / 1000:g} s each")


def _input_name(d: _Drawing, at: Point, name: str, details: str) -> None:
    d.sheet.text(at, name, weight="bold")
    d.sheet.text((at[0], at[1] + 7.5), details, size=5.4)


def _sequence(d: _Drawing, modality: str) -> None:
    """Draw one vector per segment, in the order of time."""
    x, y = d.plan.at("sequence", modality)
    for step in range(5):
        d.sheet.box((x + 5 * (step - 2), y), (3, 15), fill=d.colour(modality), round_by=1)
    if not d.plan.tall:
        d.sheet.text((x, y + 13), f"{d.config.transformer_dim} numbers\neach", size=5.4, va="top")


def _scores(d: _Drawing, modality: str) -> None:
    """Draw a dot per emotion, across the flow."""
    labels = d.config.labels
    for number, label in enumerate(labels):
        across = d.plan.lanes[modality] + 5.6 * (number - (len(labels) - 1) / 2)
        d.sheet.ellipse(d.plan.at("scores", across), (4.4, 4.4), fill=_emotion(d, label))


def _emotion(d: _Drawing, label: str) -> str:
    return emotion_colour(label, d.theme is not LIGHT)


def _words(d: _Drawing) -> None:
    """Draw the sentence, its embedding, and its lines into the blocks and to its own scores."""
    plan, ink = d.plan, d.theme.ink
    lane = plan.lanes["text"]
    x, y = plan.at("input", "text")
    d.sheet.box((x, y - 5), (52, 19), fill=d.theme.ground, edge=d.theme.faint, round_by=6)
    d.sheet.text((x, y - 5), "“What a day!”", style="italic", size=6.2)
    d.sheet.text((x, y + 11), "words", weight="bold")
    box = plan.at("stem", "text")
    d.sheet.line([plan.at(plan.stations["input"] + (18 if plan.tall else 28), lane),
                  plan.at(plan.stations["stem"] - (11 if plan.tall else 28), lane)], d.theme.faint, tip=True)  # fmt: skip
    d.sheet.box(box, (52, 20), fill=d.theme.panel)
    d.sheet.text(box, f"text encoder\n{d.config.text_dim} numbers", size=5.8)
    start = plan.stations["stem"] + (11 if plan.tall else 28)
    ends = [plan.at(start, lane), plan.at(plan.stations["scores"] - 5, lane)]
    d.sheet.line(ends, ink if d.has_query else d.theme.faint, tip=True)
    if d.has_query:
        for name in _LAYERS if d.segments else ():
            d.sheet.line([plan.at(name, lane), plan.at(name, plan.panels[0] + 0.5)], ink, tip=True)
            d.sheet.ellipse(plan.at(name, lane), (3, 3), fill=ink)
        at = (box[0] - 4, plan.stations["L1"] - 28) if plan.tall else (plan.stations["L1"] - 5, lane - 7)
        d.sheet.text(at, "query", style="italic", ha="right")
    _scores(d, "text")


def _fusion(d: _Drawing) -> None:
    """Draw the weighted sum of the modalities' scores, one per emotion."""
    plan, labels = d.plan, d.config.labels
    lanes = [plan.lanes[m] for m in d.config.modalities]
    across = (min(lanes) + max(lanes)) / 2
    meeting = plan.at("fusion", across)
    half = 2.8 * len(labels)
    for lane in lanes:
        begin = plan.stations["scores"] + 4
        d.sheet.line([plan.at(begin, lane - half), plan.at(begin + 1.5, lane - half),
                      plan.at(begin + 1.5, lane + half), plan.at(begin, lane + half)], d.theme.faint)  # fmt: skip
        d.sheet.line([plan.at(begin + 1.5, lane), plan.at("fusion", lane), meeting], d.theme.faint)
    names = plan.stations["out"]
    d.sheet.line([meeting, plan.at(names - 5, across)], d.theme.faint, tip=True)
    if len(lanes) > 1:
        d.sheet.ellipse(meeting, (11, 11), fill=d.theme.ground, edge=d.theme.ink)
        d.sheet.text(meeting, "Σ", size=7)
    for number, label in enumerate(labels):
        if plan.tall:
            at = (24.0 + 68 * (number % 3), names + 2 + 11 * (number // 3))
        else:
            at = (names, across + 11 * (number - (len(labels) - 1) / 2))
        d.sheet.ellipse(at, (5, 5), fill=_emotion(d, label))
        d.sheet.text((at[0] + 5.5, at[1]), label, ha="left")


def _inside(d: _Drawing, modality: str) -> None:
    """Draw the second block in four steps."""
    plan, sheet, colour = d.plan, d.sheet, d.colour(modality)
    left, top, width, height = plan.inside
    sheet.box((left + width / 2, top + height / 2), (width, height), fill=d.theme.panel)
    if not plan.tall:  # lines from the block to its steps
        x, bottom, half = plan.stations["L2"], plan.panels[1], plan.lengths["L2"] / 2
        for start, end in ((x - half + 3, left + 3), (x + half - 3, left + width - 3)):
            sheet.line([(start, bottom), (end, top)], d.theme.faint, width=0.5)
    sheet.text((plan.parts[0][0], top + 12), "inside a sparse block", weight="bold", ha="left")
    chosen = example(d.config, modality)[1]
    steps = (
        ("1  attention", "the query weights\nthe sites left" if d.has_query else "the sites left\nare weighted"),
        ("2  nucleus", f"the fewest sites\nholding p = {d.config.top_p:g}\nare kept"),
        ("3  convolution", "at kept sites,\nfrom kept sites"),
        ("4  max-pool", "the next block\nhas half as\nmany each way"),
    )
    shades = (_heat(chosen), _chosen(chosen), ((chosen.kept, 1.0),), ((pooled(chosen.kept), 1.0),))
    side = (46.0, 46.0)
    for number, ((x, y), (name, words)) in enumerate(zip(plan.parts, steps, strict=True)):
        middle = (x + side[0] / 2, y + side[1] / 2)
        _cells(d, middle, side, shades[number], colour)
        if number == 2:
            _kernel(d, middle, side, chosen.kept)
        sheet.text((x + side[0] + 6, y + 4), name, weight="bold", ha="left", va="top")
        sheet.text((x + side[0] + 6, y + 15), words, size=5.8, ha="left", va="top")


def _heat(selection: Selection) -> tuple[tuple[np.ndarray, float], ...]:
    """Return the attention in five strengths."""
    level = np.ceil(5 * selection.attention / selection.attention.max()).clip(1, 5)
    return tuple((selection.active & (level == step), 0.04 + 0.192 * step) for step in range(1, 6))


def _kernel(d: _Drawing, middle: Point, size: Point, kept: np.ndarray) -> None:
    """Draw a 3x3 window around the kept site with the most kept neighbours, but not all."""
    height, width = kept.shape
    padded = np.pad(kept, 1)
    around = sum(padded[y : y + height, x : x + width].astype(int) for y in range(3) for x in range(3))
    row, column = np.unravel_index(np.argmax(np.where(kept & (around < 9), around, -1)), kept.shape)
    across, down = size[0] / width, size[1] / height
    at = (middle[0] - size[0] / 2 + (column + 0.5) * across, middle[1] - size[1] / 2 + (row + 0.5) * down)
    d.sheet.box(at, (3 * across, 3 * down), edge=d.theme.mark, round_by=0.8)
    d.sheet.ellipse(at, (across * 0.5, down * 0.5), fill=d.theme.ground)


def architecture(config: ModelConfig, origin: Mapping[str, Json]) -> FigureExport:
    """Build the drawing of inputs, kept sites of each block, and fusion.

    Args:
        origin: checkpoint, checkpoint_sha256, config, seed, trained_on.

    Raises:
        ConfigError: the model is not end-to-end.
    """
    name = origin["checkpoint"]
    if not has_cnn(config):
        raise ConfigError(
            f"the drawing shows FE2E and MESM with cnn=stem5x5; {name} is {config.name} with another network"
        )
    return FigureExport(
        name=f"architecture-{name}",
        title=f"The architecture of {name}",
        caption=architecture_caption(config),
        command=f"mesm figure architecture {quote(str(name))}",
        origin={key: value for key, value in origin.items() if key not in ("corpus", "licence")},
        draw=lambda width: plot_architecture(config, width),
    )
