"""Show a button that copies the address of the view to the clipboard."""

from __future__ import annotations

import streamlit as st

_CSS = """button { font: 14px var(--st-font); padding: 6px 12px; border-radius: 4px; cursor: pointer; white-space: nowrap;
  color: var(--st-text-color); background: none; border: 1px solid var(--st-border-color); }
button:hover, button:focus-visible { color: var(--st-primary-color); border-color: var(--st-primary-color); }"""
_JS = """
export default function ({ data, parentElement }) {
  const button = parentElement.querySelector("button");
  const byHand = (text) => {  // a page that came without TLS from another machine has no clipboard of its own
    const field = document.createElement("textarea");
    field.value = text;
    document.body.appendChild(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  };
  button.onclick = async () => {
    let done = true;
    try { await navigator.clipboard.writeText(location.href); } catch { done = byHand(location.href); }
    button.textContent = done ? data.done : data.failed;
    setTimeout(() => { button.textContent = data.label; }, 2000);
  };
}
"""
_WORDS = {"label": "Copy link", "done": "Copied", "failed": "Copy it from the address bar"}
_copy = st.components.v2.component(
    "mesm_copy_link", html=f"<button type=button aria-live=polite>{_WORDS['label']}</button>", css=_CSS, js=_JS
)


def show_button() -> None:
    """Show the button."""
    _copy(data=_WORDS, key="copy-link", width="content")
