"""Time a sweep's checkpoint and its FE2E on this machine, as a job of the workspace; the record goes to the workspace."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from mesm.access import access
from mesm.errors import CheckpointError, DataError
from mesm.records.base import Record
from mesm.records.sweep import Sweep
from mesm.runtime import processor
from mesm.ui import layout, workspace_job
from mesm.ui.corpora import OpenCorpus
from mesm.ui.models import Model, open_model

VERB = "time"
_FAILED = "time-failed"


def show_time_here(
    record: Record[Sweep], model: Model | None, corpus: OpenCorpus | None, references: Mapping[str, Path]
) -> None:
    """Show the button that times the sweep's checkpoint at each of its top-p, or the progress of that.

    Args:
        references: FE2E checkpoints by name; the one of the sweep is timed beside.
    """
    if not access().runs_jobs:  # the page has the one sentence on that
        return
    if workspace_job.current(VERB) is not None:
        workspace_job.show_progress(VERB, _FAILED)
        return
    if failure := st.session_state.pop(_FAILED, ""):
        layout.say_error(DataError(failure))
    dense = _folder_of_reference(record, references)
    reason = _reason(record, model, corpus, dense)
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button("Measure here", icon=":material/timer:", disabled=bool(reason), key="time-here")
        st.caption(reason or f"Times both models on this machine ({layout.plain(processor())}), about a minute.")
    if pressed and model is not None and corpus is not None:
        top_ps = ",".join(f"{point.top_p:g}" for point in record.data.points)
        folders = [str(model.facts.folder), *([str(dense)] if dense is not None else [])]
        with layout.one_sentence_errors():
            title = f"{record.provenance.checkpoint}@{corpus.corpus.name}, ms"
            workspace_job.start(VERB, title, [*folders, "--corpus", str(corpus.corpus.folder), "--top-p", top_ps])
            st.rerun()


def _folder_of_reference(record: Record[Sweep], references: Mapping[str, Path]) -> Path | None:
    """Return the folder of exactly the FE2E that the sweep was measured against."""
    reference = record.data.reference
    for folder in references.values() if reference is not None else ():
        try:
            if reference is not None and open_model(folder).facts.sha256 == reference.sha256:
                return folder
        except CheckpointError:
            continue  # a damaged checkpoint is reported where it is chosen
    return None


def _reason(record: Record[Sweep], model: Model | None, corpus: OpenCorpus | None, dense: Path | None) -> str:
    """Return a sentence on why the sweep cannot be timed with what is chosen at the side; "" if it can."""
    origin, reference = record.provenance, record.data.reference
    if model is None or model.facts.sha256 not in origin.checkpoint_sha256:
        return (
            f"To measure its time here, choose {layout.plain(origin.checkpoint)} with the sweep's weights at the side."
        )
    if corpus is None or not corpus.corpus.id.same(origin.corpus) or len(corpus.corpus.ids("test")) < 2:
        return f"To measure its time here, choose the corpus {layout.plain(origin.corpus.key)} at the side."
    if reference is not None and dense is None:
        return f"The FE2E of this sweep, {layout.plain(reference.checkpoint)}, is not on this machine to be timed beside it."
    return ""
