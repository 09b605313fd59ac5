"""The terms that teach the attention to follow the text without speaking through the mask."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from corpora import LABELS, tinted_corpus

from mesm.config import ModelConfig, RunConfig, TrainConfig
from mesm.data.store import Corpus
from mesm.errors import ConfigError, DataError
from mesm.layers.sparse_vgg import LayerTensors
from mesm.models import build_model
from mesm.models.encoders import SegmentBranch
from mesm.training.guidance import NeutralBatch, guide_loss, symmetric_kl
from mesm.training.optim import parameter_groups
from mesm.training.trainer import Trainer

SMALL = ModelConfig(
    labels=LABELS, width=0.125, head_dim=16, transformer_dim=16, transformer_layers=1, transformer_feedforward=16,
    dropout=0.0, score="additive_bilinear",
)  # fmt: skip


def layer(attention: torch.Tensor) -> LayerTensors:
    everywhere = torch.ones_like(attention, dtype=torch.bool)
    return LayerTensors(attention, everywhere, everywhere, ())


def test_guide_by_hand() -> None:
    # A 4x4 map: the text's region is the left half, +0.5 there and -0.5 elsewhere.
    target = torch.full((1, 4, 4), -0.5)
    target[:, :, :2] = 0.5
    neutral = NeutralBatch(labelled=0, faces=0, target_SHW=target)
    uniform = torch.full((1, 4, 4), 1 / 16)
    assert float(guide_loss([layer(uniform)], neutral, 0.1)) == pytest.approx(0.1)
    leaning = uniform.clone()
    leaning[:, :, :2] = 0.6 / 8
    leaning[:, :, 2:] = 0.4 / 8
    # S = (0.6 - 0.4) * 0.5 / 0.5 = 0.2: enough for a margin of 0.1, 0.3 short of 0.5.
    assert float(guide_loss([layer(leaning)], neutral, 0.1)) == 0
    assert float(guide_loss([layer(leaning)], neutral, 0.5)) == pytest.approx(0.3)


def test_only_the_neutral_faces_are_guided() -> None:
    target = torch.ones(1, 4, 4)
    own = torch.full((2, 4, 4), 1 / 16, requires_grad=True)
    both = torch.cat([own, torch.full((1, 4, 4), 1 / 16)])
    guide_loss([layer(both)], NeutralBatch(2, 2, target), 9.0).backward()
    assert own.grad is not None and not own.grad.any()


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
    folder = tinted_corpus(tmp_path / "tinted", train=12, valid=4, test=1, truth=True)
    rng = np.random.default_rng(0)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        image=rng.integers(0, 255, (8, 48, 48, 3), dtype=np.uint8),
        region=rng.integers(0, 255, (8, 6, 48, 48), dtype=np.uint8),
        head=np.full((8, 48, 48), 255, np.uint8),
        speaker=np.array(["a"] * 8),
    )
    (folder / "neutral_faces.npz").write_bytes(buffer.getvalue())
    return folder


def run(corpus: Path, **train: object) -> RunConfig:
    return RunConfig(SMALL, TrainConfig(corpus=str(corpus), batch_size=6, epochs=1, **train))  # type: ignore[arg-type]


def test_a_guided_epoch_moves_the_text_specific_part(corpus: Path, tmp_path: Path) -> None:
    trainer = Trainer(run(corpus, neutral_faces=4, guide=1.0, text_kl=1.0, attention_lr_factor=20.0), tmp_path / "run")
    assert trainer.neutral is not None and [len(t) > 0 for t in trainer.neutral.texts] == [True] * 6
    trainer.fit()
    bilinear = trainer.model.branches["visual"].cnn.attention[0].bilinear.weight  # type: ignore[union-attr, index]
    assert bilinear.abs().sum() > 0


def test_frozen_attention_stays(corpus: Path, tmp_path: Path) -> None:
    trainer = Trainer(run(corpus, neutral_faces=4, text_kl=1.0, freeze_attention=True), tmp_path / "run")
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
    with pytest.raises(ConfigError, match="--init"):
        Trainer(run(corpus, freeze_stem=True), tmp_path / "other")


def test_the_steering_term_has_a_rate_of_its_own() -> None:
    model = build_model(replace(SMALL, text_trainable=False))
    groups = {g["name"]: g for g in parameter_groups(model, TrainConfig(lr=1e-2, steering_lr_factor=0.5))}
    steering = [branch.cnn.attention[i].bilinear.weight for branch in model.branches.values()
                if isinstance(branch, SegmentBranch) for i in range(3)]  # fmt: skip
    assert {id(p) for p in groups["steering"]["params"]} == {id(p) for p in steering}
    assert groups["steering"]["lr"] == pytest.approx(5e-3) and groups["steering"]["weight_decay"] == 0
    assert not {id(p) for p in groups["attention"]["params"]} & {id(p) for p in steering}


def test_a_corpus_without_neutral_faces_says_so(corpus: Path, tmp_path: Path) -> None:
    (corpus / "neutral_faces.npz").unlink()
    with pytest.raises(DataError, match="has no neutral faces"):
        Trainer(run(corpus, neutral_faces=4), tmp_path / "run")
    with pytest.raises(ConfigError, match="guide needs neutral faces"):
        run(corpus, guide=1.0)
    dense = run(corpus, neutral_faces=4)
    with pytest.raises(ConfigError, match="needs a MESM"):
        Trainer(RunConfig(replace(SMALL, name="fe2e"), dense.train), tmp_path / "run")
    assert Corpus(corpus).name == "tinted"
