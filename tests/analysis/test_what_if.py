"""A clip with other words, or without a modality: the same scores as the clip made so, from kept maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mesm.analysis.predictor import Predictor
from mesm.analysis.what_if import MOST_WORDS, change_clip, differing_share, leave_one_word_out, mask_change, what_if
from mesm.batch import MEL_FLOOR, Sample
from mesm.config import MESMConfig
from mesm.data.store import Corpus
from mesm.errors import ConfigError, DataError
from mesm.models import build_model, load_checkpoint, save_checkpoint
from mesm.records.checkpoint import CheckpointMetrics
from mesm.records.prediction import LayerTrace, Prediction, Trace
from tests.analysis.small_model import CONFIG
from tests.training.corpora import tinted_corpus

TEXT = "The tide comes in at noon"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    folder = tmp_path_factory.mktemp("tinted")
    tinted_corpus(folder, train=2, valid=2, test=2)
    clip = Corpus(folder)["test00"]
    mel = clip.mel.copy()
    mel[-1, :, 20:] = np.log10(MEL_FLOOR)  # the sound ends within its last chunk
    return replace(clip, mel=mel, text="I was so glad to see them")


def predictor_of(config: MESMConfig, folder: Path) -> Predictor:
    torch.manual_seed(0)
    save_checkpoint(folder, build_model(config), CheckpointMetrics(thresholds=(0.5,) * 6, trained_on="tinted"), "")
    return Predictor(load_checkpoint(folder), device="cpu")


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    config = replace(CONFIG.as_model("mesm"), mel_statistics=True, text_lexicon=64, padding="masked")
    return predictor_of(config, tmp_path_factory.mktemp("mesm"))


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return predictor_of(CONFIG.as_model("fe2e"), tmp_path_factory.mktemp("fe2e"))


@pytest.mark.parametrize("without", [(), ("acoustic",), ("visual",), ("text",), ("visual", "text")])
def test_kept_maps_give_what_the_changed_clip_gives(
    predictor: Predictor, dense: Predictor, sample: Sample, without: tuple[str, ...]
) -> None:
    for one in (predictor, dense):
        effect = what_if(one, sample, text=TEXT, without=without)
        again = one.run(one.prepare(change_clip(sample, TEXT, without)))
        np.testing.assert_allclose(effect.after.scores, again.scores, atol=1e-6)
        assert effect.after.fusion_weights == again.fusion_weights and effect.after.flags == again.flags
        assert effect.after.macs == again.macs and effect.before.scores.tolist() != again.scores.tolist()
        assert not set(without) & set(effect.after.modality_scores)
        for modality, layers in again.layers.items():
            for a, b in zip(layers, effect.after.layers[modality], strict=True):
                assert np.array_equal(a.kept, b.kept)
        np.testing.assert_allclose(effect.score_change, again.scores - effect.before.scores, atol=1e-6)


def test_a_batch_of_variants_gives_what_each_gives_alone(predictor: Predictor, sample: Sample) -> None:
    clip = predictor.prepare(sample)
    variants = [change_clip(sample, without=("visual",)), sample, change_clip(sample, TEXT), change_clip(sample, "")]
    together = predictor.run_variants(clip, variants)
    for variant, prediction in zip(variants, together, strict=True):
        alone = predictor.run(predictor.prepare(variant))
        np.testing.assert_allclose(prediction.scores, alone.scores, atol=1e-6)
        assert prediction.flags == alone.flags and set(prediction.layers) == set(alone.layers)
        assert prediction.clip_id == sample.clip_id and prediction.macs == alone.macs
    assert mask_change(together[1], predictor.run(clip)) == {"visual": (0.0,) * 3, "acoustic": (0.0,) * 3}


def test_many_variants_are_scored_in_parts(
    predictor: Predictor, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = predictor.prepare(sample)
    variants = [change_clip(sample, f"number {i}") for i in range(5)]
    whole = [prediction.scores for prediction in predictor.run_variants(clip, variants, trace=False)]
    monkeypatch.setattr("mesm.analysis.predictor.VARIANT_BYTES", 1)
    parts = [prediction.scores for prediction in predictor.run_variants(clip, variants, trace=False)]
    np.testing.assert_allclose(whole, parts, atol=1e-6)


def test_nothing_left_and_unknown_modalities_are_refused(predictor: Predictor, sample: Sample) -> None:
    with pytest.raises(DataError, match="nothing can be scored"):
        what_if(predictor, sample, without=("text", "visual", "acoustic"))
    with pytest.raises(ConfigError, match="'voice' must be one of text, visual, acoustic"):
        change_clip(sample, without=("voice",))


def test_no_word_moves_the_mask_of_an_attention_without_a_query(sample: Sample, tmp_path: Path) -> None:
    predictor = predictor_of(replace(CONFIG.as_model("mesm"), query="none"), tmp_path / "free")
    clip = predictor.prepare(sample)
    effects = leave_one_word_out(
        sample.text, lambda texts: predictor.run_variants(clip, [change_clip(sample, t) for t in texts])
    )
    assert all((shares == 0).all() for shares in effects.masks.values()) and np.abs(effects.score_change).max() > 0
    np.testing.assert_allclose(effects.text_share, 1, atol=1e-3)


def test_padding_is_no_site_that_differs() -> None:
    kept = np.array([[[True, False, False, False]]])
    padding = np.array([[[False, False, True, True]]])
    layer, other = (LayerTrace(mask / 1, mask, np.ones_like(mask), padding=padding) for mask in (kept, ~kept))
    assert differing_share(layer, replace(layer, kept=~kept)) == 1 and differing_share(layer, layer) == 0
    only_in_padding = replace(layer, kept=kept | padding)
    assert differing_share(layer, only_in_padding) == 0 and differing_share(other, only_in_padding) == 1


def made_run(texts: Sequence[str]) -> list[Prediction]:
    """ "sad" adds 2 to the logit of sadness, 1.5 of it in the text branch; "there" moves one of four sites."""
    predictions = []
    for text in texts:
        sad = "sad" in text.split()
        kept = np.array([[[True, "there" in text.split(), False, False]]])
        layer = LayerTrace(kept / 2, kept, np.ones_like(kept))
        fused, own = (1 / (1 + np.exp(-np.array([0.0, value * sad]))) for value in (2.0, 3.0))
        predictions.append(
            Prediction("c", ("anger", "sadness"), fused, np.full(2, 0.5), {"text": own}, {"text": 0.5},
                       trace=Trace({"visual": (layer,)}, 0.5))
        )  # fmt: skip
    return predictions


def test_the_effects_of_each_word() -> None:
    effects = leave_one_word_out("so sad  there", made_run)
    assert effects.words == ("so", "sad", "there") and effects.left_over == 0
    np.testing.assert_allclose(effects.score_change[:, 1], [0, 0.5 - 1 / (1 + np.exp(-2)), 0], atol=1e-9)
    assert effects.masks["visual"].tolist() == [[0.0], [0.0], [0.25]]
    assert effects.top_labels == ("sadness", "anger", "sadness")
    np.testing.assert_allclose(effects.text_share[1], 0.75, atol=1e-6)
    assert np.isnan(effects.text_share[0])


def test_long_and_empty_transcripts() -> None:
    effects = leave_one_word_out("word " * (MOST_WORDS + 7), made_run)
    assert len(effects.words) == MOST_WORDS and effects.left_over == 7
    with pytest.raises(DataError, match="no words"):
        leave_one_word_out("  ", made_run)
