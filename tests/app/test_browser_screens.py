"""Every page as it looks: at two widths, light and dark, with the bundled assets; the pictures are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from mesm.studies.case.mosaic import AXIS_PX, BODY_PX, GAP_PX, GUTTER_PX, WORDS_PX, fit_window
from mesm.ui.frame import PAGES
from tests.app.browser import FACES, SCREENSHOTS, open_page, settle

NAMES = [file.removeprefix("pages/").removesuffix(".py") for file in PAGES]
#: A page higher than this is cut: nobody looks at more at once.
MOST_PX = 6000


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_screenshots(chromium: Any, address: str, name: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    for scheme in ("light", "dark"):
        page = open_page(chromium, f"{address}/{'' if name == 'overview' else name}", 1280, scheme)
        for width in (1280, 1920):
            page.set_viewport_size({"width": width, "height": 1000})
            height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
            page.set_viewport_size({"width": width, "height": min(height, MOST_PX)})
            page.wait_for_timeout(500)
            settle(page)
            path = SCREENSHOTS / f"{name}-{width}-{scheme}.png"
            page.screenshot(path=path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width  # nothing sticks out at the side
            ground = np.asarray(Image.open(path).convert("L"))[-5:, -5:]
            assert (ground > 200).all() if scheme == "light" else (ground < 60).all()
        assert page.locator("[data-testid=stException]").count() == 0
        assert page.locator("[data-testid=stMain] img:not([alt])").count() == 0
        page.context.close()


CASE = "case_studies?checkpoint=marionette-mesm&corpus=marionette&clip=m0-00006"


def box_of(page: Any, locator: Any) -> dict[str, float]:
    box = locator.bounding_box()
    assert box is not None and box["width"] > 0
    return box


@pytest.mark.slow
def test_words_slider_scores_and_masks_are_in_view_together(chromium: Any, address: str) -> None:
    page = open_page(chromium, f"{address}/{CASE}")
    page.set_viewport_size({"width": 1280, "height": 900})
    settle(page)
    words = box_of(page, page.get_by_role("heading", level=4).last)
    slider = box_of(page, page.get_by_role("slider", name="top-p").last)
    bars = page.locator(".js-plotly-plot .bars .point")
    first, last = box_of(page, bars.first), box_of(page, bars.nth(5))
    faces = box_of(page, page.get_by_role("img", name=FACES).last)
    side = fit_window(2.6).face_px
    mask_end = faces["y"] + faces["width"] / (GUTTER_PX + BODY_PX) * (AXIS_PX + WORDS_PX + 2 * side + GAP_PX)
    for name, low in (
        ("words", words["y"] + words["height"]),
        ("slider", slider["y"] + slider["height"]),
        ("first score", first["y"] + first["height"]),
        ("last score", last["y"] + last["height"]),
        ("first mask", mask_end),
    ):
        assert 0 < low <= 900, name
    assert faces["x"] + faces["width"] <= slider["x"], "masks and scores stand side by side"
    chosen = page.locator("[class*=st-key-open-] [kind=primary]:visible").last
    strip = box_of(page, page.locator(".st-key-strip").last)
    assert strip["x"] <= box_of(page, chosen)["x"] <= strip["x"] + strip["width"]


@pytest.mark.slow
def test_a_phone_shows_the_case_within_two_screens(chromium: Any, address: str) -> None:
    page = open_page(chromium, f"{address}/{CASE}", 390)
    page.set_viewport_size({"width": 390, "height": 844})
    settle(page)
    assert box_of(page, page.get_by_role("heading", level=4).last)["y"] < 1688
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    strip = page.locator(".st-key-strip").last
    assert strip.evaluate("e => e.scrollWidth > e.clientWidth") and box_of(page, strip)["height"] < 140
    slider = box_of(page, page.get_by_role("slider", name="top-p").last)
    assert slider["y"] < box_of(page, page.get_by_role("img", name=FACES).last)["y"]
