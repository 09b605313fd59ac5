"""Clean transcripts, and give each word a time."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from mesm.batch import Word


def clean_text(text: str) -> str:
    """Return one line: Unicode composed (NFC), without control characters and lone surrogates, single blanks."""
    composed = unicodedata.normalize("NFC", text)
    visible = "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in composed)
    return " ".join(visible.replace("﻿", "").replace("�", "").split())


def spread_words(text: str, duration_s: float) -> tuple[Word, ...]:
    """Lay words over the clip one after the other, each as long as its share of the letters.

    Marked `approximate`: good enough to print words along a time axis, not to measure with.
    """
    words = clean_text(text).split()
    weights = [len(word) + 1 for word in words]
    whole = sum(weights)
    spread, before = [], 0
    for word, weight in zip(words, weights, strict=True):
        start, before = before, before + weight
        spread.append(Word(word, duration_s * (start / whole), duration_s * (before / whole), approximate=True))
    return tuple(spread)


def known_or_spread(words: Sequence[Word], text: str, duration_s: float) -> tuple[Word, ...]:
    """Return the given words in the order in which they are spoken, or spread ones when none are given."""
    if words:
        return tuple(sorted(words, key=lambda word: (word.start_s, word.end_s)))
    return spread_words(text, duration_s)
