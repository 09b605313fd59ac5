"""Teaching the attention where to look, and to follow the text without letting the text speak through the mask.

Trained on the labels alone, the kept sites change with the text but not towards what it names: the pattern of sites
becomes a code that carries the sentence into the face's branch. What works against that, each off by default:

- *Looking* (supervised attention, Liu et al. 2016, COLING): in each layer the attention shall be a distribution that
  gives one share of its mass to the regions that the emotion moves in that frame, one to the regions that the asking
  text's emotion would move, and spreads the rest evenly over the active sites; a cell weighs less the more emotions
  move it. The best answer is the expectation given the features, so an unsure map stays flat; the shares say how many
  sites a nucleus keeps. A checkpoint trained with it was told where to look, on other people's faces; its card says so.
- *Another clip's text* as the query of each training clip (`queries=shuffled`): a mask that follows the text
  then says nothing about the label, so there is nothing to be learned from its pattern.
- *Neutral faces* with emotive texts, where a corpus knows such faces: their labels are the class frequencies, because a
  neutral face says nothing, and there the text's regions are all that there is to look at.
- *Two texts* per clip, its own and a random one: the label loss on both, and the symmetric Kullback-Leibler divergence
  between the branches' answers, so that a face is read the same whatever the text asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.batch import ACTIVE_INTENSITY, LOUD_FRACTION, Batch
from mesm.data.known_truth import emotion_prototypes, read_neutral_faces
from mesm.data.store import Corpus
from mesm.errors import DataError
from mesm.layers.sparse_vgg import LayerTensors
from mesm.models import ModelOutput


class NeutralFaces:
    """Faces without emotion, and the training split's texts by the emotion that they name.

    Args:
        corpus: a corpus with neutral_faces.npz, such as Marionette.
        labels: the model's labels.
        vectors: clip id -> text vector of the training split.
        frequencies_E: share of the training clips with each label: what to answer to a face that says nothing.
        specific: see `own_share`.

    Raises:
        DataError: the corpus has no neutral faces, or does not know what its texts name.
    """

    def __init__(
        self,
        corpus: Corpus,
        labels: Sequence[str],
        vectors: dict[str, Tensor],
        frequencies_E: Tensor,
        specific: float = 1.0,
    ) -> None:
        found = read_neutral_faces(corpus)
        if found is None or tuple(corpus.labels) != tuple(labels):
            raise DataError(
                f"corpus {corpus.name!r} has no neutral faces with its labels' regions; set neutral_faces=0, or train on "
                "Marionette"
            )
        self.images = torch.from_numpy(found.image).permute(0, 3, 1, 2)
        regions = torch.from_numpy(found.region).float()
        self.regions = (regions * own_share(regions, specific)).to(torch.uint8)
        self.frequencies_E = frequencies_E
        texts: dict[str, list[Tensor]] = {name: [] for name in labels}
        for row in corpus.index:
            truth = corpus.read(row.clip_id).truth if row.split == "train" else None
            for name in truth.displays.get("text", {}) if truth is not None else ():
                texts[name].append(vectors[row.clip_id])
        if not all(texts.values()):
            raise DataError(f"corpus {corpus.name!r} does not know which emotion its texts name; set neutral_faces=0")
        self.texts = [torch.stack(texts[name]) for name in labels]

    def append(self, batch: Batch, count: int, rng: np.random.Generator) -> tuple[Batch, Tensor]:
        """The batch with `count` one-face, voiceless utterances behind it, each with a random emotive text.

        Returns:
            The batch, and (count, 48, 48) coverage in [0, 1] of the regions that each text's emotion would move.
        """
        assert batch.text_vectors is not None and batch.labels is not None
        which = torch.from_numpy(rng.integers(0, len(self.images), count))
        emotion = rng.integers(0, len(self.texts), count)
        vectors = torch.stack([self.texts[e][int(rng.integers(0, len(self.texts[e])))] for e in emotion])
        images, named = self.images[which], self.regions[which, torch.from_numpy(emotion)].float() / 255
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
            labels=torch.cat([batch.labels, self.frequencies_E.expand(count, -1)]),
        )
        return extended, named


class FaceRegions:
    """Where the emotion moves each face of the training split, and where each emotion would move it.

    Kept at half of a crop's resolution: no attention is finer.

    Args:
        corpus: a corpus whose training clips have their truth, such as Marionette.
        labels: the model's labels.
        specific: see `own_share`.
        active_from: intensity from which a unit counts as active.

    Raises:
        DataError: a training clip without truth, or labels that nobody can draw.
    """

    def __init__(
        self, corpus: Corpus, labels: Sequence[str], specific: float = 1.0, active_from: float = ACTIVE_INTENSITY
    ) -> None:
        prototypes = emotion_prototypes(corpus)
        unknown = next((name for name in labels if name not in prototypes), None)
        if unknown is not None:
            raise DataError(f"nobody knows which action units {unknown!r} moves; set look=0")
        self.rows: dict[str, Tensor] = {}
        self.text_emotion: dict[str, int] = {}
        for row in corpus.index:
            if row.split != "train":
                continue
            truth = corpus.read(row.clip_id).truth
            if truth is None:
                raise DataError(
                    f"nobody knows which action units move in clip {row.clip_id!r} of corpus {corpus.name!r}; set look=0"
                )
            active_SA = truth.au_emotion_intensity >= active_from
            moved = (truth.au_region * active_SA[:, :, None, None]).max(1)
            units_EA = [np.isin(truth.au_numbers, list(prototypes[name])) for name in labels]
            would = [truth.au_region[:, units_A].max(1, initial=0) for units_A in units_EA]
            regions = torch.from_numpy(np.stack([moved, *would], 1)).float()
            own = regions * own_share(regions[:, 1:], specific)
            self.rows[row.clip_id] = F.avg_pool2d(own, 2).round().to(torch.uint8)
            named = next(iter(truth.displays.get("text", {})), "")
            self.text_emotion[row.clip_id] = labels.index(named) if named in labels else -1

    def of(self, clip_ids: Sequence[str]) -> Tensor:
        """(S, 1 + E, 48, 48) coverage in [0, 1] of the clips' faces: what moves (0 if nothing), then each emotion's."""
        rows = torch.cat([self.rows[clip_id] for clip_id in clip_ids]).float() / 255
        return F.interpolate(rows, scale_factor=2)

    def asked(self, regions_SRHW: Tensor, counts_B: Tensor, askers: Sequence[str]) -> Tensor:
        """(S, 2, 48, 48): what moves, and what the text that asks about each clip names (0 if it names no emotion).

        Args:
            regions_SRHW: of `of`, wherever the faces have moved since.
            counts_B: faces of each clip.
            askers: the clips whose texts ask, one for each clip.
        """
        emotion_B = torch.tensor([self.text_emotion[clip_id] for clip_id in askers])
        emotion_S = emotion_B.repeat_interleave(counts_B.cpu())
        named = regions_SRHW[torch.arange(len(regions_SRHW)), 1 + emotion_S.clamp(min=0)]
        return torch.stack([regions_SRHW[:, 0], named * (emotion_S >= 0)[:, None, None]], 1)


def own_share(regions_SEHW: Tensor, specific: float) -> Tensor:
    """(S, 1, H, W) in [0, 1]: what each cell weighs, given the regions of the emotions in [0, 255].

    Every emotion moves the mouth or the brows. The less such cells weigh (`specific` in [0, 1]), the more an attention
    learns what tells this emotion from the others, and the less a map of everything that moves.
    """
    return 1 - specific * regions_SEHW.mean(1, keepdim=True) / 255


def loud_regions(mels_SCHW: Tensor, counts_B: Tensor, share: float = LOUD_FRACTION) -> Tensor:
    """(S, 128, 32) 1 at the highest `share` of each clip's mel values: what the paper's early layers look at."""
    clips = [
        (mel > torch.quantile(mel.flatten()[:: max(1, mel.numel() // 65_536)], 1 - share)).float()
        for mel in mels_SCHW[:, 0].float().split(counts_B.tolist())
        if len(mel)
    ]
    return torch.cat(clips) if clips else mels_SCHW[:, 0]


def look_loss(layers: Sequence[LayerTensors], regions_SRHW: Tensor, shares: Sequence[float]) -> Tensor:
    """Mean over the layers and the segments with a region of KL(target | attention), over the active sites.

    Args:
        layers: of these segments.
        regions_SRHW: (S, R, H, W) coverage in [0, 1] on the branch's input.
        shares: of the target's mass that lies on each of the R regions, together below 1; the rest, and the share of
            a region that is not there, is even.
    """
    losses = []
    for layer in layers:
        attention, active = layer.attention_SHW.float().flatten(1), layer.active_SHW.float().flatten(1)
        h, w = layer.attention_SHW.shape[1:]
        grid = F.adaptive_avg_pool2d(regions_SRHW.to(attention.device), (h, w))
        region_SRN = grid.flatten(2) * active[:, None]
        mass_SR = region_SRN.sum(2)
        share_SR = (mass_SR > 0.1) * mass_SR.new_tensor(shares)
        even = active / active.sum(1, keepdim=True).clamp(min=1)
        target = (1 - share_SR.sum(1, keepdim=True)) * even
        target = target + (region_SRN * (share_SR / mass_SR.clamp(min=1e-4))[..., None]).sum(1)
        ratio = torch.where(active > 0, target / attention.clamp(min=1e-8), 1.0)
        known_S = (share_SR.sum(1) > 0).float()
        losses.append(((target * ratio.log()).sum(1) * known_S).sum() / known_S.sum().clamp(min=1))
    return torch.stack(losses).mean()


def looks_loss(
    layers: Mapping[str, Sequence[LayerTensors]], faces_S2HW: Tensor | None, batch: Batch, shares: Sequence[float]
) -> Tensor:
    """`look_loss` of the face on what moves and what is named, where that is known, and of the voice on its loud cells.

    Args:
        layers: modality -> layers of this batch.
        faces_S2HW: (S, 2, 48, 48) coverage of the faces by what moves and by what the asking text names.
        shares: of the face's mass for the two, and of the voice's.
    """
    loss = batch.mels.new_zeros((), dtype=torch.float32)
    if faces_S2HW is not None and "visual" in layers:
        loss = loss + look_loss(layers["visual"], faces_S2HW, shares[:2])
    if "acoustic" in layers:
        loud = loud_regions(batch.mels, batch.chunk_counts)
        loss = loss + look_loss(layers["acoustic"], loud[:, None], shares[2:])
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
