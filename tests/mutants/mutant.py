"""One fault and the tests that must notice it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """Hold one fault.

    Attributes:
        file: below the repository's root.
        old: text that occurs once in the file.
        new: its replacement.
        tests: paths or node ids for pytest, separated by spaces.
    """

    file: str
    old: str
    new: str
    tests: str

    def __str__(self) -> str:
        return f"{self.file}: {self.old.strip()!r} -> {self.new.strip()!r}"
