"""Every objective against numbers worked by hand, and their weighted sum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from mesm.batch import Batch
from mesm.config import (
    AttentionSupervisionConfig,
    AuxiliaryTargetsConfig,
    BranchLossConfig,
    LabelLossConfig,
    NeutralFacesConfig,
    TwoTextsConfig,
)
from mesm.errors import ConfigError
from mesm.models import ModelOutput
from mesm.training.objectives.branch_loss import BranchLoss
from mesm.training.objectives.label_loss import LabelLoss, positive_weights
from mesm.training.objectives.neutral_faces import NeutralFaces, NeutralTrainingSet
from mesm.training.objectives.objectives import Objectives
from mesm.training.objectives.step import Objective, StepBatch
from mesm.training.objectives.two_texts import TwoTextsDivergence

TEXT, VISUAL = 0, 1


def nlog_sigmoid(x: float) -> float:
    """-log sigmoid(x), the cross entropy of a positive label."""
    return float(np.log1p(np.exp(-x)))


def batch_of(labels: list[list[float]]) -> Batch:
    """Clips with one black face and a two-number text vector each."""
    count = len(labels)
    return Batch(
        clip_ids=tuple(f"clip{i}" for i in range(count)),
        has_text=torch.ones(count, dtype=torch.bool),
        faces=torch.zeros(count, 3, 48, 48),
        face_counts=torch.ones(count, dtype=torch.long),
        mels=torch.zeros(count, 1, 128, 32),
        chunk_counts=torch.ones(count, dtype=torch.long),
        text_vectors=torch.arange(2.0 * count).view(count, 2),
        labels=torch.tensor(labels),
    )


def output_of(fused: list[list[float]], branches: list[list[list[float]]], present: list[list[bool]]) -> ModelOutput:
    return ModelOutput(torch.tensor(fused), torch.tensor(branches), torch.tensor(present), torch.zeros(0), {})


def step_of(labels: list[list[float]], labelled: int | None = None) -> StepBatch:
    return StepBatch(batch_of(labels), len(labels) if labelled is None else labelled, torch.arange(len(labels)))


def test_class_weights_are_negatives_over_positives() -> None:
    truth = torch.zeros(40, 4)
    truth[:10, 0] = truth[:30, 1] = truth[:1, 2] = truth[:, 3] = 1
    assert positive_weights(truth).tolist() == pytest.approx([3, 1 / 3, 20, 0.05]), "limited to 20 and 1 / 20"
    assert LabelLoss(LabelLossConfig("none"), truth).weights_E.tolist() == [1] * 4
    assert LabelLoss(LabelLossConfig(), truth).weights_E.tolist() == positive_weights(truth).tolist()


def test_label_loss_by_hand() -> None:
    # One class in a quarter of the training clips: its positives weigh 3.
    loss = LabelLoss(LabelLossConfig(), torch.tensor([[1.0], [0], [0], [0]]))
    step = step_of([[1.0], [0.0]])
    output = output_of([[0.5], [-1.0]], [[[9.0]], [[9.0]]], [[True], [True]])
    assert float(loss.loss(step, output)) == pytest.approx((3 * nlog_sigmoid(0.5) + nlog_sigmoid(1.0)) / 2)
    # Smoothed by 0.1, a positive is 0.9 positive and 0.1 negative.
    smooth = LabelLoss(LabelLossConfig(smoothing=0.1), torch.tensor([[1.0], [0], [0], [0]]))
    first = 0.9 * 3 * nlog_sigmoid(0.5) + 0.1 * nlog_sigmoid(-0.5)
    second = 0.1 * 3 * nlog_sigmoid(-1.0) + 0.9 * nlog_sigmoid(1.0)
    assert float(smooth.loss(step, output)) == pytest.approx((first + second) / 2)


def test_label_loss_is_of_labelled_clips_under_both_queries() -> None:
    loss = LabelLoss(LabelLossConfig("none"), torch.zeros(1, 1))
    step = step_of([[1.0], [0.0]], labelled=1)
    output = output_of([[2.0], [50.0]], [[[0.0]]] * 2, [[True]] * 2)
    assert float(loss.loss(step, output)) == pytest.approx(nlog_sigmoid(2.0)), "the second clip has no label of its own"
    twice = replace(output, second=replace(output, logits_BE=torch.tensor([[-1.0], [0.0]])))
    assert float(loss.loss(step, twice)) == pytest.approx((nlog_sigmoid(2.0) + nlog_sigmoid(-1.0)) / 2)


def test_branch_loss_by_hand() -> None:
    label_loss = LabelLoss(LabelLossConfig(smoothing=0.1), torch.tensor([[1.0], [0], [0], [0]]))
    branch_loss = BranchLoss(BranchLossConfig(0.5), label_loss)
    assert branch_loss.weight == 0.5
    # The second clip has no face: its visual logit of 7 costs nothing.
    output = output_of([[0.0], [0.0]], [[[0.5], [-0.3]], [[2.0], [7.0]]], [[True, True], [True, False]])

    def positive(x: float) -> float:
        return 0.9 * 3 * nlog_sigmoid(x) + 0.1 * nlog_sigmoid(-x)

    expected = (positive(0.5) + positive(-0.3) + 0.9 * nlog_sigmoid(-2.0) + 0.1 * 3 * nlog_sigmoid(2.0)) / 3
    assert float(branch_loss.loss(step_of([[1.0], [0.0]]), output)) == pytest.approx(expected)


def neutral_faces(count: int = 3) -> NeutralFaces:
    images = torch.full((4, 3, 48, 48), 200, dtype=torch.uint8)
    images[..., :24] = 0  # the left half is dark
    regions = torch.zeros(4, 2, 48, 48, dtype=torch.uint8)
    regions[:, 0, :, :24] = regions[:, 1, :24] = 255  # the left half of the first emotion, the upper of the second
    faces = NeutralTrainingSet(images, regions, (torch.full((2, 2), 100.0), torch.full((5, 2), 200.0)))
    return NeutralFaces(NeutralFacesConfig(count), faces, torch.tensor([0.2, 0.6]), torch.tensor([3.0, 1.0]), VISUAL)


@pytest.mark.parametrize("mirrored", [False, True])
def test_neutral_faces_join_the_batch_with_their_texts_and_regions(mirrored: bool) -> None:
    step = replace(step_of([[1.0, 0.0]] * 2), query_index_B=torch.tensor([1, 0]), regions_SRHW=torch.ones(2, 2, 48, 48))
    extended = neutral_faces(8).extend(step, np.random.default_rng(int(mirrored)))
    batch = extended.batch
    assert (len(batch), extended.labelled) == (10, 2) and extended.query_index_B.tolist() == [1, 0, *range(2, 10)]
    assert batch.face_counts.tolist() == [1] * 10 and batch.chunk_counts.tolist() == [1, 1] + [0] * 8
    assert batch.labels is not None and batch.text_vectors is not None and extended.regions_SRHW is not None
    torch.testing.assert_close(batch.labels[2:], torch.tensor([[0.2, 0.6]] * 8))
    assert bool(batch.faces[2, 0, 0, 0] > 0) == mirrored
    named = []
    for n in range(2, 10):
        emotion = int(batch.text_vectors[n, 0]) // 100 - 1
        named.append(emotion)
        region = torch.zeros(48, 48)
        region[(slice(None), slice(24, None) if mirrored else slice(24)) if emotion == 0 else slice(24)] = 1
        assert torch.equal(extended.regions_SRHW[n], torch.stack([torch.zeros(48, 48), region]))
    assert set(named) == {0, 1}, "texts of both emotions occur"


def test_neutral_loss_by_hand() -> None:
    step = step_of([[1.0, 0.0], [0.2, 0.6]], labelled=1)
    output = output_of([[0.0, 0.0]] * 2, [[[9.0, 9], [9, 9]], [[9.0, 9], [0.5, -1.0]]], [[True, True]] * 2)
    first = 0.2 * 3 * nlog_sigmoid(0.5) + 0.8 * nlog_sigmoid(-0.5)
    second = 0.6 * nlog_sigmoid(-1.0) + 0.4 * nlog_sigmoid(1.0)
    assert float(neutral_faces().loss(step, output)) == pytest.approx((first + second) / 2), (
        "of the visual branch alone"
    )


def test_two_texts_divergence_by_hand() -> None:
    divergence = TwoTextsDivergence(TwoTextsConfig(2.0), TEXT)
    step = step_of([[1.0]] * 2)
    output = output_of([[0.0]] * 2, [[[4.0], [1.0]], [[4.0], [9.0]]], [[True, True], [True, False]])
    second = output_of([[0.0]] * 2, [[[-4.0], [-1.0]], [[-4.0], [-9.0]]], [[True, True], [True, False]])
    # Only the first clip's face has a score under a query: (p - q)(logit p - logit q) with logits 1 and -1.
    p, q = 1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))
    assert float(divergence.loss(step, replace(output, second=second))) == pytest.approx((p - q) * 2)
    assert divergence.weight == 2
    queries = divergence.extend(step, np.random.default_rng(3)).second_query_index_B
    assert queries is not None and sorted(queries.tolist()) == [0, 1]


class Constant(Objective):
    def __init__(self, value: float, weight: float) -> None:
        self.value, self.weight = value, weight

    def loss(self, step: StepBatch, output: ModelOutput) -> Tensor:
        return torch.tensor(self.value)


def test_the_sum_is_weighted() -> None:
    objectives = Objectives.__new__(Objectives)
    objectives.attention, objectives.active = None, (Constant(3.0, 1.0), Constant(5.0, 0.5))
    output = output_of([[0.0]], [[[0.0]]], [[True]])
    assert float(objectives.loss(lambda *_: output, step_of([[1.0]]), 0.5)) == 5.5


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: LabelLossConfig("some"), "label.positive_weight is 'some'"),
        (lambda: LabelLossConfig(smoothing=0.5), "smoothing is 0.5"),
        (lambda: BranchLossConfig(-1.0), "branch.weight is -1.0"),
        (lambda: AttentionSupervisionConfig(1.0, (0.5, 0.5, 0.1)), "three shares"),
        (lambda: AttentionSupervisionConfig(1.0, emotion_specificity=2.0), "emotion_specificity is 2.0"),
        (lambda: AuxiliaryTargetsConfig(-2.0), "auxiliary.weight"),
        (lambda: NeutralFacesConfig(-1), "neutral.per_batch"),
        (lambda: TwoTextsConfig(-1.0), "two_texts.weight"),
    ],
)
def test_settings_out_of_range_are_refused(build, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match=message):
        build()
