"""Keep the choices of a view in the URL, so that a link shows the same view again.

Widgets with plain values bind themselves (`bind="query-params"`); `recall` and `remember` do it for the rest: a clip
chosen by a button, an emotion whose label carries a picture.
"""

from __future__ import annotations

import argparse
import os
import sys

import streamlit as st


def use_home_from_command_line() -> None:
    """Make `--home DIR` after `streamlit run app.py --` the workspace of this process."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--home")
    home = parser.parse_known_args(sys.argv[1:])[0].home
    if home:
        os.environ["MESM_HOME"] = home


def recall(name: str) -> str:
    """Return a part of the view: from the URL, else as it was when this page was last open; "" if never set."""
    return str(st.query_params.get(name) or st.session_state.get(f"view.{name}") or "")


def remembered(name: str) -> str:
    """Return a part of the view as this visit set it last, whatever the URL holds; "" if never set."""
    return str(st.session_state.get(f"view.{name}") or "")


def remember(name: str, value: str) -> None:
    """Set a part of the view, here and in the URL; "" removes it."""
    st.session_state[f"view.{name}"] = value
    if value:
        if st.query_params.get(name) != value:
            st.query_params[name] = value
    elif name in st.query_params:
        del st.query_params[name]


def forget(*names: str) -> None:
    """Drop parts of the view of another page, so that a link to it decides them."""
    for name in names:
        st.session_state.pop(f"view.{name}", None)


def dark() -> bool:
    """Return whether the visitor's theme is dark."""
    return st.context.theme.type == "dark"
