"""The app in a real browser: a link opens a view, the slider moves, the picture changes, nothing else does."""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "screenshots"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
VIEW = "checkpoint=tiny-mesm&corpus=noise&clip=clip04"
TIMEOUT_MS = 60_000


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless Chromium; skipped, with the reason, where there is none, unless MESM_REQUIRE_BROWSER is set."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        executable = None
    if executable is None:
        reason = "needs Chromium and playwright: apt-get install chromium, pip install -r requirements-dev.txt"
        if os.environ.get("MESM_REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`streamlit run app.py` on a free port, with the tests' workspace."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true",
             "--server.port", str(port), "--", "--home", str(filled)],
            cwd=ROOT, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=1).close()
                break
            except (urllib.error.URLError, OSError):
                assert server.poll() is None, log.read_text()
                time.sleep(0.25)
        yield f"http://localhost:{port}"
    finally:
        server.terminate()
        server.wait(10)


def picture(page: Any, which: str) -> np.ndarray:
    """The mosaic whose alternative text holds `which`, as the browser got it."""
    image = page.get_by_role("img", name=which)
    image.wait_for(timeout=TIMEOUT_MS)
    return np.asarray(Image.open(io.BytesIO(page.request.get(image.evaluate("i => i.src")).body())))


def settle(page: Any) -> None:
    """Wait until the server has nothing to do for this page; while it runs, old elements may lie beside new ones."""
    page.get_by_text("What it costs").last.wait_for(timeout=TIMEOUT_MS)
    page.locator("[data-test-script-state=running]").wait_for(state="detached", timeout=TIMEOUT_MS)


def open_view(chromium: Any, url: str, width: int = 1280, scheme: str = "light") -> Any:
    page = chromium.new_context(viewport={"width": width, "height": 1000}, color_scheme=scheme).new_page()
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(url)
    settle(page)
    return page


def test_moving_top_p_changes_the_pictures(chromium: Any, address: str) -> None:
    page = open_view(chromium, f"{address}/case_studies?{VIEW}&p=0.8")
    page.get_by_role("link", name="Case studies").wait_for()  # in its frame, although the first visit is a deep link
    faces, mel = picture(page, "faces, one every"), picture(page, "Mel spectrogram of")
    old = page.get_by_role("img", name="faces, one every").get_attribute("src")
    page.get_by_role("slider", name="top-p").focus()  # which may scroll
    box = page.get_by_role("img", name="faces, one every").bounding_box()
    start = time.perf_counter()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(
        "old => [...document.images].some(i => i.alt.includes('faces, one every') && i.getAttribute('src') != old "
        "&& i.complete)",
        arg=old,
        timeout=TIMEOUT_MS,
    )
    print(f"key press to new picture: {1000 * (time.perf_counter() - start):.0f} ms")
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    page.wait_for_function("() => location.search.includes('p=0.75')", timeout=TIMEOUT_MS)
    page.wait_for_timeout(1000)
    settle(page)
    after = picture(page, "faces, one every")
    assert after.shape == faces.shape and (after != faces).any()
    assert (picture(page, "Mel spectrogram of") != mel).any()
    assert (after == 255).all(axis=2).mean() > (faces == 255).all(axis=2).mean()  # a smaller p keeps less
    assert page.get_by_role("img", name="faces, one every").bounding_box() == box  # and nothing jumped


def test_a_link_shows_what_was_seen(chromium: Any, address: str) -> None:
    page = open_view(chromium, f"{address}/case_studies?{VIEW}&p=0.3")
    page.get_by_test_id("stButtonGroup").get_by_text("sadness").click()
    page.wait_for_function("() => location.search.includes('emotion=sadness')", timeout=TIMEOUT_MS)
    settle(page)
    again = open_view(chromium, page.url)
    assert again.url == page.url
    assert (picture(again, "faces, one every") == picture(page, "faces, one every")).all()


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_screenshots(chromium: Any, address: str, width: int, scheme: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    page = open_view(chromium, f"{address}/case_studies?{VIEW}", width, scheme)
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    assert page.evaluate("document.documentElement.scrollWidth") <= width  # nothing sticks out at the side
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_timeout(1000)
    page.screenshot(path=SCREENSHOTS / f"case_studies-{width}-{scheme}.png")
    ground = np.asarray(Image.open(SCREENSHOTS / f"case_studies-{width}-{scheme}.png").convert("L"))[-5:, -5:]
    assert (ground > 200).all() if scheme == "light" else (ground < 60).all()
    assert page.locator("[data-testid=stMain] img:not([alt])").count() == 0
