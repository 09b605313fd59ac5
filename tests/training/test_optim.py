"""Parameter groups, schedule and gradient clipping against numbers worked by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from mesm.config import MESMConfig, TrainConfig
from mesm.models import build_model
from mesm.training.optim import build_optimizer, build_schedule, clip_gradients, learning_rate_factor, parameter_groups

SMALL = MESMConfig(
    width=0.125, head_dim=16, transformer_dim=16, transformer_layers=1, transformer_feedforward=16,
    score="additive_bilinear",
)  # fmt: skip


def factors(config: TrainConfig, total: int = 100) -> list[float]:
    return [learning_rate_factor(step, total, config) for step in range(total)]


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "constant"])
def test_the_rate_rises_linearly_over_the_warm_up(schedule: str) -> None:
    found = factors(TrainConfig(schedule=schedule, warmup=0.2))
    assert found[:20] == pytest.approx([(n + 1) / 20 for n in range(20)])
    assert found[20] == pytest.approx(1)


def test_the_rate_falls_as_a_cosine() -> None:
    cosine = factors(TrainConfig(schedule="cosine", warmup=0.2))
    assert cosine[40] == pytest.approx(0.5 * (1 + 0.5**0.5)), "a quarter of the way: cos 45 degrees"
    assert cosine[60] == pytest.approx(0.5)
    assert learning_rate_factor(100, 100, TrainConfig(schedule="cosine")) == pytest.approx(0)
    one_cycle = TrainConfig(schedule="one_cycle", warmup=0.2)
    assert factors(one_cycle)[60] == pytest.approx(0.505)
    assert learning_rate_factor(100, 100, one_cycle) == pytest.approx(0.01)
    assert factors(TrainConfig(schedule="constant", warmup=0.2))[20:] == [1.0] * 80


def test_the_schedule_sets_every_groups_rate() -> None:
    model = build_model(SMALL)
    config = TrainConfig(lr=1e-2, warmup=0.5, schedule="cosine", attention_lr_factor=3.0)
    optimizer = build_optimizer(model, config)
    schedule = build_schedule(optimizer, config, 4)
    rates = []
    for _ in range(4):
        rates.append([group["lr"] for group in optimizer.param_groups[:2]])
        optimizer.step()
        schedule.step()
    assert [trunk for trunk, _ in rates] == pytest.approx([5e-3, 1e-2, 1e-2, 5e-3])
    assert [attention for _, attention in rates] == pytest.approx([1.5e-2, 3e-2, 3e-2, 1.5e-2])


def test_each_group_has_its_rate_and_decay() -> None:
    model = build_model(SMALL)
    encoder = nn.Linear(2, 2)
    model.text_encoder = encoder  # type: ignore[assignment]
    config = TrainConfig(lr=1.0, weight_decay=0.3, attention_lr_factor=5, bilinear_lr_factor=0.5, text_lr_factor=0.1)
    groups = {group["name"]: group for group in parameter_groups(model, config)}
    assert {name: group["lr"] for name, group in groups.items()} == {
        "trunk": 1, "attention": 5, "bilinear": 0.5, "text": 0.1
    }  # fmt: skip
    assert {name: group["weight_decay"] for name, group in groups.items()} == {
        "trunk": 0.3, "attention": 0, "bilinear": 0, "text": 0.3
    }  # fmt: skip
    assert {id(p) for p in groups["text"]["params"]} == {id(p) for p in encoder.parameters()}
    attention = {id(p) for name in ("attention", "bilinear") for p in groups[name]["params"]}
    assert attention == {id(p) for p in model.attention_parameters()}
    assert sum(len(group["params"]) for group in groups.values()) == len(list(model.parameters()))


@pytest.mark.parametrize(("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)])
def test_the_optimizer_is_the_one_named(name: str, kind: type) -> None:
    assert type(build_optimizer(build_model(SMALL), replace(TrainConfig(), optimizer=name))) is kind


def test_each_groups_gradient_is_clipped_on_its_own() -> None:
    trunk, attention = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.SGD(
        [{"params": [trunk], "name": "trunk"}, {"params": [attention], "name": "attention"}], lr=1
    )
    trunk.grad, attention.grad = torch.tensor([3.0, 4.0]), torch.tensor([300.0, 400.0])
    assert clip_gradients(optimizer, 2.0) == pytest.approx({"trunk": 5, "attention": 500})
    assert trunk.grad.tolist() == pytest.approx([1.2, 1.6], rel=1e-4), "not scaled by the attention's norm"
    assert attention.grad.tolist() == pytest.approx([1.2, 1.6], rel=1e-4)
