"""Show the value of the site under the pointer: its layer, its attention relative to uniform, whether it is kept.

The pictures stay Streamlit's own images: the component finds them by their alternative texts, as the cursor does.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

import streamlit as st

from mesm.studies.case.cells import DROPPED, GONE, KEPT, PADDING, STATE_BIT, STEP, CellRow
from mesm.studies.case.mosaic import BODY_PX, GUTTER_PX
from mesm.ui.case_studies.player import MARKS

_STATES = {
    GONE: "dropped by an earlier layer",
    DROPPED: "dropped here",
    KEPT: "kept",
    PADDING: "padding after the end of the sound",
}
_CSS = """.value { position: fixed; z-index: 2; pointer-events: none; display: none; padding: 2px 8px; border-radius: 4px;
  font: 14px var(--st-font); white-space: nowrap; background: var(--st-text-color); color: var(--st-background-color); }"""
_JS = """
export default function ({ data, parentElement }) {
  parentElement.stop?.();  // new data calls this again, on the same element
  const box = document.createElement("div");
  box.className = "value";
  box.setAttribute("role", "status");
  parentElement.appendChild(box);
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const rows = data.pictures.map((picture) =>
    picture.map((row) => ({ ...row, codes: new Uint16Array(bytes(row.codes).buffer) })));
  const at = (image, event) => {
    const shown = rows[data.marks.findIndex((mark) => image.alt.includes(mark))];
    const edge = image.getBoundingClientRect();
    const scale = data.width / edge.width;
    const [x, y] = [(event.clientX - edge.left) * scale, (event.clientY - edge.top) * scale];
    const row = shown && shown.find((one) => y >= one.top && y < one.top + one.height);
    const n = row ? row.lefts.findIndex((left) => x >= left && x < left + row.width) : -1;
    if (n < 0 || x < data.gutter) return "";
    const [h, w] = row.sites;
    let down = Math.floor((y - row.top) / row.height * h);
    if (row.flipped) down = h - 1 - down;
    const code = row.codes[(n * h + down) * w + Math.floor((x - row.lefts[n]) / row.width * w)];
    const state = code >> data.bit;
    const value = ((code & ((1 << data.bit) - 1)) * data.step).toFixed(2);
    return `L${row.layer + 1}: ` + (data.valued.includes(state) ? `attention ${value} × uniform, ` : "") + data.states[state];
  };
  const show = (event) => {
    const image = event.target;
    const words = image instanceof HTMLImageElement && image.alt ? at(image, event) : "";
    box.style.display = words ? "block" : "none";
    if (!words) return;
    box.textContent = words;
    box.style.top = `${event.clientY - 34}px`;
    box.style.left = `${Math.min(event.clientX + 12, window.innerWidth - box.offsetWidth - 8)}px`;
  };
  document.addEventListener("pointermove", show);
  document.addEventListener("scroll", show, true);
  parentElement.stop = () => {
    document.removeEventListener("pointermove", show);
    document.removeEventListener("scroll", show, true);
    box.remove();
  };
  return parentElement.stop;
}
"""
_values = st.components.v2.component("mesm_cell_values", css=_CSS, js=_JS)


def show_on_hover(pictures: Sequence[Sequence[CellRow]]) -> None:
    """Show the values of the sites of the faces and of the spectrogram while the pointer is on them."""
    _values(
        data={
            "marks": list(MARKS),
            "pictures": [[_row(row) for row in rows] for rows in pictures],
            "states": [_STATES[state] for state in sorted(_STATES)],
            "valued": [DROPPED, KEPT],
            "width": GUTTER_PX + BODY_PX,
            "gutter": GUTTER_PX,
            "step": STEP,
            "bit": STATE_BIT,
        },
        key="cell-values",
    )


def _row(row: CellRow) -> dict[str, object]:
    codes = base64.b64encode(row.codes.astype("<u2").tobytes()).decode()
    place = {"top": row.top, "height": row.height, "lefts": row.lefts, "width": row.width, "flipped": row.flipped}
    return {"layer": row.layer, "sites": row.codes.shape[1:], "codes": codes, **place}
