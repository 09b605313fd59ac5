"""Convert state dicts of the authors' implementation (MME2E, MME2E_Sparse, LF_RNN, LF_Transformer).

Names and shapes decide everything but the number of heads of the sequence Transformers, which is an argument. The bias of
a convolution before a batch norm moves into the norm's mean; the bias b_i of the attention's last layer, to which a
softmax is invariant, is dropped, and so is MTCNN, which runs at ingestion.

Scores are theirs on the same faces and chunks, but for MME2E_Sparse with more than one frame or chunk: their first
sparse layer lists coordinates and features in different orders, and ours does not.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mesm.config import ModelConfig, model_config
from mesm.errors import CheckpointError, ConfigError
from mesm.vocabulary import MODALITIES

State = dict[str, Tensor]
#: Our modality -> their letter, in upper case for end-to-end models and lower case for the baselines.
_LETTERS = {"text": "T", "visual": "V", "acoustic": "A"}
#: Their positions in nn.Sequential -> our five blocks.
_DENSE_BLOCKS = {4: 0, 5: 1, 6: 2, 8: 3, 10: 4}
_ALBERT = {768: "albert-base-v2", 1024: "albert-large-v2", 2048: "albert-xlarge-v2"}
#: SparseConvNet's BatchNormReLU; torch's default is in the dense part.
_SPARSE_EPS, _DENSE_EPS = 1e-4, 1e-5


def read_state(path: str | os.PathLike[str]) -> State:
    """Read the tensors of a `.pt` file, plain tensors only; a wrapper's `state_dict` or `module.` is taken off.

    Raises:
        CheckpointError: the file cannot be read, or holds anything else.
    """
    try:
        content = torch.load(Path(path), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises pickle, runtime, value and OS errors
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"{path} cannot be read as plain tensors ({reason}); save model.state_dict() alone"
        ) from error
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(v, Tensor) for v in content.values()) or not content:
        raise CheckpointError(f"{path} is no state dict; save model.state_dict() alone")
    return {str(k).removeprefix("module."): v for k, v in content.items()}


def convert(
    state: Mapping[str, Tensor],
    labels: tuple[str, ...],
    modalities: tuple[str, ...] = MODALITIES,
    *,
    heads: int = 4,
    top_p: float = 0.5,
    text_source: str = "",
) -> tuple[ModelConfig, State]:
    """Convert one of their state dicts to our config and state dict.

    Args:
        state: see `read_state`.
        labels: emotions in the order of its scores; theirs are alphabetical.
        modalities: those it was trained with (their `--modalities`); all three modules exist whatever it was.
        heads: of the sequence Transformers of FE2E and MESM (their `--trans-nheads`).
        top_p: MESM's (their `--sparse-threshold`).
        text_source: hub id or folder of the text encoder; by default the ALBERT of that width.

    Raises:
        CheckpointError: names or shapes are not theirs.
        ConfigError: labels or modalities do not fit the weights.
    """
    names = set(state)
    try:
        if "V.low_level.0.weight" in names or "V.0.weight" in names:
            sparse = "V.low_level.0.weight" in names
            return _end_to_end(state, labels, modalities, heads, top_p, text_source, sparse=sparse)
        if any(name.startswith("rnns.") for name in names):
            return _late_fusion(state, labels, modalities, "lf_lstm")
        if any(name.startswith("transformers.") for name in names):
            return _late_fusion(state, labels, modalities, "lf_transformer")
    except KeyError as error:
        raise CheckpointError(
            f"the state dict lacks {error}, which the authors' models have; convert another"
        ) from error
    raise CheckpointError(
        "the names are not those of MME2E, MME2E_Sparse, LF_RNN or LF_Transformer; give a state dict of the authors' code"
    )


def _check(labels: tuple[str, ...], modalities: tuple[str, ...], classes: int, fused: int) -> None:
    if len(labels) != classes:
        raise ConfigError(
            f"the weights score {classes} emotions and {len(labels)} labels were given; name them in order"
        )
    if fused != len(modalities):
        raise ConfigError(
            f"the weights fuse {fused} modalities, not {len(modalities)}; give those they were trained with"
        )


def _layers(state: Mapping[str, Tensor], prefix: str) -> int:
    numbers = {int(m[1]) for name in state if (m := re.match(rf"{re.escape(prefix)}\.encoder\.layers\.(\d+)\.", name))}
    return len(numbers)


def _transformer(state: Mapping[str, Tensor], theirs: str, ours: str) -> State:
    """Rename the weights of a WrappedTransformerEncoder."""
    encoder = {k.removeprefix(f"{theirs}."): v for k, v in state.items() if k.startswith(f"{theirs}.encoder.")}
    return {f"{ours}.{k}": v for k, v in encoder.items()} | {f"{ours}.cls": state[f"{theirs}.cls_emb.weight"][0]}


def _end_to_end(
    state: Mapping[str, Tensor],
    labels: tuple[str, ...],
    modalities: tuple[str, ...],
    heads: int,
    top_p: float,
    text_source: str,
    *,
    sparse: bool,
) -> tuple[ModelConfig, State]:
    stem = "low_level.0" if sparse else "0"
    classes, text_dim = state["t_out.weight"].shape
    _check(labels, modalities, classes, state["weighted_fusion.weight"].shape[1])
    if not text_source and text_dim not in _ALBERT:
        raise ConfigError(f"no ALBERT is {text_dim} wide; give the folder of the text encoder")
    width = state[f"V.{stem}.weight"].shape[0] / 64
    sparse_settings: dict[str, Any] = (
        {
            "attention_width": tuple(
                round(state[f"V.attn_layers.{i}.channel_affine.weight"].shape[0] / width) for i in range(3)
            ),
            "gate": "hard",
            "top_p": top_p,
        }
        if sparse
        else {}
    )
    config = model_config(
        "mesm" if sparse else "fe2e",
        **sparse_settings,
        labels=labels,
        modalities=modalities,
        width=width,
        text_source=text_source or _ALBERT[text_dim],
        text_dim=text_dim,
        text_pooling="cls",
        text_max_tokens=100,
        text_trainable="text" in modalities,
        mel_scaling="power",
        mel_mean=0.0,
        mel_std=1.0,
        head_dim=state["v_flatten.0.weight"].shape[0],
        transformer_dim=state["v_flatten.2.weight"].shape[0],
        transformer_layers=_layers(state, "v_transformer"),
        transformer_heads=heads,
        transformer_feedforward=state["v_transformer.encoder.layers.0.linear1.weight"].shape[0],
        positions=False,
        max_segments=4096,  # theirs have no limit
        batch_norm_eps=_SPARSE_EPS if sparse else _DENSE_EPS,
    )
    made: State = {}
    for modality in modalities:
        letter, ours = _LETTERS[modality], f"branches.{modality}"
        if modality == "text":
            made |= {
                f"text_encoder.encoder.{k.removeprefix('T.albert.')}": v for k, v in state.items() if _in_albert(k)
            }
        else:
            made |= _cnn(state, letter, f"{ours}.cnn", sparse=sparse)
            made |= _transformer(state, f"{letter.lower()}_transformer", f"{ours}.transformer")
            for i in (0, 2):
                made |= _linear(state, f"{letter.lower()}_flatten.{i}", f"{ours}.flatten.{i}")
        made |= _linear(state, f"{letter.lower()}_out", f"{ours}.out")
    if len(modalities) > 1:
        made["fusion.weight"] = state["weighted_fusion.weight"][0]
    return config, made


def _in_albert(name: str) -> bool:
    # Counters that older transformers stored as buffers.
    return name.startswith("T.albert.") and not name.endswith(("position_ids", "token_type_ids"))


def _linear(state: Mapping[str, Tensor], theirs: str, ours: str) -> State:
    return {f"{ours}.{k}": state[f"{theirs}.{k}"] for k in ("weight", "bias")}


def _conv_norm(state: Mapping[str, Tensor], conv: str, norm: str, ours: tuple[str, str], eps: float) -> State:
    """Convert a biased convolution and its batch norm to an unbiased one; the norm's gain compensates for another eps."""
    mean, var = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
    gain = state[f"{norm}.weight"] * torch.sqrt((var + eps) / (var + _DENSE_EPS))
    return {
        f"{ours[0]}.weight": state[f"{conv}.weight"],
        f"{ours[1]}.weight": gain,
        f"{ours[1]}.bias": state[f"{norm}.bias"],
        f"{ours[1]}.running_mean": mean - state[f"{conv}.bias"],
        f"{ours[1]}.running_var": var,
        f"{ours[1]}.num_batches_tracked": state[f"{norm}.num_batches_tracked"],
    }


def _cnn(state: Mapping[str, Tensor], letter: str, ours: str, *, sparse: bool) -> State:
    place, eps = (f"{letter}.low_level", _SPARSE_EPS) if sparse else (letter, _DENSE_EPS)
    made = _conv_norm(state, f"{place}.0", f"{place}.1", (f"{ours}.conv", f"{ours}.bn"), eps)
    for theirs, block in _DENSE_BLOCKS.items():
        if sparse and block > 1:
            continue
        for i in (1, 2):
            names = f"{ours}.blocks.{block}.conv{i}", f"{ours}.blocks.{block}.bn{i}"
            made |= _conv_norm(state, f"{place}.{theirs}.conv{i}", f"{place}.{theirs}.bn{i}", names, eps)
    for layer in range(3 if sparse else 0):
        for i, position in ((1, 0), (2, 2)):
            source = f"{letter}.sparse_layers.{layer}.0"
            made |= _sparse_conv_norm(state, f"{source}.{position}", f"{source}.{position + 1}",
                                      (f"{ours}.blocks.{layer + 2}.conv{i}", f"{ours}.blocks.{layer + 2}.bn{i}"))  # fmt: skip
        attention, own = f"{letter}.attn_layers.{layer}", f"{ours}.attention.{layer}"
        made |= _linear(state, f"{attention}.channel_affine", f"{own}.map_projection")
        made[f"{own}.query_projection.weight"] = state[f"{attention}.y_affine.weight"]
        made[f"{own}.score.weight"] = state[f"{attention}.attn_weight_affine.weight"]
    return made


def _sparse_conv_norm(state: Mapping[str, Tensor], conv: str, norm: str, ours: tuple[str, str]) -> State:
    """Convert (9, 1, C, K) weights, offsets row-major, without a bias; SparseConvNet's norm counts no batches."""
    weight = state[f"{conv}.weight"]
    c, k = weight.shape[-2:]
    return {
        f"{ours[0]}.weight": weight.reshape(3, 3, c, k).permute(3, 2, 0, 1).contiguous(),
        **{f"{ours[1]}.{n}": state[f"{norm}.{n}"] for n in ("weight", "bias", "running_mean", "running_var")},
        f"{ours[1]}.num_batches_tracked": torch.tensor(0),
    }


def _late_fusion(
    state: Mapping[str, Tensor], labels: tuple[str, ...], modalities: tuple[str, ...], name: str
) -> tuple[ModelConfig, State]:
    """Convert a late-fusion baseline; its features are not normalised, so the statistics are 0 and 1."""
    letters = {m: _LETTERS[m].lower() for m in modalities}
    _check(labels, modalities, state["affines.t.2.weight"].shape[0], state["weighted_fusion.weight"].shape[1])
    made: State = {}
    dims = []
    for modality, letter in letters.items():
        ours = f"branches.{modality}"
        if name == "lf_lstm":
            source = f"rnns.{letter}."
            made |= {f"{ours}.lstm.{k.removeprefix(source)}": v for k, v in state.items() if k.startswith(source)}
            dims.append(state[f"{source}weight_ih_l0"].shape[1])
        else:
            made |= _transformer(state, f"transformers.{letter}", f"{ours}.transformer")
            dims.append(state[f"transformers.{letter}.cls_emb.weight"].shape[1])
        for i in (0, 2):
            made |= _linear(state, f"affines.{letter}.{i}", f"{ours}.affine.{i}")
        made |= {f"{modality}_mean": torch.zeros(dims[-1]), f"{modality}_std": torch.ones(dims[-1])}
    if len(modalities) > 1:
        # They fuse text, acoustic, visual, in this order.
        order: list[str] = [m for m in ("text", "acoustic", "visual") if m in modalities]
        made["fusion.weight"] = state["weighted_fusion.weight"][0][[order.index(m) for m in modalities]]
    shape: dict[str, Any] = {"text_at_last_word": True}
    if name == "lf_transformer":
        shape = {
            "transformer_layers": _layers(state, "transformers.t"),
            "transformer_feedforward": state["transformers.t.encoder.layers.0.linear1.weight"].shape[0],
        }
    config = model_config(
        name,
        labels=labels,
        modalities=modalities,
        feature_dims=tuple(dims),
        positions=False,
        max_segments=4096,
        **shape,
    )
    return config, made
