"""Learning what caused a clip, where a corpus knows it: an extra target in training, gone afterwards.

An emotion label says little about one face: in Marionette the face shows the clip's emotion only part of the time. But
the renderer knows which action units moved in each frame, the synthesiser how the voice departed from the speaker's
plain reading, and the grammar which emotion a sentence names. Linear heads that predict these from the branches' inner
vectors make every frame a teacher. The heads are thrown away with the training; a model that learned this way says so
on its card. Multi-task learning with what is known only in training: Caruana 1997; Vapnik & Vashist 2009.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from mesm.batch import Truth
from mesm.config import EndToEndConfig, ModelConfig
from mesm.data.store import Corpus
from mesm.errors import DataError
from mesm.models import ModelOutput


def _known(truth: Truth, labels: Sequence[str]) -> dict[str, np.ndarray]:
    """Modality -> rows of causes: (1, E) emotions the sentence names, (S, A) action units, (1, 8) prosody shifts."""
    named = truth.displays["text"]
    return {
        "text": np.array([[float(name in named) for name in labels]], np.float32),
        "visual": truth.au_intensity.astype(np.float32),
        "acoustic": np.array([list(truth.prosody.values())], np.float32),
    }


class Causes(nn.Module):
    """Heads from a branch's vectors to the standardised causes of the training split.

    Args:
        corpus: a corpus whose training clips have their truth, such as Marionette.
        config: the model's config; the heads of its modalities are made.

    Raises:
        DataError: a training clip without known causes.
    """

    def __init__(self, corpus: Corpus, config: ModelConfig) -> None:
        super().__init__()
        self.rows: dict[str, dict[str, Tensor]] = {}
        for row in corpus.index:
            if row.split != "train":
                continue
            truth = corpus.read(row.clip_id).truth
            if truth is None or not truth.displays or not truth.prosody:
                raise DataError(f"clip {row.clip_id!r} of corpus {corpus.name!r} has no known causes; set cause_loss=0")
            self.rows[row.clip_id] = {
                modality: torch.from_numpy(rows)
                for modality, rows in _known(truth, config.labels).items()
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
        """Mean 0 and spread 1 over the training split, so that no unit of measure outweighs another."""
        for modality in next(iter(self.rows.values())):
            every = torch.cat([rows[modality] for rows in self.rows.values()])
            mean, spread = every.mean(0), every.std(0).clamp(min=1e-3)
            for rows in self.rows.values():
                rows[modality] = (rows[modality] - mean) / spread

    def forward(self, output: ModelOutput, clip_ids: Sequence[str]) -> Tensor:
        """Mean squared error of the standardised causes, mean over the modalities; 1 is what knowing nothing costs.

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
