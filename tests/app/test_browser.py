"""The slider and the link in a real browser: the picture changes, nothing else does."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from tests.app.browser import FACES, SOUND, in_address, open_page, picture, settle

pytestmark = pytest.mark.slow

VIEW = "checkpoint=tiny-mesm&corpus=noise&clip=clip04"


def test_moving_top_p_changes_the_pictures(chromium: Any, address: str) -> None:
    page = open_page(chromium, f"{address}/case_studies?{VIEW}&p=0.8")
    page.get_by_role("link", name="Case studies").wait_for()  # in its frame, although the first visit is a deep link
    faces, mel = picture(page, FACES), picture(page, SOUND)
    old = page.get_by_role("img", name=FACES).last.get_attribute("src")
    page.get_by_role("slider", name="top-p").last.focus()  # which may scroll
    box = page.get_by_role("img", name=FACES).last.bounding_box()
    start = time.perf_counter()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(
        "old => [...document.images].some(i => i.alt.includes('faces, one every') && i.getAttribute('src') != old "
        "&& i.complete)",
        arg=old,
    )
    print(f"key press to new picture: {1000 * (time.perf_counter() - start):.0f} ms")
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    in_address(page, "p=0.75")
    after = picture(page, FACES)
    assert after.shape == faces.shape and (after != faces).any()
    assert (picture(page, SOUND) != mel).any()
    assert (after == 255).all(axis=2).mean() > (faces == 255).all(axis=2).mean()  # a smaller p keeps less
    assert page.get_by_role("img", name=FACES).last.bounding_box() == box  # and nothing jumped


def test_a_link_shows_what_was_seen(chromium: Any, address: str) -> None:
    page = open_page(chromium, f"{address}/case_studies?{VIEW}&p=0.3")
    page.get_by_test_id("stButtonGroup").get_by_text("sadness").last.click()
    in_address(page, "emotion=sadness")
    again = open_page(chromium, page.url)
    assert again.url == page.url
    assert (picture(again, FACES) == picture(page, FACES)).all()


def test_a_face_of_the_strip_opens_its_clip_and_a_cell_says_its_value(chromium: Any, address: str) -> None:
    page = open_page(chromium, f"{address}/case_studies?{VIEW}")
    page.get_by_role("img", name="Face of clip clip06").last.click()
    in_address(page, "clip=clip06")
    page.get_by_role("img", name="Open clip clip06").last.wait_for()
    box = page.get_by_role("img", name=FACES).last.bounding_box()
    page.get_by_role("slider", name="top-p").last.focus()
    page.keyboard.press("ArrowLeft")
    settle(page)
    assert page.locator("[role=status].value").count() == 1, "new values replace the old ones"
    for share in (0.5, 0.7, 0.9):  # a row each
        page.mouse.move(box["x"] + 0.15 * box["width"], box["y"] + share * box["height"])
        value = (
            page.locator("[role=status]")
            .filter(has_text="attention")
            .or_(page.locator("[role=status]").filter(has_text="dropped"))
        )
        value.last.wait_for()
    assert re.fullmatch(r"L\d: (attention \d+\.\d\d × uniform, (kept|dropped here)|dropped by an earlier layer)",
                        value.last.inner_text())  # fmt: skip


def test_the_copied_link_is_the_views_own(chromium: Any, address: str) -> None:
    page = open_page(chromium, f"{address}/case_studies?{VIEW}&p=0.3")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").last.click()
    page.get_by_role("button", name="Copied").last.wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == page.url and "clip=clip04" in page.url
