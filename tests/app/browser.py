"""The app in a real browser: opening a view, waiting until it stands, reading its pictures.

While the server runs, old elements lie beside the new ones that replace them; so wait for a change (the address, a
text, a picture) and then `settle`, and take the last of equal elements.
"""

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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
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
#: Generous: two cores may be shared with the rest of the suite.
TIMEOUT_MS = 120_000
#: Folder with a sitecustomize.py that refuses connections to other machines.
NO_NETWORK = Path(__file__).parent / "no_network"
FACES, SOUND = ", one every half second", "Mel spectrogram of"


def find_chromium() -> str | None:
    """The path of the browser."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def launched() -> Iterator[Any]:
    """A headless Chromium; skipped, with the reason, where there is none, unless MESM_REQUIRE_BROWSER is set."""
    executable = find_chromium()
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


@contextmanager
def with_flags(browser: Any, *flags: str) -> Iterator[Any]:
    """Another headless Chromium beside this one, with more flags."""
    another = browser.browser_type.launch(executable_path=find_chromium(), args=[*FLAGS, *flags])
    yield another
    another.close()


def served(
    home: Path, log: Path, *options: str, environment: Mapping[str, str] | None = None
) -> AbstractContextManager[str]:
    """`mesm app` on a free port, with this workspace, more options and a changed environment; its address."""
    command = [sys.executable, "-m", "mesm", "app", "--home", str(home), "--server.headless", "true"]
    return started(command, log, options, environment or {})


@contextmanager
def started(command: list[str], log: Path, options: Sequence[str], environment: Mapping[str, str]) -> Iterator[str]:
    """A command that serves the app on a given port, ended at the end; its address, once it responds."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    with log.open("wb") as out:
        server = subprocess.Popen(
            [*command, "--server.port", str(port), *options],
            cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **environment},
        )  # fmt: skip
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=1).close()
                break
            except (urllib.error.URLError, OSError):
                assert server.poll() is None, log.read_text()
                time.sleep(0.25)
        yield f"http://localhost:{port}"
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def cut_off(log: Path) -> dict[str, str]:
    """The environment of a process that reaches this machine only, and notes in `log` what else it tried."""
    path = os.pathsep.join(filter(None, [str(NO_NETWORK), os.environ.get("PYTHONPATH", "")]))
    return {"PYTHONPATH": path, "MESM_TEST_CONNECTIONS": str(log), "HF_HUB_OFFLINE": "0"}


def tried(log: Path) -> list[str]:
    return log.read_text().split() if log.exists() else []


def open_page(browser: Any, url: str, width: int = 1280, scheme: str = "light") -> Any:
    """A new visitor's page, once it stands."""
    page = browser.new_context(viewport={"width": width, "height": 1000}, color_scheme=scheme).new_page()
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(url)
    page.get_by_role("heading", level=1).last.wait_for()
    settle(page)
    return page


def settle(page: Any) -> None:
    """Wait until the server has had nothing to do for this page for a while, and all is drawn.

    The quiet is counted from this call: an earlier one's would let a page pass whose next run is not shown yet.
    """
    page.evaluate("window.quietSince = 0")
    page.wait_for_function(
        """() => {
          const busy = document.querySelector(
            "[data-test-script-state=running], [data-stale=true], [data-testid=stSkeleton], [data-testid=stSpinner]"
          );
          const app = document.querySelector("[data-test-script-state]");
          if (busy || !app) { window.quietSince = 0; return false; }
          window.quietSince = window.quietSince || performance.now();
          return performance.now() - window.quietSince > 400;
        }""",
        timeout=TIMEOUT_MS,
    )


def in_address(page: Any, words: str) -> None:
    """Wait until the address holds these words, then until the page stands."""
    page.wait_for_function("words => decodeURIComponent(location.search).includes(words)", arg=words)
    settle(page)


def said(page: Any, words: str) -> Any:
    """Wait until a text is on the page, then until the page stands."""
    page.get_by_text(words).last.wait_for()
    settle(page)
    return page.get_by_text(words).last


def picture(page: Any, which: str) -> np.ndarray:
    """The mosaic whose alternative text holds `which`, as the browser got it."""
    image = page.get_by_role("img", name=which).last
    image.wait_for()
    return np.asarray(Image.open(io.BytesIO(page.request.get(image.evaluate("i => i.src")).body())))
