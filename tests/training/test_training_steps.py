"""Single decisions of the trainer: accumulation, clipping, drawn top-p, the epoch that is kept, and which split is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mesm.config import (
    AttentionSupervisionConfig,
    BranchLossConfig,
    FE2EConfig,
    LabelLossConfig,
    LFLSTMConfig,
    ModelConfig,
    NeutralFacesConfig,
    RunConfig,
    TrainConfig,
    TwoTextsConfig,
)
from mesm.data.store import Corpus
from mesm.models import load_checkpoint
from mesm.records.training_log import LOG_NAME, read_log
from mesm.training import model_setup
from mesm.training.objectives.label_loss import positive_weights
from mesm.training.progress import EpochReport, StepReport
from mesm.training.scoring import score_batches
from mesm.training.trainer import Trainer, _draw_top_p
from mesm.training.validation import Validation
from tests.training.corpora import LABELS, tinted_corpus, write_neutral_faces

WORDS = FE2EConfig(
    labels=LABELS, modalities=("text",), width=0.125, head_dim=16, transformer_dim=16,
    transformer_layers=1, transformer_feedforward=16, dropout=0.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tinted_corpus(tmp_path_factory.mktemp("corpus") / "tinted", train=12, valid=8, test=8)


def run_of(corpus: Path, model: ModelConfig = WORDS, **train: Any) -> RunConfig:
    settings: dict[str, Any] = {"corpus": str(corpus), "batch_size": 6, "epochs": 1, "augment": False}
    return RunConfig(model, TrainConfig(**settings | train))


def gradients(trainer: Trainer) -> list[list[torch.Tensor]]:
    """A list that gets the gradients at each step of the trainer's optimiser."""
    seen: list[list[torch.Tensor]] = []

    def note(optimizer: torch.optim.Optimizer, *_: object) -> None:
        seen.append([p.grad.clone() for g in optimizer.param_groups for p in g["params"] if p.grad is not None])

    trainer.optimizer.register_step_pre_hook(note)
    return seen


def test_accumulated_gradients_are_a_mean(corpus: Path, tmp_path: Path) -> None:
    single = Trainer(run_of(corpus, clip_norm=1e6), tmp_path / "a")
    double = Trainer(run_of(corpus, clip_norm=1e6, accumulate=2), tmp_path / "b")
    batch = next(single.train_loader.epoch(0))
    one, two = gradients(single), gradients(double)
    single.step(batch, 0)
    double.step(batch, 0)
    assert not two, "the optimiser waits for the second batch"
    double.step(batch, 1)
    assert len(one) == len(two) == 1 and any(g.abs().sum() > 0 for g in one[0])
    for a, b in zip(one[0], two[0], strict=True):
        torch.testing.assert_close(a, b)


def test_gradients_are_clipped_and_start_at_zero_each_step(corpus: Path, tmp_path: Path) -> None:
    trainer = Trainer(run_of(corpus, clip_norm=0.01, lr=1e-12), tmp_path)
    seen, batch = gradients(trainer), next(trainer.train_loader.epoch(0))
    trainer.step(batch, 0)
    trainer.step(batch, 1)
    norms = [float(torch.cat([g.flatten() for g in step]).norm()) for step in seen]
    assert norms == pytest.approx([0.01, 0.01], rel=1e-3)
    free = Trainer(run_of(corpus, clip_norm=1e6, lr=1e-12), tmp_path / "free")
    seen = gradients(free)
    free.step(batch, 0)
    free.step(batch, 1)
    for a, b in zip(*seen, strict=True):
        torch.testing.assert_close(a, b)


def test_top_p_is_drawn_for_every_step(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sparse = WORDS.as_model("mesm")
    trainer = Trainer(run_of(corpus, sparse, top_p_range=(0.3, 0.6), batch_size=2), tmp_path / "a")
    drawn: list[float | None] = []
    original = type(trainer.model).forward

    def forward(self, batch, top_p, *rest):  # type: ignore[no-untyped-def]
        drawn.append(top_p)
        return original(self, batch, top_p, *rest)

    monkeypatch.setattr(type(trainer.model), "forward", forward)
    batches = list(trainer.train_loader.epoch(0))
    for index, batch in enumerate(batches):
        trainer.step(batch, index)
    first = list(drawn)
    assert len(set(first)) == len(batches) and all(p is not None and 0.3 <= p <= 0.6 for p in first)
    drawn.clear()
    trainer.step(batches[3], 3)
    assert drawn == [first[3]], "of the step, not of the steps before"
    drawn.clear()
    Trainer(run_of(corpus, sparse), tmp_path / "b").step(batches[0], 0)
    assert drawn == [None], "the model's own"


def test_top_p_moves_from_its_start_to_its_usual_value() -> None:
    config = TrainConfig(epochs=2, top_p_start=1.0)
    moved = [_draw_top_p(config, epoch, step, 4, 0.5) for epoch in range(2) for step in range(4)]
    assert moved == pytest.approx([1, 0.875, 0.75, 0.625, 0.5, 0.5, 0.5, 0.5])
    assert _draw_top_p(config, 0, 0, 4, None) is None, "a model without attention"
    drawn = _draw_top_p(TrainConfig(top_p_range=(0.3, 0.4)), 0, 3, 4, 0.5)
    annealed = _draw_top_p(TrainConfig(top_p_range=(0.3, 0.4), top_p_start=1.0, epochs=1), 0, 1, 4, 0.5)
    own = _draw_top_p(TrainConfig(top_p_range=(0.3, 0.4)), 0, 1, 4, 0.5)
    assert drawn is not None and 0.3 <= drawn <= 0.4
    assert annealed is not None and own is not None and annealed == pytest.approx((1 + own) / 2)


def with_scores(monkeypatch: pytest.MonkeyPatch, scores: list[float]) -> None:
    """Let the epochs have these valid F1."""
    original: Callable[..., Validation] = Validation.of
    coming = iter(scores)

    def of(*arguments: Any) -> Validation:
        found = original(*arguments)
        return replace(found, summary=found.summary | {"f1": next(coming)})

    monkeypatch.setattr(Validation, "of", of)


def test_the_validation_loss_by_hand(corpus: Path, tmp_path: Path) -> None:
    """The label loss of training, smoothed and weighted by the training split, as a mean over clips, not over batches."""
    trainer = Trainer(run_of(corpus, epochs=1, label=LabelLossConfig(smoothing=0.1)), tmp_path)
    trainer.fit()
    scores = score_batches(trainer.model, trainer.valid_loader.epoch(0))
    p, t, w = scores.scores, scores.truth * 0.8 + 0.1, trainer.objectives.label_loss.weights_E.numpy()
    by_hand = -(w * t * np.log(p) + (1 - t) * np.log(1 - p)).mean()
    (row,) = read_log(tmp_path)
    assert row.valid_loss == pytest.approx(by_hand, abs=1e-4) and len(p) == 8 and len(set(w.round(3))) > 1
    old = {key: value for key, value in json.loads((tmp_path / LOG_NAME).read_text()).items() if key != "valid_loss"}
    (tmp_path / LOG_NAME).write_text(json.dumps(old))
    assert list(read_log(tmp_path)) == [replace(row, valid_loss=None)]


def weights_by_epoch(run: RunConfig, folder: Path) -> tuple[Path, list[dict[str, torch.Tensor]]]:
    weights: list[dict[str, torch.Tensor]] = []

    def note(report: StepReport | EpochReport) -> None:
        if isinstance(report, EpochReport):
            weights.append({k: v.clone() for k, v in trainer.model.state_dict().items()})

    trainer = Trainer(run, folder, note)
    return trainer.fit(), weights


@pytest.mark.parametrize(("keep", "epoch"), [("best", 1), ("last", 3)])
def test_the_kept_epoch(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: str, epoch: int) -> None:
    with_scores(monkeypatch, [10.0, 30.0, 20.0, 30.0])
    folder, weights = weights_by_epoch(run_of(corpus, epochs=4, lr=0.05, keep=keep), tmp_path)
    stored = load_file(tmp_path / "best" / "model.safetensors")
    assert all(torch.equal(stored[k], v) for k, v in weights[epoch].items())
    assert any(not torch.equal(weights[1][k], v) for k, v in weights[3].items())
    assert load_checkpoint(folder).metrics.epoch == epoch


def test_training_stops_when_patience_is_over(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_scores(monkeypatch, [10.0, 30.0, 20.0, 25.0, 40.0, 50.0])
    folder = Trainer(run_of(corpus, epochs=6, patience=2), tmp_path).fit()
    assert [row.epoch for row in read_log(tmp_path)] == [0, 1, 2, 3]
    assert load_checkpoint(folder).metrics.epoch == 1


def test_the_rate_follows_the_schedule(corpus: Path, tmp_path: Path) -> None:
    Trainer(run_of(corpus, epochs=4, lr=1.0, schedule="cosine", warmup=0.25), tmp_path).fit()
    # Two steps an epoch: after the first epoch the peak, after the last nothing.
    rates = [row.lr for row in read_log(tmp_path)]
    assert (
        rates[0] == pytest.approx(1)
        and rates == sorted(rates, reverse=True)
        and rates[-1] == pytest.approx(0, abs=1e-6)
    )


def test_class_weights_are_of_the_training_clips(corpus: Path, tmp_path: Path) -> None:
    store = Corpus(corpus)
    rows = [row for row in store.index if row.split == "train"]

    def weights(rows: list[Any]) -> torch.Tensor:
        return positive_weights(torch.tensor([[float(name in row.present) for name in LABELS] for row in rows]))

    trainer = Trainer(run_of(corpus), tmp_path / "a")
    torch.testing.assert_close(trainer.objectives.label_loss.weights_E.cpu(), weights(rows))
    assert not torch.allclose(weights(rows), weights([r for r in store.index if r.split == "valid"]))
    some = Trainer(run_of(corpus, max_clips=6), tmp_path / "b")
    assert len(some.train_loader.rows) == 6
    torch.testing.assert_close(some.objectives.label_loss.weights_E.cpu(), weights(some.train_loader.rows))
    none = Trainer(run_of(corpus, label=LabelLossConfig("none")), tmp_path / "c")
    assert none.objectives.label_loss.weights_E.tolist() == [1] * 6


def test_features_are_standardised_on_the_training_split(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    class StopError(Exception):
        pass

    def build(config: ModelConfig, store: object, train_ids: list[str]) -> None:
        seen["ids"] = list(train_ids)
        raise StopError

    monkeypatch.setattr(model_setup, "open_features", lambda *_: object())
    monkeypatch.setattr(model_setup, "build_on_features", build)
    baseline = LFLSTMConfig(labels=LABELS, positions=False)
    with pytest.raises(StopError):
        Trainer(run_of(corpus, baseline), tmp_path)
    assert seen["ids"] == list(Corpus(corpus).ids("train"))


def test_batches_are_augmented_in_training_only(corpus: Path, tmp_path: Path) -> None:
    faces = replace(WORDS, modalities=("text", "visual"))
    trainer = Trainer(run_of(corpus, faces, augment=True), tmp_path)
    batch = next(trainer.train_loader.epoch(0))
    moved = trainer.objectives.prepare(batch, 3).batch
    again = trainer.objectives.prepare(batch, 3).batch
    assert not torch.equal(moved.faces, batch.faces.float()) and torch.equal(moved.faces, again.faces)
    assert not torch.equal(trainer.objectives.prepare(batch, 4).batch.faces, moved.faces)
    valid = next(trainer.valid_loader.epoch(0))
    stored = Corpus(corpus).read(valid.clip_ids[0]).faces
    np.testing.assert_array_equal(valid.faces[0].permute(1, 2, 0).numpy(), stored[0])


def test_queries_are_permuted_or_the_clips_own(corpus: Path, tmp_path: Path) -> None:
    sparse = WORDS.as_model("mesm")
    own, shuffled = (
        Trainer(run_of(corpus, sparse, queries=queries), tmp_path / queries) for queries in ("own", "shuffled")
    )
    batch = next(own.train_loader.epoch(0))
    assert own.objectives.prepare(batch, 1).query_index_B.tolist() == list(range(6))
    orders = [shuffled.objectives.prepare(batch, seed).query_index_B.tolist() for seed in range(4)]
    assert all(sorted(order) == list(range(6)) for order in orders) and len({tuple(order) for order in orders}) > 1


def test_the_config_decides_which_objectives_are_summed(tmp_path: Path) -> None:
    corpus = tinted_corpus(tmp_path / "tinted", train=12, valid=2, test=0, truth=True, neutral_faces=True)
    write_neutral_faces(corpus)
    sparse = WORDS.as_model("mesm", modalities=("text", "visual"))
    off: dict[str, Any] = {"branch": BranchLossConfig(0.0)}
    on: dict[str, Any] = {
        "branch": BranchLossConfig(0.5),
        "attention": AttentionSupervisionConfig(2.0),
        "neutral": NeutralFacesConfig(2),
        "two_texts": TwoTextsConfig(3.0),
    }

    def summed(name: str, settings: dict[str, Any]) -> dict[str, float]:
        objectives = Trainer(run_of(corpus, sparse, **settings), tmp_path / name).objectives
        return {type(objective).__name__: objective.weight for objective in objectives.active}

    assert summed("off", off) == {"LabelLoss": 1.0}
    assert summed("on", on) == {
        "LabelLoss": 1.0, "BranchLoss": 0.5, "AttentionSupervision": 2.0, "NeutralFaces": 1.0, "TwoTextsDivergence": 3.0
    }  # fmt: skip
