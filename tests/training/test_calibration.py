"""The modalities' weights on held-out clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mesm.config import FE2EConfig, RunConfig, TrainConfig
from mesm.data.loading import SplitLoader
from mesm.data.store import Corpus
from mesm.models import load_checkpoint
from mesm.training.calibration import branch_logits, fit_fusion
from mesm.training.scoring import score_batches
from mesm.training.trainer import Trainer
from tests.training.corpora import LABELS, tinted_corpus


def test_true_weights_are_found_again() -> None:
    """Labels drawn from a weighted sum of logits: the fit finds the weights, and none for the branch that says nothing."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (20_000, 3, 2))
    wanted = np.array([0.5, 1.5, 0.0])
    fused = (logits * wanted[None, :, None]).sum(1) + np.array([0.7, -0.7])
    truth = rng.random(fused.shape) < 1 / (1 + np.exp(-fused))
    found = fit_fusion(torch.from_numpy(logits), torch.from_numpy(truth).float(), torch.ones(2))
    np.testing.assert_allclose(found, wanted, atol=0.06)


def test_a_positive_of_weight_three_counts_as_three_positives() -> None:
    """Labels that no weighted sum of the logits explains: which weights are the best depends on those of the classes."""
    rng = np.random.default_rng(0)
    logits_NME = torch.from_numpy(rng.normal(0, 1.5, (4000, 2, 1)))
    truth_NE = ((logits_NME[:, 0] > 1) | (logits_NME[:, 1] > 2) & (logits_NME[:, 0] > -1)).float()
    times_N = 1 + 2 * truth_NE[:, 0].long()
    repeated = [values.repeat_interleave(times_N, 0) for values in (logits_NME, truth_NE)]
    weighted_M = fit_fusion(logits_NME, truth_NE, torch.tensor([3.0]))
    torch.testing.assert_close(weighted_M, fit_fusion(*repeated, torch.ones(1)), atol=0.02, rtol=0.02)
    assert not torch.allclose(weighted_M, fit_fusion(logits_NME, truth_NE, torch.ones(1)), atol=0.1)


def test_logits_of_scores() -> None:
    logits = torch.tensor([[[-3.0, 0.0, 4.0]]])
    torch.testing.assert_close(branch_logits(torch.sigmoid(logits).numpy()).float(), logits, atol=1e-4, rtol=0)


@pytest.mark.parametrize("fusion", ["learned", "held_out"])
def test_a_run_ends_with_weights_fitted_on_valid(fusion: str, tmp_path: Path) -> None:
    corpus = tinted_corpus(tmp_path / "tinted", train=8, valid=8, test=1)
    config = FE2EConfig(
        labels=LABELS, width=0.125, head_dim=16, transformer_dim=16, transformer_layers=1,
        transformer_feedforward=16,
    )  # fmt: skip
    train = TrainConfig(corpus=str(corpus), epochs=1, batch_size=8, keep="last", fusion=fusion)
    trainer = Trainer(RunConfig(config, train), tmp_path / "run")
    vectors = trainer.setup.inputs["text_vectors"]
    folder = trainer.fit()
    best, found = load_checkpoint(tmp_path / "run" / "best"), load_checkpoint(folder)
    learned, weights = (one.model.fusion.weight.detach() for one in (best, found))
    if fusion == "learned":
        torch.testing.assert_close(weights, learned, atol=1e-3, rtol=1e-3)  # stored in float16
        assert found.metrics.thresholds == best.metrics.thresholds
    else:
        assert not torch.allclose(weights, learned, atol=0.01)
        scores = {
            split: score_batches(
                best.model, SplitLoader(Corpus(corpus), split, LABELS, batch_size=8, text_vectors=vectors).epoch(0)
            )
            for split in ("train", "valid")
        }
        fitted = {
            split: fit_fusion(
                branch_logits(one.branch_scores), torch.from_numpy(one.truth), trainer.objectives.label_loss.weights_E
            )
            for split, one in scores.items()
        }
        torch.testing.assert_close(weights, fitted["valid"], atol=5e-3, rtol=5e-3)
        assert not torch.allclose(fitted["train"], fitted["valid"], atol=0.02)
        assert found.metrics.valid != best.metrics.valid and len(found.metrics.thresholds) == len(LABELS)
        assert "fitted on the validation split" in found.card
    assert len(Corpus(corpus).ids("valid")) == found.metrics.valid.n
