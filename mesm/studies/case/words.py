"""Chart, table and sentences of the effect of each word of a clip on its scores and its masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mesm.estimate import decimal_text
from mesm.figures.style import MODALITY_WORDS
from mesm.figures.tables import Row, Table

if TYPE_CHECKING:
    from mesm.analysis.what_if import WordEffects

#: Changes of a score below this are called none.
LEAST_CHANGE = 0.005


@dataclass(frozen=True)
class WordsChart:
    """Hold the effect of leaving out each word of a clip.

    Attributes:
        words: N words, the first on top.
        emotion: whose score changes.
        change: (N,) its score without the word minus that with all words.
        masks: modality -> (N,) percent of the sites that differ, the mean of the layers; empty without attention.
    """

    words: tuple[str, ...]
    emotion: str
    change: np.ndarray
    masks: dict[str, np.ndarray]
    mask_title: str = "sites that differ, %"

    @property
    def score_title(self) -> str:
        """Return the title of the axis of the scores."""
        return f"change of the score of {self.emotion}"

    @property
    def alt(self) -> str:
        """Return the chart as a sentence for those who do not see it."""
        changes = ", ".join(
            f"{word} {decimal_text(change, 2)}" for word, change in zip(self.words, self.change, strict=True)
        )
        return f"Bar chart of the change of the score of {self.emotion} without each word: {changes}."


def words_chart(effects: WordEffects, emotion: str = "") -> WordsChart:
    """Return the chart for one emotion, the top label of the whole clip by default."""
    column = _column(effects, emotion)
    masks = {modality: 100 * shares.mean(1) for modality, shares in effects.masks.items()}
    return WordsChart(effects.words, effects.labels[column], effects.score_change[:, column], masks)


def words_table(effects: WordEffects, emotion: str = "") -> Table:
    """Return a line per word: change of the top score and of the emotion's, top label, differing sites per layer in %."""
    chosen = dict.fromkeys((_column(effects, ""), _column(effects, emotion)))
    layers = [(m, i) for m, shares in effects.masks.items() for i in range(shares.shape[1])]
    columns = (
        "word",
        *(f"change, {effects.labels[e]}" for e in chosen),
        "top label",
        *(f"{MODALITY_WORDS[m]} L{i + 1}" for m, i in layers),
    )
    rows = tuple(
        Row(
            (
                word,
                *(float(effects.score_change[n, e]) for e in chosen),
                effects.top_labels[n],
                *(100 * float(effects.masks[m][n, i]) for m, i in layers),
            )
        )
        for n, word in enumerate(effects.words)
    )
    return Table(columns, rows, digits=3)


def words_sentence(effects: WordEffects, emotion: str = "", has_query: bool = True) -> str:
    """Return which word moves the score and which the masks, and by which branch the words act.

    Args:
        has_query: whether the text queries the attention.
    """
    chart, column = words_chart(effects, emotion), _column(effects, emotion)
    parts = [_score_sentence(chart)]
    if not chart.masks:
        parts.append("This model has no attention, so there is no mask to move.")
    elif not has_query:
        parts.append("The attention has no text query: no word can move its mask.")
    else:
        moves = [f"the {MODALITY_WORDS[m]}'s {_strongest(shares, chart)}" for m, shares in chart.masks.items()]
        parts.append(f"Most of a mask moves: {'; '.join(moves)}.")
    share = effects.text_share[column]
    if chart.masks and has_query and np.isfinite(share):
        parts.append(
            f"{decimal_text(100 * share, 0)} % of the words' effect on this score passes through the text branch, "
            f"{decimal_text(100 - 100 * share, 0)} % through the masks of face and voice."
        )
    if effects.left_over:
        parts.append(f"Only the first {len(effects.words)} words are left out; {effects.left_over} follow.")
    return " ".join(parts)


def _column(effects: WordEffects, emotion: str) -> int:
    return effects.labels.index(emotion) if emotion else int(effects.before.scores.argmax())


def _score_sentence(chart: WordsChart) -> str:
    most = int(np.abs(chart.change).argmax())
    change = float(chart.change[most])
    if abs(change) < LEAST_CHANGE:
        return f"No word alone changes the score of {chart.emotion} by {LEAST_CHANGE:g}."
    verb = "falls" if change < 0 else "rises"
    return (
        f"Without “{chart.words[most]}”, the score of {chart.emotion} {verb} by {decimal_text(abs(change), 2)}, the "
        "largest change."
    )


def _strongest(shares: np.ndarray, chart: WordsChart) -> str:
    most = int(shares.argmax())
    if not shares[most]:
        return "without no word"
    return f"without “{chart.words[most]}”, {decimal_text(float(shares[most]), 1)} % of the sites"
