"""Build the model that a run trains: initial weights, frozen parts, and the inputs of its loaders."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from mesm.config import EndToEndConfig, FeatureModelConfig, ModelConfig, RunConfig
from mesm.data.features.extract import open_features
from mesm.data.store import Corpus
from mesm.errors import ConfigError
from mesm.estimate import listed
from mesm.layers.text import TextEncoder
from mesm.models import AnyScorer, EmotionModel, build_model, load_checkpoint
from mesm.models.checkpoint import warm_start
from mesm.models.encoders import load_cnn
from mesm.models.inputs import LoaderArguments
from mesm.training.baseline_setup import build_on_features
from mesm.training.scoring import clip_notes, loader_arguments
from mesm.training.validation import undecidable


@dataclass(frozen=True)
class TrainingModel:
    """Hold a model and the inputs of its loaders.

    Attributes:
        inputs: arguments of `SplitLoader`: token ids, text vectors or features, as `Scorer.inputs` has it.
        notes: sentences on what the training begins with that its user may not expect.
    """

    model: AnyScorer
    inputs: LoaderArguments
    notes: tuple[str, ...] = ()


def build_training_model(
    run: RunConfig, corpus: Corpus, device: torch.device, *, resumed: bool = False
) -> TrainingModel:
    """Build a run's model on its device, from random weights, ImageNet's or a checkpoint's.

    Args:
        resumed: the weights come from the run's state; the first ones need not be there any more.

    Raises:
        ConfigError: a frozen text branch from a checkpoint with other labels, or a text branch with a part that this one lacks.
        CheckpointError: `init_from` does not fit.
    """
    rows = [row for row in corpus.index if row.split in ("train", "valid")]
    notes = clip_notes(run.model, rows) + _undecidable_note(run, corpus)
    if isinstance(run.model, FeatureModelConfig):
        features = open_features(corpus, run.model.modalities)
        baseline = build_on_features(run.model, features, corpus.ids("train"))
        return TrainingModel(baseline.to(device), baseline.inputs.loader_arguments(dict, lambda _: features), notes)
    model = build_model(run.model)
    assert isinstance(model, EmotionModel)
    encoder = model.text_encoder or TextEncoder(run.model)
    inputs = loader_arguments(model, encoder, corpus, ("train", "valid"))
    model.config = replace(model.config, text_sha256=encoder.sha256)
    if run.train.cnn_weights and not resumed:
        load_cnn(model, run.train.cnn_weights)
    if run.train.init_from and not resumed:
        start = load_checkpoint(run.train.init_from)
        if dropped := _dropped_text(start.config, model.config):
            raise ConfigError(
                f"the text branch of {run.train.init_from} has parts that this model lacks; set {listed(dropped)}"
            )
        warm_start(model, start.model.state_dict(), start.config.labels)
        if start.config.labels != run.model.labels:
            if run.train.freeze_text:
                raise ConfigError(
                    f"{run.train.init_from} has other labels ({', '.join(start.config.labels)}), so its text branch cannot "
                    "stay as it is; set freeze_text=false"
                )
            notes += (
                f"{run.train.init_from} has other labels ({', '.join(start.config.labels)}): its last layers are left out "
                "and start at random",
            )
    _freeze(model, run)
    return TrainingModel(model.to(device), inputs, notes)


def _dropped_text(start: ModelConfig, model: EndToEndConfig) -> list[str]:
    """Return the settings, as key=value, of parts of the start's text branch that would be left out in silence."""
    if not isinstance(start, EndToEndConfig) or "text" not in start.modalities or "text" not in model.modalities:
        return []
    parts = {name: getattr(start, name) for name in ("text_adapter", "text_lexicon")}
    return [f"{name}={value}" for name, value in parts.items() if value and not getattr(model, name)]


def _undecidable_note(run: RunConfig, corpus: Corpus) -> tuple[str, ...]:
    labels = undecidable(corpus, run.model.labels)
    if not labels:
        return ()
    return (
        f"{', '.join(labels)}: the validation split has no clip that shows it, or none that does not, so the checkpoint "
        "gets no decision threshold for it and never predicts it; its score is given all the same",
    )


def _freeze(model: EmotionModel, run: RunConfig) -> None:
    """Stop the gradients of the parts that the config keeps as they are.

    Raises:
        ConfigError: no part is left.
    """
    for parameter in model.attention_parameters():
        parameter.requires_grad_(not run.train.freeze_attention)
    freezers = {
        "freeze_stem": model.freeze_stem,
        "freeze_text": model.freeze_text,
        "freeze_branches": model.freeze_branches,
    }
    for setting, freeze in freezers.items():
        if getattr(run.train, setting):
            freeze()
    if not any(parameter.requires_grad for parameter in model.parameters()):
        frozen = [setting for setting in freezers if getattr(run.train, setting)]
        raise ConfigError(
            f"{listed(frozen)} leave{'s' * (len(frozen) == 1)} nothing to train; set one to false, or text_adapter=16 to "
            "train updates of the text encoder"
        )
