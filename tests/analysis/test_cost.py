"""The closed form of the cost equals fvcore's count of the same pairs in plain torch; the paper's dense figures."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mesm.analysis import cost
from mesm.analysis.cost import STAGES, conv_stack_ratio, count_executed, count_macs, count_pairs, fe2e_conv_stack
from mesm.config import FE2EConfig, MESMConfig
from mesm.errors import DataError
from mesm.layers.sparse_vgg import SparseResult, SparseVGG
from mesm.layers.transformer import SequenceTransformer
from mesm.layers.vgg import DenseVGG
from mesm.records.prediction import LayerTrace, Trace
from mesm.sparse import spconv_backend
from mesm.sparse.backends import CONVOLVE
from mesm.sparse.sites import OFFSET_ORDER, Rulebook, Sites

WIDTH = 0.0625
VISUAL = MESMConfig(width=WIDTH, backend="spconv", text_dim=6, modalities=("text", "visual"))
ACOUSTIC = replace(VISUAL, modalities=("text", "acoustic"))
SIZES = {"visual": (3, 48, 48), "acoustic": (1, 128, 32)}


def as_trace(modality: str, result: SparseResult, top_p: float) -> Trace:
    layers = tuple(
        LayerTrace(x.attention_SHW.numpy(), x.kept_SHW.numpy(), x.active_SHW.numpy(), x.backends) for x in result.layers
    )
    return Trace({modality: layers}, top_p)


def count_pair_by_pair(features, book, weight, bias):
    """Submanifold convolution as one matrix product per kernel offset, which fvcore can count."""
    out = bias.expand(len(book.destinations), -1)
    ends = np.cumsum([0, *book.pairs_per_offset])
    for k, offset in enumerate(OFFSET_ORDER):
        part = slice(ends[k], ends[k + 1])
        product = features[book.source_P[part].long()] @ weight[:, :, offset // 3, offset % 3].T
        out = out.index_add(0, book.destination_P[part].long(), product)
    return out


@pytest.fixture(autouse=True)
def countable_backend(monkeypatch):
    """`spconv`, which does not run here, stands for the countable convolution."""
    monkeypatch.setitem(CONVOLVE, "spconv", count_pair_by_pair)
    monkeypatch.setattr(spconv_backend, "why_not", lambda device: None)


class Stack(nn.Module):
    """The CNN as a module of two tensors, for the counter; it remembers what it did."""

    def __init__(self, cnn: SparseVGG, top_p: float) -> None:
        super().__init__()
        self.cnn, self.top_p = cnn, top_p

    def forward(self, maps, query):
        self.result = self.cnn(maps, query, self.top_p, trace=True)
        return self.result.features_SCHW


def test_dense_figures_of_the_paper():
    config = FE2EConfig()
    assert fe2e_conv_stack(config, 1, 0) / 1e9 == pytest.approx(0.4782, abs=5e-5)
    assert fe2e_conv_stack(config, 0, 1) / 1e9 == pytest.approx(0.8370, abs=5e-5)
    stem = {m: count_macs(config, None, f, c).by_stage["stem"] / 1e9 for m, f, c in (("v", 1, 0), ("a", 0, 1))}
    assert stem["v"] == pytest.approx(0.0960, abs=5e-5) and stem["a"] == pytest.approx(0.1575, abs=5e-5)


@pytest.mark.parametrize("modality", SIZES)
def test_dense_stack_is_what_fvcore_counts(modality):
    config = FE2EConfig(width=WIDTH)
    cnn = DenseVGG(SIZES[modality][0], config).eval()
    counted, missed = count_executed(cnn, (torch.zeros(2, *SIZES[modality]),))
    assert counted == {"conv": fe2e_conv_stack(config, 2 * (modality == "visual"), 2 * (modality == "acoustic"))}
    assert missed["aten::max_pool2d"] == 4, "what fvcore does not count is reported"


random_masks = given(
    modality=st.sampled_from(sorted(SIZES)),
    segments=st.integers(1, 3),
    top_p=st.floats(0.05, 1.0),
    seed=st.integers(0, 2**31),
    stem_blocks=st.sampled_from([2, 2, 0]),
)


@pytest.mark.slow
@random_masks
@settings(max_examples=5, deadline=None)
def test_conv_stages_equal_fvcores_count_exactly(modality, segments, top_p, seed, stem_blocks):
    compare_with_fvcore(modality, segments, top_p, seed, stem_blocks)


@pytest.mark.slow
@random_masks
@settings(max_examples=50, deadline=None)
def test_conv_stages_equal_fvcores_count_exactly_over_fifty_masks(modality, segments, top_p, seed, stem_blocks):
    compare_with_fvcore(modality, segments, top_p, seed, stem_blocks)


def compare_with_fvcore(modality: str, segments: int, top_p: float, seed: int, stem_blocks: int) -> None:
    config = replace(VISUAL if modality == "visual" else ACOUSTIC, stem_blocks=stem_blocks)
    torch.manual_seed(seed)
    cnn = SparseVGG(SIZES[modality][0], config, config.text_dim).eval()
    for layer in cnn.attention:
        layer.score.weight.data *= 30  # masks of all shapes, not only half of a flat map
    maps, query = torch.randn(segments, *SIZES[modality]), torch.randn(segments, config.text_dim)
    stack = Stack(cnn, top_p)
    counted, _ = count_executed(stack, (maps, query))
    # Of the very run that was counted: where two sites are all but equal, another one's rounding may keep the other.
    trace = as_trace(modality, stack.result, top_p)
    faces, chunks = (segments, 0) if modality == "visual" else (0, segments)
    report = count_macs(config, trace, faces, chunks)
    assert counted["conv"] == report.by_stage["stem"]
    assert counted.get("matmul", 0) + counted.get("mm", 0) == report.by_stage["conv"]
    assert counted["linear"] == report.by_stage["attention"]
    assert report.conv_stack == report.executed_conv_stack == sum(counted.values())
    assert conv_stack_ratio(config, trace) == report.ratio


@given(st.integers(0, 2**31), st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_pairs_are_the_rulebooks(seed, density):
    mask = torch.rand(3, 6, 5, generator=torch.Generator().manual_seed(seed)) < density
    assert count_pairs(mask.numpy()) == Rulebook(Sites.of_mask(mask)).num_pairs


def full_trace(modality: str, segments: int, backends: tuple[str, ...] = ()) -> Trace:
    _, h, w = SIZES[modality]
    layers = []
    for level in (1, 2, 3):
        everywhere = np.ones((segments, h >> level, w >> level), bool)
        layers.append(LayerTrace(everywhere / everywhere[0].size, everywhere, everywhere, backends))
    return Trace({modality: tuple(layers)}, 1.0)


def test_executed_work_of_a_masked_dense_convolution_is_the_dense_work():
    config = replace(VISUAL, gate="hard")
    trace = full_trace("visual", 2, ("dense", "fused"))
    report = count_macs(config, trace, 2, 0)
    by_name = {e.layer: e for e in report.entries}
    dense = {e.layer: e for e in count_macs(config.as_model("fe2e"), None, 2, 0).entries}
    for block in ("block2", "block3", "block4"):
        first, second = by_name[f"{block}.conv1"], by_name[f"{block}.conv2"]
        assert first.executed == dense[f"{block}.conv1"].macs > first.macs, "a pair never reaches past the border"
        assert second.executed == second.macs
    assert report.ratio < report.executed_conv_stack / report.fe2e_conv_stack


def test_stages_modalities_and_total_agree():
    config = MESMConfig(width=WIDTH, text_dim=384)
    both = Trace({**full_trace("visual", 3).layers, **full_trace("acoustic", 2).layers}, 1.0)
    report = count_macs(config, both, 3, 2, tokens=12)
    assert tuple(report.by_stage) == STAGES and all(v > 0 for v in report.by_stage.values())
    assert sum(report.by_stage.values()) == report.total
    for stage in STAGES:
        assert sum(m[stage] for m in report.by_modality.values()) == report.by_stage[stage]
    assert report.fe2e_conv_stack == fe2e_conv_stack(config, 3, 2)
    one = count_macs(config, both, 3, 2)
    assert one.by_stage["text"] == 0 and one.ratio == report.ratio


def test_the_transformer_is_what_fvcore_counts():
    config = MESMConfig(transformer_dim=16, transformer_layers=2, transformer_feedforward=24)
    module = SequenceTransformer(config).eval()
    counted, missed = count_executed(module, (torch.zeros(5, 16), torch.tensor([5])))
    report = count_macs(config.as_model("fe2e"), None, 5, 0)
    # fvcore does not look inside the fused attention, and says so: two products of length x length x width per layer.
    assert missed["aten::scaled_dot_product_attention"] == 2
    assert report.by_stage["transformer"] == counted["linear"] + 2 * 2 * 6 * 6 * 16


def test_modalities_that_are_not_there_cost_nothing():
    report = count_macs(FE2EConfig(modalities=("visual",)), None, 2, 5, tokens=9)
    assert set(report.by_modality) == {"visual"}
    assert report.fe2e_conv_stack == fe2e_conv_stack(MESMConfig(), 2, 0)
    assert np.isnan(count_macs(FE2EConfig(), None, 0, 0).ratio)


@pytest.mark.slow
def test_an_albert_is_counted_with_its_pooler(monkeypatch):
    from transformers import AlbertConfig, AlbertModel

    shape = {"hidden_size": 16, "embedding_size": 8, "num_hidden_layers": 3, "intermediate_size": 24}
    config = AlbertConfig(vocab_size=12, num_attention_heads=2, **shape)
    encoder = AlbertModel._from_config(config, attn_implementation="eager").eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        encoder(torch.zeros(1, 7, dtype=torch.long))
    monkeypatch.setitem(cost.TEXT_ENCODERS, "albert-base-v2", (3, 16, 24, 8, 16))
    report = count_macs(FE2EConfig(text_source="albert-base-v2", modalities=("text",)), None, 0, 0, tokens=7)
    assert report.by_stage["text"] == counter.get_total_flops() / 2


def test_a_text_encoder_of_unknown_shape_is_named():
    report = count_macs(FE2EConfig(text_source="some/model"), None, 1, 1, tokens=9)
    assert report.by_stage["text"] == 0 and "some/model" in report.not_counted[0]


def test_mesm_needs_its_trace():
    with pytest.raises(DataError, match="trace=True"):
        count_macs(MESMConfig(), None, 2, 0)
    with pytest.raises(DataError, match="on 3 segments"):
        count_macs(MESMConfig(), full_trace("visual", 2), 3, 0)
