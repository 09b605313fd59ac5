"""Configs refuse what cannot work, in one sentence, and survive JSON."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

from mesm.config import (
    FORM_SETTINGS,
    MODEL_CONFIGS,
    AttentionSupervisionConfig,
    AuxiliaryTargetsConfig,
    BranchLossConfig,
    FE2EConfig,
    LabelLossConfig,
    MESMConfig,
    ModelConfig,
    NeutralFacesConfig,
    RunConfig,
    TrainConfig,
    TwoTextsConfig,
    model_config,
    upgrade_training,
)
from mesm.config.training import RENAMED_SETTINGS
from mesm.errors import ConfigError
from mesm.presets import PRESETS, preset


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


OLD = {
    "lr": 0.5, "look": 4.0, "look_shares": [0.5, 0.2, 0.15], "look_specific": 0.85, "cause_loss": 2.0, "neutral_faces": 16,
    "text_kl": 0.5, "steering_lr_factor": 1.0, "branch_loss": 0.25, "positive_weight": "none", "label_smoothing": 0.1,
    "guide": 0.0, "guide_margin": 0.1,
}  # fmt: skip


def test_settings_of_older_versions_are_upgraded() -> None:
    assert TrainConfig.from_dict(OLD) == TrainConfig(
        lr=0.5,
        attention=AttentionSupervisionConfig(4.0, (0.5, 0.2, 0.15), 0.85),
        auxiliary=AuxiliaryTargetsConfig(2.0),
        neutral=NeutralFacesConfig(16),
        two_texts=TwoTextsConfig(0.5),
        bilinear_lr_factor=1.0,
        branch=BranchLossConfig(0.25),
        label=LabelLossConfig("none", 0.1),
    )
    assert set(RENAMED_SETTINGS) <= set(OLD) and set(RENAMED_SETTINGS.values()) <= set(TrainConfig().flat())
    present = TrainConfig(attention=AttentionSupervisionConfig(1.0), queries="shuffled").to_dict()
    assert upgrade_training(present) == present
    with pytest.raises(ConfigError, match="no setting 'gone'"):
        TrainConfig.from_dict({"gone": 1.0})


def test_a_run_of_an_older_version_with_shuffled_queries() -> None:
    stored = {"model": {"name": "mesm", "query": "shuffled_in_training"}, "train": OLD}
    run = RunConfig.from_dict(stored)
    assert (run.model.query, run.train.queries) == ("text", "shuffled")
    assert RunConfig.from_dict({**stored, "model": {"name": "mesm"}}).train.queries == "own"


@pytest.mark.parametrize(
    ("name", "preset_name"), [("fe2e", "marionette-fe2e"), ("mesm", "marionette-mesm-text-guided")]
)
def test_the_shipped_checkpoints_are_what_their_presets_train(name: str, preset_name: str) -> None:
    folder = Path(__file__).resolve().parent.parent / "assets" / "checkpoints" / f"marionette-{name}"
    metrics, model = (json.loads((folder / f"{kind}.json").read_text()) for kind in ("metrics", "config"))
    run = RunConfig.from_dict({"model": model, "train": metrics["train"]})
    expected = PRESETS[preset_name]
    own = {"corpus": run.train.corpus, "init_from": run.train.init_from, "seed": run.train.seed}
    assert run.train == dataclasses.replace(expected.train, **own)
    assert dataclasses.replace(run.model, text_sha256="") == expected.model


def test_a_preset_keeps_its_older_name() -> None:
    assert preset("marionette-mesm-steered") == PRESETS["marionette-mesm-text-guided"]
    with pytest.raises(ConfigError, match="no preset 'x'"):
        preset("x")


def test_settings_from_a_command_line() -> None:
    changed = TrainConfig().with_settings(
        {"lr": "1e-4", "top_p_range": "[0.3, 1.0]", "augment": "false", "optimizer": "adam"}
    )
    assert (changed.lr, changed.top_p_range, changed.augment, changed.optimizer) == (1e-4, (0.3, 1.0), False, "adam")
    nested = TrainConfig().with_settings({"attention.weight": "2", "attention.target_shares": "[0.1, 0.1, 0.1]"})
    assert nested.attention == AttentionSupervisionConfig(2, (0.1, 0.1, 0.1))
    run = RunConfig().with_settings({"width": "0.5", "train.branch.weight": "0", "neutral.per_batch": "3", "lr": "1"})
    assert (run.model.width, run.train.branch.weight, run.train.neutral.per_batch, run.train.lr) == (0.5, 0, 3, 1)
    with pytest.raises(ConfigError, match=r"'look'; it is called attention\.weight now"):
        TrainConfig().with_settings({"look": "1"})
    for bad in ({"attention": "1"}, {"attention.weigth": "1"}, {"lr.x": "1"}, {"branch.weight": "-1"}):
        with pytest.raises(ConfigError):
            TrainConfig().with_settings(bad)
    for bad in ({"lr": "fast"}, {"augment": "1"}, {"learning_rate": "1"}, {"epochs": "0"}):
        with pytest.raises(ConfigError):
            TrainConfig().with_settings(bad)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("labels=happiness,sadness,fear", ("happiness", "sadness", "fear")),
        ("labels= happiness , fear ", ("happiness", "fear")),
        ("labels=fear", ("fear",)),
        ('labels=["fear","anger"]', ("fear", "anger")),
        ("attention_width=8,16,32", (8, 16, 32)),
        ("text_source=5", "5"),
        ('text_source="a b"', "a b"),
        ("text_source=albert-base-v2", "albert-base-v2"),
    ],
)
def test_a_list_needs_no_json(setting: str, value: object) -> None:
    name, _, text = setting.partition("=")
    assert getattr(MESMConfig().with_settings({name: text}), name) == value


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("labels=1,2", "label is 1; it must be one of"),
        ("labels=happy,fear", "label is 'happy'; it must be one of"),
        ('labels={"a": 1}', "label is {'a': 1}; it must be one of"),
        ("attention_width=8,wide,32", "attention_width is 'wide'; it must be a whole number"),
        ("attention_width=true", "attention_width is True; it must be a whole number"),
        ("top_p=true", "top_p is True; it must be a number"),
        ("top_p=" + "[" * 100_000, "top_p must be a number"),
        ("head_dim=" + "9" * 5000, "head_dim must be a number"),
        ("positions=1", "positions must be true or false, not '1'"),
    ],
)
def test_a_setting_of_another_type(setting: str, sentence: str) -> None:
    name, _, text = setting.partition("=")
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        MESMConfig().with_settings({name: text})


def test_a_stored_list_is_no_word() -> None:
    with pytest.raises(ConfigError, match="labels is 'fear'; it must be a list"):
        MESMConfig.from_dict({"labels": "fear"})


def test_a_stored_config_has_every_setting() -> None:
    stored = MESMConfig(top_p=0.4, gate="hard").to_dict()
    assert ModelConfig.from_stored(stored) == MESMConfig(top_p=0.4, gate="hard")
    del stored["top_p"], stored["gate"]
    with pytest.raises(ConfigError, match="lacks gate, top_p; copy it from where the checkpoint comes from"):
        ModelConfig.from_stored(stored)


#: Settings that earlier versions had not, whose default is what these did.
LATER = (
    "face_scaling",
    "mel_level",
    "text_lexicon",
    "text_adapter",
    "mel_statistics",
    "mel_statistics_hidden",
    "padding",
)


@pytest.mark.parametrize("name", [n for n in MESMConfig().to_dict() if n not in LATER])
def test_no_setting_of_a_stored_config_is_guessed(name: str) -> None:
    stored = MESMConfig(top_p=0.4, gate="hard").to_dict()
    del stored[name]
    with pytest.raises(ConfigError):
        ModelConfig.from_stored(stored)


def test_every_field_has_its_line_of_prose() -> None:
    import ast

    import mesm.config

    for path in Path(mesm.config.__file__).parent.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            body = node.body if isinstance(node, ast.ClassDef) else []
            for field, after in itertools.pairwise([*body, None]):
                if isinstance(field, ast.AnnAssign):
                    assert isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant), ast.unparse(field)


SHIPPED = Path(__file__).resolve().parent.parent / "assets" / "checkpoints"


@pytest.mark.parametrize(("name", "kind"), [("marionette-fe2e", FE2EConfig), ("marionette-mesm", MESMConfig)])
def test_shipped_configs_of_the_one_class_for_all_models_load(name: str, kind: type[ModelConfig]) -> None:
    stored = json.loads((SHIPPED / name / "config.json").read_text())
    assert {"feature_dims", "cnn", "gate"} <= set(stored), "stored when one class held all models' settings"
    config = ModelConfig.from_dict(stored)
    assert type(config) is kind and config.width == 0.25 and config.text_sha256
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert isinstance(config, FE2EConfig | MESMConfig)
    assert (config.face_scaling, config.mel_level) == ("corpus", "kept"), "settings that came later change nothing"
    for key, value in config.to_dict().items():
        if key in stored and key != "query":
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


BAD_VALUES: list[object] = [
    10**9, -1, -5, 1.5, 10**400, float("nan"), float("inf"), -float("inf"), 1e308, True, False, None, "many", "", [], {}, [[]],
    [None], ["x"], [1, "x"], {"a": 1}, "x" * 5000, [1] * 5000,
]  # fmt: skip
CONFIGS = [*(kind() for kind in MODEL_CONFIGS.values()), RunConfig(MESMConfig(), TrainConfig()), TrainConfig()]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: type(config).__name__)
def test_any_value_of_any_setting_is_taken_or_refused_in_one_sentence(config: Any) -> None:
    for name in config.flat():
        for value in BAD_VALUES:
            content: Any = config.to_dict()
            *parts, last = name.split(".")
            inside = content
            for part in parts:
                inside = inside[part]
            inside[last] = value
            try:
                made = type(config).from_dict(content)
            except ConfigError as error:
                assert len(str(error)) < 400 and "\n" not in str(error)
                continue
            # What is taken has the type of the default, and comes back from JSON.
            kept, default = made.flat()[name], config.flat()[name]
            assert type(kept) is type(default), (name, value, kept)
            assert type(config).from_dict(json.loads(json.dumps(made.to_dict(), allow_nan=False))) == made


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        (
            "model.transformer_layers=1000000000",
            "transformer_layers is 1000000000; it must be a whole number from 1 to 24",
        ),
        ("train.epochs=1.5", "epochs is 1.5; it must be a whole number from 1 to 10000"),
        ("train.epochs=true", "epochs is True; it must be a whole number"),
        ("train.epochs=" + "9" * 5000, "epochs must be a number, not '9999"),
        ("train.max_clips=-5", "max_clips is -5; it must be a whole number from 0 to"),
        ("train.lr=NaN", "lr must be a number, not 'NaN'"),
        ("train.lr=1e308", "lr is 1e.308; it must be a number from 0 to 10"),
        ("train.attention.weight=-1", "attention.weight is -1.0; it must be a number from 0 to"),
        ("model.top_p=0", "top_p is 0.0; it must be a number above 0 and at most 1"),
        ("model.transformer_heads=5", "transformer_dim is 64; it must be a multiple of transformer_heads, 5"),
        ("train.top_p_range=[0.7, 0.3]", "low and high"),
        ("model.labels=fear,fear", "each once"),
    ],
)
def test_settings_out_of_bounds_name_value_and_range(setting: str, sentence: str) -> None:
    key, _, text = setting.partition("=")
    with pytest.raises(ConfigError, match=sentence):
        preset("marionette-mesm").with_settings({key: text})


def test_a_list_may_be_written_with_commas() -> None:
    run = preset("marionette-mesm").with_settings({"labels": "happiness, sadness,fear", "top_p_range": "0.3,1"})
    assert run.model.labels == ("happiness", "sadness", "fear") and run.train.top_p_range == (0.3, 1.0)
    assert run == preset("marionette-mesm").with_settings(
        {"labels": '["happiness","sadness","fear"]', "top_p_range": "[0.3,1]"}
    )


def test_the_form_takes_no_paths_and_names() -> None:
    every = {f"model.{n}" for c in MODEL_CONFIGS.values() for n in c().flat()} | {
        f"train.{n}" for n in TrainConfig().flat()
    }
    assert every > FORM_SETTINGS
    assert every - FORM_SETTINGS == {
        "model.name", "model.text_source", "model.text_sha256", "model.feature_sources",
        "train.corpus", "train.init_from", "train.cnn_weights", "train.action_units",
        "train.distillation.checkpoint",
    }  # fmt: skip


@pytest.mark.parametrize(
    "content", [[], None, 5, {}, {"model": 1}, {"model": {}, "train": []}, {"model": [], "train": {}}]
)
def test_a_config_of_another_shape_is_one_sentence(content: Any) -> None:
    for read in (RunConfig.from_dict, ModelConfig.from_stored):
        with pytest.raises(ConfigError):
            read(content)


@pytest.mark.parametrize("name", ["top_p", "gate", "query", "labels"])
def test_a_stored_config_without_a_setting_gets_no_default_of_today(name: str) -> None:
    content = MESMConfig().to_dict()
    assert ModelConfig.from_stored(content) == MESMConfig()
    del content[name]
    with pytest.raises(ConfigError, match=f"lacks {name}; "):
        ModelConfig.from_stored(content)
