"""Read the text of an exported PDF back: each run with its size and the corners of its box, in points."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from pypdf import PdfReader
from pypdf.generic import ContentStream

#: Heights of letters above and below the line, as shares of the size.
_ASCENT, _DESCENT = 0.74, 0.18
#: Points by which two boxes may touch before their letters do.
_TOUCH_PT = 0.4


@dataclass(frozen=True)
class PrintedRun:
    """Hold one run of text: its code points as far as the file maps them, its size and the (4, 2) corners of its box."""

    text: str
    size_pt: float
    corners: np.ndarray
    font: str


@dataclass(frozen=True)
class PrintedPage:
    """Hold the runs of a page and its width and height in points."""

    runs: tuple[PrintedRun, ...]
    size_pt: tuple[float, float]

    @property
    def smallest_pt(self) -> float:
        return min((run.size_pt for run in self.runs), default=np.inf)

    def overlaps(self) -> list[tuple[str, str]]:
        """Return the pairs of runs whose boxes overlap."""
        return [(a.text, b.text) for a, b in combinations(self.runs, 2) if _overlap(a.corners, b.corners)]

    def cut(self) -> list[str]:
        """Return the runs that leave the page."""
        low, high = -_TOUCH_PT, np.array(self.size_pt) + _TOUCH_PT
        return [run.text for run in self.runs if (run.corners < low).any() or (run.corners > high).any()]


def read_page(pdf: bytes) -> PrintedPage:
    """Read the only page of a PDF that matplotlib wrote: `q MATRIX cm BT /FONT SIZE Tf ... ET Q` per run."""
    reader = PdfReader(io.BytesIO(pdf))
    (page,) = reader.pages
    fonts = {name: _Font(font.get_object()) for name, font in page["/Resources"].get("/Font", {}).items()}
    matrices, matrix, runs = [], np.eye(3), []
    for operands, operator in ContentStream(page.get_contents(), reader).operations:
        if operator == b"q":
            matrices.append(matrix)
        elif operator == b"Q":
            matrix = matrices.pop()
        elif operator == b"cm":
            matrix = _matrix(operands) @ matrix
        elif operator == b"BT":
            start, end, text, size, name = 0.0, 0.0, "", 0.0, ""
        elif operator == b"Tf":
            name, size = operands[0], float(operands[1])
        elif operator == b"Td":
            start = start + float(operands[0])
            end = max(end, start)
        elif operator in (b"TJ", b"Tj"):
            for part in operands[0] if operator == b"TJ" else operands:
                if isinstance(part, int | float):
                    end -= float(part) * size / 1000
                    continue
                codes = part.original_bytes if hasattr(part, "original_bytes") else bytes(part)
                end += fonts[name].width(codes) * size / 1000
                text += fonts[name].text(codes)
        elif operator == b"ET" and text.strip():
            box = np.array([[0, -_DESCENT], [0, _ASCENT]]) * size
            corners = [(0, box[0, 1]), (end, box[0, 1]), (end, box[1, 1]), (0, box[1, 1])]
            placed = np.array([[x, y, 1.0] for x, y in corners]) @ matrix
            scale = float(np.hypot(matrix[1, 0], matrix[1, 1]))
            runs.append(PrintedRun(text, size * scale, placed[:, :2], fonts[name].name))
    return PrintedPage(tuple(runs), (float(page.mediabox.width), float(page.mediabox.height)))


class _Font:
    """Hold the widths and the code points of a Type 0 font with two-byte codes."""

    def __init__(self, font: Any) -> None:
        self.name = str(font["/BaseFont"])
        assert font["/Subtype"] == "/Type0", f"{self.name} is {font['/Subtype']}"
        inner = font["/DescendantFonts"][0].get_object()
        self._default = float(inner.get("/DW", 1000))
        self._widths: dict[int, float] = {}
        entries = list(inner["/W"])
        while entries:
            first, widths, *entries = entries
            self._widths |= {int(first) + i: float(w) for i, w in enumerate(widths.get_object())}
        self._points = _code_points(font["/ToUnicode"].get_object().get_data().decode("latin-1"))

    def width(self, codes: bytes) -> float:
        return sum(self._widths.get(code, self._default) for code in _pairs(codes))

    def text(self, codes: bytes) -> str:
        return "".join(self._points.get(code, "?") for code in _pairs(codes))


def _pairs(codes: bytes) -> list[int]:
    return [int.from_bytes(codes[i : i + 2]) for i in range(0, len(codes), 2)]


def _code_points(cmap: str) -> dict[int, str]:
    """Return glyph -> text of a ToUnicode map: ranges `<from> <to> [<text> ...]` or `<from> <to> <text>`."""
    points: dict[int, str] = {}
    for block in re.findall(r"beginbfrange(.*?)endbfrange", cmap, re.S):
        for first, _, texts in re.findall(r"<(\w+)>\s*<(\w+)>\s*(\[[^]]*\]|<\w+>)", block):
            for i, text in enumerate(re.findall(r"<(\w+)>", texts)):
                points[int(first, 16) + i] = bytes.fromhex(text).decode("utf-16-be", "replace")
    return points


def _matrix(six: Any) -> np.ndarray:
    a, b, c, d, e, f = map(float, six)
    return np.array([[a, b, 0], [c, d, 0], [e, f, 1]])


def _overlap(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether two rectangles, also turned ones, overlap: no side separates them."""
    for corners in (one, other):
        for side in (corners[1] - corners[0], corners[3] - corners[0]):
            axis = side / (np.linalg.norm(side) or 1.0)
            a, b = one @ axis, other @ axis
            if min(a.max(), b.max()) - max(a.min(), b.min()) <= _TOUCH_PT:
                return False
    return True
