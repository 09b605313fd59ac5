"""The grammar is large enough, and no split knows another's sentences."""

from itertools import combinations, product

import numpy as np

from mesm.data.marionette.sentences import SENTENCES, SLOTS
from mesm.data.marionette.words import NEUTRAL, draw_sentence, templates, transcripts
from mesm.vocabulary import CORPUS_LABELS, SPLITS


def test_classes_are_the_labels_and_neutral() -> None:
    assert set(SENTENCES) == {*CORPUS_LABELS["marionette"], NEUTRAL}
    assert all(set(splits) == set(SPLITS) for splits in SENTENCES.values())


def test_at_least_600_transcripts_of_3_to_14_words() -> None:
    every: set[str] = set()
    for kind, split in product(SENTENCES, SPLITS):
        result = transcripts(kind, split)
        assert not every & result, "a sentence occurs in two classes or splits"
        every |= result
    assert len(every) >= 600
    assert all(3 <= len(text.split()) <= 14 for text in every)
    assert not any("{" in text for text in every)
    assert all(text[0].isupper() and text[-1] in ".?!" for text in every)


def test_templates_are_disjoint_between_splits() -> None:
    for a, b in combinations(SPLITS, 2):
        first = {template for kind in SENTENCES for template in templates(kind, a)}
        second = {template for kind in SENTENCES for template in templates(kind, b)}
        assert not first & second


def test_a_drawn_sentence_is_one_of_the_grammar() -> None:
    rng = np.random.default_rng(0)
    for kind in SENTENCES:
        text, template = draw_sentence(kind, "test", rng)
        assert text in transcripts(kind, "test") and template in templates(kind, "test")


def test_every_slot_is_used() -> None:
    used = " ".join(text for splits in SENTENCES.values() for text in splits.values())
    assert all(f"{{{name}}}" in used for name in SLOTS)
