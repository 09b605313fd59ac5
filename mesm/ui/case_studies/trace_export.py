"""Offer the traces of all clips that pass the filters: as one file, or as the command that writes it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial
from shlex import quote

import streamlit as st

from mesm.access import computing
from mesm.analysis.provenance import clip_origin
from mesm.batch import Sample
from mesm.data.store import IndexRow
from mesm.estimate import counted
from mesm.files import slug
from mesm.records.prediction import Prediction
from mesm.studies.case.exports import clip_option
from mesm.studies.case.trace_layout import LAYOUT
from mesm.ui.corpora import OpenCorpus
from mesm.ui.models import Model

#: Clips that are scored and held in memory for one download; more are written by the command.
MOST_CLIPS = 200


def offer_traces(opened: OpenCorpus, model: Model, rows: Sequence[IndexRow], emotion: str) -> None:
    """Show the menu for the clips that pass the filters. Its content is made only while it is open."""
    scored = [row for row in rows if set(row.modalities) & set(model.facts.config.modalities)]
    label = f"Attention and scores of {counted(len(scored), 'clip')}"
    menu = st.popover(label, icon=":material/download:", type="tertiary", key="traces", on_change="rerun")
    if not menu.open or not scored:
        return
    top_p = float(st.session_state.get("p") or model.facts.config.top_p) if model.facts.has_attention else None
    with menu:
        name = f"traces-{slug(model.facts.name)}-{slug(opened.corpus.name)}.npz"
        if len(scored) <= MOST_CLIPS:
            st.download_button(
                "NPZ", partial(_archive, opened, model, scored, top_p), name, "application/zip", on_click="ignore",
                key="traces-npz", help="Scores each clip once: about a tenth of a second per clip.",
            )  # fmt: skip
        else:
            st.caption(f"More than {MOST_CLIPS} clips are written by the command.")
        st.code(command(opened, model.facts.name, scored, emotion, top_p, name), language="bash", wrap_lines=True)
        st.code(LAYOUT, language=None)


def command(
    opened: OpenCorpus, checkpoint: str, rows: Sequence[IndexRow], emotion: str, top_p: float | None, name: str
) -> str:
    """Return the command that writes the traces of these clips, by their emotion and split where that is enough."""
    splits = {row.split for row in rows}
    split = next(iter(splits)) if len(splits) == 1 else None
    every = [
        row.clip_id
        for row in opened.corpus.index
        if (not emotion or emotion in row.present) and split in (None, row.split)
    ]
    options = []
    if set(every) == {row.clip_id for row in rows}:
        options += [f"--emotion {quote(emotion)}"] if emotion else []
        options += [f"--split {quote(split)}"] if split and len(opened.corpus.manifest.splits) > 1 else []
    else:
        options += [clip_option(row.clip_id) for row in rows]
    options += [f"--top-p {top_p:g}"] if top_p is not None else []
    words = " ".join([*options, "--out", quote(name)])
    return f"mesm traces {quote(checkpoint)} --corpus {quote(opened.key)} {words}"


@computing()
def _archive(opened: OpenCorpus, model: Model, rows: Sequence[IndexRow], top_p: float | None) -> bytes:
    from mesm.studies.case.traces import write_traces

    def run(clip_id: str) -> tuple[Sample, Prediction]:
        sample = opened.corpus.read(clip_id, full=False)
        with model.lock:
            return sample, model.predictor.run(model.predictor.prepare(sample), top_p)

    origin = clip_origin(model.facts, opened.identity, opened.licence)
    file = io.BytesIO()
    write_traces(file, rows, run, origin | {"top_p": top_p})
    return file.getvalue()
