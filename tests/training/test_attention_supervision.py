"""Attention supervision, neutral faces and two texts: losses by hand, regions, queries, and frozen parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mesm.config import (
    AttentionSupervisionConfig,
    MESMConfig,
    NeutralFacesConfig,
    RunConfig,
    TrainConfig,
    TwoTextsConfig,
)
from mesm.data.marionette.action_units import PROTOTYPES
from mesm.data.store import Corpus
from mesm.errors import ConfigError
from mesm.layers.sparse_vgg import LayerTensors
from mesm.models import build_model
from mesm.models.encoders import SegmentBranch
from mesm.training.augment import augment
from mesm.training.objectives.attention_supervision import (
    FaceRegions,
    attention_kl_loss,
    emotion_specific_weight,
    loud_regions,
)
from mesm.training.objectives.two_texts import symmetric_kl
from mesm.training.optim import parameter_groups
from mesm.training.trainer import Trainer
from tests.training.corpora import LABELS, tinted_corpus, write_neutral_faces

SMALL = MESMConfig(
    labels=LABELS, width=0.125, head_dim=16, transformer_dim=16, transformer_layers=1, transformer_feedforward=16,
    dropout=0.0, score="additive_bilinear",
)  # fmt: skip


def layer(attention: torch.Tensor) -> LayerTensors:
    everywhere = torch.ones_like(attention, dtype=torch.bool)
    return LayerTensors(attention, everywhere, everywhere, ())


def test_attention_kl_loss_by_hand() -> None:
    # The left half of a 4x4 map is active, the upper half the query's; three tenths of the target's mass lie on the one,
    # one tenth on the other, and the rest is even.
    regions = torch.zeros(1, 2, 4, 4)
    regions[:, 0, :, :2] = regions[:, 1, :2] = 1
    target = torch.full((1, 4, 4), 0.6 / 16) + regions[:, 0] * 0.3 / 8 + regions[:, 1] * 0.1 / 8
    uniform = torch.full((1, 4, 4), 1 / 16)
    assert float(attention_kl_loss([layer(target)], regions, (0.3, 0.1))) == pytest.approx(0, abs=1e-6)
    expected = float((target * (target * 16).log()).sum())
    assert float(attention_kl_loss([layer(uniform)], regions, (0.3, 0.1))) == pytest.approx(expected)
    assert float(attention_kl_loss([layer(uniform), layer(target)], regions, (0.3, 0.1))) == pytest.approx(expected / 2)
    # An empty region leaves its share to the rest.
    regions[:, 1] = 0
    target = torch.full((1, 4, 4), 0.7 / 16) + regions[:, 0] * 0.3 / 8
    assert float(attention_kl_loss([layer(target)], regions, (0.3, 0.1))) == pytest.approx(0, abs=1e-6)


def test_inactive_sites_and_faces_without_a_region_get_no_gradient() -> None:
    region = torch.zeros(2, 1, 4, 4)
    region[0, 0, :2] = 1
    logits = torch.zeros(2, 4, 4, requires_grad=True)
    active = torch.ones(2, 4, 4, dtype=torch.bool)
    active[:, :, 3] = False
    attention = logits.masked_fill(~active, -torch.inf).flatten(1).softmax(1).view(2, 4, 4)
    attention_kl_loss([LayerTensors(attention, active, active, ())], region, (0.3,)).backward()
    assert logits.grad is not None and not logits.grad[1].any(), "nothing moves in the second face"
    assert not logits.grad[0, :, 3].any()
    assert (logits.grad[0, :2, :3] < 0).all() and (logits.grad[0, 2:, :3] > 0).all()


def test_loud_cells_are_each_clips_own() -> None:
    mels = torch.rand(3, 1, 128, 32) - torch.tensor([0.0, 0.0, 7.0])[:, None, None, None]
    found = loud_regions(mels, torch.tensor([2, 0, 1]))
    torch.testing.assert_close(found[:2].mean(), torch.tensor(0.1), atol=0.005, rtol=0)
    torch.testing.assert_close(found[2].mean(), torch.tensor(0.1), atol=0.005, rtol=0)
    assert (mels[:2, 0][found[:2] > 0].min() > mels[:2, 0][found[:2] == 0].max()).item()


def test_regions_move_with_the_faces(corpus: Path, tmp_path: Path) -> None:
    trainer = Trainer(run(corpus, attention=1.0), tmp_path / "run")
    batch = next(iter(trainer.train_loader.epoch(0)))
    generator = torch.Generator().manual_seed(1)
    regions = torch.rand(len(batch.faces), 2, 48, 48)
    faces = (regions[:, :1] * 100).expand(-1, 3, -1, -1).contiguous()
    moved, moved_regions = augment(replace(batch, faces=faces), generator, regions)
    assert moved_regions is not None and not torch.equal(moved_regions, regions)
    for face, region in zip(moved.faces[:, 0], moved_regions[:, 0], strict=True):
        inside = (face > 0) & (face < 255)  # light and contrast are changed linearly, and cut there
        if int(inside.sum()) > 100:
            both = torch.stack([face[inside], region[inside]])
            assert float(torch.corrcoef(both)[0, 1]) > 0.999


def test_active_regions_are_those_of_the_emotions_active_units(corpus: Path) -> None:
    store = Corpus(corpus)
    clips = store.ids("train")[:2]
    found = FaceRegions(store, LABELS, active_from=0.2).of(clips)
    assert found.shape == (4, 7, 48, 48)
    brow = torch.zeros(48, 48, dtype=torch.bool)
    brow[6:18, 8:40] = True
    assert torch.equal(found[:, 0] > 0, torch.stack([brow, torch.zeros_like(brow)] * 2))
    truth = store.read(clips[0]).truth
    assert truth is not None
    for e, emotion in enumerate(LABELS):
        units = [k for k, number in enumerate(truth.au_numbers) if number in PROTOTYPES[emotion]]
        would = truth.au_region[:, units].max(1, initial=0) > 0
        assert torch.equal(found[:2, 1 + e] > 0, torch.from_numpy(would)), emotion
    assert found[:, 1:].any()
    assert FaceRegions(store, LABELS, active_from=0.05).of(clips)[1, 0].sum() > 0, "the mouth moves, a little"


def test_cells_that_every_emotion_moves_weigh_least() -> None:
    regions = torch.zeros(1, 4, 1, 3)
    regions[0, :, 0, 0] = 255
    regions[0, 0, 0, 1] = 255
    assert emotion_specific_weight(regions, 1)[0, 0, 0].tolist() == pytest.approx([0, 0.75, 1])
    assert emotion_specific_weight(regions, 0.4)[0, 0, 0].tolist() == pytest.approx([0.6, 0.9, 1])
    assert emotion_specific_weight(regions, 0)[0, 0, 0].tolist() == [1, 1, 1]


def test_target_regions_are_of_the_querys_emotion(corpus: Path) -> None:
    store = Corpus(corpus)
    clips = store.ids("train")[:3]
    regions = FaceRegions(store, LABELS)
    everything = regions.of(clips)
    counts = torch.tensor([2, 2, 2])
    found = regions.target_regions(everything, counts, [clips[2], clips[0], clips[0]])
    assert torch.equal(found[:, 0], everything[:, 0])
    emotion = [regions.text_emotion[c] for c in (clips[2], clips[0], clips[0])]
    assert emotion[0] != emotion[1] and min(emotion) >= 0
    assert torch.equal(found[:2, 1], everything[:2, 1 + emotion[0]])
    assert torch.equal(found[2:, 1], everything[2:, 1 + emotion[1]])
    regions.text_emotion[clips[0]] = -1
    assert not regions.target_regions(everything, counts, [clips[0]] * 3)[:, 1].any(), "a neutral text names nothing"


def test_the_target_follows_a_shuffled_query(corpus: Path, tmp_path: Path) -> None:
    trainer = Trainer(run(corpus, attention=1.0, queries="shuffled", augment=False), tmp_path / "run")
    batch = next(iter(trainer.train_loader.epoch(0)))
    regions = FaceRegions(trainer.corpus, LABELS)
    for seed in range(3):
        step = trainer.objectives.prepare(batch, seed)
        order = [batch.clip_ids[int(i)] for i in step.query_index_B]
        expected = regions.target_regions(regions.of(batch.clip_ids), batch.face_counts, order)
        assert step.regions_SRHW is not None and torch.equal(step.regions_SRHW, expected)
        own = regions.target_regions(regions.of(batch.clip_ids), batch.face_counts, batch.clip_ids)
        assert order == list(batch.clip_ids) or not torch.equal(own, expected)


def test_a_neutral_face_is_queried_by_its_own_text(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under shuffled queries too: the regions of its own text are its target."""
    trainer = Trainer(run(corpus, neutral=4, attention=1.0, queries="shuffled"), tmp_path / "run")
    indices: list[torch.Tensor] = []
    original = type(trainer.model).forward

    def forward(self, batch, top_p, trace, query_index_B, second_query_index_B):  # type: ignore[no-untyped-def]
        indices.append(query_index_B)
        return original(self, batch, top_p, trace, query_index_B, second_query_index_B)

    monkeypatch.setattr(type(trainer.model), "forward", forward)
    for index, batch in enumerate(trainer.train_loader.epoch(0)):
        trainer.step(batch, index)
        count = len(batch)
        assert indices[-1][count:].tolist() == list(range(count, count + 4))
        assert sorted(indices[-1][:count].tolist()) == list(range(count))
    assert any(a[: len(a) - 4].tolist() != list(range(len(a) - 4)) for a in indices)


def test_supervised_attention_approaches_its_target(corpus: Path, tmp_path: Path) -> None:
    """After a few steps on one batch the attention has more of its mass where the faces move."""
    settings = run(corpus, attention=20.0, attention_lr_factor=20.0, augment=False, freeze_stem=False)
    trainer = Trainer(replace(settings, train=replace(settings.train, schedule="constant", lr=1e-3)), tmp_path / "run")
    batch = next(iter(trainer.train_loader.epoch(0)))
    regions = FaceRegions(trainer.corpus, LABELS).of(batch.clip_ids)[:, :1]

    def distance() -> float:
        trainer.model.eval()
        with torch.no_grad():
            found = float(attention_kl_loss(trainer.model(batch, 0.9, True).layers["visual"], regions, (0.3,)))
        trainer.model.train()
        return found

    before = distance()
    for index in range(12):
        trainer.step(batch, index)
    assert distance() < before


def test_a_dense_model_has_no_attention_to_supervise(corpus: Path, tmp_path: Path) -> None:
    dense = run(corpus, attention=1.0)
    with pytest.raises(ConfigError, match="fe2e has no attention"):
        Trainer(replace(dense, model=dense.model.as_model("fe2e")), tmp_path / "run")


def test_symmetric_kl_against_its_definition() -> None:
    a, b = torch.tensor([[[0.3, -1.0]]]), torch.tensor([[[1.2, 0.5]]])
    p, q = torch.sigmoid(a), torch.sigmoid(b)

    def kl(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x * (x / y).log() + (1 - x) * ((1 - x) / (1 - y)).log()

    found = symmetric_kl(a, b, torch.tensor([[True]]))
    torch.testing.assert_close(found, (kl(p, q) + kl(q, p)).mean())
    assert symmetric_kl(a, b, torch.tensor([[False]])) == 0


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """The tinted corpus, with texts whose emotion is known and neutral faces."""
    folder = tinted_corpus(tmp_path / "tinted", train=12, valid=4, test=1, truth=True, neutral_faces=True)
    write_neutral_faces(folder)
    return folder


def run(corpus: Path, neutral: int = 0, attention: float = 0.0, two_texts: float = 0.0, **train: object) -> RunConfig:
    objectives = {
        "neutral": NeutralFacesConfig(neutral),
        "attention": AttentionSupervisionConfig(attention),
        "two_texts": TwoTextsConfig(two_texts),
    }
    return RunConfig(SMALL, TrainConfig(corpus=str(corpus), batch_size=6, epochs=1, **objectives, **train))  # type: ignore[arg-type]


def test_an_epoch_with_all_objectives_moves_the_bilinear_score(corpus: Path, tmp_path: Path) -> None:
    trainer = Trainer(run(corpus, neutral=4, attention=1.0, two_texts=1.0, attention_lr_factor=20.0), tmp_path / "run")
    trainer.fit()
    bilinear = trainer.model.branches["visual"].cnn.attention[0].bilinear.weight  # type: ignore[union-attr, index]
    assert bilinear.abs().sum() > 0


def test_frozen_attention_stays(corpus: Path, tmp_path: Path) -> None:
    trainer = Trainer(run(corpus, neutral=4, two_texts=1.0, freeze_attention=True), tmp_path / "run")
    before = [p.clone() for p in trainer.model.attention_parameters()]
    trunk = next(trainer.model.branches["visual"].parameters()).clone()
    trainer.fit()
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.model.attention_parameters(), strict=True))
    assert not torch.equal(trunk, next(trainer.model.branches["visual"].parameters()))


def test_a_frozen_stem_stays_as_the_start_had_it(corpus: Path, tmp_path: Path) -> None:
    start = Trainer(run(corpus), tmp_path / "start").fit()
    trainer = Trainer(run(corpus, init_from=str(start), freeze_stem=True), tmp_path / "run")
    cnn = trainer.model.branches["visual"].cnn  # type: ignore[union-attr]
    before = {k: v.clone() for k, v in cnn.state_dict().items()}
    trainer.fit()
    changed = {
        k.split(".conv")[0].split(".bn")[0] for k, v in cnn.state_dict().items() if not torch.equal(v, before[k])
    }
    assert changed - {k for k in changed if k.startswith("attention")} == {"blocks.2", "blocks.3", "blocks.4"}
    for part in ("freeze_stem", "freeze_text"):
        with pytest.raises(ConfigError, match="--init"):
            Trainer(run(corpus, **{part: True}), tmp_path / "other")


def test_frozen_text_keeps_its_scores_and_the_weights(corpus: Path, tmp_path: Path) -> None:
    start = Trainer(run(corpus), tmp_path / "start").fit()
    trainer = Trainer(run(corpus, init_from=str(start), freeze_text=True), tmp_path / "run")
    before = {k: v.clone() for k, v in trainer.model.state_dict().items()}
    trainer.fit()
    same = {k for k, v in trainer.model.state_dict().items() if torch.equal(v, before[k])}
    assert {k for k in before if k.startswith(("branches.text", "fusion"))} <= same
    assert not {k for k in before if k.startswith("branches.visual.out")} & same


def test_the_bilinear_score_has_a_rate_of_its_own() -> None:
    model = build_model(replace(SMALL, text_trainable=False))
    groups = {g["name"]: g for g in parameter_groups(model, TrainConfig(lr=1e-2, bilinear_lr_factor=0.5))}
    bilinear = [branch.cnn.attention[i].bilinear.weight for branch in model.branches.values()
                if isinstance(branch, SegmentBranch) for i in range(3)]  # fmt: skip
    assert {id(p) for p in groups["bilinear"]["params"]} == {id(p) for p in bilinear}
    assert groups["bilinear"]["lr"] == pytest.approx(5e-3) and groups["bilinear"]["weight_decay"] == 0
    assert not {id(p) for p in groups["attention"]["params"]} & {id(p) for p in bilinear}


def test_a_corpus_without_neutral_faces_says_so(corpus: Path, tmp_path: Path) -> None:
    (corpus / "neutral_faces.npz").unlink()
    with pytest.raises(ConfigError, match="has no neutral faces"):
        Trainer(run(corpus, neutral=4), tmp_path / "run")
    with pytest.raises(ConfigError, match="three shares"):
        AttentionSupervisionConfig(1.0, (0.5, 0.5, 0.1))
    dense = run(corpus, neutral=4)
    with pytest.raises(ConfigError, match="need a MESM"):
        Trainer(RunConfig(SMALL.as_model("fe2e"), dense.train), tmp_path / "run")
    assert Corpus(corpus).name == "tinted"
