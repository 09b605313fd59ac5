"""Show one cursor over faces, spectrogram and words while the clip plays; a click on a picture seeks the clip.

The pictures stay Streamlit's own images, so that nothing is sent twice: the component finds the page's video and the
images by their alternative texts, and draws lines of its own over them. Without a video it does nothing.
"""

from __future__ import annotations

import streamlit as st

from mesm.studies.case.mosaic import BODY_PX, GUTTER_PX, TimeWindow

#: Words in the alternative texts of the pictures that share the time axis.
MARKS = (", one every half second", "Mel spectrogram of")
_CSS = ".line{position:fixed;width:2px;background:var(--st-primary-color);pointer-events:none;z-index:1;display:none}"
_JS = """
export default function ({ data, parentElement }) {
  const lines = data.marks.map(() => {
    const line = document.createElement("div");
    line.className = "line";
    line.setAttribute("aria-hidden", "true");
    parentElement.appendChild(line);
    return line;
  });
  const video = () => document.querySelector("video[data-testid=stVideo], [data-testid=stVideo] video");
  const picture = (mark) => [...document.images].find((image) => image.alt.includes(mark));
  const whole = data.gutter + data.body;
  let waiting = 0;
  const draw = () => {
    waiting = 0;
    const clip = video();
    data.marks.forEach((mark, n) => {
      const image = picture(mark);
      const share = clip ? (clip.currentTime - data.start) / data.span : -1;
      const shown = image && clip && (clip.currentTime > 0 || !clip.paused) && share >= 0 && share <= 1;
      lines[n].style.display = shown ? "block" : "none";
      if (!shown) return;
      const box = image.getBoundingClientRect();
      lines[n].style.left = `${box.left + (box.width * (data.gutter + share * data.body)) / whole}px`;
      lines[n].style.top = `${box.top}px`;
      lines[n].style.height = `${box.height}px`;
    });
    if (clip && !clip.paused) later();
  };
  const later = () => { waiting = waiting || requestAnimationFrame(draw); };
  const jump = (event) => {
    const image = event.target;
    const clip = video();
    if (!clip || !(image instanceof HTMLImageElement) || !data.marks.some((mark) => image.alt.includes(mark))) return;
    const box = image.getBoundingClientRect();
    const time = data.start + (((event.clientX - box.left) / box.width * whole - data.gutter) / data.body) * data.span;
    if (time >= 0 && time <= (clip.duration || 0)) { clip.currentTime = time; later(); }
  };
  const heard = ["play", "seeked", "timeupdate", "pause", "scroll"];
  heard.forEach((name) => document.addEventListener(name, later, true));
  document.addEventListener("click", jump);
  window.addEventListener("resize", later);
  later();
  return () => {
    cancelAnimationFrame(waiting);
    heard.forEach((name) => document.removeEventListener(name, later, true));
    document.removeEventListener("click", jump);
    window.removeEventListener("resize", later);
    lines.forEach((line) => line.remove());
  };
}
"""
_cursor = st.components.v2.component("mesm_cursor", css=_CSS, js=_JS)


def show_cursor(window: TimeWindow) -> None:
    """Show the cursor for pictures drawn on this time axis."""
    axis = {"gutter": GUTTER_PX, "body": BODY_PX, "start": window.start_s, "span": window.span_s}
    _cursor(data={"marks": list(MARKS), **axis}, key="cursor")
