"""Find the predictions that ship: a bundled checkpoint's of the clip that its pages open with, shown before torch is loaded."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from mesm.analysis.checkpoints import CheckpointFacts
from mesm.errors import DataError
from mesm.json_form import Json
from mesm.records.prediction import Prediction
from mesm.runtime import assets
from mesm.studies.case.traces import read_traces
from mesm.ui.corpora import Case


def find_shipped_prediction(facts: CheckpointFacts, case: Case, top_p: float) -> Prediction | None:
    """Return the shipped prediction of exactly these weights on this clip at this top-p; None where there is none."""
    path = assets() / "traces" / f"{facts.name}.npz"
    if case.corpus is None or not path.is_file():
        return None
    origin, predictions = _read(path, path.stat().st_mtime_ns)
    same = origin.get("checkpoint_sha256") == facts.sha256 and origin.get("corpus_digest") == case.corpus.digest
    prediction = predictions.get(case.sample.clip_id) if same else None
    return prediction if prediction is not None and prediction.top_p == top_p else None


@st.cache_resource(max_entries=4, show_spinner=False)
def _read(path: Path, stamp: int) -> tuple[dict[str, Json], dict[str, Prediction]]:
    try:
        return read_traces(path)
    except DataError:  # the clip is scored again
        return {}, {}
