"""Build the objectives that a run switches on from its config, and their weighted sum."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from mesm.batch import Batch
from mesm.config import SALIENCY_TARGETS, RunConfig
from mesm.data.action_unit_files import action_unit_folder
from mesm.data.store import Corpus
from mesm.models import ModelOutput
from mesm.training.augment import augment
from mesm.training.broad_augment import broad_augment
from mesm.training.objectives.attention_supervision import AttentionSupervision, FaceRegions
from mesm.training.objectives.auxiliary_targets import (
    AuxiliaryHeads,
    AuxiliaryTargets,
    known_targets,
    unit_targets,
)
from mesm.training.objectives.branch_loss import BranchLoss
from mesm.training.objectives.distillation import Distillation
from mesm.training.objectives.label_loss import LabelLoss
from mesm.training.objectives.neutral_faces import NeutralFaces, NeutralTrainingSet
from mesm.training.objectives.saliency import SaliencyTargets
from mesm.training.objectives.step import Objective, StepBatch
from mesm.training.objectives.target_maps import PointTargets, TargetMaps, UnitTargets
from mesm.training.objectives.two_texts import TwoTextsDivergence


class Objectives:
    """Prepare each step's batch and compute the weighted sum of the objectives on it.

    Args:
        run: model and training, which `check_run` has passed; the objectives with a weight above 0 are built.
        corpus: must have what the objectives read.
        clip_ids: of the N clips that are trained on.
        truth_NE: 0 or 1, their labels.
        vectors: clip id -> text vector of a frozen text encoder, or None.
        device: of the model.

    Raises:
        ConfigError: a dense model that an objective cannot use, or neutral faces without what they need.
    """

    def __init__(
        self,
        run: RunConfig,
        corpus: Corpus,
        clip_ids: Sequence[str],
        truth_NE: Tensor,
        vectors: Mapping[str, Tensor] | None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.run, self.device = run, device
        self.label_loss = LabelLoss(run.train.label, truth_NE, device)
        neutral = (
            _neutral_faces(run, corpus, truth_NE, vectors, self.label_loss) if run.train.neutral.per_batch else None
        )
        self.attention = _attention(run, corpus, clip_ids, device) if run.train.attention.weight else None
        self.auxiliary = _auxiliary(run, corpus, clip_ids, device) if run.train.auxiliary.weight else None
        branches = run.train.branch.weight and len(run.model.modalities) > 1
        two_texts = run.train.two_texts
        # The order of those that draw random numbers decides what a seed means.
        candidates: Sequence[Objective | None] = (
            self.label_loss,
            BranchLoss(run.train.branch, self.label_loss) if branches else None,
            self.attention,
            self.auxiliary,
            neutral,
            TwoTextsDivergence(two_texts, _branch(run, "text")) if two_texts.weight else None,
            Distillation(run, device) if run.train.distillation.weight else None,
        )
        self.active = tuple(objective for objective in candidates if objective is not None)

    def prepare(self, batch: Batch, seed: int) -> StepBatch:
        """Augment a batch, choose the queries, and let every objective add what it needs.

        Args:
            batch: of the training split, on the CPU.
            seed: of this step; all random numbers come from it.
        """
        targets = self.attention.targets if self.attention is not None else None
        regions_SRHW = targets.of(batch.clip_ids) if targets is not None and targets.faces else None
        if self.run.train.augment:
            draws = torch.Generator().manual_seed(seed)
            if self.run.train.augmentation == "broad":
                # Target maps of the voices belong to mel cells, which must stay where they are.
                whole = targets is not None and bool(targets.voices)
                batch, regions_SRHW = broad_augment(batch, draws, regions_SRHW, keep_places=whole)
            else:
                batch, regions_SRHW = augment(batch, draws, regions_SRHW)
        rng = np.random.default_rng(seed)
        shuffled = self.run.train.queries == "shuffled"
        order = rng.permutation(len(batch)) if shuffled else np.arange(len(batch))
        step = StepBatch(batch, len(batch), torch.from_numpy(order), regions_SRHW=regions_SRHW)
        for objective in self.active:
            step = objective.extend(step, rng)
        return step

    def loss(self, model: Callable[..., ModelOutput], step: StepBatch, top_p: float | None) -> Tensor:
        """Compute the weighted sum on a step whose batch is on the model's device."""
        trace = self.attention is not None
        output = model(step.batch, top_p, trace, step.query_index_B, step.second_query_index_B)
        return torch.stack([one.weight * one.loss(step, output) for one in self.active]).sum()

    def state_dict(self) -> dict[str, Tensor]:
        """Return the parameters of the auxiliary heads, empty without them."""
        return {} if self.auxiliary is None else self.auxiliary.heads.state_dict()

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Set the parameters of the auxiliary heads."""
        if self.auxiliary is not None:
            self.auxiliary.heads.load_state_dict(state)


def _branch(run: RunConfig, modality: str) -> int:
    return run.model.modalities.index(modality)


def _attention(
    run: RunConfig, corpus: Corpus, clip_ids: Sequence[str], device: torch.device | str
) -> AttentionSupervision:
    mapped = "visual" in run.model.modalities or run.train.attention.target in SALIENCY_TARGETS
    return AttentionSupervision(run.train.attention, _target_maps(run, corpus, clip_ids, device) if mapped else None)


def _target_maps(run: RunConfig, corpus: Corpus, clip_ids: Sequence[str], device: torch.device | str) -> TargetMaps:
    config = run.train.attention
    if config.target in SALIENCY_TARGETS:
        prior = PointTargets(corpus, clip_ids) if config.target == "face_saliency" else None
        return SaliencyTargets(corpus, clip_ids, run.train.init_from, device, prior)
    if config.target == "points":
        return PointTargets(corpus, clip_ids)
    if config.target == "units":
        return UnitTargets(corpus, clip_ids, action_unit_folder(run.train.action_units, corpus))
    return FaceRegions(corpus, run.model.labels, clip_ids, config.emotion_specificity)


def _auxiliary(run: RunConfig, corpus: Corpus, clip_ids: Sequence[str], device: torch.device | str) -> AuxiliaryTargets:
    config = run.train.auxiliary
    if config.target == "units":
        targets = unit_targets(corpus, clip_ids, action_unit_folder(run.train.action_units, corpus))
    else:
        targets = known_targets(corpus, clip_ids, run.model.labels)
    return AuxiliaryTargets(config, AuxiliaryHeads(targets, run.model).to(device))


def _neutral_faces(
    run: RunConfig, corpus: Corpus, truth_NE: Tensor, vectors: Mapping[str, Tensor] | None, label_loss: LabelLoss
) -> NeutralFaces:
    assert vectors is not None, "check_run refuses a trained text encoder"
    faces = NeutralTrainingSet.read(corpus, run.model.labels, vectors, run.train.attention.emotion_specificity)
    return NeutralFaces(run.train.neutral, faces, truth_NE.mean(0), label_loss.weights_E, _branch(run, "visual"))
