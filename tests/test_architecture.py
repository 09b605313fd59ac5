"""One-way doors: a file imports only lower ranks or its own package, and heavy packages stay behind one door."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

#: Packages of mesm/ from the basement up. Two packages of one rank do not import each other.
RANKS: list[set[str]] = [
    {"errors", "vocabulary", "files", "locks", "stopping", "estimate", "json_form"},
    {"batch", "records", "config", "runtime", "statistics", "access"},
    {"sparse", "data"},
    {"layers"},
    {"models"},
    {"presets", "training"},
    {"analysis", "figures"},
    {"studies"},
    {"cli", "ui"},
]
#: Inside rank 1 and rank 5 the plain modules may use each other; the packages of the other ranks may not.
FREE_WITHIN = RANKS[1] | RANKS[0] | RANKS[5]

#: Heavy or optional package -> where it may be imported.
DOORS: dict[str, tuple[str, ...]] = {
    "streamlit": ("app.py", "pages/", "mesm/ui/"),
    "spconv": ("mesm/sparse/spconv_backend.py",),
    "facenet_pytorch": ("mesm/data/ingest/faces.py",),
    "transformers": ("mesm/layers/text.py", "mesm/layers/speech.py"),
    "fvcore": ("mesm/analysis/",),
    "accelerate": ("mesm/training/",),
    "optuna": ("mesm/training/search.py",),
    "tensorboard": ("mesm/training/tensorboard_log.py",),
    "anny": (),
    "espeakng_loader": ("mesm/data/marionette/voices.py",),
    "ray": ("mesm/data/",),
    "opensmile": ("mesm/data/features/acoustic.py",),
    "dlib": ("mesm/data/ingest/",),
}


def rank(part: str) -> int:
    return next(i for i, parts in enumerate(RANKS) if part in parts)


def sources() -> list[Path]:
    return [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py")), *sorted((ROOT / "mesm").rglob("*.py"))]


def imported(path: Path) -> Iterator[str]:
    """Dotted names that a file imports, anywhere in it."""
    package = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level]) if node.level else ""
            module = ".".join(x for x in (base, node.module or "") if x)
            yield from (f"{module}.{alias.name}" for alias in node.names)


def part_of(dotted: str) -> str | None:
    pieces = dotted.split(".")
    known = set().union(*RANKS)
    return pieces[1] if pieces[0] == "mesm" and len(pieces) > 1 and pieces[1] in known else None


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down_only(path: Path) -> None:
    pieces = path.relative_to(ROOT).with_suffix("").parts
    here = pieces[1] if pieces[0] == "mesm" and len(pieces) > 1 else None
    for name in imported(path):
        there = part_of(name)
        if here is None or here not in set().union(*RANKS) or there is None or here == there:
            continue
        lower = rank(there) < rank(here)
        assert lower or (here in FREE_WITHIN and rank(there) == rank(here)), f"{path.name} imports {name}"
        assert not (here in {"layers", "models"} and there == "data"), f"a model sees a data set: {path.name}"


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_heavy_packages_stay_behind_one_door(path: Path) -> None:
    relative = path.relative_to(ROOT).as_posix()
    for name in imported(path):
        top = name.split(".")[0]
        if top in DOORS:
            assert relative.startswith(DOORS[top] or ("-",)), f"{relative} imports {name}"
        if relative.startswith("mesm/figures/") or Path(relative).name in {
            "paper.py",
            "screen.py",
            "tables.py",
            "chart_data.py",
        }:
            assert top != "torch", f"a figure sees a tensor: {relative}"


def test_import_and_help_load_no_torch() -> None:
    code = (
        "import sys, mesm\nfrom mesm.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'transformers', 'streamlit', 'librosa', 'av'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip().endswith("[]")
