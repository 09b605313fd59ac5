"""Every registered model: forward, backward, members of a batch, missing modalities."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
import torch

from mesm.batch import Batch
from mesm.config import MESMConfig
from mesm.errors import ConfigError, DataError
from mesm.models import MODELS, EmotionModel, Features, TokenText, build_model
from mesm.models.baselines import FeatureModel
from mesm.models.checkpoint import warm_start
from mesm.vocabulary import MODALITIES
from tests.models.model_fixtures import FEATURE_DIMS, TINY, member, random_batch, tiny


def shake(model: torch.nn.Module) -> torch.nn.Module:
    """Batch-norm statistics and gains away from their start, so that no equality below holds by accident."""
    generator = torch.Generator().manual_seed(1)
    for name, value in [*model.named_buffers(), *model.named_parameters()]:
        if "running_mean" in name or name.endswith("norm.bias"):
            value.data.copy_(0.1 * torch.randn(value.shape, generator=generator))
        if "running_var" in name:
            value.data.copy_(0.5 + torch.rand(value.shape, generator=generator))
    return model


def without_gradient(parameters: Iterable[tuple[str, torch.nn.Parameter]]) -> list[str]:
    """Names of the parameters that a backward pass did not reach."""
    return [name for name, p in parameters if p.grad is None or not p.grad.abs().sum() > 0]


@pytest.mark.parametrize("name", MODELS)
def test_the_inputs_are_what_the_model_is_fed_with(name: str) -> None:
    called = []
    model = build_model(tiny(name))
    arguments = model.inputs.loader_arguments(
        lambda: called.append("vectors") or {}, lambda inputs: called.append(inputs) or (lambda sample: {})
    )
    if isinstance(model, FeatureModel):
        assert not isinstance(model, EmotionModel)
        assert list(arguments) == ["features"] and called == [Features(MODALITIES, (), FEATURE_DIMS)]
    else:
        assert list(arguments) == ["text_vectors"] and called == ["vectors"]


def test_a_trainable_text_encoder_is_fed_with_its_own_tokens() -> None:
    model = build_model(MESMConfig(width=0.125, head_dim=8, text_trainable=True))
    assert isinstance(model.inputs, TokenText) and model.text_encoder is not None
    arguments = model.inputs.loader_arguments(dict, lambda inputs: pytest.fail("no features are needed"))
    assert list(arguments) == ["tokenize"]
    ids, mask = arguments["tokenize"](["so glad you came", "you"])
    assert torch.equal(ids, model.text_encoder.tokenize(["so glad you came", "you"])[0]) and mask[1].sum() == 3


def test_the_query_index_is_the_text_that_queries(batch: Batch) -> None:
    torch.manual_seed(0)
    model = build_model(TINY).eval()
    order = torch.tensor([2, 0, 1])
    with torch.no_grad():
        own = model(batch, 0.5, trace=True)
        both = model(batch, 0.5, True, order, order.flip(0))
        texts = replace(batch, text_vectors=batch.text_vectors[order])  # type: ignore[index]
        other = model(texts, 0.5, trace=True)
    for modality, layers in both.layers.items():
        assert torch.equal(layers[0].kept_SHW, other.layers[modality][0].kept_SHW)
        assert not torch.equal(layers[0].attention_SHW, own.layers[modality][0].attention_SHW)
    assert both.second is not None and own.second is None
    with torch.no_grad():
        flipped = model(replace(batch, text_vectors=batch.text_vectors[order.flip(0)]), 0.5)  # type: ignore[index]
    assert torch.equal(both.second.modality_logits_BME[:, 1:], flipped.modality_logits_BME[:, 1:])
    text = MODALITIES.index("text")
    assert torch.equal(both.modality_logits_BME[:, text], own.modality_logits_BME[:, text]), (
        "the query alone is another's"
    )
    head = own.head(2)
    assert torch.equal(head.logits_BE, own.logits_BE[:2]) and head.layers == {}


@pytest.mark.parametrize("name", MODELS)
def test_forward_and_a_gradient_for_every_parameter(name: str, batch: Batch) -> None:
    torch.manual_seed(0)
    model = build_model(tiny(name, score="additive_bilinear")).train()
    output = model(batch, 0.6)
    assert output.logits_BE.shape == (3, 6)
    (output.logits_BE.square().sum() + output.modality_logits_BME.square().sum()).backward()
    assert without_gradient(model.named_parameters()) == []


@pytest.mark.parametrize("gate", ["straight_through", "soft", "soft_straight_through"])
def test_trained_gates_reach_every_attention_parameter(gate: str, batch: Batch) -> None:
    torch.manual_seed(0)
    model = build_model(replace(TINY, gate=gate, score="additive_bilinear")).train()
    model(batch, 0.5).logits_BE.square().sum().backward()
    attention = [(name, p) for name, p in model.named_parameters() if ".attention." in name]
    assert {id(p) for _, p in attention} == {id(p) for p in model.attention_parameters()}
    assert len(attention) == 2 * 3 * 5, "two branches, three layers: W_m, b_m, W_q, W_i, U"
    assert without_gradient(attention) == []


def test_the_hard_gate_gives_the_attention_no_gradient(batch: Batch) -> None:
    model = build_model(replace(TINY, gate="hard")).train()
    model(batch, 0.5).logits_BE.square().sum().backward()
    assert all(p.grad is None or not p.grad.abs().sum() for p in model.attention_parameters())


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("top_p", [0.4, 1.0])
def test_a_batch_gives_what_each_member_gives_alone(name: str, top_p: float, batch: Batch) -> None:
    torch.manual_seed(0)
    model = shake(build_model(tiny(name))).eval()
    with torch.no_grad():
        together = model(batch, top_p, trace=True)
        for b in range(len(batch)):
            alone = model(member(batch, b), top_p, trace=True)
            torch.testing.assert_close(alone.logits_BE[0], together.logits_BE[b], atol=1e-5, rtol=1e-5)
            for modality, layers in alone.layers.items():
                counts = (batch.face_counts if modality == "visual" else batch.chunk_counts).tolist()
                rows = slice(sum(counts[:b]), sum(counts[: b + 1]))
                for one, all_ in zip(layers, together.layers[modality], strict=True):
                    assert torch.equal(one.kept_SHW, all_.kept_SHW[rows])


def test_top_p_one_with_the_hard_gate_is_the_dense_model(batch: Batch) -> None:
    torch.manual_seed(0)
    dense = shake(build_model(tiny("fe2e"))).eval()
    sparse = build_model(replace(TINY, gate="hard")).eval()
    left = warm_start(sparse, dense.state_dict())
    assert left and all("attention" in name for name in left)
    with torch.no_grad():
        torch.testing.assert_close(sparse(batch, 1.0).logits_BE, dense(batch).logits_BE, atol=1e-4, rtol=1e-4)
        assert not torch.allclose(sparse(batch, 0.3).logits_BE, dense(batch).logits_BE, atol=1e-3)


@pytest.mark.parametrize("name", MODELS)
def test_a_longer_padding_changes_nothing(name: str) -> None:
    torch.manual_seed(0)
    model = shake(build_model(tiny(name))).eval()
    short, long = random_batch([2, 1], [1, 2]), random_batch([2, 1, 9], [1, 2, 8])
    with torch.no_grad():
        padded = model(long, 0.6).logits_BE
        for b in range(2):
            again = model(member(long, b), 0.6).logits_BE[0]
            torch.testing.assert_close(padded[b], again, atol=1e-5, rtol=1e-5)
        assert not torch.allclose(model(short, 0.6).logits_BE, padded[2:].expand(2, -1)), "the clips must differ"


@pytest.mark.parametrize("modalities", [("text",), ("text", "acoustic")])
@pytest.mark.parametrize("name", MODELS)
def test_fewer_modalities(name: str, modalities: tuple[str, ...], batch: Batch) -> None:
    torch.manual_seed(0)
    dims = tuple(d for d, m in zip(FEATURE_DIMS, MODALITIES, strict=True) if m in modalities)
    model = build_model(tiny(name, modalities=modalities, feature_dims=dims)).train()
    output = model(batch, 0.6)
    output.logits_BE.square().sum().backward()
    assert output.modality_logits_BME.shape == (3, len(modalities), 6)
    # One modality's scores pass the fusion; MESM's attention has no bias that a softmax could see.
    assert all(p.grad is not None for n, p in model.named_parameters())


@pytest.mark.parametrize("name", MODELS)
def test_a_missing_face_or_voice_drops_the_branch(name: str) -> None:
    torch.manual_seed(0)
    model = shake(build_model(tiny(name))).eval()
    batch = random_batch([2, 0, 2], [2, 2, 0])
    with torch.no_grad():
        output = model(batch, 0.5, trace=True)
        assert output.present_BM.tolist() == [[True, True, True], [True, False, True], [True, True, False]]
        alone = model(member(batch, 1), 0.5)
        torch.testing.assert_close(alone.logits_BE[0], output.logits_BE[1], atol=1e-5, rtol=1e-5)
        nobody = model(random_batch([0], [0]), 0.5)
        assert torch.isfinite(nobody.logits_BE).all()
        weights = output.fusion_weights_BM
        assert not output.modality_logits_BME[~output.present_BM].any()
        if model.has_branches:
            torch.testing.assert_close(weights.abs().sum(1), weights[0].abs().sum().expand(3))
            assert weights[1, 1] == 0 and weights[2, 2] == 0
            torch.testing.assert_close(nobody.fusion_weights_BM[0, 0], weights[0].sum())
        else:
            assert not weights.any() and not output.modality_logits_BME.any()


@pytest.mark.parametrize("name", ["fe2e", "mesm"])
def test_a_clip_without_words_is_scored_by_face_and_voice(name: str, batch: Batch) -> None:
    silent = replace(batch, has_text=torch.tensor([True, False, True]))
    output = build_model(tiny(name)).eval()(silent)
    assert output.present_BM[1].tolist() == [False, True, True]
    assert not output.modality_logits_BME[1, 0].any() and output.logits_BE[1].any()


@pytest.mark.parametrize("top_p", [0.0, -0.1, 1.1])
def test_top_p_out_of_range(top_p: float, batch: Batch) -> None:
    with pytest.raises(ConfigError, match="must lie in"):
        build_model(TINY)(batch, top_p)


def test_a_trace_leaves_no_state_behind(batch: Batch) -> None:
    model = build_model(TINY).eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    hooks = sum(len(m._forward_hooks) for m in model.modules())
    with torch.no_grad():
        plain = model(batch, 0.5)
        traced = model(batch, 0.5, trace=True)
    assert plain.layers == {} and set(traced.layers) == {"visual", "acoustic"}
    assert [tuple(layer.kept_SHW.shape) for layer in traced.layers["visual"]] == [(6, 24, 24), (6, 12, 12), (6, 6, 6)]
    assert [tuple(layer.kept_SHW.shape) for layer in traced.layers["acoustic"]] == [(6, 64, 16), (6, 32, 8), (6, 16, 4)]
    assert torch.equal(plain.logits_BE, traced.logits_BE)
    assert sum(len(m._forward_hooks) for m in model.modules()) == hooks
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_the_mask_is_a_nucleus(batch: Batch) -> None:
    model = build_model(TINY).eval()
    with torch.no_grad():
        layers = model(batch, 0.5, trace=True).layers["visual"]
    for layer in layers:
        mass = (layer.attention_SHW * layer.kept_SHW).flatten(1).sum(1)
        assert (mass >= 0.5 - 1e-6).all()
        smallest = torch.where(layer.kept_SHW, layer.attention_SHW, torch.inf).flatten(1).amin(1)
        assert (mass - smallest < 0.5 + 1e-6).all(), "one site fewer would have been enough"


def test_the_query_steers_only_when_asked(batch: Batch) -> None:
    other = replace(batch, text_vectors=batch.text_vectors.flip(0))  # type: ignore[union-attr]
    torch.manual_seed(0)
    asked = build_model(TINY).eval()
    torch.manual_seed(0)
    unasked = build_model(replace(TINY, query="none")).eval()
    with torch.no_grad():
        for model, same in ((asked, False), (unasked, True)):
            a = model(batch, 0.5, trace=True).layers["visual"][0].attention_SHW
            b = model(other, 0.5, trace=True).layers["visual"][0].attention_SHW
            assert torch.equal(a, b) == same


def test_too_many_segments_is_one_sentence() -> None:
    model = build_model(replace(TINY, max_segments=4)).eval()
    with pytest.raises(DataError, match="takes 4"):
        model(random_batch([5], [1]))
