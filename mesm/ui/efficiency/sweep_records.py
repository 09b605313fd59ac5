"""Choose the sweeps to draw: by the digest of the weights and the identity of the corpus, never by a name alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mesm.estimate import counted
from mesm.records.base import CorpusId, Record
from mesm.records.store import RecordStore
from mesm.records.sweep import Sweep


def label_sweeps(sweeps: Sequence[Record[Sweep]], known: Mapping[str, CorpusId]) -> dict[str, Record[Sweep]]:
    """Return every sweep under a label of its own: CHECKPOINT@CORPUS, with the corpus's digest where it is needed.

    Args:
        known: corpora by the name that opens them; a sweep of another corpus of such a name has the digest in its label.
    """

    def is_other(record: Record[Sweep]) -> bool:
        opened = known.get(record.provenance.corpus.name)
        return opened is None or record.provenance.corpus.digest != opened.digest

    labels: dict[str, Record[Sweep]] = {}
    for record in sorted(sweeps, key=is_other):  # the plain label is that of an open corpus
        origin = record.provenance
        opened = known.get(origin.corpus.name)
        label = f"{origin.checkpoint}@{origin.corpus.name}"
        if label in labels or (opened is not None and not origin.corpus.same(opened)):
            label = origin.source
        if label in labels:  # a trial on fewer clips, say
            label = f"{label}, {counted(record.data.clips, 'clip')}"
        if label in labels:
            label = f"{label}, {origin.created}"
        labels.setdefault(label, record)
    return labels


def default_sweep(
    store: RecordStore, checkpoint: str | None, sha256: str | None, corpus: CorpusId | None
) -> Record[Sweep] | None:
    """Return the sweep to draw at first: of these weights on this corpus, else of this checkpoint's name on it."""
    for key in ({"checkpoint_sha256": sha256}, {"checkpoint": checkpoint}):
        if corpus is not None and None not in key.values():
            record = store.first("sweep", corpus=corpus, **key)
            if record is not None:
                return record
    return None
