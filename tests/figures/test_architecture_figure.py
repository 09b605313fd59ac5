"""The drawing of the architecture: its sizes are the models' own, its example follows the models' rule, nothing is cut."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Text

from mesm.config import FE2EConfig, LFLSTMConfig, MESMConfig, ModelConfig, model_config
from mesm.errors import ConfigError
from mesm.figures.export import render
from mesm.figures.page import WIDTHS_IN, paper_style
from mesm.figures.style import DARK, LIGHT, theme
from mesm.layers.nucleus import nucleus_mask
from mesm.layers.sparse_vgg import SparseVGG
from mesm.studies.architecture import chart_data
from mesm.studies.architecture.paper import architecture, plot_architecture, screen_svg

ORIGIN = {"checkpoint": "some-mesm", "checkpoint_sha256": "00", "corpus": "", "licence": ""}
SMALL = MESMConfig(width=0.25, text_dim=16, transformer_dim=48, top_p=0.37)


def words_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


@pytest.mark.parametrize("modality", ["visual", "acoustic"])
def test_the_grids_are_those_of_the_network(modality: str) -> None:
    channels = 3 if modality == "visual" else 1
    network = SparseVGG(channels, SMALL, SMALL.text_dim).eval()
    with torch.no_grad():
        x = torch.randn(1, channels, *chart_data.SEGMENT_SIZES[modality])
        stem = network.stem(x)
        layers = network.sparse_part(stem, torch.randn(1, SMALL.text_dim), 0.5, trace=True).layers
    shapes = [tuple(layer.kept_SHW.shape[1:]) for layer in layers]
    assert [chart_data.grid(modality, number) for number in range(len(layers))] == shapes
    texts = words_of(plot_architecture(SMALL, 6.3))
    assert "×".join(map(str, (*shapes[0], stem.shape[1]))) in texts
    for shape, block in zip(shapes, network.blocks[2:], strict=True):
        assert "×".join(map(str, (*shape, block.conv2.out_channels))) in texts


@settings(max_examples=25, deadline=None)
@given(top_p=st.floats(0.01, 1.0), modality=st.sampled_from(["visual", "acoustic"]))
def test_the_example_follows_the_models_rule(top_p: float, modality: str) -> None:
    config = MESMConfig(top_p=top_p)
    before = None
    for layer in chart_data.example(config, modality):
        assert layer.attention.sum() == pytest.approx(1) and not layer.attention[~layer.active].any()
        assert not (layer.kept & ~layer.active).any()
        if before is not None:
            height, width = before.shape
            assert np.array_equal(layer.active, before.reshape(height // 2, 2, width // 2, 2).any((1, 3)))
        attention, active = (torch.from_numpy(values)[None] for values in (layer.attention, layer.active))
        assert np.array_equal(nucleus_mask(attention, active, top_p)[0].numpy(), layer.kept)
        before = layer.kept


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), top_p=st.floats(0.01, 1.0), levels=st.integers(1, 6))
@example(seed=0, top_p=1 - 1e-16, levels=3)
def test_the_numpy_nucleus_is_the_models(seed: int, top_p: float, levels: int) -> None:
    rng = np.random.default_rng(seed)
    active = rng.random((5, 7)) < 0.7
    active[2, 3] = True
    weights = rng.integers(1, levels + 1, active.shape) * active  # few levels: many ties
    attention = (weights / weights.sum()).astype(np.float32)
    model = nucleus_mask(torch.from_numpy(attention)[None], torch.from_numpy(active)[None], top_p)[0].numpy()
    assert np.array_equal(chart_data.keep_nucleus(attention, active, top_p), model)


@pytest.mark.parametrize("width", [3.03, 3.5, 5.5, 7.16])
@pytest.mark.parametrize("name", ["mesm", "fe2e"])
def test_nothing_is_cut_and_no_letters_touch(width: float, name: str) -> None:
    with paper_style():
        figure = plot_architecture(model_config(name), width)
        figure.draw_without_rendering()
        boxes = {id(t): (t.get_text(), t.get_window_extent()) for t in figure.findobj(Text) if t.get_text()}
    for text, box in boxes.values():
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, text
    placed = list(boxes.values())
    touching = [(a, b) for i, (a, one) in enumerate(placed) for b, two in placed[i + 1 :] if one.overlaps(two)]
    assert touching == []


def configs() -> Iterator[ModelConfig]:
    yield MESMConfig(modalities=("text", "visual"))
    yield MESMConfig(modalities=("text", "acoustic"), query="none")
    yield FE2EConfig(modalities=("visual",))
    yield FE2EConfig(modalities=("text",))
    yield MESMConfig(labels=("happiness", "neutral"), top_p=1.0)


def test_every_model_has_a_picture() -> None:
    for config in configs():
        for width in (3.03, 6.3):
            texts = words_of(plot_architecture(config, width))
            assert set(config.labels) <= set(texts)
            for modality, name in (("text", "words"), ("visual", "faces"), ("acoustic", "voice")):
                assert (name in texts) == (modality in config.modalities)
            assert ("query" in texts) == (config.name == "mesm" and config.query != "none")
            assert any("nucleus" in text for text in texts) == (config.name == "mesm")
        assert all(label in chart_data.architecture_alt(config) for label in config.labels)


def test_the_screens_picture_has_the_screens_ground_and_the_top_p() -> None:
    for dark in (False, True):
        svg = screen_svg(SMALL, dark)
        assert svg.startswith("<svg") and svg.rstrip().endswith("</svg>")
        assert theme(dark).ground.lower() in svg and len(svg) < 400_000
    assert "0.37" in chart_data.architecture_caption(SMALL)
    assert any("p = 0.37" in text for text in words_of(plot_architecture(SMALL, 6.3, DARK)))
    assert plot_architecture(SMALL, 6.3, LIGHT).get_size_inches()[0] == pytest.approx(WIDTHS_IN["acl-text"])


def test_the_exhibit_renders_and_refuses_other_models() -> None:
    exhibit = architecture(SMALL, ORIGIN)
    assert exhibit.formats == ("pdf", "svg", "png", "tex", "json") and "corpus" not in exhibit.origin
    assert exhibit.command == "mesm figure architecture some-mesm"
    files = {form: render(exhibit, form) for form in ("pdf", "svg")}
    for form, file in files.items():
        assert file == render(architecture(SMALL, ORIGIN), form)
    assert b"/Type3" not in files["pdf"]
    with pytest.raises(ConfigError, match="lf_lstm"):
        architecture(LFLSTMConfig(), ORIGIN)
    assert io.BytesIO(render(exhibit, "png")).read(4) == b"\x89PNG"
