"""The README tells the truth: its paths exist, its commands parse, its Python runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from mesm import cli, presets

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def test_every_path_exists() -> None:
    paths = set(re.findall(r"`((?:mesm|tests|assets|benchmarks|pages)/[\w./*-]*)`", README))
    paths |= {Path(p) for p in re.findall(r"\]\(((?!http)[^)]+)\)", README)}
    assert len(paths) > 15
    assert [str(p) for p in sorted(map(str, paths)) if not (ROOT / p).exists()] == []


def commands() -> list[str]:
    """Every `mesm verb ...` of the README and of the verbs' own examples."""
    found = re.findall(r"`(mesm [^`]+)`", README)
    for module, _ in cli.VERBS.values():
        source = (ROOT / (module.replace(".", "/") + ".py")).read_text()
        found += re.findall(r'^\s+"\s*(?:example:\\n)?\s*(mesm \w[^"\\]*)', source, flags=re.M)
    return [c for c in dict.fromkeys(found) if "..." not in c.replace('"..."', "")]


@pytest.mark.parametrize("command", commands())
def test_every_command_parses(command: str) -> None:
    arguments = shlex.split(command)[1:]
    parsed = cli.parse(arguments)
    assert parsed.verb == arguments[0]
    if getattr(parsed, "preset", None) and parsed.verb == "train":
        assert parsed.preset in presets.PRESETS


def test_the_python_is_python() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    assert blocks
    for block in blocks:
        compile(block, "README.md", "exec")
        assert len([line for line in block.splitlines() if line and not line.startswith("import")]) <= 5


def test_the_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^(\w[\w-]*):", makefile, flags=re.M))
    assert set(re.findall(r"^make (\w[\w-]*)", README, flags=re.M)) <= targets
