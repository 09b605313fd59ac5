"""Choose the clips that a test runs on, evenly over speakers, and prepare them batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

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
from mesm.records.faithfulness import SampleSize
from mesm.runtime import Progress
from mesm.studies.evaluation.measure import shared_labels

BATCH = 16


@dataclass(frozen=True)
class EvaluationClips:
    """Hold N clips of one split that a checkpoint can score, and their texts' vectors.

    Attributes:
        rows: the clips with a transcript.
        labels: E labels that checkpoint and corpus share; `columns` are their places in the checkpoint's scores.
        vectors: transcript -> (D,) vector of every text of the split.
        without_text: number of clips left out because they have no transcript.
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
        """Return the speaker of each clip, (N,), or the clip's own id where the speaker is not known."""
        return np.array([row.group for row in self.rows])

    @property
    def truth(self) -> np.ndarray:
        """Return the labels, (N, E) bool; all False where a clip has no labels."""
        return np.array([[(row.labels or {}).get(name, 0) > 0 for name in self.labels] for row in self.rows], bool)

    @property
    def branches(self) -> tuple[str, ...]:
        """Return the modalities with an attention: "visual" and "acoustic", where the checkpoint has them."""
        return tuple(m for m in self.predictor.config.modalities if m != "text")

    @property
    def size(self) -> SampleSize:
        """Return the number of clips and of their speakers."""
        return SampleSize(len(self), len(set(self.groups)))

    def subset(self, count: int | None, seed: int = 0) -> EvaluationClips:
        """Return at most `count` of the clips, the speakers in turn; the same ones for a seed, in stored order."""
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

    def batches(
        self, progress: Progress | None = None, full: bool = False
    ) -> Iterator[tuple[slice, list[Sample], Prepared]]:
        """Yield the clips batch by batch, with what does not depend on the attention.

        Args:
            full: read the truth of rendered clips too.
        """
        for start in range(0, len(self.rows), BATCH):
            part = slice(start, min(start + BATCH, len(self.rows)))
            samples = [self.corpus.read(row.clip_id, full=full) for row in self.rows[part]]
            yield part, samples, prepare(self.predictor, samples, self.vectors)
            if progress is not None:
                progress(part.stop, len(self.rows))

    def queries(self, texts: Sequence[str]) -> Tensor:
        """Return the (B, D) vectors of texts of the split."""
        return torch.stack([self.vectors[text] for text in texts]).to(self.predictor.device)

    def branch_scores(self, output: ModelOutput) -> dict[str, np.ndarray]:
        """Return (B, E) probabilities of each branch, NaN where a clip lacks it, and the "fused" ones."""
        logits = output.modality_logits_BME.float()
        columns = list(self.columns)
        scores = {"fused": output.scores_BE.cpu().numpy()[:, columns]}
        for i, modality in enumerate(self.predictor.config.modalities):
            if modality in self.branches:
                present = output.present_BM[:, i, None].cpu().numpy()
                scores[modality] = np.where(present, torch.sigmoid(logits[:, i]).cpu().numpy()[:, columns], np.nan)
        return scores


@torch.no_grad()
def prepare(predictor: Predictor, samples: Sequence[Sample], vectors: dict[str, Tensor]) -> Prepared:
    """Return the `Prepared` of samples whose texts' vectors are in `vectors`."""

    def no_features(inputs: Features) -> ReadFeatures:
        raise DataError(f"checkpoint {predictor.name!r} reads hand-crafted features; give FE2E or MESM")

    known = {sample.clip_id: vectors[sample.text] for sample in samples if sample.text in vectors}
    batch = collate(samples, (), **predictor.model.inputs.loader_arguments(lambda: known, no_features))
    return predictor.model.prepare(replace(batch, labels=None).to(predictor.device))


def open_clips(
    predictor: Predictor, corpus: Corpus, split: str, top_p: float, count: int | None = None
) -> EvaluationClips:
    """Return the clips of a split, at most `count` of them.

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
    clips = EvaluationClips(predictor, corpus, split, top_p, spoken, labels, columns, vectors, len(rows) - len(spoken))
    return clips.subset(count)


def strongest_is_true(scores_NE: np.ndarray, truth_NE: np.ndarray) -> np.ndarray:
    """Return (N,) 1.0 where the strongest score is a true label, 0.0 where not, NaN without a label or without scores."""
    known = truth_NE.any(1) & np.isfinite(scores_NE).all(1)
    strongest = np.where(np.isfinite(scores_NE), scores_NE, -1.0).argmax(1)
    return np.where(known, truth_NE[np.arange(len(truth_NE)), strongest], np.nan).astype(float)


def concatenate_batches(parts: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Concatenate batches of named arrays."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
