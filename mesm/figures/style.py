"""Define the style that all figures share: colours of emotions, modalities and lines, and the two screen themes.

Okabe & Ito (2008), "Color universal design": eight colours that stay apart for every common colour vision; grey is
added for neutral.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: Emotion -> hex colour. The six of CMU-MOSEI and Marionette take the six colours that are easiest to tell apart.
EMOTION_COLOURS: dict[str, str] = {
    "anger": "#D55E00",
    "disgust": "#009E73",
    "fear": "#CC79A7",
    "happiness": "#E69F00",
    "sadness": "#0072B2",
    "surprise": "#56B4E9",
    "excited": "#F0E442",
    "frustrated": "#000000",
    "neutral": "#999999",
}

#: Modality -> word on the screen, and sign in a chart (plotly's names), so that grey print still tells them apart.
MODALITY_WORDS: dict[str, str] = {"text": "words", "visual": "face", "acoustic": "voice"}
MODALITY_SIGNS: dict[str, str] = {"text": "circle", "visual": "square", "acoustic": "diamond"}

#: Stage of the work -> words on the screen, in the order in which a clip passes them.
STAGE_WORDS: dict[str, str] = {
    "stem": "first layers",
    "attention": "attention",
    "conv": "later blocks",
    "head": "linear layers",
    "transformer": "Transformer",
    "text": "text encoder",
}

#: Modality -> shades for its parts, dark to light in the order in which a clip passes them.
MODALITY_SHADES: dict[str, tuple[str, ...]] = {
    "text": ("#4D4D4D", "#999999"),
    "visual": ("#003A5D", "#0072B2", "#3D9BD9", "#7CC0EA", "#B5DCF5", "#DDEFFA"),
    "acoustic": ("#7A3600", "#B85100", "#E07B1A", "#F0A24B", "#F7C78D", "#FCE5C8"),
}


@dataclass(frozen=True)
class LineStyle:
    """Hold the style of one line of a chart, in print and on the screen: lines differ in grey too.

    Attributes:
        colour: in print and on a light screen.
        dark_colour: on a dark screen.
        dashes: matplotlib's line style.
        marker: matplotlib's marker.
        screen_dash: plotly's dash.
        screen_symbol: plotly's marker symbol.
    """

    colour: str
    dark_colour: str
    dashes: Any
    marker: str
    screen_dash: str
    screen_symbol: str

    def on_screen(self, dark: bool) -> str:
        """Return the colour on a dark or a light screen."""
        return self.dark_colour if dark else self.colour


#: Six lines; the hues of Okabe & Ito from dark to light, and on a dark screen those first that stand out on it.
LINE_STYLES: tuple[LineStyle, ...] = (
    LineStyle("#0072B2", "#56B4E9", "-", "o", "solid", "circle"),
    LineStyle("#D55E00", "#E69F00", (0, (5, 1.5)), "s", "dash", "square"),
    LineStyle("#009E73", "#009E73", (0, (1, 1)), "D", "dot", "diamond"),
    LineStyle("#CC79A7", "#CC79A7", (0, (5, 1, 1, 1)), "^", "dashdot", "triangle-up"),
    LineStyle("#E69F00", "#F0E442", (0, (3, 1, 1, 1, 1, 1)), "v", "longdash", "triangle-down"),
    LineStyle("#56B4E9", "#D55E00", (0, (8, 2)), "P", "longdashdot", "cross"),
)


def line_style(number: int) -> LineStyle:
    """Return the style of the line with this number; after six lines the styles repeat."""
    return LINE_STYLES[number % len(LINE_STYLES)]


@dataclass(frozen=True)
class Theme:
    """Hold the colours of one ground, equal to those of .streamlit/config.toml, so that a picture has no visible edge.

    Attributes:
        ground: behind everything.
        ink: text and ticks.
        faint: guides and what matters less.
        mark: outlines and points on a face or a spectrogram.
        panel: behind the parts of a diagram.
    """

    ground: str
    ink: str
    faint: str
    mark: str
    panel: str


LIGHT = Theme(ground="#FFFFFF", ink="#22252B", faint="#8A9099", mark="#E8003D", panel="#F3F5F7")
DARK = Theme(ground="#0F1216", ink="#E8EAED", faint="#7C838D", mark="#FF3B64", panel="#1A1F26")


def theme(dark: bool) -> Theme:
    """Return the theme of a dark or a light screen."""
    return DARK if dark else LIGHT


def rgb(colour: str) -> tuple[int, int, int]:
    """Convert `#RRGGBB` to three numbers in 0..255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def emotion_colour(emotion: str, dark: bool = False) -> str:
    """Return an emotion's colour; black becomes the ink of a dark screen."""
    colour = EMOTION_COLOURS.get(emotion, EMOTION_COLOURS["neutral"])
    return DARK.ink if dark and colour == "#000000" else colour
