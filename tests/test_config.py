"""Configs refuse what cannot work, in one sentence, and survive JSON."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from mesm.config import (
    MODEL_CONFIGS,
    FE2EConfig,
    MESMConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
    model_config,
)
from mesm.errors import ConfigError
from mesm.presets import PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name: str) -> None:
    run = PRESETS[name]
    assert RunConfig.from_dict(json.loads(json.dumps(run.to_dict()))) == run


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"gate": "fuzzy"}, "gate is 'fuzzy'"),
        ({"top_p": 0.0}, "top_p is 0.0"),
        ({"width": 0.0}, "width is 0.0"),
        ({"modalities": ("visual", "text")}, "in that order"),
        ({"modalities": ("visual",)}, "MESM needs the text"),
        ({"labels": ("joy",)}, "label is 'joy'"),
        ({"stem_blocks": 3}, "stem_blocks is 3"),
    ],
)
def test_bad_settings(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        dataclasses.replace(MESMConfig(), **change)  # type: ignore[arg-type]


def test_a_training_of_another_version_can_be_compared() -> None:
    old = {k: v for k, v in TrainConfig(lr=0.5).to_dict().items() if k != "look"} | {"gone": 1.0}
    assert TrainConfig.as_far_as_known(old) == TrainConfig(lr=0.5)
    with pytest.raises(ConfigError, match="no setting 'gone'"):
        TrainConfig.from_dict(old)


def test_settings_from_a_command_line() -> None:
    changed = TrainConfig().with_settings(
        {"lr": "1e-4", "top_p_range": "[0.3, 1.0]", "augment": "false", "optimizer": "adam"}
    )
    assert (changed.lr, changed.top_p_range, changed.augment, changed.optimizer) == (1e-4, (0.3, 1.0), False, "adam")
    for bad in ({"lr": "fast"}, {"augment": "1"}, {"learning_rate": "1"}, {"epochs": "0"}):
        with pytest.raises(ConfigError):
            TrainConfig().with_settings(bad)


def test_every_field_has_its_line_of_prose() -> None:
    import ast

    import mesm.config

    seen = set()
    for path in Path(mesm.config.__file__).parent.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and node.name.endswith("Config") and node.name != "RunConfig":
                seen.add(node.name)
                for field, after in zip(node.body, [*node.body[1:], None], strict=True):
                    if isinstance(field, ast.AnnAssign):
                        assert isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant), ast.unparse(field)
    assert seen >= {"ModelConfig", "MESMConfig", "FE2EConfig", "FeatureModelConfig", "TrainConfig"}


SHIPPED = Path(__file__).resolve().parent.parent / "assets" / "checkpoints"


@pytest.mark.parametrize(("name", "kind"), [("marionette-fe2e", FE2EConfig), ("marionette-mesm", MESMConfig)])
def test_shipped_configs_of_the_one_class_for_all_models_load(name: str, kind: type[ModelConfig]) -> None:
    stored = json.loads((SHIPPED / name / "config.json").read_text())
    assert {"feature_dims", "cnn", "gate"} <= set(stored), "stored when one class held all models' settings"
    config = ModelConfig.from_dict(stored)
    assert type(config) is kind and config.width == 0.25 and config.text_sha256
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    for key, value in config.to_dict().items():
        if key != "query":
            assert stored[key] == (list(value) if isinstance(value, tuple) else value), key
    with pytest.raises(ConfigError, match="no setting 'color'"):
        ModelConfig.from_dict(stored | {"color": 1})


def test_a_query_that_was_shuffled_in_training_is_the_text() -> None:
    stored = MESMConfig().to_dict() | {"query": "shuffled_in_training"}
    assert ModelConfig.from_dict(stored) == MESMConfig(query="text")
    with pytest.raises(ConfigError, match="query is 'shuffled_in_training'"):
        MESMConfig(query="shuffled_in_training")


def test_each_model_has_the_settings_that_it_uses() -> None:
    assert MESMConfig().attention_layers == 3 and MESMConfig().has_attention and MESMConfig().top_p == 0.5
    for name in set(MODEL_CONFIGS) - {"mesm"}:
        config = model_config(name)
        assert config.name == name and not config.has_attention and config.top_p == 1
        with pytest.raises(ConfigError, match=f"{name} has no setting 'gate'"):
            model_config(name, gate="hard")
    assert {n for n in MODEL_CONFIGS if hasattr(model_config(n), "text_at_last_word")} == {"lf_lstm"}
    with pytest.raises(ConfigError, match="no model named 'mlp'"):
        model_config("mlp")
    with pytest.raises(ConfigError, match="does not hold the settings of 'mesm'"):
        dataclasses.replace(FE2EConfig(), name="mesm")


def test_the_settings_that_two_models_share_go_from_one_to_the_other() -> None:
    dense = FE2EConfig(width=0.5, text_hidden=8, positions=False)
    sparse = dense.as_model("mesm", top_p=0.3)
    assert isinstance(sparse, MESMConfig) and (sparse.width, sparse.text_hidden, sparse.top_p) == (0.5, 8, 0.3)
    assert sparse.as_model("fe2e") == dense
    assert dense.with_settings({"name": "mesm", "gate": "hard"}) == dense.as_model("mesm", gate="hard")
    assert model_config("lf_lstm", width=0.5, positions=False) == dense.as_model("lf_lstm")
