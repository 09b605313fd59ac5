"""Show the architecture as a picture whose parts can be clicked: each has a sentence and opens a page."""

from __future__ import annotations

import base64

import streamlit as st

from mesm.config import ModelConfig
from mesm.studies.architecture.chart_data import architecture_alt, architecture_caption
from mesm.studies.architecture.paper import screen_boxes, screen_svg
from mesm.ui import frame, state

_BLOCK = "attention, nucleus and sparse convolutions on the sites that are left (mesm/layers/sparse_vgg.py)"
#: Part of the drawing -> its name, what it computes and where, and the page that shows it.
PARTS: dict[str, tuple[str, str, str]] = {
    "words": ("Words", "the transcript, one vector by the text encoder (mesm/layers/text.py)", "pages/try_a_clip.py"),
    "segments": (
        "Faces and voice", "face crops of 48 x 48 pixels and mel chunks of 0.4 s (mesm/data/ingest)", "pages/try_a_clip.py",
    ),
    "stem": ("Dense stem", "the first convolutions, at every site (mesm/layers/sparse_vgg.py)", "pages/efficiency.py"),
    "L1": ("Block 1", _BLOCK, "pages/case_studies.py"),
    "L2": ("Block 2", _BLOCK, "pages/case_studies.py"),
    "L3": ("Block 3", _BLOCK, "pages/case_studies.py"),
    "sequence": (
        "Transformer", "the vectors of all segments in the order of time (mesm/models/encoders.py)", "pages/efficiency.py",
    ),
    "scores": (
        "Scores and fusion", "a weighted sum of the scores of words, face and voice (mesm/models/base.py)",
        "pages/results.py",
    ),
    "step 1": ("Attention", "the query weights the sites (mesm/layers/attention.py)", "pages/facs.py"),
    "step 2": (
        "Nucleus", "the smallest set of sites holding p of the attention (mesm/layers/nucleus.py)", "pages/case_studies.py",
    ),
    "step 3": ("Convolution", "computed at kept sites, from kept sites (mesm/sparse)", "pages/efficiency.py"),
    "step 4": ("Max-pool", "halves the grid for the next block (mesm/sparse)", "pages/efficiency.py"),
}  # fmt: skip
#: The drawing is as wide as the window shows it whole: about 1.4 times its height, below a heading of some 220 pixels.
_CSS = """.drawing { position: relative; max-width: max(1060px, calc(139vh - 310px)); }
.drawing img { width: 100%; display: block; }
button { position: absolute; padding: 0; background: none; border: 2px solid transparent; border-radius: 4px; cursor: pointer; }
button:hover, button:focus-visible { border-color: var(--st-primary-color); outline: none; }"""
_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  const drawing = parentElement.querySelector(".drawing");
  const picture = new Image();
  [picture.src, picture.alt] = [data.picture, data.alt];
  const parts = data.parts.map(({ name, words, box }) => {
    const button = document.createElement("button");
    button.title = words;
    button.setAttribute("aria-label", words);
    ["left", "top", "width", "height"].forEach((side, i) => { button.style[side] = `${100 * box[i]}%`; });
    button.onclick = () => setTriggerValue("part", name);
    return button;
  });
  drawing.replaceChildren(picture, ...parts);
}
"""
_drawing = st.components.v2.component("mesm_architecture", html="<div class=drawing></div>", css=_CSS, js=_JS)


def show_architecture(config: ModelConfig) -> None:
    """Show the drawing with its caption; a clicked part opens its page."""
    parts = [
        {"name": name, "box": box, "words": f"{PARTS[name][0]}: {PARTS[name][1]}. Opens {page_name(name)}."}
        for name, box in screen_boxes(config).items()
    ]
    picture = base64.b64encode(screen_svg(config, state.dark()).encode()).decode()
    clicked = _drawing(
        data={
            "picture": f"data:image/svg+xml;base64,{picture}", "alt": architecture_alt(config), "parts": parts,
        },
        key="architecture-parts",
        on_part_change=lambda: None,
    )  # fmt: skip
    st.caption(f"{architecture_caption(config)} Click a part to open the page that shows it.")
    if clicked.part in PARTS:
        st.switch_page(PARTS[clicked.part][2])


def page_name(part: str) -> str:
    """Return the name of the page that a part leads to."""
    return frame.PAGES[PARTS[part][2]][0]
