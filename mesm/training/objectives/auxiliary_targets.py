"""Predict auxiliary targets (action units, prosody, text emotion) in training only, where a corpus has them.

An emotion label is weak evidence about one face: in a demo corpus the face shows the clip's emotion only part of the time.
But the renderer has the action units of each frame, the synthesiser how the voice departed from the speaker's plain
reading, and the grammar which emotion a sentence names. Linear heads predict these from the branches' inner vectors, so
that every frame has a target. The heads are not part of the checkpoint; its model card lists them.
Multi-task learning with facts that exist in training only: Caruana 1997; Vapnik & Vashist 2009.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from mesm.batch import Truth
from mesm.config import AuxiliaryTargetsConfig, EndToEndConfig, ModelConfig
from mesm.data.store import Corpus
from mesm.errors import ConfigError
from mesm.models import ModelOutput
from mesm.training.objectives.capabilities import require_capabilities
from mesm.training.objectives.step import Objective, StepBatch


def _targets(truth: Truth, labels: Sequence[str]) -> dict[str, np.ndarray]:
    """Return modality -> rows: (1, E) emotions the text names, (S, A) action units, (1, 8) prosody shifts."""
    named = truth.displays.get("text", {})
    return {
        "text": np.array([[float(name in named) for name in labels]], np.float32),
        "visual": truth.au_intensity.astype(np.float32),
        "acoustic": np.array([list(truth.prosody.values())], np.float32),
    }


class AuxiliaryHeads(nn.Module):
    """Predict the standardised auxiliary targets of the training split from the branches' vectors.

    Args:
        corpus: with the capabilities `action_units` and `prosody`.
        config: the model's config; the heads of its modalities are made.

    Raises:
        ConfigError: a training clip without known targets.
    """

    def __init__(self, corpus: Corpus, config: ModelConfig) -> None:
        super().__init__()
        require_capabilities(corpus, ("action_units", "prosody"), "auxiliary.weight")
        self.rows: dict[str, dict[str, Tensor]] = {}
        for row in corpus.index:
            if row.split != "train":
                continue
            truth = corpus.read(row.clip_id).truth
            if truth is None or not truth.displays or not truth.prosody:
                raise ConfigError(
                    f"the action units and prosody of clip {row.clip_id!r} of corpus {corpus.name!r} are not known; set "
                    "train.auxiliary.weight=0"
                )
            self.rows[row.clip_id] = {
                modality: torch.from_numpy(rows)
                for modality, rows in _targets(truth, config.labels).items()
                if modality in config.modalities
            }
        self._standardise()
        hidden = config.text_hidden if isinstance(config, EndToEndConfig) else 0
        width = {"text": hidden or config.text_dim}
        self.heads = nn.ModuleDict(
            {
                modality: nn.Linear(width.get(modality, config.transformer_dim), rows.shape[1])
                for modality, rows in next(iter(self.rows.values())).items()
            }
        )

    def _standardise(self) -> None:
        """Scale each column to mean 0 and standard deviation 1 over the training split."""
        for modality in next(iter(self.rows.values())):
            every = torch.cat([rows[modality] for rows in self.rows.values()])
            mean, spread = every.mean(0), every.std(0).clamp(min=1e-3)
            for rows in self.rows.values():
                rows[modality] = (rows[modality] - mean) / spread

    def forward(self, output: ModelOutput, clip_ids: Sequence[str]) -> Tensor:
        """Compute the mean squared error of the standardised targets, mean over the modalities; a constant scores 1.

        Args:
            output: of a batch that starts with these clips; others may follow.
            clip_ids: the training clips.
        """
        losses = []
        for modality, head in self.heads.items():
            vectors = (output.segments if modality == "visual" else output.summaries).get(modality)
            target = torch.cat([self.rows[clip_id][modality] for clip_id in clip_ids])
            if vectors is not None and len(target):
                losses.append((head(vectors[: len(target)]).float() - target.to(vectors.device)).square().mean())
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
