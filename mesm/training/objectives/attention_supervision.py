"""Supervise the attention: in each layer it shall be close to a target map (Liu et al. 2016, COLING).

Trained on the labels alone, the kept sites vary with the text but not towards the regions of the emotion it names: the
pattern of sites becomes a code that carries the sentence into the visual branch. The target of a face gives one share of
the mass to the regions of the action units that are active in the frame, one to the regions of the query's emotion, and
spreads the rest evenly over the active sites; a cell weighs less the more emotions move it. The optimum is the
expectation of the target given the features, so an uncertain map stays flat; the shares decide how many sites a nucleus
keeps. The target of a voice gives its share to the loudest mel values.

Known regions are those of the training speakers; `target_maps` has targets for corpora without them. The model card of a
checkpoint lists the target that it was trained with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.batch import ACTIVE_INTENSITY, LOUD_FRACTION
from mesm.config import AttentionSupervisionConfig
from mesm.data.known_truth import emotion_prototypes
from mesm.data.store import Corpus
from mesm.layers.sparse_vgg import LayerTensors
from mesm.models import ModelOutput
from mesm.training.objectives.step import Objective, StepBatch
from mesm.training.objectives.target_maps import TargetMaps, reduced


def emotion_specific_weight(regions_SEHW: Tensor, emotion_specificity: float) -> Tensor:
    """Compute 1 - specificity x (mean coverage over the emotions): (S, 1, H, W) in [0, 1].

    Every emotion moves the mouth or the brows. The less such cells weigh, the more an attention learns what differs
    between the emotions, and the less a map of all that moves.

    Args:
        regions_SEHW: coverage in 0..255 by the regions of each emotion.
        emotion_specificity: in [0, 1].
    """
    return 1 - emotion_specificity * regions_SEHW.mean(1, keepdim=True) / 255


class FaceRegions(TargetMaps):
    """Hold the known regions of the training clips' faces: those that are active, and those of each emotion.

    A clip whose truth is not known, such as a recorded one among rendered ones, has no target.

    Args:
        corpus: with the capabilities `action_units` and `regions`.
        labels: the model's labels, each with known units.
        clip_ids: of the training clips; all by default.
        emotion_specificity: see `emotion_specific_weight`.
        active_from: intensity from which an action unit counts as active.
    """

    def __init__(
        self,
        corpus: Corpus,
        labels: Sequence[str],
        clip_ids: Sequence[str] | None = None,
        emotion_specificity: float = 1.0,
        active_from: float = ACTIVE_INTENSITY,
    ) -> None:
        super().__init__()
        prototypes = emotion_prototypes(corpus)
        self.text_emotion: dict[str, int] = {}
        for clip_id in corpus.ids("train") if clip_ids is None else clip_ids:
            sample = corpus.read(clip_id)
            truth, self.text_emotion[clip_id] = sample.truth, -1
            if truth is None:
                self.faces[clip_id] = torch.zeros(len(sample.faces), 1 + len(labels), 24, 24, dtype=torch.uint8)
                continue
            active_SA = truth.au_emotion_intensity >= active_from
            active = (truth.au_region * active_SA[:, :, None, None]).max(1)
            units_EA = [np.isin(truth.au_numbers, list(prototypes[name])) for name in labels]
            of_emotions = [truth.au_region[:, units_A].max(1, initial=0) for units_A in units_EA]
            regions = torch.from_numpy(np.stack([active, *of_emotions], 1)).float()
            self.faces[clip_id] = reduced(regions * emotion_specific_weight(regions[:, 1:], emotion_specificity))
            named = next(iter(truth.displays.get("text", {})), "")
            if named in labels:
                self.text_emotion[clip_id] = labels.index(named)

    def target_regions(self, regions_SRHW: Tensor, counts_B: Tensor, query_clip_ids: Sequence[str]) -> Tensor:
        """Select the target's regions: (S, 2, 48, 48), active ones, and the query's (0 if it names no emotion)."""
        emotion_B = torch.tensor([self.text_emotion[clip_id] for clip_id in query_clip_ids])
        emotion_S = emotion_B.repeat_interleave(counts_B.cpu())
        named = regions_SRHW[torch.arange(len(regions_SRHW)), 1 + emotion_S.clamp(min=0)]
        return torch.stack([regions_SRHW[:, 0], named * (emotion_S >= 0)[:, None, None]], 1)


def loud_regions(mels_SCHW: Tensor, counts_B: Tensor, share: float = LOUD_FRACTION) -> Tensor:
    """Mark the highest `share` of each clip's mel values (the paper's early layers keep those): (S, 128, 32) 0 or 1."""
    clips = [
        (mel > torch.quantile(mel.flatten()[:: max(1, mel.numel() // 65_536)], 1 - share)).float()
        for mel in mels_SCHW[:, 0].float().split(counts_B.tolist())
        if len(mel)
    ]
    return torch.cat(clips) if clips else mels_SCHW[:, 0]


def attention_kl_loss(layers: Sequence[LayerTensors], regions_SRHW: Tensor, shares: Sequence[float]) -> Tensor:
    """Compute KL(target | attention) over the active sites, mean over the layers and the segments with a region.

    Args:
        layers: of these segments.
        regions_SRHW: (S, R, H, W) coverage in [0, 1] on the branch's input.
        shares: of the target's mass on each of the R regions, together below 1; the rest, and the share of a region
            that is empty, is spread evenly.
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


class AttentionSupervision(Objective):
    """Compute `attention_kl_loss` of a batch's faces on their targets and of its voices on theirs.

    Args:
        config: weight and shares.
        targets: maps of the training clips; None for a model without a visual branch whose voices have their loud cells.
    """

    def __init__(self, config: AttentionSupervisionConfig, targets: TargetMaps | None) -> None:
        self.weight, self.shares, self.targets = config.weight, config.target_shares, targets

    def extend(self, step: StepBatch, rng: np.random.Generator) -> StepBatch:
        """Select the target regions of each face for its query, and look up those of the voices."""
        if self.targets is None:
            return step
        step = replace(step, voice_regions_C1HW=self.targets.of_voices(step.batch.clip_ids))
        if step.regions_SRHW is None:
            return step
        query_clip_ids = [step.batch.clip_ids[int(i)] for i in step.query_index_B]
        faces = self.targets.target_regions(step.regions_SRHW, step.batch.face_counts, query_clip_ids)
        return replace(step, regions_SRHW=faces)

    def loss(self, step: StepBatch, output: ModelOutput) -> Tensor:
        """Return the sum over the visual and the acoustic branch; a voice's target is its loud cells by default."""
        loss = step.batch.mels.new_zeros((), dtype=torch.float32)
        layers = output.layers
        if step.regions_SRHW is not None and "visual" in layers:
            loss = loss + attention_kl_loss(layers["visual"], step.regions_SRHW, self.shares[:2])
        if "acoustic" in layers:
            voices = step.voice_regions_C1HW
            if voices is None:
                voices = loud_regions(step.batch.mels, step.batch.chunk_counts)[:, None]
            loss = loss + attention_kl_loss(layers["acoustic"], voices, self.shares[2:])
        return loss
