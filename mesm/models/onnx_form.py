"""Write FE2E, and MESM in its dense form, as ONNX for ONNX Runtime, OpenVINO and other runtimes.

The graph scores one clip: normalisation, CNNs with folded batch norms, sequence Transformers, heads and fusion. The text
encoder stays outside, so the clip's text comes as its vector. A MESM's graph computes attention, nucleus and gate at one
top-p, and its convolutions at every site (`layers.masked_dense`).
"""

from __future__ import annotations

import copy
import importlib.util
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mesm.config import EndToEndConfig, ModelConfig, check_top_p
from mesm.errors import BackendUnavailable, ConfigError
from mesm.files import atomic_file
from mesm.layers.masked_dense import masked_blocks
from mesm.layers.padding import column_sites, sound_columns
from mesm.layers.sparse_vgg import SparseVGG
from mesm.layers.transformer import SequenceTransformer
from mesm.layers.vgg import VGGTrunk
from mesm.models.base import EmotionModel
from mesm.models.encoders import SegmentBranch, TextBranch

#: Modality -> name of its input.
_INPUTS = {"text": "text_vector", "visual": "faces", "acoustic": "mels"}
_OPSET = 17


class OneClip(nn.Module):
    """Score one clip that has all of the model's modalities, without anything that depends on the number of segments.

    Args:
        model: an FE2E or MESM without a trainable text encoder, a lexicon or voice statistics.
        top_p: nucleus mass in (0, 1] of a MESM.
    """

    def __init__(self, model: EmotionModel, top_p: float = 1.0) -> None:
        super().__init__()
        self.model, self.top_p = model, top_p

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Compute scores and logits.

        Args:
            inputs: those of `input_names`, in their order: text_vector (1, D); faces (S, 3, 48, 48), 0..255; mels
                (S, 1, 128, 32), log10 power.

        Returns:
            (1, E) scores in [0, 1], and (1, M, E) logits of each modality.
        """
        values = dict(zip(input_names(self.model.config), inputs, strict=True))
        logits = []
        for modality, branch in self.model.branches.items():
            if isinstance(branch, TextBranch):
                logits.append(branch(values[_INPUTS[modality]])[0])
            elif isinstance(branch, SegmentBranch):
                segments_SD = branch.flatten(
                    self._maps(branch, values[_INPUTS[modality]], values.get(_INPUTS["text"])).flatten(1)
                )
                logits.append(branch.out(_summary(branch.transformer, segments_SD)))
        logits_BME = torch.stack(logits, 1)
        fused_BE, _ = self.model.fusion(logits_BME, torch.ones(1, len(logits), dtype=torch.bool))
        return fused_BE.sigmoid(), logits_BME

    def _maps(self, branch: SegmentBranch, raw_SCHW: Tensor, text_1D: Tensor | None) -> Tensor:
        """Compute the last maps of a branch's CNN."""
        counts_B = raw_SCHW.new_ones(raw_SCHW.shape[:1], dtype=torch.long).sum(0, keepdim=True)
        maps_SCHW = branch.prepare(raw_SCHW, counts_B)
        if not isinstance(branch.cnn, SparseVGG):
            return maps_SCHW
        active_SHW = torch.ones_like(maps_SCHW[:, 0], dtype=torch.bool)
        if branch.modality == "acoustic" and branch.cnn.config.padding == "masked":
            active_SHW = active_SHW & column_sites(sound_columns(raw_SCHW, counts_B), *maps_SCHW.shape[2:])
        query_SD = None if text_1D is None else text_1D.expand(raw_SCHW.shape[0], -1)
        return masked_blocks(branch.cnn, maps_SCHW, query_SD, self.top_p, active_SHW)


def input_names(config: ModelConfig) -> list[str]:
    """Return the names of the graph's inputs, in the order of the modalities."""
    return [_INPUTS[modality] for modality in config.modalities]


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


def write_onnx(model: nn.Module, config: ModelConfig, path: Path, top_p: float | None = None) -> list[str]:
    """Write a model's graph; the file is there whole or not at all.

    Args:
        model: with the weights of an FE2E or MESM.
        config: the model's.
        path: file to write, replaced if there.
        top_p: nucleus mass of a MESM, in (0, 1]; the config's by default.

    Returns:
        The names of the graph's inputs.

    Raises:
        ConfigError: a model that has no such form, with the reason, or a top-p for a model without attention.
        BackendUnavailable: the package onnx is not installed.
    """
    if reason := _why_not(model, config):
        raise ConfigError(
            f"{config.name} has no ONNX form here: {reason}; an FE2E or MESM with text_trainable=false, text_adapter=0, "
            "text_lexicon=0 and mel_statistics=false has one"
        )
    if top_p is not None and not config.has_attention:
        raise ConfigError(f"{config.name} computes every site: it has no top-p; leave --top-p out")
    top_p = check_top_p(config.top_p if top_p is None else top_p)
    if importlib.util.find_spec("onnx") is None:
        raise BackendUnavailable("writing ONNX needs the package onnx; pip install onnx")
    assert isinstance(model, EmotionModel)
    examples = {
        "text_vector": torch.zeros(1, config.text_dim),
        "faces": torch.zeros(3, 3, 48, 48),
        "mels": torch.zeros(3, 1, 128, 32),
    }
    names = input_names(config)
    axes: dict[str, dict[int, str]] = {n: {0: f"number of {n}"} for n in names if n != _INPUTS["text"]}
    path.parent.mkdir(parents=True, exist_ok=True)
    with torch.no_grad(), atomic_file(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this exporter will be deprecated; the other is no way yet, see below
        torch.onnx.export(
            OneClip(copy.deepcopy(model), top_p).eval().cpu(),  # the exporter changes the mode of what it is given
            tuple(examples[name] for name in names),
            file,  # type: ignore[arg-type]  # a file in memory or on disk is taken too
            input_names=names,
            output_names=["scores", "modality_logits"],
            dynamic_axes=axes,
            opset_version=_OPSET,
            dynamo=False,  # the other exporter needs a package more and fixes the number of segments
        )
    return names


def _why_not(model: nn.Module, config: ModelConfig) -> str | None:
    if not isinstance(model, EmotionModel) or not isinstance(config, EndToEndConfig):
        return "it reads hand-crafted features; export an FE2E or a MESM"
    branches = list(model.branches.values())
    if any(isinstance(b, SegmentBranch) and not isinstance(b.cnn, VGGTrunk) for b in branches):
        return "its CNN is not the VGG of the paper"
    if config.has_text_encoder or config.text_lexicon:
        return "its text branch reads word pieces, and the text encoder stays outside of the graph"
    if config.mel_statistics:
        return "its voice branch reads statistics that are computed outside of the network"
    return None
