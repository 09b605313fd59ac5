"""Draw transcripts from the grammar of `sentences`: a template of a class and split with its slots filled."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import product

import numpy as np

from mesm.data.marionette.sentences import SENTENCES, SLOTS

NEUTRAL = "neutral"
_SLOT = re.compile(r"\{(\w+)\}")


@lru_cache(maxsize=64)
def templates(kind: str, split: str) -> tuple[str, ...]:
    """List the templates of one class ("neutral" or an emotion) in one split."""
    return tuple(line.strip() for line in SENTENCES[kind][split].strip().splitlines())


def _filled(template: str, values: dict[str, str]) -> str:
    text = _SLOT.sub(lambda match: values[match[1]], template)
    return text[0].upper() + text[1:]


def draw_sentence(kind: str, split: str, rng: np.random.Generator) -> tuple[str, str]:
    """Draw a sentence and its template."""
    choice = templates(kind, split)
    template = choice[int(rng.integers(len(choice)))]
    # Every slot is drawn, used or not, so that what follows does not depend on the template.
    values = {name: options[int(rng.integers(len(options)))] for name, options in SLOTS.items()}
    return _filled(template, values), template


def transcripts(kind: str, split: str) -> set[str]:
    """List every sentence of one class and split."""
    sentences = set()
    for template in templates(kind, split):
        names = list(dict.fromkeys(_SLOT.findall(template)))
        for values in product(*(SLOTS[name] for name in names)):
            sentences.add(_filled(template, dict(zip(names, values, strict=True))))
    return sentences
