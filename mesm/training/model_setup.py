"""The model that a run trains, with its initial weights, its frozen parts, and what it reads beside the clips."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mesm.config import RunConfig
from mesm.data.features import FeatureStore
from mesm.data.features.extract import open_features
from mesm.data.store import Corpus
from mesm.errors import ConfigError
from mesm.layers.text import TextEncoder
from mesm.models import EmotionModel, build_model, load_checkpoint
from mesm.models.checkpoint import warm_start
from mesm.models.encoders import load_cnn
from mesm.training.baseline_setup import build_on_features, reads_features
from mesm.training.scoring import text_vectors


@dataclass(frozen=True)
class TrainingModel:
    """Hold a model and what it reads beside the clips.

    Attributes:
        vectors: clip id -> text vector, for a model with a frozen text encoder.
        features: hand-crafted features, for a two-phase baseline.
    """

    model: EmotionModel
    vectors: dict[str, Tensor] | None = None
    features: FeatureStore | None = None


def build_training_model(run: RunConfig, corpus: Corpus, device: torch.device) -> TrainingModel:
    """Build a run's model on its device, from random weights, ImageNet's or a checkpoint's.

    Raises:
        ConfigError: a frozen part of a trained model without one to start from.
        CheckpointError: `init_from` does not fit.
    """
    if reads_features(run.model):
        features = open_features(corpus, run.model.modalities)
        baseline = build_on_features(run.model, features, corpus.ids("train"))
        return TrainingModel(baseline.to(device), features=features)
    model = build_model(run.model)
    vectors = None
    if model.text_encoder is None:
        encoder = TextEncoder(run.model)
        vectors = text_vectors(corpus, encoder, ("train", "valid"))
        digest = encoder.sha256
    else:
        digest = model.text_encoder.sha256
    model.config = type(model.config).from_dict({**model.config.to_dict(), "text_sha256": digest})
    if run.train.cnn_weights:
        load_cnn(model, run.train.cnn_weights)
    if run.train.init_from:
        warm_start(model, load_checkpoint(run.train.init_from).model.state_dict())
    _freeze(model, run)
    return TrainingModel(model.to(device), vectors)


def _freeze(model: EmotionModel, run: RunConfig) -> None:
    """Stop the gradients of the parts that the config keeps as they are."""
    for parameter in model.attention_parameters():
        parameter.requires_grad_(not run.train.freeze_attention)
    for setting, freeze in {"freeze_stem": model.freeze_stem, "freeze_text": model.freeze_text}.items():
        if not getattr(run.train, setting):
            continue
        if not run.train.init_from:
            raise ConfigError(
                f"{setting} keeps a part of a trained model: name one with --init (MESM starts from FE2E), or set "
                f"{setting}=false"
            )
        freeze()
