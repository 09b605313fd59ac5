"""The wait for the compilation of the loops is announced once, where no cache holds them, and never afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mesm.cli import main
from mesm.models import build_model
from mesm.sparse import compilation
from tests.models.model_fixtures import random_batch, tiny

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def unannounced() -> None:
    compilation._announce_once.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("is_new", [True, False])
def test_the_command_line_prints_it_on_standard_error(
    is_new: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compilation, "must_compile", lambda **_: is_new)
    clip = ROOT / "assets/marionette/media/m0-00356.mp4"
    assert main(["predict", str(clip), "--out", str(tmp_path / "scores.csv")]) == 0
    out, err = capsys.readouterr()
    assert err.count(compilation.SENTENCE) == is_new and compilation.SENTENCE not in out


def test_the_cache_is_read_before_anything_is_compiled(tmp_path: Path) -> None:
    """A small function in an empty cache: missing, then compiled, then kept for the next process."""
    module = tmp_path / "loops.py"
    module.write_text(
        "import numba\n@numba.njit(cache=True)\ndef add(a, b):\n    return a + b\n"
        "from mesm.sparse.compilation import _is_cached\n"
        "print(_is_cached(add), bool(add.signatures), add(1, 2), _is_cached(add))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    lines = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, str(module)], env=environment, capture_output=True, text=True, check=True
        )
        lines.append(done.stdout.strip())
    assert lines == ["False False 3 True", "True False 3 True"]
    module.write_text(module.read_text().replace("a + b", "a - b"))
    done = subprocess.run([sys.executable, str(module)], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False False -1 True", "of another source"


def test_after_a_prediction_nothing_is_left_to_compile() -> None:
    for name in ("fe2e", "mesm"):
        model = build_model(tiny(name)).eval()
        with torch.no_grad():
            model(random_batch([1], [1]))
        assert not compilation.must_compile(sparse=name == "mesm")


def test_a_cache_that_cannot_be_read_counts_as_none() -> None:
    import numba

    @numba.njit
    def add(a: int, b: int) -> int:
        return a + b

    assert not compilation._is_cached(add)
