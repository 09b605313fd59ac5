"""Targets of the attention for clips without known regions: points, a detector's units, saliency, and clips without any."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mesm.batch import Sample
from mesm.config import (
    AttentionSupervisionConfig,
    AuxiliaryTargetsConfig,
    DistillationConfig,
    FE2EConfig,
    RunConfig,
    TrainConfig,
)
from mesm.data import atlas
from mesm.data.store import Corpus, CorpusWriter
from mesm.errors import ConfigError, DataError
from mesm.layers.vgg import DenseVGG
from mesm.models import build_model, load_checkpoint
from mesm.models.encoders import SegmentBranch
from mesm.training.objectives.attention_supervision import FaceRegions
from mesm.training.objectives.auxiliary_targets import AuxiliaryHeads, known_targets, unit_targets
from mesm.training.objectives.distillation import Distillation
from mesm.training.objectives.saliency import SaliencyTargets, saliency
from mesm.training.objectives.step import StepBatch
from mesm.training.objectives.target_maps import PointTargets, UnitTargets
from mesm.training.trainer import Trainer
from tests.training.corpora import LABELS, text_truth, tinted_sample

DENSE = FE2EConfig(
    labels=LABELS, width=0.125, head_dim=16, transformer_dim=16, transformer_layers=1, transformer_feedforward=16,
    dropout=0.0,
)  # fmt: skip
#: A face in the left half of the crop, with its eyes level.
POINTS = np.array([[8, 18], [20, 18], [14, 25], [9, 32], [19, 32]], np.float32)


def recorded_sample(clip_id: str, split: str, label: int, rng: np.random.Generator) -> Sample:
    """A clip whose first face has points and whose second has none."""
    sample = tinted_sample(clip_id, np.eye(6, dtype=int)[label % 6], split, rng)
    return replace(sample, face_points=np.stack([POINTS, np.full((5, 2), np.nan, np.float32)]))


@pytest.fixture(scope="module")
def dense(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(Trainer(run(corpus, DENSE), tmp_path_factory.mktemp("dense") / "run").fit())


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recorded clips, one of them rendered, and a detector's file for the first alone: unit 12 in its first frame."""
    folder, rng = tmp_path_factory.mktemp("mixed"), np.random.default_rng(0)
    with CorpusWriter(folder, "mixed", LABELS, capabilities=("action_units", "regions", "prosody")) as writer:
        for split, number in (("train", 12), ("valid", 6)):
            for i in range(number):
                sample = recorded_sample(f"{split}{i:02d}", split, i, rng)
                if i == 1:
                    truth = text_truth(np.eye(6, dtype=int)[1])
                    moved = np.array([[1.0, 0.0], [0.0, 0.5]], np.float32)
                    sample = replace(sample, truth=replace(truth, au_intensity=moved))
                writer.add(sample)
    (folder / "action_units").mkdir()
    rows = "frame,timestamp,success,AU12_r,AU12_c\n1,0.0,1,4.0,1\n2,0.5,1,0.4,0\n"
    (folder / "action_units" / "train00.csv").write_text(rows)
    return folder


def run(corpus: Path, model: FE2EConfig, **train: object) -> RunConfig:
    return RunConfig(model, TrainConfig(corpus=str(corpus), batch_size=6, epochs=1, **train))  # type: ignore[arg-type]


def test_points_are_a_cells_share_of_the_units_that_move_it(corpus: Path) -> None:
    maps = PointTargets(Corpus(corpus), ["train00"]).of(["train00"])[:, 0].numpy()
    assert maps.shape == (2, 48, 48) and maps.max() > 0.9
    for face, points in zip(maps, (POINTS, atlas.MEAN_POINTS), strict=True):
        laid = atlas.lay_by_points(points[None])[0, : atlas.OVAL].mean(0)
        assert np.corrcoef(face.ravel(), laid.ravel())[0, 1] > 0.97
    assert maps[0, :, 32:].max() == 0, "the first face lies on the left"


def test_units_lay_the_regions_of_those_that_a_detector_reads(corpus: Path) -> None:
    store = Corpus(corpus)
    maps = UnitTargets(store, ["train00", "train01"], str(corpus / "action_units")).of(["train00", "train01"])[:, 0]
    lip_corners = atlas.lay_by_points(POINTS[None], [atlas.COLUMN[12]])[0, 0]
    assert np.corrcoef(maps[0].numpy().ravel(), lip_corners.ravel())[0, 1] > 0.9
    assert not maps[1:].any(), "a weak unit is not active, and a clip without a file has no target"
    with pytest.raises(DataError, match="no file named after a clip"):
        UnitTargets(store, ["train03"], str(corpus / "action_units"))


def test_saliency_is_high_where_the_logit_depends_on_the_face(corpus: Path) -> None:
    """A network whose weights behind the stem read one corner of the last map depends on that corner."""
    torch.manual_seed(0)
    branch = build_model(DENSE).branches["visual"].eval()  # type: ignore[union-attr]
    assert isinstance(branch, SegmentBranch) and isinstance(branch.cnn, DenseVGG)
    first = branch.flatten[0]
    with torch.no_grad():
        corner = torch.zeros(branch.cnn.out_channels, 3, 3)
        corner[:, 0, 2] = 1
        first.weight.mul_(corner.flatten())  # type: ignore[operator, union-attr]
    faces = torch.randint(0, 255, (3, 3, 48, 48), dtype=torch.uint8)
    maps = saliency(branch, faces, torch.tensor([2, 1]), torch.eye(6)[:2]).float()
    assert maps.shape == (3, 1, 24, 24) and (maps.amax((1, 2, 3)) == 255).all()
    assert (maps[:, :, :12, 12:].sum((1, 2, 3)) > 0.6 * maps.sum((1, 2, 3))).all()
    # Without a label there is nothing that it could depend on.
    assert not saliency(branch, faces, torch.tensor([2, 1]), torch.zeros(2, 6)).any()
    assert saliency(branch, faces[:0], torch.tensor([0, 0]), torch.zeros(2, 6)).shape == (0, 1, 24, 24)


def test_a_step_with_each_target(corpus: Path, dense: str, tmp_path: Path) -> None:
    store, ids = Corpus(corpus), ["train00", "train01"]
    targets = SaliencyTargets(store, ids, dense)
    voices = targets.of_voices(ids)
    assert voices is not None and voices.shape == (4, 1, 128, 32) and targets.of(ids).shape == (4, 1, 48, 48)
    for target in ("saliency", "units"):
        supervision = AttentionSupervisionConfig(4.0, (0.3, 0.0, 0.2), target=target)
        trainer = Trainer(
            run(corpus, DENSE.as_model("mesm"), init_from=dense, attention=supervision), tmp_path / target
        )
        batch = next(iter(trainer.train_loader.epoch(0)))
        step = trainer.objectives.prepare(batch, 0)
        assert step.regions_SRHW is not None and step.regions_SRHW.shape[1] == 2
        assert (step.voice_regions_C1HW is not None) == (target == "saliency")
        if target == "saliency":
            assert np.isfinite(trainer.step(batch, 0))


def test_saliency_on_the_places_of_action_units(corpus: Path, dense: str, tmp_path: Path) -> None:
    supervision = AttentionSupervisionConfig(4.0, (0.3, 0.0, 0.2), target="face_saliency")
    trainer = Trainer(run(corpus, DENSE.as_model("mesm"), init_from=dense, attention=supervision), tmp_path / "run")
    assert trainer.objectives.attention is not None
    targets, store, ids = trainer.objectives.attention.targets, Corpus(corpus), ["train00", "train01"]
    alone, prior = SaliencyTargets(store, ids, dense), PointTargets(store, ids)
    for clip_id in ids:
        product = alone.faces[clip_id].double() * prior.faces[clip_id].double()
        most = product.amax((2, 3), keepdim=True)
        torch.testing.assert_close(targets.faces[clip_id].double(), 255 * product / most, atol=0.6, rtol=0)
        assert not targets.faces[clip_id][prior.faces[clip_id] == 0].any(), "nothing beside the face"
        assert torch.equal(targets.voices[clip_id], alone.voices[clip_id])


def test_saliency_needs_a_dense_model(corpus: Path, dense: str, tmp_path: Path) -> None:
    supervision = AttentionSupervisionConfig(1.0, target="saliency")
    with pytest.raises(ConfigError, match=r"attention\.target needs a trained FE2E"):
        Trainer(run(corpus, DENSE.as_model("mesm"), attention=supervision), tmp_path / "none")
    sparse = Trainer(run(corpus, DENSE.as_model("mesm"), init_from=dense), tmp_path / "sparse").fit()
    with pytest.raises(ConfigError, match="needs a trained FE2E"):
        SaliencyTargets(Corpus(corpus), ["train00"], str(sparse))


def test_distillation_is_the_cross_entropy_against_the_dense_branches(corpus: Path, dense: str, tmp_path: Path) -> None:
    sparse = run(corpus, DENSE.as_model("mesm"), init_from=dense, distillation=DistillationConfig(2.0))
    trainer = Trainer(sparse, tmp_path / "run")
    batch = next(iter(trainer.train_loader.epoch(0)))
    silent = replace(batch, mels=batch.mels[int(batch.chunk_counts[0]) :], chunk_counts=batch.chunk_counts.clone())
    silent.chunk_counts[0] = 0
    step = StepBatch(silent, len(silent), torch.arange(len(silent)))
    (distillation,) = (one for one in trainer.objectives.active if isinstance(one, Distillation))
    teacher, student = load_checkpoint(dense).model.eval(), trainer.model.eval()
    with torch.no_grad():
        own, soft = student(silent), torch.sigmoid(teacher(silent).modality_logits_BME)
    each = [
        float(torch.nn.functional.binary_cross_entropy_with_logits(own.modality_logits_BME[clip, m], soft[clip, m]))
        for m in (1, 2)  # faces and voice; the text's branch is dense in both
        for clip in range(len(silent))
        if (clip, m) != (0, 2)
    ]
    assert distillation.weight == 2 and float(distillation.loss(step, own)) == pytest.approx(np.mean(each), rel=1e-5)
    assert np.isfinite(trainer.step(batch, 0))

    elsewhere = replace(sparse.train, init_from="", distillation=DistillationConfig(2.0, dense))
    named = Trainer(replace(sparse, train=elsewhere), tmp_path / "named").fit()
    metrics = json.loads((named / "metrics.json").read_text())
    assert metrics["train"]["distillation"] == {"weight": 2.0, "checkpoint": "run"}, "no path of this machine"
    with pytest.raises(ConfigError, match=r"distillation\.weight needs a trained FE2E"):
        Trainer(replace(sparse, train=replace(sparse.train, init_from="")), tmp_path / "none")
    other = replace(sparse, model=replace(sparse.model, labels=(*LABELS[:5], "neutral")))
    with pytest.raises(ConfigError, match=r"has other labels .* set distillation.weight=0"):
        Distillation(other)


def test_a_corpus_without_files_of_units_says_so(corpus: Path, tmp_path: Path) -> None:
    auxiliary = AuxiliaryTargetsConfig(1.0, target="units")
    with pytest.raises(DataError, match="mesm corpus units"):
        Trainer(run(corpus, DENSE, auxiliary=auxiliary, action_units=str(tmp_path / "none")), tmp_path / "run")


def test_recorded_clips_among_rendered_ones_are_left_out(corpus: Path) -> None:
    store, ids = Corpus(corpus), ["train00", "train01"]
    regions = FaceRegions(store, LABELS, ids, emotion_specificity=0)
    maps = regions.of(ids)
    assert not maps[:2].any() and maps[2, 0].any(), "the second clip alone is rendered"
    assert not regions.target_regions(maps, torch.tensor([2, 2]), ["train01", "train00"])[2:, 1].any()

    heads = AuxiliaryHeads(known_targets(store, ids, LABELS), DENSE)
    assert set(heads.heads) == {"visual", "text"}, "no clip knows its prosody"
    assert heads.rows["train00"]["visual"].shape == (2, 2) and heads.rows["train00"]["visual"].isnan().all()
    torch.testing.assert_close(heads.rows["train01"]["visual"].mean(0), torch.zeros(2))


def test_the_auxiliary_loss_counts_known_targets_alone(corpus: Path, tmp_path: Path) -> None:
    auxiliary = AuxiliaryTargetsConfig(1.0, target="units")
    trainer = Trainer(run(corpus, DENSE, auxiliary=auxiliary, augment=False), tmp_path / "run")
    assert trainer.objectives.auxiliary is not None
    heads = trainer.objectives.auxiliary.heads
    assert set(heads.heads) == {"visual"} and heads.rows["train00"]["visual"][:, 0].tolist() == pytest.approx(
        [2**-0.5, -(2**-0.5)]
    )
    batches = {clip: batch for batch in trainer.train_loader.epoch(0) for clip in batch.clip_ids}
    batch = batches["train00"]
    with torch.no_grad():
        output = trainer.model.eval()(batch)
        place = 2 * batch.clip_ids.index("train00")
        predicted = heads.heads["visual"](output.segments["visual"][place : place + 2])[:, 0]
        expected = (predicted - heads.rows["train00"]["visual"][:, 0]).square().mean()
        torch.testing.assert_close(heads(output, batch.clip_ids), expected)
        without = next(b for b in batches.values() if "train00" not in b.clip_ids)
        assert float(heads(trainer.model(without), without.clip_ids)) == 0
    assert unit_targets(trainer.corpus, ["train00"], str(corpus / "action_units"))["train00"]["visual"].shape == (2, 1)
