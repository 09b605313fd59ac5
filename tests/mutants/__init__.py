"""One-line faults and the tests that must notice each of them: `python -m tests.mutants`, or `make mutants`.

`mutant` holds the shape of a fault, each other module a list of one area, `__main__` the runner. Not part of the test
suite, except `tests/test_mutants.py`, which checks that each line to replace occurs once.
"""

from __future__ import annotations

from tests.mutants import case, data, evaluation, facs, faithfulness, models, sweep, training
from tests.mutants.mutant import Mutant

MUTANTS: list[Mutant] = [
    mutant for area in (training, faithfulness, models, sweep, evaluation, facs, case, data) for mutant in area.MUTANTS
]
