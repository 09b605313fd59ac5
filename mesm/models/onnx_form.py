"""Write FE2E in ONNX form, for ONNX Runtime, OpenVINO and other runtimes.

The graph scores one clip: normalisation, CNNs with folded batch norms, sequence Transformers, heads and fusion. The text
encoder stays outside, so the clip's text comes as its vector.
"""

from __future__ import annotations

import copy
import importlib.util
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mesm.config import FE2EConfig, ModelConfig
from mesm.errors import BackendUnavailable, ConfigError
from mesm.files import atomic_file
from mesm.layers.transformer import SequenceTransformer
from mesm.layers.vgg import DenseVGG
from mesm.models.base import EmotionModel
from mesm.models.encoders import SegmentBranch, TextBranch

#: Modality -> name of its input.
_INPUTS = {"text": "text_vector", "visual": "faces", "acoustic": "mels"}
_OPSET = 17


class OneClip(nn.Module):
    """Score one clip that has all of the model's modalities, without anything that depends on the number of segments.

    Args:
        model: an FE2E without a trainable text encoder, a lexicon or voice statistics.
    """

    def __init__(self, model: EmotionModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Compute scores and logits.

        Args:
            inputs: in the order of the modalities: text_vector (1, D); faces (S, 3, 48, 48), 0..255; mels
                (S, 1, 128, 32), log10 power.

        Returns:
            (1, E) scores in [0, 1], and (1, M, E) logits of each modality.
        """
        logits = []
        for modality, value in zip(self.model.config.modalities, inputs, strict=True):
            branch = self.model.branches[modality]
            if isinstance(branch, TextBranch):
                logits.append(branch(value)[0])
            elif isinstance(branch, SegmentBranch):
                counts_B = value.new_ones(value.shape[:1], dtype=torch.long).sum(0, keepdim=True)
                maps = branch.prepare(value, counts_B)
                summary = _summary(branch.transformer, branch.flatten(maps.flatten(1)))
                logits.append(branch.out(summary))
        logits_BME = torch.stack(logits, 1)
        fused_BE, _ = self.model.fusion(logits_BME, torch.ones(1, len(logits), dtype=torch.bool))
        return fused_BE.sigmoid(), logits_BME


def _summary(transformer: SequenceTransformer, segments_SD: Tensor) -> Tensor:
    """Encode one sequence without padding; torch's own layers would fix its length in the graph."""
    x_1LD = torch.cat([transformer.cls[None], segments_SD])[None]
    if transformer.positions is not None:
        x_1LD = x_1LD + transformer.positions[: x_1LD.shape[1]]
    for layer in transformer.encoder.layers:
        assert isinstance(layer, nn.TransformerEncoderLayer)
        x_1LD = layer.norm1(x_1LD + _self_attention(layer.self_attn, x_1LD))
        x_1LD = layer.norm2(x_1LD + layer.linear2(layer.linear1(x_1LD).relu()))
    return x_1LD[:, 0]


def _self_attention(attention: nn.MultiheadAttention, x_1LD: Tensor) -> Tensor:
    heads, width = attention.num_heads, attention.head_dim
    projected = F.linear(x_1LD, attention.in_proj_weight, attention.in_proj_bias).chunk(3, 2)
    q, k, v = (part.reshape(1, -1, heads, width).transpose(1, 2) for part in projected)
    weights = (q @ k.transpose(2, 3) / width**0.5).softmax(3)
    return attention.out_proj((weights @ v).transpose(1, 2).reshape(1, -1, heads * width))


def write_onnx(model: nn.Module, config: ModelConfig, path: Path) -> list[str]:
    """Write a model's graph; the file is there whole or not at all.

    Args:
        model: with the weights of an FE2E.
        config: the model's.
        path: file to write, replaced if there.

    Returns:
        The names of the graph's inputs.

    Raises:
        ConfigError: a model that has no such form, with the reason.
        BackendUnavailable: the package onnx is not installed.
    """
    if reason := _why_not(model, config):
        raise ConfigError(f"{config.name} has no ONNX form here: {reason}")
    if importlib.util.find_spec("onnx") is None:
        raise BackendUnavailable("writing ONNX needs the package onnx; pip install onnx")
    assert isinstance(model, EmotionModel)
    examples = {
        "text": torch.zeros(1, config.text_dim),
        "visual": torch.zeros(3, 3, 48, 48),
        "acoustic": torch.zeros(3, 1, 128, 32),
    }
    names = [_INPUTS[m] for m in config.modalities]
    axes: dict[str, dict[int, str]] = {n: {0: f"number of {n}"} for n in names if n != _INPUTS["text"]}
    path.parent.mkdir(parents=True, exist_ok=True)
    with torch.no_grad(), atomic_file(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this exporter will be deprecated; the other is no way yet, see below
        torch.onnx.export(
            OneClip(copy.deepcopy(model)).eval().cpu(),  # the exporter changes the mode of what it is given
            tuple(examples[m] for m in config.modalities),
            file,  # type: ignore[arg-type]  # a file in memory or on disk is taken too
            input_names=names,
            output_names=["scores", "modality_logits"],
            dynamic_axes=axes,
            opset_version=_OPSET,
            dynamo=False,  # the other exporter needs a package more and fixes the number of segments
        )
    return names


def _why_not(model: nn.Module, config: ModelConfig) -> str | None:
    if not isinstance(model, EmotionModel) or not isinstance(config, FE2EConfig):
        return (
            "only FE2E is dense throughout; the sparse blocks of a MESM are faster as they are (benchmarks/README.md)"
        )
    branches = list(model.branches.values())
    if any(isinstance(b, SegmentBranch) and not isinstance(b.cnn, DenseVGG) for b in branches):
        return "its CNN is not the VGG of the paper"
    if config.text_trainable or config.text_lexicon:
        return "its text branch reads word pieces, and the text encoder stays outside of the graph"
    if config.mel_statistics:
        return "its voice branch reads statistics that are computed outside of the network"
    return None
