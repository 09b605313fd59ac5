"""Every page as it looks: at two widths, light and dark, with the bundled assets; the pictures are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from mesm.ui.frame import PAGES
from tests.app.browser import SCREENSHOTS, open_page, settle

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
