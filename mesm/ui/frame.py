"""Build the frame of every page: the list of pages, their names, the logo."""

from __future__ import annotations

import streamlit as st
from streamlit.errors import StreamlitAPIException
from streamlit.navigation.page import Page

from mesm.data.ingest.private_folder import sweep_once
from mesm.runtime import assets
from mesm.ui import record_cache

#: File -> name on the screen and icon, in the order of the side bar; the first is where a visit starts.
PAGES: dict[str, tuple[str, str]] = {
    "pages/overview.py": ("Overview", ":material/home:"),
    "pages/case_studies.py": ("Case studies", ":material/frame_person:"),
    "pages/try_a_clip.py": ("Try a clip", ":material/upload_file:"),
    "pages/facs.py": ("FACS", ":material/face_retouching_natural:"),
    "pages/efficiency.py": ("Efficiency", ":material/speed:"),
    "pages/results.py": ("Results", ":material/table_chart:"),
    "pages/runs.py": ("Runs", ":material/monitoring:"),
    "pages/export.py": ("Export", ":material/folder_zip:"),
}
_FRAMED = "framed"


def navigation() -> Page:
    """Return the page of the URL, and build the side bar that leads to the others."""
    sweep_once()
    # Before the navigation, and a file of this server: a browser would fetch a page's own icon from Google.
    st.set_page_config("MESM", str(assets() / "icon.svg"), "wide")
    if (assets() / "logo.svg").is_file():
        st.logo(str(assets() / "logo.svg"), size="large")
    page = st.navigation(
        [
            st.Page(file, title=title, icon=icon, default=number == 0)
            for number, (file, (title, icon)) in enumerate(PAGES.items())
        ]
    )
    st.session_state[_FRAMED] = True
    return page


def enter() -> None:
    """Begin the run of a page, and put it into the frame if it runs alone.

    Until app.py has run once in a server, Streamlit opens a link to a page by running the file in pages/ by itself.
    Declaring the navigation is what ends that; the page is then run again, in its frame.
    """
    record_cache.begin_run()
    if st.session_state.get(_FRAMED):
        return
    try:
        navigation()
    except StreamlitAPIException:  # the page itself is the main script: there is no frame to enter
        return
    st.rerun()


def link(file: str, text: str) -> None:
    """Show a link to another page; its text alone where there is no frame."""
    if st.session_state.get(_FRAMED):
        st.page_link(file, label=text, icon=PAGES[file][1])
    else:
        st.markdown(text)
