"""Show headings, empty states, errors in one sentence, pictures with a caption and an alternative text."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import streamlit as st

from mesm.errors import MesmError
from mesm.figures.charts import PLOTLY_CONFIG
from mesm.figures.png import encode_png
from mesm.figures.style import emotion_colour, rgb

T = TypeVar("T")
#: Less empty ground around the page than Streamlit leaves; links of several lines; on a narrow screen, rows of options
#: take several lines and wide charts scroll.
_CSS = """<style>
[data-testid="stMainBlockContainer"] { padding-top: 3.5rem; padding-bottom: 4rem; }
@media (min-width: 768px) { [data-testid="stMainBlockContainer"] { padding-left: 2.5rem; padding-right: 2.5rem; } }
@media (max-width: 767px) { .stButtonGroup > div:last-child { flex-wrap: wrap; row-gap: 4px; } }
[data-testid="stPageLink"] p { white-space: normal; }
[class*="st-key-wide-"] { overflow-x: auto; }
[class*="st-key-wide-"] > * { min-width: 820px; }
</style>"""


def heading(title: str, question: str) -> None:
    """Show a page's name and the question that it answers."""
    st.html(_CSS)
    st.title(title)
    st.markdown(question)


def empty(what: str, remedy: str) -> None:
    """Show what is missing, and how to get it."""
    st.info(f"{what} {remedy}", icon=":material/inbox:")


def switched_off(what: str) -> None:
    """Show that a public server leaves something out, and where to have it."""
    st.info(
        f"{what} is switched off on this public server; install mesm and type `mesm app` to have it on your own machine.",
        icon=":material/lock:",
    )


@contextmanager
def one_sentence_errors() -> Iterator[None]:
    """Show any error that a user can cause as one sentence on the page."""
    try:
        yield
    except MesmError as error:
        say_error(error)


def say_error(error: MesmError) -> None:
    """Show an error as one sentence, with a capital and a full stop."""
    sentence = str(error).replace("[", "\\[")  # no picture or link from a name inside it
    st.error(f"{sentence[:1].upper()}{sentence[1:]}{'' if sentence.endswith('.') else '.'}", icon=":material/error:")


def picture(png: bytes, alt: str, caption: str) -> None:
    """Show a picture at its own size, or smaller where the page is narrower, with its caption."""
    st.image(png, alt=alt, output_format="PNG")  # else Streamlit makes a JPEG of it: slower, and no longer exact
    st.caption(caption)


def chart(figure: Any, key: str, alt: str) -> None:
    """Show a plotly figure in its own colours."""
    st.plotly_chart(figure, theme=None, config=PLOTLY_CONFIG, key=key, alt=alt)


def wide_chart(figure: Any, key: str, alt: str) -> None:
    """Show a plotly figure that is readable from 820 pixels on; it scrolls where the page is narrower."""
    with st.container(key=f"wide-{key}"):
        chart(figure, key, alt)


def clickable_chart(figure: Any, key: str, alt: str) -> dict[str, Any] | None:
    """Show a plotly figure whose points can be clicked; return the point that was clicked in this run."""
    event = st.plotly_chart(
        figure, theme=None, config=PLOTLY_CONFIG, key=key, alt=alt, on_select="rerun", selection_mode="points"
    )
    points = event["selection"]["points"]
    return points[0] if points else None


def choose(
    label: str,
    options: Sequence[T],
    key: str,
    *,
    default: T | None = None,
    words: Mapping[T, str] | None = None,
    in_url: bool = True,
    **more: Any,
) -> T:
    """Return one of a row of options; the first is chosen at first.

    Args:
        words: option -> its name on the screen.
        in_url: whether a link keeps the choice.
        more: further arguments of `st.segmented_control`, such as help.
    """
    first = options[0] if default is None else default
    if in_url:
        more["bind"] = "query-params"
    if words is not None:
        more["format_func"] = words.__getitem__
    chosen = st.segmented_control(label, options, default=first, required=True, key=key, **more)
    return first if chosen is None else chosen


def folded(title: str, key: str) -> Any | None:
    """Show a section that is closed at first; return None while it is, so that its content is computed only when seen."""
    section = st.expander(title, key=key, on_change="rerun", bind="query-params")
    return section if section.open else None


def swatch(emotion: str, dark: bool) -> str:
    """Return a dot of an emotion's colour as Markdown, for a label."""
    size = 24
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    ground = (15, 18, 22) if dark else (255, 255, 255)
    dot = np.where((x**2 + y**2 <= 81)[..., None], rgb(emotion_colour(emotion, dark)), ground).astype(np.uint8)
    return f"![](data:image/png;base64,{base64.b64encode(encode_png(dot)).decode()})"


def plain(text: str) -> str:
    """Return text as Markdown that shows exactly this text."""
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]()<>#+-.!|~$:^=" else letter for letter in text)
