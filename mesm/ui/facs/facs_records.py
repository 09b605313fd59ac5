"""The FACS page's records: those of the very weights that are chosen, from the workspace or the bundled ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from mesm import runtime
from mesm.files import slug
from mesm.records.legacy import read_record, record_path
from mesm.studies.facs.chart_data import MAP_WORDS, control_series
from mesm.studies.sweep.chart_data import find_dense_evaluation
from mesm.ui import record_cache
from mesm.ui.corpora import OpenCorpus
from mesm.ui.models import Model


@dataclass(frozen=True)
class Found:
    """What is known of a kind of record.

    Attributes:
        data: the record's data, None if there is none for these weights.
        corpus: what it was made on.
        older: whether there is one, of other weights.
        command: what makes it.
        record: the whole of it.
    """

    data: dict[str, Any] | None
    corpus: str
    older: bool
    command: str
    record: dict[str, Any] | None = None

    @property
    def remedy(self) -> str:
        """Why there is nothing to show, and the command that makes it."""
        why = "The record is of other weights of this name" if self.older else "There is no record yet"
        return f"{why}; make one with: {self.command}"


def find(kind: str, verb: str, model: Model, shelf: OpenCorpus) -> Found:
    """The newest fitting record `<kind>_<checkpoint>_<corpus>.json`, or `<kind>_<checkpoint>.json`.

    Raises:
        DataError: a file of that name cannot be read.
    """
    name, corpus = model.facts.name, shelf.corpus.name
    command = f"mesm {verb} {name} --corpus {corpus}"
    older = False
    if kind == "faithfulness":
        return _find_typed(kind, model, shelf, command)
    for folder in (runtime.workspace() / "records", runtime.assets() / "records"):
        for path in (record_path(folder, kind, name, corpus), folder / f"{slug(kind)}_{slug(name)}.json"):
            if not path.is_file():
                continue
            record = _record(str(path), path.stat().st_mtime_ns)
            provenance = record["provenance"]
            if provenance.get("checkpoint_sha256") == model.facts.sha256:
                return Found(record["data"], str(provenance.get("corpus", corpus)), False, command, record)
            older = True
    return Found(None, corpus, older, command)


def _find_typed(kind: str, model: Model, shelf: OpenCorpus, command: str) -> Found:
    corpus = shelf.corpus.id
    store = record_cache.records()
    record = store.first(kind, checkpoint_sha256=model.facts.sha256, corpus=corpus)
    if record is None:
        older = store.first(kind, checkpoint=model.facts.name, corpus=corpus) is not None
        return Found(None, corpus.name, older, command)
    return Found(record.data, corpus.name, False, command, record)  # type: ignore[arg-type]


def beside(
    data: dict[str, Any], model: Model, shelf: OpenCorpus
) -> tuple[tuple[str, Mapping[str, Any]] | None, Mapping[str, float | None] | None, bool]:
    """What an evaluation is read beside: FE2E's on the same clips, the second layer's lift on active units, if taught."""
    evaluations = record_cache.records().find("evaluate")
    fe2e = find_dense_evaluation(evaluations, shelf.corpus.id, data["split"], data["clips"])
    dense = None if fe2e is None else (fe2e.provenance.checkpoint, {"wacc": fe2e.data.average.wacc})
    facs = find("facs", "facs", model, shelf).data if model.facts.has_attention else None
    lifts = control_series(facs).get(MAP_WORDS["checkpoint"]) if facs is not None else None
    return dense, lifts[1] if lifts else None, bool(facs is not None and facs.get("taught"))


@st.cache_data(max_entries=12, show_spinner=False)
def _record(path: str, stamp: int) -> dict[str, Any]:
    return read_record(path)
