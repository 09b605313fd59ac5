"""Score a split: the loop that validation, evaluation and sweeps share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mesm.batch import Batch, query_text
from mesm.config import ModelConfig
from mesm.data.features.extract import open_features
from mesm.data.store import Corpus, IndexRow
from mesm.errors import DataError
from mesm.layers.text import TextEncoder
from mesm.models import AnyScorer, ModelOutput
from mesm.models.inputs import LoaderArguments
from mesm.vocabulary import NEUTRAL_QUERY


@dataclass(frozen=True)
class SplitScores:
    """Hold scores and truth of N clips in loader order: (N, E) scores in [0, 1], (N, E) truth 0/1, (N, M, E) branch scores."""

    clip_ids: tuple[str, ...]
    scores: np.ndarray
    truth: np.ndarray
    branch_scores: np.ndarray


@torch.no_grad()
def score_batches(
    model: AnyScorer,
    batches: Iterable[Batch],
    top_p: float | None = None,
    *,
    device: str = "cpu",
    trace: bool = False,
    on_output: Callable[[Batch, ModelOutput], None] | None = None,
) -> SplitScores:
    """Score labelled batches with a model in eval mode; its mode is restored afterwards.

    Args:
        on_output: receives every batch and its output (with layers if `trace`), e.g. to count their cost.
    """
    was_training = model.training
    model.eval()
    ids: list[str] = []
    scores, truth, branches = [], [], []
    try:
        for batch in batches:
            batch = batch.to(device)
            output = model(batch, top_p, trace)
            if on_output is not None:
                on_output(batch, output)
            ids += batch.clip_ids
            scores.append(_finite(output.scores_BE.cpu().numpy(), batch.clip_ids))
            branches.append(torch.sigmoid(output.modality_logits_BME.float()).cpu().numpy())
            if batch.labels is not None:
                truth.append(batch.labels.cpu().numpy())
    finally:
        model.train(was_training)
    labels, modalities = len(model.config.labels), len(model.config.modalities)
    return SplitScores(
        tuple(ids),
        np.concatenate(scores) if scores else np.zeros((0, labels)),
        np.concatenate(truth) if truth else np.zeros((0, labels)),
        np.concatenate(branches) if branches else np.zeros((0, modalities, labels)),
    )


def _finite(scores_BE: np.ndarray, clip_ids: Sequence[str]) -> np.ndarray:
    """Return the scores of a batch.

    Raises:
        DataError: one is not finite.
    """
    undefined_B = ~np.isfinite(scores_BE).all(1)
    if undefined_B.any():
        clip = clip_ids[int(undefined_B.argmax())]
        raise DataError(f"the model's scores of clip {clip!r} are not numbers: its weights diverged; train it again")
    return scores_BE


def loader_arguments(
    model: AnyScorer, encoder: TextEncoder | None, corpus: Corpus, splits: tuple[str, ...]
) -> LoaderArguments:
    """Return the arguments of `SplitLoader` that fill the model's inputs from a corpus.

    Args:
        encoder: frozen text encoder; only needed for a model with `FrozenText` inputs.
    """

    def vectors() -> dict[str, Tensor]:
        assert encoder is not None, "a model without a text encoder of its own needs a frozen one"
        return text_vectors(corpus, encoder, splits)

    return model.inputs.loader_arguments(
        vectors, lambda inputs: open_features(corpus, inputs.modalities, inputs.sources)
    )


def text_vectors(corpus: Corpus, encoder: TextEncoder, splits: tuple[str, ...]) -> dict[str, Tensor]:
    """Return clip id -> (D,) vector of a frozen encoder, each distinct `query_text` encoded once."""
    rows = [(row.clip_id, query_text(row.text)) for row in corpus.index if row.split in splits]
    texts = sorted({text for _, text in rows})
    vectors = dict(zip(texts, encoder.vectors(texts), strict=True))
    return {clip_id: vectors[text] for clip_id, text in rows}


def clip_notes(config: ModelConfig, rows: Sequence[IndexRow]) -> tuple[str, ...]:
    """Return a sentence on the clips that a model cannot read, and one on those with the neutral query."""
    read = [row for row in rows if set(row.modalities) & set(config.modalities)]
    silent = sum("text" not in row.modalities for row in read) if config.has_text_query else 0
    notes = []
    if len(read) < len(rows):
        notes.append(f"{len(rows) - len(read)} of {len(rows)} clips have no {' or '.join(config.modalities)}: left out")
    if silent:
        notes.append(f"{silent} of {len(read)} clips have no words: face and voice are queried by “{NEUTRAL_QUERY}”")
    return tuple(notes)
