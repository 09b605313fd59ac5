"""Build the model that a run trains: initial weights, frozen parts, and the inputs of its loaders."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from mesm.config import FeatureModelConfig, RunConfig
from mesm.data.features.extract import open_features
from mesm.data.store import Corpus
from mesm.errors import ConfigError
from mesm.layers.text import TextEncoder
from mesm.models import AnyScorer, EmotionModel, build_model, load_checkpoint
from mesm.models.checkpoint import warm_start
from mesm.models.encoders import load_cnn
from mesm.models.inputs import LoaderArguments
from mesm.training.baseline_setup import build_on_features
from mesm.training.scoring import loader_arguments


@dataclass(frozen=True)
class TrainingModel:
    """Hold a model and the inputs of its loaders.

    Attributes:
        inputs: arguments of `SplitLoader`: token ids, text vectors or features, as `Scorer.inputs` has it.
    """

    model: AnyScorer
    inputs: LoaderArguments


def build_training_model(
    run: RunConfig, corpus: Corpus, device: torch.device, *, resumed: bool = False
) -> TrainingModel:
    """Build a run's model on its device, from random weights, ImageNet's or a checkpoint's.

    Args:
        resumed: the weights come from the run's state; the first ones need not be there any more.

    Raises:
        ConfigError: a frozen part of a trained model without one to start from.
        CheckpointError: `init_from` does not fit.
    """
    if isinstance(run.model, FeatureModelConfig):
        features = open_features(corpus, run.model.modalities)
        baseline = build_on_features(run.model, features, corpus.ids("train"))
        return TrainingModel(baseline.to(device), baseline.inputs.loader_arguments(dict, lambda _: features))
    model = build_model(run.model)
    assert isinstance(model, EmotionModel)
    encoder = model.text_encoder or TextEncoder(run.model)
    inputs = loader_arguments(model, encoder, corpus, ("train", "valid"))
    model.config = replace(model.config, text_sha256=encoder.sha256)
    if run.train.cnn_weights and not resumed:
        load_cnn(model, run.train.cnn_weights)
    if run.train.init_from and not resumed:
        warm_start(model, load_checkpoint(run.train.init_from).model.state_dict())
    _freeze(model, run)
    return TrainingModel(model.to(device), inputs)


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
