"""What people come for, done in a real browser with the bundled assets: from a question to a file in the hand."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pypdf import PdfReader

from tests.app.browser import FACES, ROOT, in_address, open_page, picture, said, settle

pytestmark = pytest.mark.slow
SHIPPED = "checkpoint=marionette-mesm&corpus=marionette"


def choose(page: Any, key: str, words: str) -> None:
    """One of a row of choices."""
    page.locator(f".st-key-{key}").get_by_text(words).last.click()


def select(page: Any, label: str, option: str) -> None:
    """One of a list that folds out."""
    page.get_by_role("combobox", name=label).last.click()
    page.get_by_role("option", name=option).last.click()


def test_browse_case_studies_by_emotion(chromium: Any, address: str) -> None:
    page = open_page(chromium, address)
    page.get_by_role("link", name="Case studies").first.click()
    page.get_by_role("heading", name="Case studies").last.wait_for()
    settle(page)
    choose(page, "emotion-choice", "fear")
    in_address(page, "emotion=fear")
    cards = page.locator("[class*=st-key-open-]")
    labels = cards.all_inner_texts()
    assert labels and all("fear" in label for label in labels)
    first = page.get_by_text("truth:").last.inner_text()
    before = page.url
    cards.nth(2).get_by_role("button").click()
    page.wait_for_function("before => location.href !== before", arg=before)
    settle(page)
    assert page.get_by_text("truth:").last.inner_text() != first
    assert "fear" in page.get_by_text("truth:").last.inner_text()
    assert picture(page, FACES).ndim == 3
    page.get_by_role("button", name="Filters").last.click()
    choose(page, "result", "wrong")
    in_address(page, "result=wrong")
    assert all("✗" in label for label in cards.all_inner_texts())


def test_compare_two_answers(chromium: Any, address: str) -> None:
    page = open_page(chromium, f"{address}/case_studies?{SHIPPED}&p=0.3")
    choose(page, "versus", "another p")
    in_address(page, "versus=another")
    assert "kept only by p = 1" in said(page, "Overlap of the kept sites").inner_text()
    assert picture(page, "Difference of the masks, face").ndim == 3
    dear = page.get_by_test_id("stMetric").filter(has_text="Work with p = 1").last
    assert float(dear.get_by_test_id("stMetricValue").inner_text().split()[0]) > 0
    assert "+" in dear.get_by_test_id("stMetricDelta").inner_text()
    choose(page, "versus", "random attention")
    said(page, "kept only by random attention 1")
    choose(page, "versus", "another checkpoint")
    said(page, "has no attention: it computes every site, so there is no mask")


def test_relate_regions_to_action_units(chromium: Any, address: str) -> None:
    page = open_page(chromium, f"{address}/facs?{SHIPPED}")
    heat = page.get_by_role("figure", name="Heat map, own minus other emotions").last
    heat.wait_for()
    before = heat.get_attribute("aria-label")
    choose(page, "facs-layer", "L3")
    in_address(page, "facs-layer=L3")
    page.wait_for_function(
        "old => ![...document.querySelectorAll('[aria-label]')].some(e => e.ariaLabel === old)", arg=before
    )
    select(page, "Codebook", "The paper's own words")
    in_address(page, "codebook=The")
    choose(page, "section", "the paper's statements")
    said(page, "statements about its attention")
    page.goto(f"{address}/case_studies?{SHIPPED}")
    settle(page)
    page.get_by_text("Action units and the mask").last.click()
    said(page, "Share of each region that a layer keeps")
    assert picture(page, "faces; sites that layer 2 dropped are faded").ndim == 3


def test_read_accuracy_against_flops(chromium: Any, address: str) -> None:
    page = open_page(chromium, f"{address}/efficiency?{SHIPPED}")
    said(page, "Ring: elbow")
    assert page.get_by_test_id("stMetric").filter(has_text="Elbow").last.inner_text().split("p = ")[1]
    choose(page, "metric", "F1")
    choose(page, "axis", "GFLOP")
    in_address(page, "axis=")
    said(page, "two FLOP per multiply-add")
    titles = " ".join(page.locator(".js-plotly-plot .xtitle, .js-plotly-plot .ytitle").all_text_contents())
    assert "GFLOP" in titles and "F1" in titles
    again = open_page(chromium, page.url)
    assert again.url == page.url
    said(again, "two FLOP per multiply-add")


def test_try_a_clip_of_ones_own(chromium: Any, address: str) -> None:
    page = open_page(chromium, f"{address}/try_a_clip?{SHIPPED}")
    clip = sorted((ROOT / "assets" / "marionette" / "media").glob("*.mp4"))[0]
    page.locator("input[type=file]").last.set_input_files(clip)
    page.get_by_role("button", name="Score this clip").last.wait_for()
    settle(page)
    page.get_by_role("textbox", name="Transcript").last.fill("I am boiling with anger at my sister.")
    page.keyboard.press("Control+Enter")
    settle(page)
    pressed(page, "Score this clip", "your clip")
    faces = picture(page, FACES)
    assert faces.ndim == 3 and np.ptp(faces) > 100
    assert "The clip is decoded." in page.get_by_test_id("stExpander").first.inner_text()
    page.get_by_role("button", name="Delete this clip").last.click()
    page.get_by_text("your clip").last.wait_for(state="detached")
    settle(page)
    assert page.get_by_role("img", name=FACES).count() == 0


def test_take_figures_along(chromium: Any, address: str, tmp_path: Path) -> None:
    page = open_page(chromium, f"{address}/efficiency?{SHIPPED}")
    menu(page, "sweep")
    select(page, "Width", "ACL text, 6.30 in")
    settle(page)
    paper = PdfReader(io.BytesIO(downloaded(page, "PDF")))
    assert abs(float(paper.pages[0].mediabox.width) - 6.3 * 72) < 0.5
    assert b"top_p" in downloaded(page, "JSON")
    rows = downloaded(page, "CSV").decode().splitlines()
    assert len(rows) > 5 and "," in rows[0]
    page.get_by_role("button", name="Add to basket").last.click()
    page.get_by_role("button", name="In the basket").last.wait_for()
    page.keyboard.press("Escape")
    menu(page, "layers")
    page.get_by_role("button", name="Add to basket").last.click()
    page.get_by_role("button", name="In the basket").last.wait_for()
    page.keyboard.press("Escape")
    settle(page)
    page.get_by_role("link", name="Export").first.click()
    said(page, "The zip contains every figure")
    archive = zipfile.ZipFile(io.BytesIO(downloaded(page, "Download 2 as one zip")))
    names = archive.namelist()
    assert {"references.bib", "commands.txt"} < set(names) and sum(name.endswith(".pdf") for name in names) == 2
    commands = archive.read("commands.txt").decode().splitlines()
    assert len(commands) == 2 and all(line.startswith("mesm figure ") for line in commands)
    assert json.loads(archive.read(next(n for n in names if n.endswith(".pdf.json"))))["command"] in commands


def menu(page: Any, key: str) -> None:
    """Open the export menu of one figure."""
    page.locator(f".st-key-export-{key}").get_by_role("button").last.click()
    page.get_by_role("button", name="Add to basket").last.wait_for()
    settle(page)


def pressed(page: Any, label: str, words: str) -> None:
    """Click a button until its result is on the page: a click that falls on a page drawn anew starts nothing."""
    from playwright.sync_api import TimeoutError as TooLate

    for last in (False, False, True):
        page.get_by_role("button", name=label).last.click()
        try:
            page.get_by_text(words).last.wait_for(timeout=40_000)
        except TooLate:
            if last:
                raise
            settle(page)
        else:
            break
    settle(page)


def downloaded(page: Any, label: str) -> bytes:
    """The file behind a button. A click that falls on a page drawn anew starts nothing: then, as anybody would, again."""
    from playwright.sync_api import TimeoutError as TooLate

    for last in (False, False, True):
        settle(page)
        try:
            with page.expect_download(timeout=40_000) as waiting:
                page.get_by_role("button", name=label).last.click()
            return Path(waiting.value.path()).read_bytes()
        except TooLate:
            if last:
                raise
    raise AssertionError("not reached")
