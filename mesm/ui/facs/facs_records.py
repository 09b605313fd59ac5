"""Find the records of a study for the chosen checkpoint's weights and the chosen corpus."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from typing import Any, Generic, TypeVar

from mesm.estimate import Estimate
from mesm.records.base import Record
from mesm.records.evaluation import Evaluation
from mesm.records.facs import FacsStudy
from mesm.studies.facs.chart_data import MAP_WORDS, layer_series
from mesm.studies.sweep.chart_data import find_dense_evaluation
from mesm.ui.corpora import OpenCorpus
from mesm.ui.models import Model
from mesm.ui.record_cache import records

D = TypeVar("D", covariant=True)
#: Layer of the lift beside an evaluation, from 0.
_HEADLINE_LAYER = 1


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
    corpus, name = opened.corpus.id, model.facts.name
    record = records().first(kind, checkpoint_sha256=model.facts.sha256, corpus=corpus)
    of_other_weights = record is None and records().first(kind, checkpoint=name, corpus=corpus) is not None
    return RecordLookup(record, of_other_weights, f"mesm {kind} {quote(name)} --corpus {quote(corpus.key)}")


def headline_context(
    split: str, clips: int, model: Model, opened: OpenCorpus
) -> tuple[Record[Evaluation] | None, Estimate | None, bool]:
    """Return the numbers that belong beside an evaluation.

    Returns:
        FE2E's evaluation on the same clips; the second layer's lift on active units; whether that attention was
        supervised.
    """
    dense = find_dense_evaluation(records().find("evaluate"), opened.corpus.id, split, clips)
    study: FacsStudy | None = find_record("facs", model, opened).data if model.facts.has_attention else None
    if study is None:
        return dense, None, False
    lifts = layer_series(study, "active").series.get(MAP_WORDS["checkpoint"])
    return dense, lifts[_HEADLINE_LAYER] if lifts else None, study.supervision.regions
