"""The clips that a test runs on: chosen evenly over speakers, prepared batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mesm.analysis.predictor import Predictor
from mesm.batch import Sample
from mesm.data.loading import collate
from mesm.data.store import Corpus, IndexRow
from mesm.errors import DataError
from mesm.models import Features, ModelOutput, Prepared
from mesm.models.inputs import ReadFeatures
from mesm.studies.evaluation.measure import shared_labels

#: (clips done, clips in all) of the test that runs.
Progress = Callable[[int, int], None]
BATCH = 16


@dataclass(frozen=True)
class Clips:
    """N clips of one split that a checkpoint can score, and their texts' vectors.

    Attributes:
        rows: the clips, those without a transcript left out.
        labels: labels that checkpoint and corpus share; `columns` their places in the checkpoint's scores.
        vectors: transcript -> (D,) vector of every text of the split.
        without_text: clips left out.
    """

    predictor: Predictor
    corpus: Corpus
    split: str
    top_p: float
    rows: tuple[IndexRow, ...]
    labels: tuple[str, ...]
    columns: tuple[int, ...]
    vectors: dict[str, Tensor]
    without_text: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def groups(self) -> np.ndarray:
        """(N,) speaker of each clip, or the clip itself where nobody is named."""
        return np.array([row.group for row in self.rows])

    @property
    def truth(self) -> np.ndarray:
        """(N, E) bool; all False where a clip has no labels."""
        return np.array([[(row.labels or {}).get(name, 0) > 0 for name in self.labels] for row in self.rows], bool)

    @property
    def branches(self) -> tuple[str, ...]:
        """Modalities that the attention serves: the face and the voice, where the checkpoint has them."""
        return tuple(m for m in self.predictor.config.modalities if m != "text")

    def some(self, count: int | None, seed: int = 0) -> Clips:
        """At most `count` of the clips, the speakers in turn; the same ones every time, in stored order."""
        if count is None or count >= len(self.rows):
            return self
        rng = np.random.default_rng(seed)
        turn: dict[str, int] = {}
        groups = self.groups
        keyed: list[tuple[int, int, int]] = []
        for i in rng.permutation(len(self.rows)):
            speaker = str(groups[i])
            turn[speaker] = turn.get(speaker, -1) + 1
            keyed.append((turn[speaker], len(keyed), int(i)))
        chosen = sorted(i for _, _, i in sorted(keyed)[:count])
        return replace(self, rows=tuple(self.rows[i] for i in chosen))

    def prepared(self, progress: Progress | None = None) -> Iterator[tuple[slice, Prepared]]:
        """The clips' work that does not depend on the attention, a batch at a time."""
        for start in range(0, len(self.rows), BATCH):
            part = slice(start, min(start + BATCH, len(self.rows)))
            samples = [self.corpus.read(row.clip_id, full=False) for row in self.rows[part]]
            yield part, prepare(self.predictor, samples, self.vectors)
            if progress is not None:
                progress(part.stop, len(self.rows))

    def queries(self, texts: Sequence[str]) -> Tensor:
        """(B, D) vectors of texts of the split."""
        return torch.stack([self.vectors[text] for text in texts]).to(self.predictor.device)

    def branch_scores(self, output: ModelOutput) -> dict[str, np.ndarray]:
        """`face's and voice's` (B, E) probabilities and the `fused` ones; NaN where a clip lacks the branch."""
        logits = output.modality_logits_BME.float()
        found = {}
        for i, modality in enumerate(self.predictor.config.modalities):
            if modality in self.branches:
                scores = torch.sigmoid(logits[:, i]).cpu().numpy()[:, list(self.columns)]
                found[modality] = np.where(output.present_BM[:, i, None].cpu().numpy(), scores, np.nan)
        found["fused"] = output.scores_BE.cpu().numpy()[:, list(self.columns)]
        return found


@torch.no_grad()
def prepare(predictor: Predictor, samples: Sequence[Sample], vectors: dict[str, Tensor]) -> Prepared:
    """Return the `Prepared` of samples, with the texts' vectors that are already known.

    Args:
        vectors: transcript -> (D,) vector.

    Raises:
        DataError: the model reads features, which have no attention to test.
    """

    def no_features(inputs: Features) -> ReadFeatures:
        raise DataError(f"checkpoint {predictor.name!r} reads hand-crafted features; give FE2E or MESM")

    known = {sample.clip_id: vectors[sample.text] for sample in samples if sample.text in vectors}
    batch = collate(samples, (), **predictor.model.inputs.loader_arguments(lambda: known, no_features))
    return predictor.model.prepare(replace(batch, labels=None).to(predictor.device))


def open_clips(predictor: Predictor, corpus: Corpus, split: str, top_p: float, count: int | None = None) -> Clips:
    """The clips of a split, at most `count` of them.

    Raises:
        DataError: the split is empty, or none of its clips has a transcript.
    """
    rows = tuple(row for row in corpus.index if row.split == split)
    spoken = tuple(row for row in rows if row.text.strip())
    if not spoken:
        known = ", ".join(sorted(corpus.manifest.splits)) or "no clips at all"
        raise DataError(f"corpus {corpus.name!r} has no clips with a transcript in split {split!r}; it has {known}")
    labels = shared_labels(predictor, corpus)
    texts = sorted({row.text for row in spoken})
    vectors = dict(zip(texts, predictor.text_encoder.vectors(texts), strict=True))
    columns = tuple(predictor.labels.index(label) for label in labels)
    found = Clips(predictor, corpus, split, top_p, spoken, labels, columns, vectors, len(rows) - len(spoken))
    return found.some(count)


def top_is_true(scores_NE: np.ndarray, truth_NE: np.ndarray) -> np.ndarray:
    """(N,) 1.0 where the strongest score is a true label, 0.0 where not, NaN without a label or without scores."""
    known = truth_NE.any(1) & np.isfinite(scores_NE).all(1)
    strongest = np.where(np.isfinite(scores_NE), scores_NE, -1.0).argmax(1)
    return np.where(known, truth_NE[np.arange(len(truth_NE)), strongest], np.nan).astype(float)


def stacked(parts: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Batches of named arrays, one after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def section(clips: Clips, **content: Any) -> dict[str, Any]:
    """A section of the record, with how many clips and speakers stand behind it."""
    return {"clips": len(clips), "speakers": len(set(clips.groups)), **content}
