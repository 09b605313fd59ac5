"""Select the clips of a split that a model reads, without torch."""

from __future__ import annotations

from collections.abc import Sequence

from mesm.data.store import Corpus, IndexRow
from mesm.errors import DataError
from mesm.vocabulary import MODALITIES


def split_rows(
    corpus: Corpus, split: str | None, labels: Sequence[str], modalities: Sequence[str] = MODALITIES
) -> tuple[tuple[IndexRow, ...], int]:
    """Return the clips of a split, or of all, that have one of the modalities, and the number of the others.

    Raises:
        DataError: the corpus lacks a label, has no such split, or none of its clips has one of the modalities.
    """
    missing = [name for name in labels if name not in corpus.labels]
    if missing and corpus.labels:
        raise DataError(
            f"corpus {corpus.name!r} has no label {missing[0]!r}, only {', '.join(corpus.labels)}; "
            "use the labels in common"
        )
    every = [row for row in corpus.index if split is None or row.split == split]
    if not every:
        known = ", ".join(sorted(corpus.manifest.splits)) or "no clips at all"
        raise DataError(f"corpus {corpus.name!r} has no clips in split {split!r}; it has {known}")
    rows = tuple(row for row in every if any(modality in row.modalities for modality in modalities))
    if not rows:
        raise DataError(
            f"none of the {len(every)} {split or ''} clips of corpus {corpus.name!r} has {' or '.join(modalities)}, all that "
            "the model reads; give another corpus or model"
        )
    return rows, len(every) - len(rows)
