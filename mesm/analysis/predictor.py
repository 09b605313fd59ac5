"""Run a checkpoint on single clips: a clip in, scores, trace and cost out."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from mesm.analysis.checkpoints import checkpoint_in_run, checkpoint_name, find_checkpoints
from mesm.analysis.tracing import clip_traces
from mesm.analysis.utterance_cost import utterance_costs
from mesm.batch import Sample, query_text
from mesm.config import ModelConfig, check_top_p
from mesm.data.features.extract import sample_features
from mesm.data.loading import collate
from mesm.errors import CheckpointError
from mesm.files import file_sha256
from mesm.layers.text import TextEncoder
from mesm.models import Checkpoint, EmotionModel, Features, Prepared, PreparedFeatures, load_checkpoint
from mesm.models.inputs import ReadFeatures
from mesm.records.checkpoint import WEIGHTS
from mesm.records.prediction import Prediction, Trace
from mesm.runtime import pick_device
from mesm.vocabulary import TEXT_FLAGS

#: Time limit on decoding one file; an utterance takes seconds.
DECODE_S = 600.0


def load(name_or_path: str | os.PathLike[str] = "marionette-mesm", device: str = "auto") -> Predictor:
    """Load a `Predictor` from a bundled or workspace checkpoint's name, a folder (also of a run), or a hub id.

    Raises:
        CheckpointError: there is none, or it cannot be read.
    """
    name = os.fspath(name_or_path)
    known = find_checkpoints()
    if name not in known and not Path(name).is_dir() and name.count("/") != 1:
        raise CheckpointError(f"no checkpoint named {name!r}; there are {', '.join(known) or 'none'}, or give a folder")
    return Predictor(
        load_checkpoint(checkpoint_in_run(known.get(name, Path(name)))), name if name in known else "", device
    )


@dataclass(frozen=True)
class PreparedClip:
    """Hold the values of one clip that do not depend on top_p.

    Attributes:
        prepared: the model's.
        tokens: length of the transcript, cut at the encoder's limit.
        flags: see `Prediction.flags`.
    """

    clip_id: str
    prepared: Prepared | PreparedFeatures
    tokens: int
    flags: tuple[str, ...]


class Predictor:
    """Run one checkpoint on single clips; no state is held between calls.

    Attributes:
        name: of the checkpoint.
        sha256: of its weights.
        trained_on: name of the corpus.
        thresholds: (E,) decision thresholds, chosen on the validation split; NaN for a label without a decision.
        metrics: metrics.json.
        card: the model card.
    """

    def __init__(self, checkpoint: Checkpoint, name: str = "", device: str = "auto") -> None:
        self.device = pick_device(device)
        self.model = checkpoint.model.to(self.device)
        self.config: ModelConfig = checkpoint.config
        self.folder = checkpoint.folder
        self.name = name or checkpoint_name(checkpoint.folder)
        self.sha256 = file_sha256(checkpoint.folder / WEIGHTS)
        self.metrics = checkpoint.metrics
        self.card = checkpoint.card
        self.trained_on = self.metrics.trained_on
        self.thresholds = np.array(self.metrics.thresholds or [0.5] * len(self.config.labels), float)
        self.text_encoder = self.model.text_encoder or TextEncoder(self.config).to(self.device)

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the emotion names in the order of the scores."""
        return self.config.labels

    @property
    def has_attention(self) -> bool:
        """Return True if the model has an attention to trace and a top-p to move."""
        return self.config.has_attention

    @property
    def attention_model(self) -> EmotionModel:
        """Return the model, typed as a model with attention.

        Raises:
            CheckpointError: it has none.
        """
        if not isinstance(self.model, EmotionModel) or not self.has_attention:
            raise CheckpointError(f"checkpoint {self.name!r} is {self.config.name}, without an attention; give a MESM")
        return self.model

    @torch.no_grad()
    def prepare(self, sample: Sample, text: str | None = None) -> PreparedClip:
        """Compute everything on a clip that does not depend on top_p; `text` replaces its transcript.

        Raises:
            DataError: nothing to score.
        """
        text = sample.text if text is None else text
        query = query_text(text)
        arguments = self.model.inputs.loader_arguments(
            vectors=lambda: {sample.clip_id: self.text_encoder.vectors([query])[0]}, features=self._read_features
        )
        batch = collate([sample if text == sample.text else _with_text(sample, text)], (), **arguments)
        prepared = self.model.prepare(batch.to(self.device))
        tokens = self.text_encoder.count_tokens(query)
        return PreparedClip(
            sample.clip_id, prepared, min(tokens, self.config.text_max_tokens), self._flags(sample, text, tokens)
        )

    @torch.no_grad()
    def run(self, clip: PreparedClip, top_p: float | None = None, trace: bool = True) -> Prediction:
        """Score a prepared clip at `top_p` (default: the checkpoint's reference), with its exact cost if traced."""
        top_p = check_top_p(self.config.top_p if top_p is None else top_p)
        output = self.model.finish(clip.prepared, top_p, trace)
        traced: Trace | None = None
        macs: dict[str, int] = {}
        if trace:
            traces = clip_traces(output, clip.prepared.counts, top_p)
            traced = traces[0]
            report = utterance_costs(self.config, clip.prepared.counts, traces, clip.tokens)[0]
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
            traced,
            macs,
        )

    def predict(
        self,
        clip: Sample | str | os.PathLike[str],
        text: str | None = None,
        top_p: float | None = None,
        trace: bool = False,
        guarded: bool = True,
    ) -> Prediction:
        """Score a clip: a media file (ingested here) or a `Sample`.

        Args:
            guarded: decode a file in a child process with limits, which stays for the next file; False, for files that
                you trust, decodes it in this process.

        Raises:
            DataError: the file cannot be read.
        """
        if not isinstance(clip, Sample):
            from mesm.data.ingest import ingest_clip, ingest_untrusted, shared_decoder

            if guarded:
                clip = ingest_untrusted(clip, text or "", timeout_s=DECODE_S, decoder=shared_decoder())
            else:
                clip = ingest_clip(clip, text or "")
        return self.run(self.prepare(clip, text), top_p, trace)

    def _read_features(self, inputs: Features) -> ReadFeatures:
        """Return a reader that computes the features of a clip as those of the training were."""
        kinds = {
            modality: (source, dim)
            for modality, source, dim in zip(inputs.modalities, inputs.sources, inputs.dims, strict=True)
        }
        return lambda sample: sample_features(sample, kinds, self.text_encoder.word_vectors)

    def _flags(self, sample: Sample, text: str, tokens: int) -> tuple[str, ...]:
        """Return the flags of a clip, those of the text by the text that is scored."""
        flags = [flag for flag in sample.quality if flag not in TEXT_FLAGS]
        conditions = {
            "no_video": not len(sample.faces),
            "no_audio": not len(sample.mel),
            "no_words": not text.strip(),
            "neutral_query": not text.strip() and self.config.has_text_query,
            "text_cut": tokens > self.config.text_max_tokens,
            "language": not self.text_encoder.covers_language(text),
        }
        return tuple(dict.fromkeys([*flags, *(flag for flag, holds in conditions.items() if holds)]))


def _with_text(sample: Sample, text: str) -> Sample:
    return replace(sample, text=text, words=())
