"""Measure the processor time of the first opening of each page in a fresh process, and of a second visitor's."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

PAGES = ("overview", "case_studies", "try_a_clip", "facs", "efficiency", "results", "runs", "export")
_CHILD = """
import json, sys, time
from streamlit.testing.v1 import AppTest
seconds = []
for _ in range(2):
    start = time.process_time()
    page = AppTest.from_file(sys.argv[1], default_timeout=600).run()
    seconds.append(round(time.process_time() - start, 2))
    assert not page.exception, page.exception
print(json.dumps({"first_s": seconds[0], "next_visitor_s": seconds[1], "torch": "torch" in sys.modules}))
"""


def measure(page: str) -> dict[str, float | bool]:
    """Return processor seconds of a page's first opening and of the next visitor's, and whether torch was loaded."""
    file = Path(__file__).parents[1] / "pages" / f"{page}.py"
    done = subprocess.run([sys.executable, "-c", _CHILD, str(file)], capture_output=True, text=True, check=True)
    figures: dict[str, float | bool] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """Print the figures of each page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", nargs="+", default=PAGES, choices=PAGES)
    for page in parser.parse_args().pages:
        print(page, json.dumps(measure(page)), flush=True)


if __name__ == "__main__":
    main()
