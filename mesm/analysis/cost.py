"""Count the multiply-adds of one utterance, in closed form from the sites of a trace, independent of the backend.

Unit: MAC, one multiply-add. fvcore calls that one FLOP (as the paper most likely does), torch's own counter two.

Counted are matrix products and convolutions. Not counted are normalisation, activations, pooling, softmax, sorting, the
gathering of rows, and the padding of a batch's sequences.

A dense 3x3 convolution costs 9 * H * W * C * K, border included, as every counter has it; a submanifold one costs
pairs * C * K, a pair being two neighbouring active sites (paper, section 4.3.2). `ratio`, quoted everywhere, is
(stem + attention + pairs) / (FE2E's convolutions at the same width). `executed` is a separate number: a masked dense
convolution does the dense work for every mask.

Shape legend: S segments, H W map, C and K channels in and out, D width of the query.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mesm.batch import CHUNK_HOPS, FACE_SIZE_PX, MEL_BANDS
from mesm.config import EndToEndConfig, MESMConfig
from mesm.errors import DataError
from mesm.layers.vgg import BLOCK_CHANNELS, POOLED_BLOCKS
from mesm.layers.vgg11 import CONVOLUTIONS as VGG11_CONVOLUTIONS
from mesm.records.prediction import LayerTrace, Trace

STAGES: tuple[str, ...] = ("stem", "attention", "conv", "head", "transformer", "text")
#: Input of one segment: channels, height, width.
SEGMENT_INPUTS: dict[str, tuple[int, int, int]] = {
    "visual": (3, FACE_SIZE_PX, FACE_SIZE_PX),
    "acoustic": (1, MEL_BANDS, CHUNK_HOPS),
}
#: Text encoders by source: layers, width, feed-forward width, width of the token embedding where it is projected, width of
#: the pooler behind the first token where it has one.
TEXT_ENCODERS: dict[str, tuple[int, int, int, int, int]] = {
    "minilm": (6, 384, 1536, 0, 0),
    "albert-base-v2": (12, 768, 3072, 128, 768),
    "albert/albert-base-v2": (12, 768, 3072, 128, 768),
}


@dataclass(frozen=True)
class CostEntry:
    """Hold the cost of one layer of one modality.

    Attributes:
        layer: such as "conv5x5", "attention1" or "block2.conv1".
        macs: by the closed form.
        executed: multiply-adds of the backend that ran it; equal to `macs` but for masked dense convolutions.
    """

    modality: str
    stage: str
    layer: str
    macs: int
    executed: int


@dataclass(frozen=True)
class CostReport:
    """Hold the multiply-adds of one utterance.

    Attributes:
        entries: layer by layer.
        fe2e_conv_stack: FE2E's convolutions on the same segments at the same width.
        not_counted: parts of the model whose cost is not known, as sentences.
    """

    entries: tuple[CostEntry, ...]
    fe2e_conv_stack: int
    not_counted: tuple[str, ...] = ()

    def _sum(self, **where: str) -> int:
        return sum(e.macs for e in self.entries if all(getattr(e, k) == v for k, v in where.items()))

    @property
    def by_stage(self) -> dict[str, int]:
        """Return the MACs as stage -> count, every stage of `STAGES`."""
        return {stage: self._sum(stage=stage) for stage in STAGES}

    @property
    def by_modality(self) -> dict[str, dict[str, int]]:
        """Return the MACs as modality -> stage -> count."""
        names = dict.fromkeys(e.modality for e in self.entries)
        return {m: {stage: self._sum(modality=m, stage=stage) for stage in STAGES} for m in names}

    @property
    def total(self) -> int:
        """Sum of all stages."""
        return sum(e.macs for e in self.entries)

    @property
    def conv_stack(self) -> int:
        """Sum of stem, attention and convolutions."""
        return sum(e.macs for e in self.entries if e.stage in STAGES[:3])

    @property
    def totals(self) -> dict[str, int]:
        """Return the sums that records keep beside the stages."""
        return {"total": self.total, "conv_stack": self.conv_stack, "fe2e_conv_stack": self.fe2e_conv_stack}

    @property
    def executed_conv_stack(self) -> int:
        """Count `conv_stack` as the backends executed it."""
        return sum(e.executed for e in self.entries if e.stage in STAGES[:3])

    @property
    def ratio(self) -> float:
        """Divide `conv_stack` by `fe2e_conv_stack`; nan without a face or chunk."""
        return self.conv_stack / self.fe2e_conv_stack if self.fe2e_conv_stack else float("nan")


def count_pairs(kept_SHW: np.ndarray) -> int:
    """Count the pairs of kept sites that a 3x3 submanifold convolution joins, each site with itself included."""
    s, h, w = kept_SHW.shape
    padded = np.zeros((s, h + 2, w + 2), bool)
    padded[:, 1:-1, 1:-1] = kept_SHW
    return sum(
        int(np.count_nonzero(kept_SHW & padded[:, dy : dy + h, dx : dx + w])) for dy in range(3) for dx in range(3)
    )


def _stem(modality: str, config: EndToEndConfig, segments: int, blocks: int) -> Iterator[CostEntry]:
    """Yield the 5x5 convolution at full size and `blocks` 64-64 blocks at half size."""
    channels, height, width = SEGMENT_INPUTS[modality]
    first, half = config.channels(64), (height // 2) * (width // 2)
    macs = segments * height * width * 25 * channels * first
    yield CostEntry(modality, "stem", "conv5x5", macs, macs)
    for block in range(blocks):
        for conv in ("conv1", "conv2"):
            macs = segments * half * 9 * first * first
            yield CostEntry(modality, "stem", f"block{block}.{conv}", macs, macs)


def _block_channels(config: EndToEndConfig, block: int) -> tuple[tuple[str, int], tuple[str, int]]:
    """Return C * K of a block's two convolutions."""
    c, k = (config.channels(n) for n in BLOCK_CHANNELS[block])
    return ("conv1", c * k), ("conv2", k * k)


def _dense_stack(modality: str, config: EndToEndConfig, segments: int) -> Iterator[CostEntry]:
    """Yield the layers of FE2E's CNN."""
    if config.cnn == "vgg11":
        channels, height, width = SEGMENT_INPUTS[modality]
        for number, (c, k, level) in enumerate(VGG11_CONVOLUTIONS):
            macs = segments * (height >> level) * (width >> level) * 9 * (c if number else channels) * k
            yield CostEntry(modality, "conv", f"vgg11.conv{number}", macs, macs)
        return
    yield from _stem(modality, config, segments, POOLED_BLOCKS[0])
    _, height, width = SEGMENT_INPUTS[modality]
    for level, block in enumerate(POOLED_BLOCKS, start=1):
        sites = segments * (height >> level) * (width >> level)
        for conv, channels in _block_channels(config, block):
            macs = sites * 9 * channels
            yield CostEntry(modality, "conv", f"block{block}.{conv}", macs, macs)


def _sparse_stack(
    modality: str, config: MESMConfig, segments: int, layers: tuple[LayerTrace, ...]
) -> Iterator[CostEntry]:
    """Yield the layers of MESM's CNN, from the sites of its three attention layers."""
    yield from _stem(modality, config, segments, config.stem_blocks)
    groups = (tuple(range(config.stem_blocks, POOLED_BLOCKS[0] + 1)), *((i,) for i in POOLED_BLOCKS[1:]))
    for number, (layer, group) in enumerate(zip(layers, groups, strict=True), start=1):
        channels, width = (
            config.channels(BLOCK_CHANNELS[group[-1]][0]),
            config.channels(config.attention_width[number - 1]),
        )
        active = int(np.count_nonzero(layer.active))
        macs = active * (channels * width + width)
        if config.query != "none":
            macs += segments * config.text_dim * width
            if config.score == "additive_bilinear":
                macs += segments * config.text_dim * channels + active * channels
        yield CostEntry(modality, "attention", f"attention{number}", macs, macs)
        pairs, dense = count_pairs(layer.kept), 9 * layer.kept.size
        convs = [
            (f"block{block}.{conv}", product) for block in group for conv, product in _block_channels(config, block)
        ]
        backends = layer.backends or ("fused",) * len(convs)
        for (name, product), backend in zip(convs, backends, strict=True):
            executed = (dense if backend == "dense" else pairs) * product
            yield CostEntry(modality, "conv", name, pairs * product, executed)


def _sequence(modality: str, config: EndToEndConfig, segments: int) -> Iterator[CostEntry]:
    """Yield linear layers per segment, the Transformer over the sequence with its CLS, and the classifier."""
    _, height, width = SEGMENT_INPUTS[modality]
    dim, hidden = config.transformer_dim, config.head_dim
    flat = config.channels(512) * (height // 16) * (width // 16)
    macs = segments * (flat * hidden + hidden * dim) + dim * len(config.labels)
    yield CostEntry(modality, "head", "flatten and classifier", macs, macs)
    macs = config.transformer_layers * transformer_layer(segments + 1, dim, config.transformer_feedforward)
    yield CostEntry(modality, "transformer", "transformer", macs, macs)


def transformer_layer(length: int, dim: int, feedforward: int) -> int:
    """Count four projections, the two products with the attention, and the feed-forward layers."""
    return length * 4 * dim * dim + 2 * length * length * dim + 2 * length * dim * feedforward


def _text(config: EndToEndConfig, tokens: int) -> Iterator[CostEntry]:
    """Yield the encoder on `tokens` tokens, where its shape is known, and the text branch."""
    shape = TEXT_ENCODERS.get(config.text_source)
    if shape is not None and tokens:
        layers, dim, feedforward, embedding, pooler = shape
        macs = layers * transformer_layer(tokens, dim, feedforward) + tokens * embedding * dim + pooler * dim
        yield CostEntry("text", "text", "encoder", macs, macs)
    classes, hidden = len(config.labels), config.text_hidden
    macs = config.text_dim * hidden + hidden * classes if hidden else config.text_dim * classes
    yield CostEntry("text", "head", "classifier", macs, macs)


def fe2e_conv_stack(config: EndToEndConfig, faces: int, chunks: int) -> int:
    """Count FE2E's convolutions: at width 1, 0.4782e9 per face and 0.8370e9 per mel chunk."""
    segments = {"visual": faces, "acoustic": chunks}
    return sum(
        e.macs for m, count in segments.items() if m in config.modalities for e in _dense_stack(m, config, count)
    )


def conv_stack_ratio(config: EndToEndConfig, trace: Trace) -> float:
    """Return (stem + attention + submanifold pairs) / (FE2E's convolutions) of a traced utterance."""
    counts = {m: len(layers[0].kept) for m, layers in trace.layers.items()}
    return count_macs(config, trace, counts.get("visual", 0), counts.get("acoustic", 0)).ratio


def count_macs(
    config: EndToEndConfig, trace: Trace | None, faces: int, chunks: int, tokens: int | None = None
) -> CostReport:
    """Count the multiply-adds of one utterance.

    Args:
        config: the model's; a `MESMConfig` needs a trace.
        trace: sites of every layer of MESM; ignored for FE2E.
        faces: face frames of the utterance.
        chunks: mel chunks.
        tokens: length of the transcript for the text encoder; None or 0 leaves the encoder out.

    Raises:
        DataError: MESM without a trace, or a trace of another number of segments.
    """
    entries: list[CostEntry] = []
    for modality, segments in (("visual", faces), ("acoustic", chunks)):
        if modality not in config.modalities or not segments:
            continue
        if isinstance(config, MESMConfig):
            layers = trace.layers.get(modality, ()) if trace is not None else ()
            if not layers or len(layers[0].kept) != segments:
                traced = len(layers[0].kept) if layers else "none"
                raise DataError(
                    f"counting MESM's {modality} work on {segments} segments needs their trace, and it has {traced}; "
                    "run the model with trace=True on the same clip"
                )
            entries += _sparse_stack(modality, config, segments, layers)
        else:
            entries += _dense_stack(modality, config, segments)
        entries += _sequence(modality, config, segments)
    not_counted: tuple[str, ...] = ()
    if "text" in config.modalities:
        entries += _text(config, tokens or 0)
        if tokens and config.text_source not in TEXT_ENCODERS:
            not_counted = (f"text encoder {config.text_source!r}: its shape is not in the table of known encoders",)
    return CostReport(tuple(entries), fe2e_conv_stack(config, faces, chunks), not_counted)


def count_executed(module: Any, inputs: tuple[Any, ...]) -> tuple[dict[str, int], dict[str, int]]:
    """Count one call by fvcore, and list the operators that it does not count.

    Args:
        module: a `torch.nn.Module`; run without gradients and with the fused Transformer path, which counters cannot
            trace, switched off.
        inputs: of its forward.

    Returns:
        operator -> MACs, and operator -> number of calls that fvcore cannot count.
    """
    import torch
    from fvcore.nn import FlopCountAnalysis
    from fvcore.nn.jit_handles import bmm_flop_jit, matmul_flop_jit

    # A third input is the buffer that the product is written to; fvcore expects two.
    def matmul(inputs: list[Any], outputs: list[Any]) -> Any:
        return matmul_flop_jit(inputs[:2], outputs)

    def bmm(inputs: list[Any], outputs: list[Any]) -> Any:
        return bmm_flop_jit(inputs[:2], outputs)

    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad():
            analysis = (
                FlopCountAnalysis(module, inputs).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
            )
            analysis.set_op_handle("aten::mm", matmul, "aten::bmm", bmm)
            by_operator = {k: int(v) for k, v in analysis.by_operator().items()}
            return by_operator, dict(analysis.unsupported_ops())
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
