"""A public server in a real browser, cut off from the network: two visitors apart, and no request to another machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mesm.runtime import assets
from mesm.ui.frame import PAGES
from tests.app.browser import FACES, ROOT, cut_off, open_page, said, served, settle, tried
from tests.app.test_public import tree

pytestmark = pytest.mark.slow

CLIP = sorted((assets() / "marionette" / "media").glob("*.mp4"))[0]
WORDS = "Zanzibar quokkas eat marmalade."


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("public")


@pytest.fixture(scope="module")
def stranger(place: Path) -> Iterator[str]:
    """A public server that listens to all, with an empty workspace and without a network."""
    log = place / "log"
    environment = cut_off(place / "connections")
    with served(place / "home", log, "--public", "--server.address", "0.0.0.0", environment=environment) as address:
        yield address


def test_no_page_needs_another_machine(chromium: Any, stranger: str, place: Path) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 1000})
    requested: list[str] = []
    context.on("request", lambda request: requested.append(request.url))
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.on("websocket", lambda socket: requested.append(socket.url))
    for file, (title, _) in PAGES.items():
        page.goto(f"{stranger}/{Path(file).stem if title != 'Overview' else ''}")
        page.get_by_role("heading", level=1, name=title if title != "Overview" else "Multimodal").last.wait_for()
        settle(page)
        for kind in ("icon", "stylesheet", "preload", "manifest"):
            requested += page.evaluate(f"[...document.querySelectorAll('link[rel*={kind}]')].map(l => l.href)")
        assert page.get_by_test_id("stException").count() == 0
    assert any(".woff2" in url for url in requested) and len(requested) > 100, "the log sees fonts"
    own = re.escape(stranger.removeprefix("http://"))
    strange = [url[:200] for url in requested if not re.match(rf"((https?|ws)://{own}(/|$)|data:|blob:)", url)]
    assert strange == []
    assert tried(place / "connections") == []
    context.close()


def test_two_visitors_share_nothing(chromium: Any, stranger: str, place: Path) -> None:
    before = tree(place / "home")
    first = open_page(chromium, f"{stranger}/try_a_clip?checkpoint=marionette-mesm")
    first.locator("input[type=file]").last.set_input_files(CLIP)
    settle(first)
    first.get_by_role("textbox", name="Transcript").last.fill(WORDS)
    first.keyboard.press("Control+Enter")
    settle(first)
    first.get_by_role("button", name="Score this clip").last.click()
    said(first, "your clip")
    first.get_by_role("link", name="Case studies").first.click()
    first.get_by_role("button", name="Star", exact=True).last.wait_for()
    settle(first)
    first.get_by_role("button", name="Star", exact=True).last.click()
    said(first, "Notebook: 1 starred")
    first.locator(".st-key-export-case button").last.click()
    first.get_by_role("button", name="Add to basket").last.click()
    first.get_by_role("button", name="In the basket").last.wait_for()
    first.keyboard.press("Escape")
    settle(first)
    first.get_by_role("link", name="Export").first.click()
    said(first, "ends with this visit")

    second = open_page(chromium, f"{stranger}/export")
    said(second, "The basket is empty.")
    for name, title in (("try_a_clip", "Try a clip"), ("case_studies", "Case studies")):
        second = open_page(chromium, f"{stranger}/{name}?checkpoint=marionette-mesm")
        second.get_by_role("heading", level=1, name=title).last.wait_for()
        text = second.inner_text("body")
        assert "your clip" not in text and WORDS not in text and "Notebook:" not in text
    assert second.get_by_role("img", name=FACES).count(), "the page stands"
    assert tree(place / "home") == before and tried(place / "connections") == []
    first.get_by_role("link", name="Try a clip").first.click()
    said(first, "your clip")


def test_the_library_needs_no_network(tmp_path: Path) -> None:
    code = (
        "import sys, mesm\n"
        "from mesm.cli import main\n"
        f"prediction = mesm.load('marionette-mesm').predict({str(CLIP)!r}, text={WORDS!r}, trace=True, guarded=False)\n"
        "assert prediction.trace.layers['visual']\n"
        "sys.exit(main(['figure', 'classes', 'marionette-mesm@marionette', '--format', 'png', '--out', 'figure.png']))"
    )
    environment = {**os.environ, **cut_off(tmp_path / "connections")}
    environment["PYTHONPATH"] += f"{os.pathsep}{ROOT}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert any(tmp_path.rglob("*.png")) and tried(tmp_path / "connections") == []
    probe = "import urllib.request; urllib.request.urlopen('http://192.0.2.1', timeout=1)"
    assert subprocess.run([sys.executable, "-c", probe], env=environment, capture_output=True).returncode
    assert tried(tmp_path / "connections") == ["192.0.2.1"], "the log sees a request"
