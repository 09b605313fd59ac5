"""Run a checkpoint on single clips: a clip in, scores, trace and cost out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from mesm.analysis.checkpoints import checkpoint_name, checkpoint_source, find_checkpoints
from mesm.analysis.tracing import clip_traces
from mesm.analysis.utterance_cost import utterance_costs
from mesm.batch import Batch, Sample, query_text
from mesm.config import ModelConfig, check_top_p
from mesm.data.features.extract import sample_features
from mesm.data.loading import collate
from mesm.errors import CheckpointError
from mesm.layers.text import TextEncoder
from mesm.layers.vgg import VGGTrunk
from mesm.models import Checkpoint, EmotionModel, Features, Prepared, PreparedFeatures, load_checkpoint
from mesm.models.inputs import ReadFeatures
from mesm.records.checkpoint import weights_sha256
from mesm.records.prediction import Prediction
from mesm.runtime import pick_device
from mesm.sparse import compilation
from mesm.vocabulary import TEXT_FLAGS

#: Time limit on decoding one file; an utterance takes seconds.
DECODE_S = 600.0
#: Variants of a clip that are scored in one batch, and the bytes that their maps may take.
MOST_VARIANTS, VARIANT_BYTES = 32, 2**28


def load(name_or_path: str | os.PathLike[str] = "marionette-mesm", device: str = "auto") -> Predictor:
    """Load a `Predictor` from a bundled or workspace checkpoint's name, a folder (also of a run), or a hub id.

    Raises:
        CheckpointError: there is none, or it cannot be read.

    Examples:
        >>> load("marionette-mesm").labels
        ('anger', 'disgust', 'fear', 'happiness', 'sadness', 'surprise')
    """
    name = os.fspath(name_or_path)
    known = find_checkpoints()
    return Predictor(load_checkpoint(checkpoint_source(name, known)), name if name in known else "", device)


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
        self.sha256 = weights_sha256(checkpoint.folder, checkpoint.config.is_adapted)
        self.metrics = checkpoint.metrics
        self.card = checkpoint.card
        self.trained_on = self.metrics.trained_on
        self.thresholds = np.array(self.metrics.thresholds or [0.5] * len(self.config.labels), float)

    @cached_property
    def text_encoder(self) -> TextEncoder:
        """Return the text encoder, loaded when first used: a model without words needs none, nor the hub it comes from."""
        return self.model.text_encoder or TextEncoder(self.config).to(self.device)

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the emotion names in the order of the scores."""
        return self.config.labels

    @property
    def has_attention(self) -> bool:
        """Return True if the model has an attention to trace and a top-p to move."""
        return self.config.has_attention

    @property
    def must_compile(self) -> bool:
        """Return True if the first prediction on this machine is delayed by half a minute of compilation."""
        trunks = [module for module in self.model.modules() if isinstance(module, VGGTrunk)]
        return self.device == "cpu" and any(
            compilation.must_compile(sparse=trunk.has_compiled_blocks) for trunk in trunks
        )

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
        changed = sample.with_text(text)
        prepared = self.model.prepare(self._collate([changed]))
        return PreparedClip(sample.clip_id, prepared, *self._text_facts(changed))

    def _collate(self, samples: Sequence[Sample]) -> Batch:
        """Collate clips for the model, without labels."""
        texts = {sample.clip_id: query_text(sample.text) for sample in samples}

        def vectors() -> dict[str, torch.Tensor]:
            if not self.config.reads_text:
                return dict.fromkeys(texts, torch.zeros(self.config.text_dim))
            return dict(zip(texts, self.text_encoder.vectors(list(texts.values())), strict=True))

        arguments = self.model.inputs.loader_arguments(vectors=vectors, features=self._read_features)
        return collate(samples, (), **arguments).to(self.device)

    def _text_facts(self, sample: Sample) -> tuple[int, tuple[str, ...]]:
        """Return the tokens of a clip's text, cut at the encoder's limit, and the clip's flags."""
        tokens = self.text_encoder.count_tokens(query_text(sample.text)) if self.config.reads_text else 0
        return min(tokens, self.config.text_max_tokens), self._flags(sample, tokens)

    def run(self, clip: PreparedClip, top_p: float | None = None, trace: bool = True) -> Prediction:
        """Score a prepared clip at `top_p` (default: the checkpoint's reference), with its exact cost if traced."""
        return self._run(clip.prepared, [clip], top_p, trace)[0]

    def run_variants(
        self, clip: PreparedClip, variants: Sequence[Sample], top_p: float | None = None, trace: bool = True
    ) -> list[Prediction]:
        """Score variants of a prepared clip; the CNN maps of its faces and mel chunks are kept.

        Args:
            clip: prepared by this predictor.
            variants: of `mesm.analysis.what_if.change_clip`: other texts, or without a modality.
            top_p: nucleus mass in (0, 1]; the checkpoint's by default.
            trace: also return the attention and the cost.

        Raises:
            DataError: a variant has none of the model's modalities.
        """
        predictions: list[Prediction] = []
        for start in range(0, len(variants), step := _batch_size(clip)):
            predictions += self._run_variants(clip, variants[start : start + step], top_p, trace)
        return predictions

    @torch.no_grad()
    def _run_variants(
        self, clip: PreparedClip, variants: Sequence[Sample], top_p: float | None, trace: bool
    ) -> list[Prediction]:
        if not isinstance(self.model, EmotionModel):  # hand-crafted features are computed again
            return [self.run(self.prepare(variant), top_p, trace) for variant in variants]
        assert isinstance(clip.prepared, Prepared)
        texts = [_text_only(variant, f"variant {i + 1} of {clip.clip_id}") for i, variant in enumerate(variants)]
        has = {
            "visual": torch.tensor([len(variant.faces) > 0 for variant in variants], device=self.device),
            "acoustic": torch.tensor([len(variant.mel) > 0 for variant in variants], device=self.device),
        }
        prepared = self.model.vary(clip.prepared, self._collate(texts), has)
        clips = [PreparedClip(clip.clip_id, prepared, *self._text_facts(variant)) for variant in variants]
        return self._run(prepared, clips, top_p, trace)

    @torch.no_grad()
    def _run(
        self, prepared: Prepared | PreparedFeatures, clips: Sequence[PreparedClip], top_p: float | None, trace: bool
    ) -> list[Prediction]:
        """Score a batch; `clips` have the name, tokens and flags of each of its clips."""
        top_p = check_top_p(self.config.top_p if top_p is None else top_p)
        output = self.model.finish(prepared, top_p, trace)
        traces = clip_traces(output, prepared.counts, top_p) if trace else []
        branches_BME = torch.sigmoid(output.modality_logits_BME.float()).cpu().numpy()
        # A model without branches has no scores of single modalities to show.
        present_BM = output.present_BM.cpu().numpy() & self.model.has_branches
        predictions = []
        for b, clip in enumerate(clips):
            present = {m: i for i, m in enumerate(self.config.modalities) if present_BM[b, i]}
            prediction = Prediction(
                clip.clip_id,
                self.labels,
                output.scores_BE[b].cpu().numpy(),
                self.thresholds,
                {m: branches_BME[b, i] for m, i in present.items()},
                {m: float(output.fusion_weights_BM[b, i]) for m, i in present.items()},
                clip.flags,
            )
            if trace:
                own = {m: counts_B[b : b + 1] for m, counts_B in prepared.counts.items()}
                report = utterance_costs(self.config, own, traces[b : b + 1], clip.tokens)[0]
                prediction = replace(prediction, trace=traces[b], macs=report.by_stage | report.totals)
            predictions.append(prediction)
        return predictions

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

        Examples:
            >>> from mesm.runtime import assets
            >>> clip = assets() / "marionette/media/m0-00356.mp4"
            >>> prediction = load().predict(clip, text="You can pick up the parcel at the office.", trace=True)
            >>> prediction.decided, len(prediction.layers["visual"])
            (('anger',), 3)
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

    def _flags(self, sample: Sample, tokens: int) -> tuple[str, ...]:
        """Return the flags of a clip, those of the text by the text that is scored."""
        text = sample.text
        flags = [flag for flag in sample.quality if flag not in TEXT_FLAGS]
        conditions = {
            "no_video": not len(sample.faces),
            "no_audio": not len(sample.mel),
            "no_words": not text.strip(),
            "neutral_query": not text.strip() and self.config.has_text_query,
            "text_cut": tokens > self.config.text_max_tokens,
            "language": self.config.reads_text and not self.text_encoder.covers_language(text),
        }
        return tuple(dict.fromkeys([*flags, *(flag for flag, holds in conditions.items() if holds)]))


def _text_only(sample: Sample, clip_id: str) -> Sample:
    return replace(sample, clip_id=clip_id, faces=sample.faces[:0], mel=sample.mel[:0])


def _batch_size(clip: PreparedClip) -> int:
    """Return the number of variants that are scored together: as many as their repeated maps leave room for."""
    maps = clip.prepared.maps.values() if isinstance(clip.prepared, Prepared) else ()
    size = sum(values.numel() * values.element_size() for values in maps)
    return max(1, min(MOST_VARIANTS, VARIANT_BYTES // max(size, 1)))
