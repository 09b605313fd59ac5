"""The parts of the architecture: each lies on the drawing, names files that exist and opens a page."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations

import pytest

from mesm.config import ModelConfig
from mesm.presets import PRESETS
from mesm.runtime import bundle
from mesm.studies.architecture.paper import screen_boxes
from mesm.ui import frame
from mesm.ui.overview.drawing import PARTS, page_name

MESM, FE2E = PRESETS["marionette-mesm"].model, PRESETS["marionette-fe2e"].model


def test_each_part_names_its_code_and_its_page() -> None:
    assert set(screen_boxes(MESM)) == set(PARTS)
    for part, (_, words, page) in PARTS.items():
        assert page in frame.PAGES and page_name(part) == frame.PAGES[page][0]
        (path,) = re.findall(r"\((mesm/[\w/.]+)\)", words)
        assert (bundle() / path).exists(), path


@pytest.mark.parametrize("config", [MESM, FE2E, replace(FE2E, modalities=("visual", "acoustic"))])
def test_the_boxes_lie_on_the_drawing_and_apart(config: ModelConfig) -> None:
    boxes = screen_boxes(config)
    assert ("words" in boxes) == ("text" in config.modalities) and ("step 1" in boxes) == (config.name == "mesm")
    for left, top, width, height in boxes.values():
        assert left >= 0 and top >= 0 and left + width <= 1 + 1e-9 and top + height <= 1 + 1e-9 and width * height > 0
    for (a, one), (b, other) in combinations(boxes.items(), 2):
        apart = (
            one[0] + one[2] <= other[0] + 1e-9 or other[0] + other[2] <= one[0] + 1e-9
            or one[1] + one[3] <= other[1] + 1e-9 or other[1] + other[3] <= one[1] + 1e-9
        )  # fmt: skip
        assert apart, (a, b)
