"""Every kind of `mesm figure` has a maker; a figure of records needs no torch."""

from __future__ import annotations

import subprocess
import sys

from mesm.cli import figure_clips, figure_kinds
from mesm.cli.figure import KINDS


def test_every_kind_has_one_maker() -> None:
    assert not set(figure_kinds.MAKERS) & set(figure_clips.MAKERS)
    assert set(figure_kinds.MAKERS) | set(figure_clips.MAKERS) == set(KINDS)


def test_a_figure_of_records_is_made_without_torch() -> None:
    code = "import sys, mesm.cli.figure_kinds; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
