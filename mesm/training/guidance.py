"""Teaching the attention to follow the text without letting the text speak through the mask.

Trained on the labels alone, the kept sites change with the text but not towards what it names: the pattern of sites
becomes a code that carries the sentence into the face's branch. Three terms work against that, each off by default:

- *Neutral faces* with emotive texts, where a corpus knows such faces: their labels are the class frequencies, because a
  neutral face says nothing; and in each layer the attention shall lean to the regions that the text's emotion would
  move, relu(margin - S), with S = sum(a t) / (sum |t| / n) over the n active sites, a the attention and t the text's
  region minus the mean of all emotions' regions. A map that ignores the text earns nothing.
- *Two texts* per clip, its own and a random one: the label loss on both, and the symmetric Kullback-Leibler divergence
  between the branches' answers, so that a face is read the same whatever the text asks.
- *Washing*: with `freeze_attention` the trunk is trained alone, which makes it forget the code.

And one term that teaches it to look at the face itself, where a corpus knows which action units moved:

- *Looking*: in each layer the attention shall be a distribution that gives a share of its mass to the regions of the
  units that the emotion moves in that frame, and spreads the rest evenly over the active sites (supervised attention,
  Liu et al. 2016, COLING). Its expectation is what the features allow to know, so an unsure map stays flat, and the
  share says how many sites a nucleus keeps. A checkpoint trained with it was told where to look, on other people's
  faces; its card says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.batch import ACTIVE_FROM, LOUDEST, Batch
from mesm.data.store import Corpus
from mesm.errors import DataError
from mesm.layers.sparse_vgg import LayerTensors
from mesm.models import ModelOutput


@dataclass(frozen=True)
class NeutralBatch:
    """Neutral faces appended to a batch.

    Attributes:
        labelled: how many utterances of the batch are the corpus's own; the neutral ones follow.
        faces: how many faces are the corpus's own.
        target_SHW: (n, 48, 48) the text's region minus the mean over the emotions' regions, in [-1, 1].
    """

    labelled: int
    faces: int
    target_SHW: Tensor


class NeutralFaces:
    """Faces without emotion, and the training split's texts by the emotion that they name.

    Args:
        corpus: a corpus with neutral_faces.npz, such as Marionette.
        labels: the model's labels.
        vectors: clip id -> text vector of the training split.
        frequencies_E: share of the training clips with each label: what to answer to a face that says nothing.

    Raises:
        DataError: the corpus has no neutral faces, or does not know what its texts name.
    """

    def __init__(
        self, corpus: Corpus, labels: Sequence[str], vectors: dict[str, Tensor], frequencies_E: Tensor
    ) -> None:
        from mesm.data.marionette.build import read_neutral_faces

        found = read_neutral_faces(corpus.folder)
        if found is None or tuple(corpus.labels) != tuple(labels):
            raise DataError(
                f"corpus {corpus.name!r} has no neutral faces with its labels' regions; set neutral_faces=0 and guide=0, "
                "or train on Marionette"
            )
        self.images = torch.from_numpy(found["image"]).permute(0, 3, 1, 2)
        regions = torch.from_numpy(found["region"]).float() / 255
        self.targets = regions - regions.mean(1, keepdim=True)
        self.frequencies_E = frequencies_E
        texts: dict[str, list[Tensor]] = {name: [] for name in labels}
        for row in corpus.index:
            truth = corpus.read(row.clip_id).truth if row.split == "train" else None
            for name in truth.extra.get("displays", {}).get("text", {}) if truth is not None else ():
                texts[name].append(vectors[row.clip_id])
        if not all(texts.values()):
            raise DataError(f"corpus {corpus.name!r} does not know which emotion its texts name; set neutral_faces=0")
        self.texts = [torch.stack(texts[name]) for name in labels]

    def append(self, batch: Batch, count: int, rng: np.random.Generator) -> tuple[Batch, NeutralBatch]:
        """The batch with `count` one-face, voiceless utterances behind it, each with a random emotive text."""
        assert batch.text_vectors is not None and batch.labels is not None
        which = torch.from_numpy(rng.integers(0, len(self.images), count))
        emotion = rng.integers(0, len(self.texts), count)
        vectors = torch.stack([self.texts[e][int(rng.integers(0, len(self.texts[e])))] for e in emotion])
        images, target = self.images[which], self.targets[which, torch.from_numpy(emotion)]
        if rng.random() < 0.5:
            images, target = images.flip(3), target.flip(2)
        extended = replace(
            batch,
            clip_ids=(*batch.clip_ids, *(f"neutral{i}" for i in range(count))),
            has_text=F.pad(batch.has_text, (0, count), value=True),
            faces=torch.cat([batch.faces, images.to(batch.faces.dtype)]),
            face_counts=F.pad(batch.face_counts, (0, count), value=1),
            chunk_counts=F.pad(batch.chunk_counts, (0, count), value=0),
            text_vectors=torch.cat([batch.text_vectors, vectors]),
            labels=torch.cat([batch.labels, self.frequencies_E.expand(count, -1)]),
        )
        return extended, NeutralBatch(len(batch), len(batch.faces), target)


def guide_loss(layers: Sequence[LayerTensors], neutral: NeutralBatch, margin: float) -> Tensor:
    """Mean over the layers and the neutral faces of relu(margin - S)."""
    losses = []
    for layer in layers:
        attention, active = (v[neutral.faces :].float() for v in (layer.attention_SHW, layer.active_SHW))
        target = F.adaptive_avg_pool2d(
            neutral.target_SHW.to(attention.device), (attention.shape[1], attention.shape[2])
        )
        chance = (target.abs() * active).sum((1, 2)) / active.sum((1, 2)).clamp(min=1)
        steered = (attention * target).sum((1, 2)) / chance.clamp(min=1e-4)
        losses.append(F.relu(margin - steered).mean())
    return torch.stack(losses).mean()


class MovedRegions:
    """Where the emotion moves each face of the training split: the union of its active units' regions.

    Args:
        corpus: a corpus whose training clips have their truth, such as Marionette.
        active_from: intensity from which a unit counts as active.

    Raises:
        DataError: a training clip without truth.
    """

    def __init__(self, corpus: Corpus, active_from: float = ACTIVE_FROM) -> None:
        self.rows: dict[str, Tensor] = {}
        for row in corpus.index:
            if row.split != "train":
                continue
            truth = corpus.read(row.clip_id).truth
            if truth is None:
                raise DataError(
                    f"nobody knows which action units move in clip {row.clip_id!r} of corpus {corpus.name!r}; set look=0"
                )
            active_SA = truth.au_emotion_intensity >= active_from
            regions = (truth.au_region * active_SA[:, :, None, None]).max(1)
            self.rows[row.clip_id] = torch.from_numpy(regions.astype(np.uint8))

    def of(self, clip_ids: Sequence[str]) -> Tensor:
        """(S, 48, 48) coverage in [0, 1] of the clips' faces, 0 where nothing moves."""
        return torch.cat([self.rows[clip_id] for clip_id in clip_ids]).float() / 255


def loud_regions(mels_SCHW: Tensor, counts_B: Tensor, share: float = LOUDEST) -> Tensor:
    """(S, 128, 32) 1 at the highest `share` of each clip's mel values: what the paper's early layers look at."""
    clips = [
        (mel > torch.quantile(mel.flatten()[:: max(1, mel.numel() // 65_536)], 1 - share)).float()
        for mel in mels_SCHW[:, 0].float().split(counts_B.tolist())
        if len(mel)
    ]
    return torch.cat(clips) if clips else mels_SCHW[:, 0]


def look_loss(layers: Sequence[LayerTensors], regions_SHW: Tensor, share: float) -> Tensor:
    """Mean over the layers and the faces with a region of KL(target | attention), over the active sites.

    Args:
        layers: of a batch whose first segments are these.
        regions_SHW: (S, H, W) coverage in [0, 1] on the branch's input.
        share: of the target's mass that lies on the region, in (0, 1); the rest is even.
    """
    losses = []
    for layer in layers:
        attention, active = (v[: len(regions_SHW)].float() for v in (layer.attention_SHW, layer.active_SHW))
        region = F.adaptive_avg_pool2d(regions_SHW.to(attention.device), (attention.shape[1], attention.shape[2]))
        region, active, attention = ((region * active).flatten(1), active.flatten(1), attention.flatten(1))
        mass_S1 = region.sum(1, keepdim=True)
        even = active / active.sum(1, keepdim=True).clamp(min=1)
        target = (1 - share) * even + share * region / mass_S1.clamp(min=1e-4)
        ratio = torch.where(active > 0, target / attention.clamp(min=1e-8), 1.0)
        each_S = (target * ratio.log()).sum(1)
        known_S = (mass_S1[:, 0] > 0.1).float()
        losses.append((each_S * known_S).sum() / known_S.sum().clamp(min=1))
    return torch.stack(losses).mean()


def looks_loss(
    layers: Mapping[str, Sequence[LayerTensors]], moved_SHW: Tensor | None, batch: Batch, shares: Sequence[float]
) -> Tensor:
    """`look_loss` of the face on the moved regions, where they are known, and of the voice on its loud cells.

    Args:
        layers: modality -> layers of this batch.
        moved_SHW: (S, 48, 48) coverage of the labelled clips' faces.
        shares: of the face's and of the voice's mass.
    """
    loss = batch.mels.new_zeros((), dtype=torch.float32)
    if moved_SHW is not None and "visual" in layers:
        loss = loss + look_loss(layers["visual"], moved_SHW, shares[0])
    if "acoustic" in layers:
        loss = loss + look_loss(layers["acoustic"], loud_regions(batch.mels, batch.chunk_counts), shares[1])
    return loss


def symmetric_kl(first_BME: Tensor, second_BME: Tensor, present_BM: Tensor) -> Tensor:
    """Mean symmetric Kullback-Leibler divergence of two sets of Bernoulli logits, over the branches that are there.

    KL(p|q) + KL(q|p) = (p - q)(logit p - logit q) for one Bernoulli variable.
    """
    a, b = first_BME.float(), second_BME.float()
    each_BM = ((torch.sigmoid(a) - torch.sigmoid(b)) * (a - b)).mean(2)
    return (each_BM * present_BM).sum() / present_BM.sum().clamp(min=1)


def neutral_loss(logits_BME: Tensor, labels_BE: Tensor, weights_E: Tensor, branch: int) -> Tensor:
    """Binary cross entropy of the visual branch alone: the text beside a neutral face may say what it likes."""
    return F.binary_cross_entropy_with_logits(logits_BME[:, branch].float(), labels_BE, pos_weight=weights_E)


def two_texts_loss(output: ModelOutput, text_branch: int) -> Tensor:
    """`symmetric_kl` between a clip's own text and a random one, for the branches that a query steers."""
    assert output.second is not None
    steered_BM = output.present_BM.clone()
    steered_BM[:, text_branch] = False
    return symmetric_kl(output.modality_logits_BME, output.second.modality_logits_BME, steered_BM)
