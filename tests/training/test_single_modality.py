"""Both models on corpora of one modality, and on one that mixes them: train an epoch, evaluate, sweep."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mesm.analysis.predictor import Predictor
from mesm.batch import Sample
from mesm.config import AttentionSupervisionConfig, FE2EConfig, RunConfig, TrainConfig
from mesm.data.loading import SplitLoader
from mesm.data.store import Corpus, CorpusWriter
from mesm.errors import ConfigError, DataError
from mesm.models import load_checkpoint
from mesm.records.checkpoint import METRICS
from mesm.studies.evaluation.measure import evaluate
from mesm.studies.evaluation.tables import summary_lines
from mesm.studies.sweep.measure import measure_sweep
from mesm.studies.sweep.tables import notes
from mesm.training.trainer import Trainer
from mesm.vocabulary import MODALITIES, NEUTRAL_QUERY
from tests.training.corpora import LABELS, tinted_sample

SMALL = FE2EConfig(
    labels=LABELS, width=0.125, head_dim=16, transformer_dim=16, transformer_layers=1,
    transformer_feedforward=16, dropout=0.1,
)  # fmt: skip


def only(sample: Sample, modality: str) -> Sample:
    """The same clip with one modality."""
    faces = {} if modality == "visual" else {name: getattr(sample, name)[:0] for name in
             ("faces", "face_times_s", "face_boxes", "face_found")}  # fmt: skip
    return replace(
        sample,
        text=sample.text if modality == "text" else "",
        mel=sample.mel if modality == "acoustic" else sample.mel[:0],
        **faces,
    )


def corpus_of(folder: Path, *modalities: str) -> Corpus:
    """A corpus whose clips have one of these modalities, in turn."""
    rng = np.random.default_rng(0)
    with CorpusWriter(folder, "-".join(modalities), LABELS) as writer:
        for split, count in (("train", 6), ("valid", 6), ("test", 6)):
            for i in range(count):
                labels = np.eye(6, dtype=int)[i % 6]
                sample = tinted_sample(f"{split}{i:02d}", labels, split, rng)
                writer.add(only(sample, modalities[i % len(modalities)]))
    return Corpus(folder)


def trained(name: str, corpus: Corpus, out: Path, **model: object) -> Predictor:
    config = replace(SMALL.as_model(name), **model)  # type: ignore[arg-type]
    run = RunConfig(config, TrainConfig(corpus=str(corpus.folder), batch_size=4, epochs=1))
    return Predictor(load_checkpoint(Trainer(run, out).fit()), device="cpu")


@pytest.mark.parametrize("modalities", [("text",), ("visual",), ("acoustic",), MODALITIES])
@pytest.mark.parametrize("name", ["fe2e", "mesm"])
def test_train_evaluate_and_sweep(name: str, modalities: tuple[str, ...], tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path / "corpus", *modalities)
    predictor = trained(name, corpus, tmp_path / "run")
    evaluation = evaluate(predictor, corpus, draws=10)
    assert evaluation.clips == 6 and np.isfinite(evaluation.per_clip.scores).all()
    ratios = evaluation.per_clip.conv_stack_ratio
    assert len(ratios) in (0, 6) and np.isfinite(ratios).sum() == sum(m != "text" for m in modalities) * 6 // len(
        modalities
    )
    silent = sum("text" not in row.modalities for row in corpus.index if row.split == "test")
    sentence = f"{silent} of 6 clips have no words: face and voice are queried by “{NEUTRAL_QUERY}”"
    assert (sentence in summary_lines(evaluation)) == (name == "mesm" and silent > 0)
    if name == "fe2e":
        return
    if modalities == ("text",):
        with pytest.raises(DataError, match="has a face or sound to be selected from"):
            measure_sweep(predictor, corpus, (0.5,))
        return
    sweep = measure_sweep(predictor, corpus, (0.3, 0.7), draws=10)
    assert sweep.clips == 6 and sentence in notes(sweep)


def test_voices_alone_have_the_dense_models_saliency_as_target(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path / "corpus", "acoustic")
    dense = trained("fe2e", corpus, tmp_path / "dense", modalities=("text", "acoustic"))
    sparse = replace(SMALL.as_model("mesm"), modalities=("text", "acoustic"))
    for target in ("saliency", "points"):
        train = TrainConfig(
            corpus=str(corpus.folder), batch_size=4, epochs=1, init_from=str(dense.folder), augmentation="broad",
            attention=AttentionSupervisionConfig(4.0, (0.3, 0.0, 0.2), target=target),
        )  # fmt: skip
        trainer = Trainer(RunConfig(sparse, train), tmp_path / target)
        batch = next(iter(trainer.train_loader.epoch(0)))
        step = trainer.objectives.prepare(batch, 0)
        assert step.regions_SRHW is None and (step.voice_regions_C1HW is not None) == (target == "saliency")
        if step.voice_regions_C1HW is not None:
            assert (
                step.voice_regions_C1HW.shape == (len(batch.mels), 1, 128, 32) and step.voice_regions_C1HW.max() > 0.9
            )
        assert np.isfinite(trainer.step(batch, 0))


def test_clips_without_the_models_modalities_are_left_out_and_counted(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path / "corpus", *MODALITIES)
    run = RunConfig(
        replace(SMALL, modalities=("text", "visual")), TrainConfig(corpus=str(corpus.folder), batch_size=4, epochs=1)
    )
    trainer = Trainer(run, tmp_path / "run")
    assert [row.clip_id for row in trainer.train_loader.rows] == ["train00", "train01", "train03", "train04"]
    assert trainer.train_loader.left_out == 2 == trainer.valid_loader.left_out
    assert "4 of 12 clips have no text or visual: left out" in trainer.setup.notes
    evaluation = evaluate(Predictor(load_checkpoint(trainer.fit()), device="cpu"), corpus, draws=10)
    assert evaluation.clips == 4 and "2 of 6 clips have no text or visual: left out" in summary_lines(evaluation)
    voices = corpus_of(tmp_path / "voices", "acoustic")
    with pytest.raises(DataError, match=r"none of the 6 test clips of corpus 'acoustic' has text or visual"):
        SplitLoader(voices, "test", LABELS, batch_size=4, modalities=("text", "visual"))


def test_a_silent_clip_scores_alike_in_any_company(tmp_path: Path) -> None:
    torch.manual_seed(0)
    corpus = corpus_of(tmp_path / "corpus", *MODALITIES)
    predictor = trained("mesm", corpus, tmp_path / "run")
    scores = evaluate(predictor, corpus, draws=10).per_clip
    for clip_id, row in zip(scores.ids, scores.scores, strict=True):
        np.testing.assert_allclose(predictor.predict(corpus[clip_id]).scores, row, atol=1e-3)


def test_the_adapter_of_the_text_encoder_is_trained_alone(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path / "corpus", "text")
    start = trained("fe2e", corpus, tmp_path / "start", modalities=("text",))
    stored = json.loads((start.folder / METRICS).read_text())
    (start.folder / METRICS).write_text(json.dumps(stored | {"sources": ["x; CC BY-NC 4.0"]}))
    words = replace(SMALL, modalities=("text",), text_adapter=2)
    train = TrainConfig(
        corpus=str(corpus.folder), batch_size=2, epochs=2, lr=1e-2, text_lr_factor=1.0, init_from=str(start.folder)
    )
    run = RunConfig(words, replace(train, freeze_branches=True))
    adapted = Predictor(load_checkpoint(Trainer(run, tmp_path / "run").fit()), device="cpu")
    assert adapted.metrics.sources[-1] == "x; CC BY-NC 4.0" and "non-commercial" in adapted.card, (
        "the start's licence goes on"
    )
    before, after = start.model.state_dict(), adapted.model.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    moved = {name for name in after if name.startswith("text_encoder.") and name.endswith(".up") and after[name].any()}
    assert len(moved) == 18, "each linear map of the last three layers"
    sample = corpus["test00"]
    assert not np.allclose(adapted.predict(sample).scores, start.predict(sample).scores, atol=1e-4)
    assert evaluate(adapted, corpus, draws=10).clips == 6

    again = replace(train, init_from=str(adapted.folder), epochs=1)
    with pytest.raises(ConfigError, match=r"has parts that this model lacks; set text_adapter=2$"):
        Trainer(RunConfig(replace(words, text_adapter=0), again), tmp_path / "dropped")
    frozen = RunConfig(words, replace(again, freeze_text=True))
    with pytest.raises(ConfigError, match=r"^freeze_text leaves nothing to train; set one to false"):
        Trainer(frozen, tmp_path / "frozen")
