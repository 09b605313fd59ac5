"""Opening a page of the app in Streamlit's own test harness."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 300
# Every AppTest would look for components in all installed packages, which takes longer than most pages.
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)


def open_page(file: str, alone: bool = False, **link: str) -> AppTest:
    """A page as a link to it shows it: in its frame, or as a script of its own."""
    app = AppTest.from_file(str(ROOT / (file if alone else "app.py")), default_timeout=TIMEOUT_S)
    for name, value in link.items():
        app.query_params[name] = value
    if not alone:
        app.switch_page(file)
    return app.run()


def texts(page: AppTest) -> str:
    """Everything that is said on a page."""
    parts = [*page.markdown, *page.caption, *page.info, *page.error, *page.warning, *page.title]
    return "\n".join(str(part.value) for part in parts)
