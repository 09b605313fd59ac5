"""Build a two-phase baseline from a corpus's features: their width, their statistics, the emotions' words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mesm.config import FeatureModelConfig
from mesm.data.features import FeatureStore
from mesm.errors import ConfigError
from mesm.models import build_model
from mesm.models.baselines import EmoEmbs, FeatureModel


def build_on_features(config: FeatureModelConfig, store: FeatureStore, train_ids: Sequence[str]) -> FeatureModel:
    """Build the baseline with the features' widths and sources in its config and the training split's statistics inside.

    Raises:
        ConfigError: the config has other widths than the features.
        DataError: the word vectors lack an emotion (EmoEmbs).
    """
    kinds = [store.kinds[m] for m in config.modalities]
    dims = tuple(len(kind.columns) for kind in kinds)
    if config.feature_dims and config.feature_dims != dims:
        raise ConfigError(f"feature_dims is {config.feature_dims}, the features have {dims} columns; leave it empty")
    model = build_model(replace(config, feature_dims=dims, feature_sources=tuple(kind.source for kind in kinds)))
    assert isinstance(model, FeatureModel)
    model.set_statistics(store.statistics(train_ids))
    if isinstance(model, EmoEmbs):
        model.set_emotions(store.kinds["text"].emotions)
    return model
