"""The graph in ONNX form computes the model's scores, for any number of segments; a MESM's in its dense form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mesm.analysis.predictor import load
from mesm.batch import Batch
from mesm.cli import main
from mesm.config import ModelConfig
from mesm.data.corpora import open_corpus
from mesm.errors import ConfigError
from mesm.layers.masked_dense import _nucleus
from mesm.layers.nucleus import nucleus_mask
from mesm.models import EmotionModel, build_model
from mesm.models.onnx_form import OneClip, input_names, write_onnx
from tests.models.model_fixtures import TINY, random_batch, tiny

try:
    import onnxruntime
except ImportError:
    onnxruntime = None
needs_runtime = pytest.mark.skipif(onnxruntime is None, reason="needs onnxruntime")
SMALL = TINY.as_model("fe2e")
#: Settings of a MESM whose blocks differ in what they compute.
BLOCKS: list[tuple[float, dict[str, object]]] = [
    (0.5, {}),
    (0.9, {"gate": "soft", "score": "additive_bilinear"}),
    (0.3, {"gate": "soft_straight_through", "padding": "masked", "score": "additive_bilinear"}),
    (1.0, {"gate": "straight_through", "padding": "masked"}),
    (0.1, {"query": "none", "stem_blocks": 1}),
    (0.7, {"modalities": ("text", "acoustic"), "padding": "masked"}),
]


def inputs_of(batch: Batch, config: ModelConfig) -> dict[str, torch.Tensor]:
    assert batch.text_vectors is not None
    values = {"text_vector": batch.text_vectors, "faces": batch.faces.float(), "mels": batch.mels.float()}
    return {name: values[name] for name in input_names(config)}


def ending_batch(faces: int, chunks: int) -> Batch:
    """A clip whose sound ends inside its last chunk."""
    batch = random_batch([faces], [chunks])
    batch.mels[-1, :, :, 11:] = -10.0
    return batch


@pytest.mark.parametrize(("top_p", "settings"), BLOCKS)
def test_masked_dense_blocks_give_the_scores_of_the_dense_backend(top_p: float, settings: dict[str, object]) -> None:
    torch.manual_seed(1)
    config = replace(TINY, backend="dense", **settings)
    model = build_model(config).eval()
    assert isinstance(model, EmotionModel)
    spread_attention(model)
    graph = OneClip(model, top_p)
    for faces, chunks in ((1, 1), (2, 7)):
        batch = ending_batch(faces, chunks)
        with torch.no_grad():
            scores, logits = graph(*inputs_of(batch, config).values())
            truth = model(batch, top_p, trace=True)
        kept = torch.cat([x.kept_SHW.flatten() for layers in truth.layers.values() for x in layers]).float().mean()
        assert top_p == 1 or 0.02 < kept < 0.95
        torch.testing.assert_close(scores, truth.scores_BE, atol=1e-5, rtol=0)
        torch.testing.assert_close(logits, truth.modality_logits_BME, atol=1e-4, rtol=0)


def spread_attention(model: EmotionModel) -> None:
    """Draw a wide attention, so that few sites hold most of the mass, with a bilinear term that counts."""
    for parameter in model.attention_parameters():
        torch.nn.init.normal_(parameter, std=0.3 if parameter.dim() > 1 and len(parameter) > 1 else 2.0)


def test_equal_masses_are_taken_in_the_order_of_the_sites() -> None:
    attention = torch.tensor([[[0.25, 0.25], [0.25, 0.25]], [[0.6, 0.0], [0.2, 0.2]]])
    active = torch.tensor([[[True, True], [True, True]], [[True, False], [True, True]]])
    for top_p in (0.1, 0.5, 0.7, 0.9, 1.0):
        assert torch.equal(_nucleus(attention, active, top_p), nucleus_mask(attention, active, top_p)), top_p


@needs_runtime
@pytest.mark.parametrize(("top_p", "settings"), BLOCKS[1:3])
def test_the_graph_of_a_mesm_gives_its_scores(top_p: float, settings: dict[str, object], tmp_path: Path) -> None:
    torch.manual_seed(1)
    config = replace(TINY, **settings)
    model = build_model(config).eval()
    assert isinstance(model, EmotionModel)
    spread_attention(model)
    write_onnx(model, config, tmp_path / "model.onnx", top_p)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    for faces, chunks in ((1, 1), (9, 4)):
        batch = ending_batch(faces, chunks)
        scores, _ = session.run(None, {name: value.numpy() for name, value in inputs_of(batch, config).items()})
        with torch.no_grad():
            truth = model(batch, top_p)
        np.testing.assert_allclose(scores, truth.scores_BE, atol=1e-5)


@needs_runtime
def test_the_shipped_mesm_on_bundled_clips(tmp_path: Path) -> None:
    predictor, corpus = load("marionette-mesm", device="cpu"), open_corpus("marionette")
    write_onnx(predictor.model, predictor.config, tmp_path / "mesm.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "mesm.onnx", providers=["CPUExecutionProvider"])
    for clip_id in corpus.ids("test")[:6]:
        batch = predictor._collate([corpus[clip_id]])
        inputs = {name: value.numpy() for name, value in inputs_of(batch, predictor.config).items()}
        with torch.no_grad():
            np.testing.assert_allclose(session.run(None, inputs)[0], predictor.model(batch).scores_BE, atol=1e-4)


@needs_runtime
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"face_scaling": "grey", "mel_level": "removed", "positions": False},
        {"mel_scaling": "power", "modalities": ("text", "acoustic"), "text_hidden": 8},
        {"modalities": ("visual",), "face_scaling": "crop"},
    ],
)
def test_scores_are_the_models(settings: dict[str, object], tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = replace(SMALL, **settings)
    model = build_model(config).eval()
    names = write_onnx(model, config, tmp_path / "model.onnx")
    assert not model.training, "the model itself stays as it is"
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == names
    for faces, chunks in ((1, 1), (2, 7), (9, 4)):
        batch = random_batch([faces], [chunks])
        scores, logits = session.run(None, {name: value.numpy() for name, value in inputs_of(batch, config).items()})
        with torch.no_grad():
            truth = model(batch)
        np.testing.assert_allclose(scores, truth.scores_BE, atol=1e-5)
        np.testing.assert_allclose(logits, truth.modality_logits_BME, atol=1e-4)


@pytest.mark.parametrize(
    ("config", "top_p", "reason"),
    [
        (tiny("lf_lstm"), None, "hand-crafted features"),
        (replace(SMALL, text_lexicon=64), None, "word pieces"),
        (replace(TINY, mel_statistics=True), None, "statistics"),
        (SMALL, 0.5, "leave --top-p out"),
        (TINY, 1.5, "top_p"),
    ],
)
def test_what_has_no_such_form_is_said(config: ModelConfig, top_p: float | None, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=reason):
        write_onnx(build_model(config), config, tmp_path / "model.onnx", top_p)
    assert not (tmp_path / "model.onnx").exists()


@needs_runtime
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export-onnx", "marionette-fe2e", "--out", str(tmp_path / "a" / "fe2e.onnx")]) == 0
    assert "text_vector, faces, mels -> scores" in capsys.readouterr().out
    assert main(["export-onnx", "marionette-mesm", "--top-p", "0.6", "--out", str(tmp_path / "mesm.onnx")]) == 0
    assert "text_vector, faces, mels -> scores" in capsys.readouterr().out
    assert main(["export-onnx", "marionette-fe2e", "--top-p", "0.6", "--out", str(tmp_path / "b.onnx")]) == 2
