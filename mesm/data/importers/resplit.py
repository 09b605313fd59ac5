"""Copy a stored corpus with other splits; nothing is decoded again."""

from __future__ import annotations

import os
from dataclasses import replace

from mesm.data.remote import require_local
from mesm.data.sources import SOURCES_NAME, SourceRow, json_lines, read_sources
from mesm.data.splits import assign_splits
from mesm.data.store import Corpus, CorpusWriter
from mesm.errors import DataError
from mesm.estimate import counted
from mesm.files import write_atomic
from mesm.json_form import to_json


def resplit(source: str | os.PathLike[str], out: str | os.PathLike[str], rule: str, seed: int = 0) -> Corpus:
    """Copy a corpus and divide the copy by `rule` (see `mesm.data.splits`).

    Raises:
        DataError: a clip would be in no split, or the corpus lacks what the rule needs.
    """
    corpus, sources, unknown = Corpus(source), read_sources(source), SourceRow(id="")
    clips = [
        {
            "id": row.clip_id,
            "split": row.split,
            "speaker": row.speaker,
            "dialogue": source.dialogue,
            "session": source.session,
        }
        for row in corpus.index
        for source in (sources.get(row.clip_id, unknown),)
    ]
    splits = assign_splits(clips, rule, seed)
    missing = [clip_id for clip_id, split in splits.items() if not split]
    if missing:
        raise DataError(
            f"{counted(len(missing), 'clip')} in no split by {rule!r}, the first is {missing[0]!r}; complete the lists"
        )
    kind = "lists" if rule.startswith("lists:") else rule
    meta = {**corpus.manifest.meta, "splits": to_json({"rule": kind, "seed": seed})}
    folder = require_local(out)
    kept = [
        name for name in corpus.capabilities if name != "neutral_faces"
    ]  # which belong to the training split's people
    with CorpusWriter(folder, corpus.name, corpus.labels, meta, capabilities=kept) as writer:
        for clip_id, split in splits.items():
            if clip_id not in writer.stored:
                # Previews stay with the corpus that has them.
                writer.add(replace(corpus[clip_id], split=split, media=""))
    if sources:
        write_atomic(folder / SOURCES_NAME, json_lines(sources[row.clip_id] for row in corpus.index))
    return Corpus(folder)
