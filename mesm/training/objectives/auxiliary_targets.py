"""Predict auxiliary targets (action units, prosody, text emotion) in training only, where a corpus has them.

An emotion label is weak evidence about one face: in a demo corpus the face shows the clip's emotion only part of the time.
But the renderer has the action units of each frame, the synthesiser how the voice departed from the speaker's plain
reading, and the grammar which emotion a sentence names. Linear heads predict these from the branches' inner vectors, so
that every frame has a target. The heads are not part of the checkpoint; its model card lists them.
Multi-task learning with facts that exist in training only: Caruana 1997; Vapnik & Vashist 2009.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from mesm.config import AuxiliaryTargetsConfig, EndToEndConfig, ModelConfig
from mesm.data.action_unit_files import units_of_clips
from mesm.data.store import Corpus
from mesm.errors import ConfigError
from mesm.models import ModelOutput
from mesm.training.objectives.step import Objective, StepBatch

#: Clip id -> modality -> rows: of a face each frame, of text and voice one; NaN where unknown.
Targets: TypeAlias = dict[str, dict[str, np.ndarray]]


def known_targets(corpus: Corpus, clip_ids: Sequence[str], labels: Sequence[str]) -> Targets:
    """Return the truth of the training clips: (1, E) emotions the text names, (S, A) action units, (1, 8) prosody shifts.

    The corpus has the capabilities `action_units` and `prosody`. A clip without a truth, such as a recorded one among
    rendered ones, and a part that a truth lacks are NaN.
    """
    targets: Targets = {}
    unknown: list[tuple[str, int]] = []
    for clip_id in clip_ids:
        sample = corpus.read(clip_id)
        truth = sample.truth
        targets[clip_id] = {}
        if truth is not None:
            targets[clip_id]["visual"] = truth.au_intensity.astype(np.float32)
            if truth.displays:
                named = truth.displays.get("text", {})
                targets[clip_id]["text"] = np.array([[float(name in named) for name in labels]], np.float32)
            if truth.prosody:
                targets[clip_id]["acoustic"] = np.array([list(truth.prosody.values())], np.float32)
        unknown.append((clip_id, len(sample.faces)))
    return _completed(targets, unknown)


def unit_targets(corpus: Corpus, clip_ids: Sequence[str], folder: str) -> Targets:
    """Return the action units of a detector, (S, A) of each clip, NaN where it has none; see `action_unit_files`."""
    units = units_of_clips(folder, corpus, list(clip_ids))
    read = np.isfinite(np.concatenate(list(units.values()))).any(0)
    targets: Targets = {
        clip_id: {"visual": units[clip_id][:, read]} if clip_id in units else {} for clip_id in clip_ids
    }
    return _completed(targets, [(clip_id, corpus.row(clip_id).n_frames) for clip_id in clip_ids])


def _completed(targets: Targets, frames: Sequence[tuple[str, int]]) -> Targets:
    """Set the rows that a clip lacks to NaN."""
    widths = {modality: rows.shape[1] for parts in targets.values() for modality, rows in parts.items()}
    return {
        clip_id: {
            modality: targets[clip_id].get(
                modality, np.full((count if modality == "visual" else 1, width), np.nan, np.float32)
            )
            for modality, width in widths.items()
        }
        for clip_id, count in frames
    }


class AuxiliaryHeads(nn.Module):
    """Predict the standardised auxiliary targets of the training clips from the branches' vectors.

    Args:
        targets: of `known_targets` or `unit_targets`.
        config: the model's config; the heads of its modalities are made.

    Raises:
        ConfigError: no clip has a target.
    """

    def __init__(self, targets: Targets, config: ModelConfig) -> None:
        super().__init__()
        self.rows: dict[str, dict[str, Tensor]] = {
            clip_id: {
                modality: torch.from_numpy(rows) for modality, rows in parts.items() if modality in config.modalities
            }
            for clip_id, parts in targets.items()
        }
        modalities = next(iter(self.rows.values()), {})
        if not modalities:
            raise ConfigError("no training clip has auxiliary targets; set train.auxiliary.weight=0")
        self._standardise()
        hidden = config.text_hidden if isinstance(config, EndToEndConfig) else 0
        width = {"text": hidden or config.text_dim}
        self.heads = nn.ModuleDict(
            {
                modality: nn.Linear(width.get(modality, config.transformer_dim), rows.shape[1])
                for modality, rows in modalities.items()
            }
        )

    def _standardise(self) -> None:
        """Scale each column to mean 0 and standard deviation 1 over the clips in which it is known."""
        for modality in next(iter(self.rows.values())):
            every = torch.cat([rows[modality] for rows in self.rows.values()])
            known = every[every.isfinite().all(1)]
            mean = known.mean(0)
            spread = (known.std(0) if len(known) > 1 else torch.zeros_like(mean)).clamp(min=1e-3)
            for rows in self.rows.values():
                rows[modality] = (rows[modality] - mean) / spread

    def forward(self, output: ModelOutput, clip_ids: Sequence[str]) -> Tensor:
        """Compute the mean squared error of the standardised targets, mean over the modalities; a constant scores 1.

        Args:
            output: of a batch that starts with these clips; others may follow.
            clip_ids: the training clips; those without a target count nothing.
        """
        losses = []
        for modality, head in self.heads.items():
            vectors = (output.segments if modality == "visual" else output.summaries).get(modality)
            target = torch.cat([self.rows[clip_id][modality] for clip_id in clip_ids])
            if vectors is not None and len(target):
                target = target.to(vectors.device)
                known = target.isfinite()
                errors = (head(vectors[: len(target)]).float() - target.nan_to_num()).square() * known
                losses.append(errors.sum() / known.sum().clamp(min=1))
        return torch.stack(losses).mean()


class AuxiliaryTargets(Objective):
    """Compute the loss of `AuxiliaryHeads` on the labelled clips.

    Args:
        config: weight of the loss.
        heads: on the model's device; their parameters are trained with the model's.
    """

    def __init__(self, config: AuxiliaryTargetsConfig, heads: AuxiliaryHeads) -> None:
        self.weight, self.heads = config.weight, heads
        self.compute: Callable[[ModelOutput, Sequence[str]], Tensor] = heads

    def wrap(self, wrapper: Callable[[nn.Module], nn.Module]) -> None:
        """Compute through `wrapper(heads)`, which averages gradients over processes."""
        self.compute = wrapper(self.heads)

    def loss(self, step: StepBatch, output: ModelOutput) -> Tensor:
        """Return the mean squared error; the clips that other objectives added have no targets."""
        return self.compute(output, step.batch.clip_ids[: step.labelled])
