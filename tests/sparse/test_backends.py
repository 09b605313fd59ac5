"""Every backend against the masked dense convolution, outputs and gradients; spconv where CUDA is."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mesm.errors import BackendUnavailable, ConfigError, DataError
from mesm.sparse.backend_costs import COSTS, ConvCosts
from mesm.sparse.backends import CONVOLVE, available, choose, submanifold_conv
from mesm.sparse.fused_backend import LANES, _blocks, convolve_panels, pack, panels
from mesm.sparse.sites import Rulebook, Sites

DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])


def a_book(mask, source_mask=None):
    same = source_mask is None or source_mask is mask
    return Rulebook(Sites.of_mask(mask), None if same else Sites.of_mask(source_mask))


def oracle(features, mask, source_mask, weight, bias):
    """The definition, site by site: sum over the source neighbours of weight times feature."""
    rows = {tuple(site): features[i] for i, site in enumerate(source_mask.nonzero().tolist())}
    out = []
    for s, y, x in mask.nonzero().tolist():
        total = bias.clone()
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                if (s, y + dy, x + dx) in rows:
                    total = total + weight[:, :, dy + 1, dx + 1] @ rows[(s, y + dy, x + dx)]
        out.append(total)
    return torch.stack(out) if out else features.new_zeros(0, len(bias))


@st.composite
def cases(draw):
    """(mask, wider source mask, seed): empty segments, one site, full, 1x1 maps, zero segments."""
    s, h, w = draw(st.sampled_from([(0, 3, 3), (1, 1, 1), (3, 1, 1), (1, 5, 4), (3, 4, 3), (2, 6, 6)]))
    seed = draw(st.integers(0, 2**31))
    generator = torch.Generator().manual_seed(seed)
    density = torch.tensor(draw(st.lists(st.sampled_from([0.0, 0.05, 0.5, 1.0]), min_size=s, max_size=s)))
    mask = torch.rand(s, h, w, generator=generator) < density.view(s, 1, 1)
    wider = mask | (torch.rand(s, h, w, generator=generator) < 0.5) if draw(st.booleans()) else mask
    return mask, wider, seed


@pytest.mark.parametrize("name", ["dense", "fused"])
@given(case=cases())
@settings(max_examples=60, deadline=None)
def test_backends_equal_the_definition(name, case):
    mask, wider, seed = case
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(int(wider.sum()), 3, generator=generator).requires_grad_()
    weight = torch.randn(5, 3, 3, 3, generator=generator).requires_grad_()
    bias = torch.randn(5, generator=generator).requires_grad_()
    truth = oracle(features, mask, wider, weight, bias)
    out = submanifold_conv(features, a_book(mask, wider), weight, bias, backend=name)
    torch.testing.assert_close(out, truth, atol=1e-4, rtol=1e-4)
    probe = torch.randn(out.shape, generator=generator)
    if out.requires_grad and truth.requires_grad:
        got = torch.autograd.grad((out * probe).sum(), (features, weight, bias), allow_unused=True)
        want = torch.autograd.grad((truth * probe).sum(), (features, weight, bias), allow_unused=True)
        for mine, theirs in zip(got, want, strict=True):
            mine = torch.zeros(()) if mine is None else mine
            theirs = torch.zeros_like(mine) if theirs is None else theirs
            torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", sorted(set(CONVOLVE) - {"dense"}))
def test_backends_equal_the_oracle_at_full_channels(name, device):
    if not available(name, torch.device(device)):
        pytest.skip(f"{name} does not run on {device} here")
    torch.manual_seed(0)
    mask = torch.rand(4, 12, 12, device=device) < 0.5
    wider = mask | (torch.rand(4, 12, 12, device=device) < 0.5)
    for source_mask in (mask, wider):
        results = []
        for backend in ("dense", name):
            torch.manual_seed(1)
            features = torch.randn(int(source_mask.sum()), 64).to(device).requires_grad_()
            weight = (torch.randn(128, 64, 3, 3) / 24).to(device).requires_grad_()
            bias = torch.randn(128).to(device).requires_grad_()
            out = submanifold_conv(features, a_book(mask, source_mask), weight, bias, backend=backend)
            out.square().mean().backward()
            results.append((out.detach(), features.grad, weight.grad, bias.grad))
        for truth, found in zip(*results, strict=True):
            torch.testing.assert_close(found, truth, atol=1e-4, rtol=1e-4)


def test_float64_runs_dense_and_passes_gradcheck():
    mask = torch.rand(2, 4, 3, generator=torch.Generator().manual_seed(3)) < 0.6
    assert choose("auto", a_book(mask), 2, 3, torch.float64) == "dense"
    features = torch.randn(int(mask.sum()), 2, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f, w: submanifold_conv(f, a_book(mask), w), (features, weight))


def test_bfloat16_stays_close():
    torch.manual_seed(0)
    mask = torch.rand(2, 8, 8) < 0.5
    features, weight = torch.randn(int(mask.sum()), 16), torch.randn(8, 16, 3, 3) / 12
    truth = submanifold_conv(features, a_book(mask), weight, backend="dense")
    with torch.autocast("cpu", torch.bfloat16):
        out = submanifold_conv(features, a_book(mask), weight)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), truth, atol=0.05, rtol=0.05)


@given(st.integers(0, 2000), st.integers(1, 1024), st.integers(1, 40), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_the_fused_blocks_cover_every_row_and_channel_once(rows, width, num_panels, threads):
    times = torch.zeros(rows, num_panels, dtype=torch.int32)
    for row, last_row, panel, last_panel in _blocks(rows, width, num_panels, threads):
        times[row:last_row, panel:last_panel] += 1
    assert (times == 1).all()


def test_threads_and_company_do_not_change_the_fused_sums():
    torch.manual_seed(0)
    mask, threads = torch.rand(5, 24, 24) < 0.5, torch.get_num_threads()
    features, bias = torch.randn(int(mask.sum()), 20), torch.randn(40)
    weight = panels(pack(torch.randn(40, 20, 3, 3)))
    results = []
    try:
        for number in (1, 2, 3):
            torch.set_num_threads(number)
            results.append(convolve_panels(features, a_book(mask), weight, bias, relu=True))
    finally:
        torch.set_num_threads(threads)
    alone = convolve_panels(features[: int(mask[0].sum())], a_book(mask[:1]), weight, bias, relu=True)
    assert all(torch.equal(result, results[0]) for result in results[1:])
    assert torch.equal(alone, results[0][: len(alone)]) and (alone >= 0).all() and alone.shape[1] == 40 != 3 * LANES


def test_the_fused_backend_says_what_it_cannot_do():
    book = a_book(torch.ones(1, 2, 2, dtype=torch.bool))
    with pytest.raises(BackendUnavailable, match="float32 on a CPU"):
        submanifold_conv(torch.zeros(4, 2).double(), book, torch.zeros(3, 2, 3, 3).double(), backend="fused")
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(BackendUnavailable, match="bfloat16"):
        submanifold_conv(torch.zeros(4, 2), book, torch.zeros(3, 2, 3, 3), backend="fused")


def test_spconv_on_a_cpu_says_why():
    book = a_book(torch.ones(1, 2, 2, dtype=torch.bool))
    with pytest.raises(BackendUnavailable, match="runs on CUDA only"):
        submanifold_conv(torch.zeros(4, 2), book, torch.zeros(3, 2, 3, 3), backend="spconv")


def test_auto_takes_the_fused_pass_where_little_is_active_and_the_dense_one_on_full_maps(monkeypatch):
    def chosen(density, dtype=torch.float32, size=24):
        mask = torch.rand(16, size, size, generator=torch.Generator().manual_seed(0)) < density
        return choose("auto", a_book(mask), 128, 128, dtype)

    assert [chosen(d) for d in (0.1, 0.3, 1.0)] == ["fused", "fused", "dense"]
    assert {chosen(d, t) for d in (0.1, 1.0) for t in (torch.float64, torch.bfloat16)} == {"dense"}, "nothing measured"
    # It is the costs that decide: with a dear fused pass little activity runs dense too.
    dear = {"dense": COSTS["cpu", "float32"]["dense"], "fused": ConvCosts(1e12, 0, 0, 0)}
    monkeypatch.setitem(COSTS, ("cpu", "float32"), dear)
    assert [chosen(d) for d in (0.1, 1.0)] == ["dense", "dense"]


def test_unknown_backend_lists_the_known():
    with pytest.raises(ConfigError, match="auto, dense, fused, spconv"):
        choose("sparse", a_book(torch.ones(1, 2, 2, dtype=torch.bool)), 3, 3, torch.float32)


_GENERATOR = torch.Generator().manual_seed(3)
_BOOK = Rulebook(Sites.of_mask(torch.rand(2, 8, 8, generator=_GENERATOR) < 0.5))
_ROWS = len(_BOOK.sources)
_WRONG: dict[str, dict[str, torch.Tensor]] = {
    "channels": {"features_NC": torch.zeros(_ROWS, 8)},
    "half of the rows": {"features_NC": torch.zeros(_ROWS // 2, 16)},
    "one row too many": {"features_NC": torch.zeros(_ROWS + 1, 16)},
    "a third side": {"features_NC": torch.zeros(_ROWS, 16, 1)},
    "float64 features": {"features_NC": torch.zeros(_ROWS, 16, dtype=torch.float64)},
    "float64 weight": {"weight_KCRR": torch.zeros(24, 16, 3, 3, dtype=torch.float64)},
    "kernel": {"weight_KCRR": torch.zeros(24, 16, 5, 5)},
    "weight without a kernel": {"weight_KCRR": torch.zeros(24, 16)},
    "bias": {"bias_K": torch.zeros(5)},
    "bias of a matrix": {"bias_K": torch.zeros(24, 1)},
}


@pytest.mark.parametrize("wrong", _WRONG)
def test_wrong_input_gets_the_same_sentence_from_every_backend(wrong):
    right = {
        "features_NC": torch.zeros(_ROWS, 16),
        "weight_KCRR": torch.zeros(24, 16, 3, 3),
        "bias_K": torch.zeros(24),
    }
    sentences = set()
    for backend in ("auto", *CONVOLVE):
        for gradients in (False, True):
            with torch.set_grad_enabled(gradients), pytest.raises(DataError) as raised:
                submanifold_conv(book=_BOOK, backend=backend, **(right | _WRONG[wrong]))
            sentences.add(str(raised.value))
    assert len(sentences) == 1 and "\n" not in sentences.pop()


def test_packed_weights_and_rows_are_checked_too():
    weight = panels(pack(torch.zeros(24, 16, 3, 3)))
    for features in (torch.zeros(_ROWS, 8), torch.zeros(_ROWS - 1, 16), torch.zeros(_ROWS, 16).double()):
        with pytest.raises(DataError):
            convolve_panels(features, _BOOK, weight, torch.zeros(24))
