"""The faults are up to date: every line to replace occurs once, the fault is Python, every named test exists."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants import MUTANTS
from tests.mutants.mutant import Mutant

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_fault_can_be_put_in(mutant: Mutant) -> None:
    source = (ROOT / mutant.file).read_text()
    assert source.count(mutant.old) == 1 and mutant.new != mutant.old
    ast.parse(source.replace(mutant.old, mutant.new))
    for test in mutant.tests.split():
        path, _, name = test.partition("::")
        assert (ROOT / path).exists() and (not name or f"def {name}(" in (ROOT / path).read_text())
