"""Build a rendered corpus to train on, as a job of the workspace."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from mesm.data.manifest import Manifest
from mesm.errors import DataError
from mesm.runtime import workspace
from mesm.ui import layout, workspace_job

#: Preset of `mesm corpus build marionette` -> its words on the form.
SIZES = {"small": "240 clips, about 2 minutes", "default": "3000 clips, about 20 minutes"}
VERB = "corpus"
_FAILED = "demo-corpus-failed"


def show_demo_corpus(is_needed: bool) -> None:
    """Show the form that builds the demo corpus, or the progress of a build.

    Args:
        is_needed: whether there is no corpus to train on.
    """
    job = workspace_job.current(VERB)
    with st.expander(
        "Build a corpus to train on", icon=":material/grid_view:", expanded=is_needed or job is not None,
        key="demo-corpus",
    ):  # fmt: skip
        if job is not None:
            workspace_job.show_progress(VERB, _FAILED)
            st.caption("Stop keeps the clips that are rendered; Build goes on from there.")
            return
        st.markdown(
            "Rendered faces, synthetic voices and written sentences with known action units; no recorded person."
        )
        sizes = [size for size in SIZES if not _is_complete(_folder(size))]
        if not sizes:
            st.caption("Both sizes are built.")
            return
        left, right = st.columns([2, 1], vertical_alignment="bottom")
        size = left.segmented_control(
            "Size", sizes, default=sizes[0], key="demo-size", format_func=SIZES.__getitem__, required=True
        )
        if failure := st.session_state.get(_FAILED):
            layout.say_error(DataError(failure))
        if right.button("Build", type="primary", icon=":material/play_arrow:", width="stretch", key="demo-build"):
            st.session_state.pop(_FAILED, None)
            with layout.one_sentence_errors():
                _folder(size).parent.mkdir(parents=True, exist_ok=True)
                options = ["build", "marionette", "--preset", size, "--out", str(_folder(size).resolve())]
                workspace_job.start(VERB, f"corpus {size}", options)
                st.rerun()


def _folder(size: str) -> Path:
    return workspace() / "corpora" / size


def _is_complete(folder: Path) -> bool:
    try:
        return Manifest.read(folder).complete
    except DataError:
        return False
