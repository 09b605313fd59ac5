"""Compose a picture from parts and letters: row labels, a time axis, words, a colour scale."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mesm.figures.overlay import colours
from mesm.figures.style import Theme, rgb

#: A picture is often shown at less than half its size, and its letters with it.
TEXT_PX = 26
SMALL_PX = 25
LINE_PX = 28
_SCALE_PX = 9


@lru_cache(maxsize=4)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans from matplotlib's own data: Latin, Greek, Cyrillic and more, the same on every machine."""
    matplotlib = find_spec("matplotlib")  # not imported: that takes half a second of a page's first view
    assert matplotlib is not None and matplotlib.origin is not None
    return ImageFont.truetype(
        str(Path(matplotlib.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"), size
    )


def text_px(text: str, *, small: bool = False) -> int:
    """Return the width of a line as `Canvas.write` draws it."""
    return round(_font(SMALL_PX if small else TEXT_PX).getlength(text))


class Canvas:
    """Hold a ground of one colour to paste and write on; parts beyond the edge are cut."""

    def __init__(self, height: int, width: int, theme: Theme) -> None:
        line = np.full((width, 3), rgb(theme.ground), np.uint8)
        self._pixels = np.broadcast_to(line, (height, width, 3)).copy()
        self._theme = theme
        self._texts: list[tuple[int, int, str, str, int, bool]] = []
        self._lines: list[tuple[tuple[int, int, int, int], str]] = []

    def paste(self, x: int, y: int, picture: np.ndarray) -> None:
        """Paste (h, w, 3) uint8 with its upper left corner at x, y."""
        height, width = self._pixels.shape[:2]
        part = picture[: max(0, height - y), : max(0, width - x)]
        self._pixels[y : y + part.shape[0], x : x + part.shape[1]] = part

    def write(self, x: int, y: int, text: str, *, faint: bool = False, small: bool = False) -> None:
        """Write text with its upper left corner at x, y."""
        colour = self._theme.faint if faint else self._theme.ink
        self._texts.append((x, y, text, colour, SMALL_PX if small else TEXT_PX, False))

    def tag(self, x: int, y: int, text: str) -> None:
        """Write small text on a patch of the ground's colour, readable on any picture."""
        self._texts.append((x, y, text, self._theme.mark, SMALL_PX, True))

    def label(self, x: int, y: int, lines: tuple[str, ...]) -> None:
        """Write the name of a row, and further lines in smaller letters below."""
        for number, line in enumerate(lines):
            self.write(x, y + LINE_PX * number + (4 if number else 0), line, small=number > 0)

    def tick(self, x: int, text: str, height: int) -> None:
        """Draw a tick of the time axis, with its number to the right."""
        self._lines.append(((x, height - (8 if text else 4), x, height - 1), self._theme.faint))
        if text:
            self.write(x + 4, 2, text, faint=True, small=True)

    def words(self, placed: list[tuple[int, str]], top: int, height: int) -> None:
        """Write words at their columns; one that would touch the last goes to the lower line, or as far right as needed."""
        free = [0, 0]
        for x, text in placed:
            width = text_px(text) + 8
            line = min((0, 1), key=lambda n: (max(free[n] - x, 0), n))
            left = max(x, free[line])
            free[line] = left + width
            self.write(left + 3, top + 3 + line * (height // 2 - 2), text)
            self._lines.append(((x, top + 2, x, top + 5), self._theme.faint))

    def scale(self, low: float, high: float, top: int, height: int) -> None:
        """Draw a colour bar from `low` to `high` at the right end beside a row, with a tick at 1."""
        left = self._pixels.shape[1] - _SCALE_PX - 5
        bar = colours(np.repeat(np.linspace(1, 0, height)[:, None], _SCALE_PX, axis=1))
        self.paste(left, top, bar)
        if low < 1 < high:
            y = top + round((high - 1) / (high - low) * (height - 1))
            self._lines.append(((left - 8, y, left + _SCALE_PX + 4, y), self._theme.ink))

    def picture(self) -> np.ndarray:
        """Return the picture, (H, W, 3) uint8."""
        image = Image.fromarray(self._pixels)
        draw = ImageDraw.Draw(image)
        for box, colour in self._lines:
            draw.line(box, fill=colour, width=1)
        for x, y, text, colour, size, patch in self._texts:
            if patch:
                draw.rectangle(draw.textbbox((x, y), text, font=_font(size)), fill=self._theme.ground)
            draw.text((x, y), text, fill=colour, font=_font(size))
        return np.asarray(image)
