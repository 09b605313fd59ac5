"""Find the records of a study for the chosen checkpoint's weights and the chosen corpus."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from typing import Any, Generic, TypeVar

import streamlit as st

from mesm.analysis.supervision import with_supervision
from mesm.estimate import counted
from mesm.records.base import Record
from mesm.ui.corpora import OpenCorpus
from mesm.ui.models import Model
from mesm.ui.record_cache import records

D = TypeVar("D", covariant=True)


@dataclass(frozen=True)
class RecordLookup(Generic[D]):
    """Hold the best record of a kind, or the command that makes one.

    Attributes:
        record: None if there is none for these weights and this corpus.
        of_other_weights: whether there is one of other weights of the same name.
        command: makes it.
    """

    record: Record[D] | None
    of_other_weights: bool
    command: str

    @property
    def data(self) -> D | None:
        """Return the record's data."""
        return None if self.record is None else self.record.data

    @property
    def remedy(self) -> str:
        """Return why there is no record, and the command that makes it."""
        why = "The record is of other weights of this name" if self.of_other_weights else "There is no record yet"
        return f"{why}; make one with: {self.command}"


def find_record(kind: str, model: Model, opened: OpenCorpus) -> RecordLookup[Any]:
    """Find the best record of a kind by the digests of weights and corpus, in the workspace and among the bundled ones."""
    corpus = opened.corpus.id
    record = records().first(kind, checkpoint_sha256=model.facts.sha256, corpus=corpus)
    return _lookup(kind, model, opened, record)


def pick_record(kind: str, model: Model, opened: OpenCorpus) -> RecordLookup[Any]:
    """Return the record of a kind that the reader chooses where there are several, at first that of the most clips."""
    known = records().find(kind, checkpoint_sha256=model.facts.sha256, corpus=opened.corpus.id)
    labels: dict[str, Record[Any]] = {}
    for record in known:
        made = record.provenance.created[:16].replace("T", " ")
        labels.setdefault(f"{counted(record.data.clips, 'clip')}, {record.data.split} split, {made}", record)
    if len(labels) < 2:
        return _lookup(kind, model, opened, known[0] if known else None)
    chosen = st.selectbox(f"Record of mesm {kind}", list(labels), key=f"record-{kind}", bind="query-params", width=340)
    return _lookup(kind, model, opened, labels[chosen])


def _lookup(kind: str, model: Model, opened: OpenCorpus, record: Record[Any] | None) -> RecordLookup[Any]:
    corpus, name = opened.corpus.id, model.facts.name
    of_other_weights = record is None and records().first(kind, checkpoint=name, corpus=corpus) is not None
    if record is not None:
        record = with_supervision(record, model.facts)
    return RecordLookup(record, of_other_weights, f"mesm {kind} {quote(name)} --corpus {quote(corpus.key)}")
