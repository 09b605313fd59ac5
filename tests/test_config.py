"""Configs refuse what cannot work, in one sentence, and survive JSON."""

from __future__ import annotations

import dataclasses
import json

import pytest

from mesm.config import ModelConfig, RunConfig, TrainConfig
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
        dataclasses.replace(ModelConfig(), **change)  # type: ignore[arg-type]


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
    from pathlib import Path

    import mesm.config

    tree = ast.parse(Path(mesm.config.__file__).read_text())
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name in ("ModelConfig", "TrainConfig"):
            body = node.body
            for field, after in zip(body, [*body[1:], None], strict=True):
                if isinstance(field, ast.AnnAssign):
                    assert isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant), ast.unparse(field)
