"""Set up printed figures: exact column widths, fonts, line widths, and styles that differ in grey print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from mesm.errors import ConfigError
from mesm.figures.style import LIGHT, LINE_STYLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Name -> width in inches of a column or of the text, by the venues' own style files.
WIDTHS_IN: dict[str, float] = {
    "acl-column": 3.03,
    "acl-text": 6.30,
    "ieee-column": 3.5,
    "ieee-text": 7.16,
    "neurips-text": 5.5,
}
WIDTH_WORDS: dict[str, str] = {
    "acl-column": "ACL column, 3.03 in",
    "acl-text": "ACL text, 6.30 in",
    "ieee-column": "IEEE column, 3.5 in",
    "ieee-text": "IEEE text, 7.16 in",
    "neurips-text": "NeurIPS text, 5.5 in",
}
#: Width of a column -> width of the whole text of the same venue.
TEXT_WIDTHS: dict[str, str] = {"acl-column": "acl-text", "ieee-column": "ieee-text"}
#: Letters of a figure -> words on the screen. "document": text of an SVG stays text, which \includesvg sets in the
#: document's own letters; other formats print it in Times' shapes.
FONTS: dict[str, str] = {"sans": "sans", "serif": "serif, as Times", "document": "the document's (SVG)"}
_FAMILIES: dict[str, str] = {"sans": "DejaVu Sans", "serif": "STIXGeneral", "document": "STIXGeneral"}
#: Families for letters that those lack, used where installed: Chinese, Japanese, Korean, Arabic and more.
_FALLBACKS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Noto Sans JP", "Noto Sans KR", "Source Han Sans SC",
    "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "PingFang SC", "Hiragino Sans", "Microsoft YaHei", "Yu Gothic",
    "Malgun Gothic", "Apple SD Gothic Neo", "Noto Sans Arabic", "Noto Naskh Arabic", "Arial Unicode MS", "Unifont",
)  # fmt: skip
#: Stands for letters that no installed family has.
_UNPRINTABLE = "…"
DPI = 300
#: Colours, markers and dashes of the lines of a figure, by their number.
COLOURS: tuple[str, ...] = tuple(style.colour for style in LINE_STYLES)
MARKERS: tuple[str, ...] = tuple(style.marker for style in LINE_STYLES)
DASHES: tuple[Any, ...] = tuple(style.dashes for style in LINE_STYLES)
HATCHES: tuple[str, ...] = ("", "////", "....", "\\\\\\\\", "xxxx", "----")
INK, FAINT = LIGHT.ink, LIGHT.faint
_STYLE: Any = {
    "font.family": ["DejaVu Sans"],
    "font.size": 7.5,
    "axes.labelsize": 7.5,
    "axes.titlesize": 7.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 6.5,
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "hatch.linewidth": 0.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "legend.frameon": False,
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "savefig.bbox": "standard",  # "tight" would miss the column's width
    "image.composite_image": False,
    "pdf.fonttype": 42,  # matplotlib's own default is Type 3, which publishers refuse
    "ps.fonttype": 42,
    "svg.fonttype": "path",
    "text.parse_math": False,  # a dollar sign in a transcript is a dollar sign
    "svg.hashsalt": "mesm",  # the same input gives the same bytes
}
#: matplotlib's settings belong to the process, so one figure is drawn at a time.
_DRAWING = Lock()


def width_in(name: str) -> float:
    """Return the inches of a named width, or of a number of inches as text.

    Raises:
        ConfigError: it is neither, or not between 1 and 20 inches.
    """
    try:
        width = WIDTHS_IN.get(name) or float(name)
    except ValueError:
        width = 0.0
    if not 1 <= width <= 20:
        raise ConfigError(f"--width {name!r} must be one of {', '.join(WIDTHS_IN)}, or inches from 1 to 20")
    return width


def body_font() -> str:
    """Return the family of the text, by which widths are measured; needs `paper_style`."""
    import matplotlib

    return str(matplotlib.rcParams["font.family"][0])


@contextmanager
def paper_style(font: str = "sans") -> Iterator[None]:
    """Apply the style of printed figures; hold it while drawing and while saving.

    Args:
        font: one of `FONTS`.

    Raises:
        ConfigError: another font.
    """
    import matplotlib

    if font not in FONTS:
        raise ConfigError(f"--font {font!r} must be one of {', '.join(FONTS)}")
    families = [_FAMILIES[font], "DejaVu Sans", *_installed_fallbacks()]
    letters = {"font.family": list(dict.fromkeys(families)), "svg.fonttype": "none" if font == "document" else "path"}
    with _DRAWING, matplotlib.rc_context(_STYLE | letters):
        yield


@lru_cache(maxsize=1)
def _installed_fallbacks() -> tuple[str, ...]:
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return tuple(family for family in _FALLBACKS if family in installed)


def leave_out_unprintable(figure: Figure) -> str:
    """Replace letters that no family of `paper_style` has by an ellipsis, and return them: no box is printed for them."""
    from matplotlib.text import Text

    missing: dict[str, None] = {}
    for text in figure.findobj(Text):
        words = text.get_text()
        lacking = dict.fromkeys(letter for letter in words if not _has_letter(letter))
        if lacking:
            missing |= lacking
            runs = "".join("\0" if letter in lacking else letter for letter in words)
            text.set_text(re.sub("\0[\0 ]*\0|\0", _UNPRINTABLE, runs))
    return "".join(missing)


def _has_letter(letter: str) -> bool:
    import matplotlib

    return not letter.isprintable() or _letter_in(letter, tuple(matplotlib.rcParams["font.family"]))


@lru_cache(maxsize=8192)
def _letter_in(letter: str, families: tuple[str, ...]) -> bool:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return any(get_font(findfont(FontProperties(family=family))).get_char_index(ord(letter)) for family in families)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of this many inches whose axes fill it; without pyplot, which keeps every figure."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def guide(axes: Axes, axis: Any = "y") -> None:
    """Draw faint grid lines behind the data."""
    axes.set_axisbelow(True)
    axes.grid(True, axis=axis, color=FAINT, alpha=0.3, linewidth=0.4)
