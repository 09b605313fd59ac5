"""benchmarks/README.md names every benchmark, and its commands start what they say."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
README = (FOLDER / "README.md").read_text()


def test_every_file_has_its_paragraph() -> None:
    files = {path.name for path in FOLDER.glob("*.py")} - {"__init__.py"}
    assert files == set(re.findall(r"`(\w+\.py)`", README))


@pytest.mark.parametrize("command", re.findall(r"`(python -m benchmarks[^`]+)`", README))
def test_a_command_has_its_file_and_options(command: str) -> None:
    words = shlex.split(command)[2:]
    source = (FOLDER / f"{words[0].removeprefix('benchmarks.')}.py").read_text()
    for option in (word for word in words if word.startswith("--")):
        assert f'"{option}"' in source
