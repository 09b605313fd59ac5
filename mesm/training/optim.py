"""Build optimiser, schedule and gradient clipping from a `TrainConfig`, with a rate of its own for the attention."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from mesm.config import TrainConfig
from mesm.models import AnyScorer

_LEXICON_LR_FACTOR = 5.0


def parameter_groups(model: AnyScorer, config: TrainConfig) -> list[dict]:
    """Group the trainable parameters: trunk, attention, its bilinear score and text encoder; empty groups are left out."""
    attention = {id(p) for p in model.attention_parameters()}
    text = {id(p) for p in model.text_encoder.parameters()} if model.text_encoder is not None else set()
    factor = {
        "trunk": 1.0,
        "attention": config.attention_lr_factor,
        "bilinear": config.bilinear_lr_factor,
        "text": config.text_lr_factor,
        # A row of the table moves only where its word occurs.
        "lexicon": _LEXICON_LR_FACTOR,
    }
    groups: dict[str, list[nn.Parameter]] = {name: [] for name in factor}
    for path, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        name = "text" if id(parameter) in text else "lexicon" if ".lexicon." in path else "trunk"
        if id(parameter) in attention:
            name = "bilinear" if path.endswith("bilinear.weight") else "attention"
        groups[name].append(parameter)
    return [
        {
            "name": name,
            "params": parameters,
            "lr": config.lr * factor[name],
            # Decay pulls the attention back to uniform.
            "weight_decay": 0.0 if name in ("attention", "bilinear") else config.weight_decay,
        }
        for name, parameters in groups.items()
        if parameters
    ]


def build_optimizer(model: AnyScorer, config: TrainConfig) -> torch.optim.Optimizer:
    """Build Adam or AdamW over `parameter_groups`."""
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(parameter_groups(model, config))


def learning_rate_factor(step: int, total: int, config: TrainConfig) -> float:
    """Compute the share of the peak rate at `step` of `total`: a linear rise, then constant, a cosine to 0 (`cosine`) or to
    1 % (`one_cycle`)."""
    rise = max(1, round(config.warmup * total))
    if step < rise:
        return (step + 1) / rise
    if config.schedule == "constant":
        return 1.0
    share = (step - rise) / max(1, total - rise)
    low = 0.01 if config.schedule == "one_cycle" else 0.0
    return low + (1 - low) * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))


def build_schedule(optimizer: torch.optim.Optimizer, config: TrainConfig, total_steps: int) -> LambdaLR:
    """Build the schedule, stepped once per optimiser step."""
    return LambdaLR(optimizer, lambda step: learning_rate_factor(step, total_steps, config))


def clip_gradients(optimizer: torch.optim.Optimizer, limit: float) -> dict[str, float]:
    """Clip each group's gradient norm on its own (the attention's can be far larger); return the norms before."""
    norms = {}
    for group in optimizer.param_groups:
        norm = nn.utils.clip_grad_norm_(group["params"], limit)
        norms[group.get("name", "all")] = float(norm)
    return norms
