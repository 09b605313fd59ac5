"""Train on neutral faces under emotive texts: the face's score shall not depend on the text that chose its sites.

Each batch gets some faces without an expression, each with the text of a random emotive clip. Their label is the class
frequency, which is all the information in such a face, and the loss is of the visual branch alone. If the attention is
supervised, the target of these faces is the regions of the text's emotion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.batch import Batch
from mesm.config import NeutralFacesConfig
from mesm.data.known_truth import read_neutral_faces
from mesm.data.store import Corpus
from mesm.errors import ConfigError
from mesm.models import ModelOutput
from mesm.training.objectives.attention_supervision import emotion_specific_weight
from mesm.training.objectives.step import Objective, StepBatch


@dataclass(frozen=True)
class NeutralTrainingSet:
    """Hold a corpus's neutral faces, and the training texts by the emotion that they name.

    Attributes:
        images_NCHW: RGB on the 0..255 scale, 48 x 48.
        regions_NEHW: (N, E, 48, 48) coverage in 0..255 by the regions of each emotion.
        texts: for each label the (K, D) vectors of the training texts that name it.
    """

    images_NCHW: Tensor
    regions_NEHW: Tensor
    texts: tuple[Tensor, ...]

    @classmethod
    def read(
        cls, corpus: Corpus, labels: Sequence[str], vectors: Mapping[str, Tensor], emotion_specificity: float
    ) -> NeutralTrainingSet:
        """Read them from a corpus.

        Args:
            corpus: with the capability `neutral_faces`.
            labels: the model's, which must be the corpus's.
            vectors: clip id -> text vector of the training split.
            emotion_specificity: see `emotion_specific_weight`.

        Raises:
            ConfigError: the corpus has no neutral faces with these labels' regions, or no text for a label.
        """
        faces = read_neutral_faces(corpus)
        if faces is None or tuple(corpus.labels) != tuple(labels):
            raise ConfigError(
                f"corpus {corpus.name!r} has no neutral faces with the regions of {', '.join(labels)}; set "
                "train.neutral.per_batch=0, or train with the corpus's own labels"
            )
        regions = torch.from_numpy(faces.region).float()
        texts: dict[str, list[Tensor]] = {name: [] for name in labels}
        for row in corpus.index:
            truth = corpus.read(row.clip_id).truth if row.split == "train" else None
            for name in truth.displays.get("text", {}) if truth is not None else ():
                texts[name].append(vectors[row.clip_id])
        lacking = [name for name in labels if not texts[name]]
        if lacking:
            raise ConfigError(
                f"no training text of corpus {corpus.name!r} is known to name {lacking[0]}; set train.neutral.per_batch=0"
            )
        return cls(
            torch.from_numpy(faces.image).permute(0, 3, 1, 2),
            (regions * emotion_specific_weight(regions, emotion_specificity)).to(torch.uint8),
            tuple(torch.stack(texts[name]) for name in labels),
        )


class NeutralFaces(Objective):
    """Append neutral faces to each batch and compute the visual branch's cross entropy on them.

    Args:
        config: faces per batch.
        faces: of the corpus.
        frequencies_E: share of the training clips with each label, the target of a neutral face.
        weights_E: class weights of the label loss.
        visual_branch: index of the visual branch.
    """

    def __init__(
        self,
        config: NeutralFacesConfig,
        faces: NeutralTrainingSet,
        frequencies_E: Tensor,
        weights_E: Tensor,
        visual_branch: int,
    ) -> None:
        self.count, self.faces, self.visual_branch = config.per_batch, faces, visual_branch
        self.frequencies_E, self.weights_E = frequencies_E, weights_E

    def extend(self, step: StepBatch, rng: np.random.Generator) -> StepBatch:
        """Append neutral faces, each queried by its own text; their regions follow those of the batch's faces."""
        batch, named_SHW = self.append(step.batch, rng)
        own = torch.arange(len(step.batch), len(batch))
        regions_SRHW = step.regions_SRHW
        if regions_SRHW is not None:
            neutral_SRHW = torch.stack([torch.zeros_like(named_SHW), named_SHW], 1)
            regions_SRHW = torch.cat([regions_SRHW, neutral_SRHW])
        return replace(step, batch=batch, query_index_B=torch.cat([step.query_index_B, own]), regions_SRHW=regions_SRHW)

    def append(self, batch: Batch, rng: np.random.Generator) -> tuple[Batch, Tensor]:
        """Append one-face, voiceless utterances to a batch, each with a random emotive text.

        Returns:
            The batch, and (count, 48, 48) coverage in [0, 1] of each face by the regions of its text's emotion.
        """
        assert batch.text_vectors is not None and batch.labels is not None
        count, texts = self.count, self.faces.texts
        which = torch.from_numpy(rng.integers(0, len(self.faces.images_NCHW), count))
        emotion = rng.integers(0, len(texts), count)
        vectors = torch.stack([texts[e][int(rng.integers(0, len(texts[e])))] for e in emotion])
        images = self.faces.images_NCHW[which]
        named = self.faces.regions_NEHW[which, torch.from_numpy(emotion)].float() / 255
        if rng.random() < 0.5:
            images, named = images.flip(3), named.flip(2)
        extended = replace(
            batch,
            clip_ids=(*batch.clip_ids, *(f"neutral{i}" for i in range(count))),
            has_text=F.pad(batch.has_text, (0, count), value=True),
            faces=torch.cat([batch.faces, images.to(batch.faces.dtype)]),
            face_counts=F.pad(batch.face_counts, (0, count), value=1),
            chunk_counts=F.pad(batch.chunk_counts, (0, count), value=0),
            text_vectors=torch.cat([batch.text_vectors, vectors]),
            # Neutral faces train the visual branch only: their texts have no word pieces.
            token_ids=None if batch.token_ids is None else F.pad(batch.token_ids, (0, 0, 0, count)),
            token_mask=None if batch.token_mask is None else F.pad(batch.token_mask, (0, 0, 0, count)),
            labels=torch.cat([batch.labels, self.frequencies_E.expand(count, -1)]),
        )
        return extended, named

    def loss(self, step: StepBatch, output: ModelOutput) -> Tensor:
        """Return the binary cross entropy of the neutral faces' visual logits with the class frequencies."""
        assert step.batch.labels is not None
        logits_NE = output.modality_logits_BME[step.labelled :, self.visual_branch].float()
        return F.binary_cross_entropy_with_logits(
            logits_NE, step.batch.labels[step.labelled :], pos_weight=self.weights_E
        )
