"""The graph in ONNX form computes the model's scores, for any number of segments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mesm.cli import main
from mesm.config import FE2EConfig
from mesm.errors import ConfigError
from mesm.models import build_model
from mesm.models.onnx_form import write_onnx
from tests.models.model_fixtures import TINY, random_batch

onnxruntime = pytest.importorskip("onnxruntime")
SMALL = TINY.as_model("fe2e")


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
        inputs = {"text_vector": batch.text_vectors, "faces": batch.faces.float(), "mels": batch.mels.float()}
        scores, logits = session.run(None, {name: inputs[name].numpy() for name in names})
        with torch.no_grad():
            truth = model(batch)
        np.testing.assert_allclose(scores, truth.scores_BE, atol=1e-5)
        np.testing.assert_allclose(logits, truth.modality_logits_BME, atol=1e-4)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (TINY, "only FE2E is dense"),
        (replace(SMALL, text_lexicon=64), "word pieces"),
        (replace(SMALL, mel_statistics=True), "statistics"),
    ],
)
def test_what_has_no_such_form_is_said(config: FE2EConfig, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=reason):
        write_onnx(build_model(config), config, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export-onnx", "marionette-fe2e", "--out", str(tmp_path / "a" / "fe2e.onnx")]) == 0
    assert "text_vector, faces, mels -> scores" in capsys.readouterr().out
    assert main(["export-onnx", "marionette-mesm", "--out", str(tmp_path / "mesm.onnx")]) == 2
