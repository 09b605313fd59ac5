"""Every kind of `mesm figure` has a maker; a figure of records needs no torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mesm.cli import figure_clips, figure_kinds, main
from mesm.cli.figure import KINDS


def test_every_kind_has_one_maker() -> None:
    assert not set(figure_kinds.MAKERS) & set(figure_clips.MAKERS)
    assert set(figure_kinds.MAKERS) | set(figure_clips.MAKERS) == set(KINDS)


def test_a_figure_of_records_is_made_without_torch() -> None:
    code = "import sys, mesm.cli.figure_kinds; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_out_without_an_ending_is_a_folder(tmp_path: Path) -> None:
    command = ["figure", "architecture", "marionette-fe2e", "--format", "json"]
    assert main([*command, "--out", str(tmp_path / "figs")]) == 0
    assert [path.suffix for path in (tmp_path / "figs").iterdir()] == [".json"]
    assert main([*command, "--out", str(tmp_path / "mine.json")]) == 0 and (tmp_path / "mine.json").is_file()
