"""Auxiliary targets: learned in training, absent from the checkpoint, standardised, and their loss by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mesm.config import AuxiliaryTargetsConfig, FE2EConfig, RunConfig, TrainConfig
from mesm.data.store import CorpusWriter
from mesm.errors import ConfigError
from mesm.models import load_checkpoint
from mesm.training.progress import EpochReport, StepReport
from mesm.training.trainer import Trainer, resume
from tests.training.corpora import LABELS, text_truth, tinted_corpus, tinted_sample

SMALL = FE2EConfig(
    labels=LABELS, width=0.125, head_dim=16, transformer_dim=16, transformer_layers=1,
    transformer_feedforward=16, dropout=0.0, text_hidden=8,
)  # fmt: skip
TRAIN = TrainConfig(epochs=2, batch_size=8, keep="last", auxiliary=AuxiliaryTargetsConfig(2.0))


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus whose action units are the tint of the first label, and whose pitch is the second's."""
    folder, rng = tmp_path_factory.mktemp("known"), np.random.default_rng(1)
    with CorpusWriter(folder, "known", LABELS, capabilities=("action_units", "prosody")) as writer:
        for split, number in (("train", 24), ("valid", 12)):
            for i in range(number):
                labels = np.eye(6, dtype=int)[i % 6]
                truth = text_truth(labels)
                prosody = {"pitch": float(labels[1]), "rate": float(i % 2)}
                moved = np.full((2, 2), float(labels[0]), np.float32)
                sample = tinted_sample(f"{split}{i:02d}", labels, split, rng)
                writer.add(replace(sample, truth=replace(truth, au_intensity=moved, prosody=prosody)))
    return folder


def test_the_heads_learn_and_are_not_in_the_checkpoint(known: Path, tmp_path: Path) -> None:
    run = RunConfig(SMALL, replace(TRAIN, corpus=str(known), epochs=15, lr=3e-3, schedule="constant", augment=False))
    trainer = Trainer(run, tmp_path / "run")
    assert trainer.objectives.auxiliary is not None
    heads = trainer.objectives.auxiliary.heads
    batch = next(trainer.train_loader.epoch(0))

    def cost() -> float:
        trainer.model.train()
        with torch.no_grad():
            return float(heads(trainer.model(batch), batch.clip_ids))

    before = cost()
    checkpoint = trainer.fit()
    assert cost() < 0.8 * before
    assert not [
        name for name in load_checkpoint(checkpoint).model.state_dict() if "heads" in name or "auxiliary" in name
    ]


def test_rows_follow_the_clips(known: Path, tmp_path: Path) -> None:
    trainer = Trainer(RunConfig(SMALL, replace(TRAIN, corpus=str(known))), tmp_path / "run")
    assert trainer.objectives.auxiliary is not None
    rows = trainer.objectives.auxiliary.heads.rows
    every = torch.cat([rows[clip]["visual"] for clip in rows])
    assert every.mean().abs() < 1e-5 and every.std(0).mean() == pytest.approx(1, abs=1e-3)
    # The action unit is high in exactly the clips of the first label, in both of their frames.
    for number in range(24):
        assert (rows[f"train{number:02d}"]["visual"] > 0).all() == (number % 6 == 0)


def test_a_killed_run_goes_on_with_its_heads(known: Path, tmp_path: Path) -> None:
    run = RunConfig(SMALL, replace(TRAIN, corpus=str(known)))
    whole = load_checkpoint(Trainer(run, tmp_path / "whole").fit()).model.state_dict()

    class StopError(Exception):
        pass

    def stop(report: StepReport | EpochReport) -> None:
        if isinstance(report, EpochReport):
            raise StopError

    with pytest.raises(StopError):
        Trainer(run, tmp_path / "cut", stop).fit()
    again = load_checkpoint(resume(tmp_path / "cut")).model.state_dict()
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_a_corpus_without_the_targets_is_refused(tmp_path: Path) -> None:
    corpus = tinted_corpus(tmp_path / "corpus")
    with pytest.raises(ConfigError, match=r"set train\.auxiliary\.weight=0"):
        Trainer(RunConfig(SMALL, replace(TRAIN, corpus=str(corpus))), tmp_path / "run")
