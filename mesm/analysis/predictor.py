"""A checkpoint ready to use: a clip in, scores and what the attention did out."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mesm.analysis.baseline_cost import count_baseline
from mesm.analysis.checkpoints import find_checkpoints, kept_by, name_of
from mesm.analysis.cost import count_macs
from mesm.analysis.tracing import clip_traces
from mesm.batch import Sample
from mesm.config import ModelConfig, check_top_p
from mesm.data.features.extract import sample_features
from mesm.data.loading import collate
from mesm.errors import CheckpointError
from mesm.files import file_sha256
from mesm.layers.text import TextEncoder
from mesm.models import Checkpoint, Prepared, load_checkpoint
from mesm.models.baselines import FeatureModel
from mesm.records.checkpoint import WEIGHTS
from mesm.records.prediction import Prediction, Trace
from mesm.runtime import pick_device


def load(name_or_path: str | os.PathLike[str] = "marionette-mesm", device: str = "auto") -> Predictor:
    """A `Predictor` from a bundled or workspace checkpoint's name, a folder (also of a run), or a hub id.

    Raises:
        CheckpointError: there is none, or it cannot be read.
    """
    name = os.fspath(name_or_path)
    known = find_checkpoints()
    if name not in known and not Path(name).is_dir() and name.count("/") != 1:
        raise CheckpointError(f"no checkpoint named {name!r}; there are {', '.join(known) or 'none'}, or give a folder")
    return Predictor(load_checkpoint(kept_by(known.get(name, Path(name)))), name if name in known else "", device)


@dataclass(frozen=True)
class PreparedClip:
    """One clip's work that does not depend on top_p."""

    clip_id: str
    prepared: Prepared
    tokens: int
    flags: tuple[str, ...]


class Predictor:
    """Runs one checkpoint on single clips; holds no state between calls.

    Attributes:
        name: of the checkpoint.
        sha256: of its weights.
        trained_on: name of the corpus.
        thresholds: (E,) decision thresholds, chosen on the validation split.
        metrics: metrics.json.
        card: the model card.
    """

    def __init__(self, checkpoint: Checkpoint, name: str = "", device: str = "auto") -> None:
        self.device = pick_device(device)
        self.model = checkpoint.model.to(self.device)
        self.config: ModelConfig = checkpoint.config
        self.folder = checkpoint.folder
        self.name = name or name_of(checkpoint.folder)
        self.sha256 = file_sha256(checkpoint.folder / WEIGHTS)
        self.metrics: dict[str, Any] = checkpoint.metrics
        self.card = checkpoint.card
        self.trained_on = str(self.metrics.get("trained_on", "unknown"))
        self.thresholds = np.array(self.metrics.get("thresholds") or [0.5] * len(self.config.labels))
        self.text_encoder = self.model.text_encoder or TextEncoder(self.config).to(self.device)

    @property
    def labels(self) -> tuple[str, ...]:
        """Emotion names in the order of the scores."""
        return self.config.labels

    @property
    def has_attention(self) -> bool:
        """Whether there is an attention to trace and a top-p to move."""
        return self.model.sparse

    @torch.no_grad()
    def prepare(self, sample: Sample, text: str | None = None) -> PreparedClip:
        """The p-independent work on a clip; `text` replaces its transcript.

        Raises:
            DataError: MESM without a transcript, or nothing to score.
        """
        text = sample.text if text is None else text
        two_phase, trainable = isinstance(self.model, FeatureModel), self.model.text_encoder is not None
        vectors = None if two_phase or trainable else {sample.clip_id: self.text_encoder.vectors([text])[0]}
        batch = collate(
            [sample] if text == sample.text else [_with_text(sample, text)],
            (),
            tokenize=self.text_encoder.tokenize if trainable else None,
            text_vectors=vectors,
            features=self._features if two_phase else None,
        )
        prepared = self.model.prepare(batch.to(self.device))
        tokens = self.text_encoder.count_tokens(text)
        return PreparedClip(
            sample.clip_id, prepared, min(tokens, self.config.text_max_tokens), self._flags(sample, tokens)
        )

    @torch.no_grad()
    def run(self, clip: PreparedClip, top_p: float | None = None, trace: bool = True) -> Prediction:
        """Score a prepared clip at `top_p` (default: the checkpoint's reference), with its exact cost if traced."""
        top_p = check_top_p(self.config.top_p if top_p is None else top_p)
        output = self.model.finish(clip.prepared, top_p, trace)
        found: Trace | None = None
        macs: dict[str, int] = {}
        if trace:
            counts = clip.prepared.counts
            found = clip_traces(output, counts, top_p)[0]
            segments = {m: int(c.sum()) for m, c in counts.items()}
            if isinstance(self.model, FeatureModel):
                report = count_baseline(self.config, segments)
            else:
                faces, chunks = segments.get("visual", 0), segments.get("acoustic", 0)
                report = count_macs(self.config, found, faces, chunks, clip.tokens)
            macs = report.by_stage | report.totals
        branches = torch.sigmoid(output.modality_logits_BME[0].float()).cpu().numpy()
        # A model without branches has no scores of single modalities to show.
        present = output.present_BM[0].cpu().numpy() & self.model.has_branches
        modalities = self.config.modalities
        return Prediction(
            clip.clip_id,
            self.labels,
            output.scores_BE[0].cpu().numpy(),
            self.thresholds,
            {m: branches[i] for i, m in enumerate(modalities) if present[i]},
            {m: float(output.fusion_weights_BM[0, i]) for i, m in enumerate(modalities) if present[i]},
            clip.flags,
            found,
            macs,
        )

    def predict(
        self,
        clip: Sample | str | os.PathLike[str],
        text: str | None = None,
        top_p: float | None = None,
        trace: bool = False,
    ) -> Prediction:
        """Score a clip: a media file (ingested here) or a `Sample`.

        Raises:
            DataError: the file cannot be read, or MESM lacks a transcript.
        """
        if not isinstance(clip, Sample):
            from mesm.data.ingest import ingest_clip

            clip = ingest_clip(clip, text or "")
        return self.run(self.prepare(clip, text), top_p, trace)

    def _features(self, sample: Sample) -> dict[str, np.ndarray]:
        config = self.config
        kinds = zip(config.feature_sources, config.feature_dims, strict=True)
        return sample_features(sample, dict(zip(config.modalities, kinds, strict=True)), self.text_encoder.word_vectors)

    def _flags(self, sample: Sample, tokens: int) -> tuple[str, ...]:
        names = {"visual": ("face", len(sample.faces)), "acoustic": ("voice", len(sample.mel))}
        absent = [names[m][0] for m in self.config.modalities if m in names and not names[m][1]]
        flags = [f"no {name}: scores come from the other modalities" for name in absent]
        if tokens > self.config.text_max_tokens:
            flags.append(f"the transcript has {tokens} tokens; only the first {self.config.text_max_tokens} are used")
        return tuple(flags)


def _with_text(sample: Sample, text: str) -> Sample:
    return replace(sample, text=text, words=())
