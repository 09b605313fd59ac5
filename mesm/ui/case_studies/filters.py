"""Filter and sort the clips of a corpus for the gallery: the widgets, and apart from them the logic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from mesm.data.store import IndexRow
from mesm.ui import layout
from mesm.ui.models import Verdict

EVERY, RIGHT, WRONG, CLEAN = "all", "right", "wrong", "no flag"
STORED, SUREST, LEAST_SURE, LONGEST, SHORTEST, SPEAKER, TEXT = (
    "as stored", "highest score first", "lowest score first", "longest first", "shortest first", "speaker", "words",
)  # fmt: skip
ORDERS = (STORED, SUREST, LEAST_SURE, LONGEST, SHORTEST, SPEAKER, TEXT)
Verdicts = Mapping[str, Verdict]


@dataclass(frozen=True)
class Filters:
    """Hold the choices of the gallery; each default lets every clip pass.

    Attributes:
        emotion: clips on which it is true; "" for all.
        result: `RIGHT` or `WRONG` keeps the clips on which the model is so.
        words: part of the transcript, in any case.
        intensity: of the chosen emotion, else of the strongest one, as text such as "2".
        quality: a flag, or `CLEAN` for clips without any.
        sort: one of `ORDERS`.
    """

    emotion: str = ""
    result: str = EVERY
    speaker: str = EVERY
    words: str = ""
    split: str = EVERY
    intensity: str = EVERY
    quality: str = EVERY
    sort: str = STORED

    @property
    def needs_verdicts(self) -> bool:
        """Return True if the clips must be scored first."""
        return self.result != EVERY or self.sort in (SUREST, LEAST_SURE)


def filter_rows(rows: Sequence[IndexRow], filters: Filters, verdicts: Verdicts | None = None) -> list[IndexRow]:
    """Return the rows that pass every filter, sorted.

    Args:
        verdicts: clip id -> verdict; None without a model, then the result is not filtered.
    """
    passing = [row for row in rows if _passes(row, filters)]
    if verdicts is not None and filters.result != EVERY:
        is_right = filters.result == RIGHT
        passing = [row for row in passing if row.clip_id in verdicts and verdicts[row.clip_id].right == is_right]
    return sort_rows(passing, filters.sort, verdicts)


def _passes(row: IndexRow, filters: Filters) -> bool:
    if filters.emotion and filters.emotion not in row.present:
        return False
    if filters.intensity not in (EVERY, intensity_of(row, filters.emotion)):
        return False
    if filters.quality == CLEAN and row.quality:
        return False
    if filters.quality not in (EVERY, CLEAN, *row.quality):
        return False
    in_parts = filters.speaker in (EVERY, row.speaker) and filters.split in (EVERY, row.split)
    return in_parts and filters.words.casefold() in row.text.casefold()


def sort_rows(rows: Sequence[IndexRow], sort: str, verdicts: Verdicts | None) -> list[IndexRow]:
    """Return the rows sorted; equal ones stay as stored, clips without a score come last."""
    if sort in (SUREST, LEAST_SURE):
        known = verdicts or {}
        sign = -1 if sort == SUREST else 1
        return sorted(rows, key=lambda r: sign * known[r.clip_id].score if r.clip_id in known else 2.0)
    if sort in (LONGEST, SHORTEST):
        return sorted(rows, key=lambda row: row.duration_s, reverse=sort == LONGEST)
    if sort in (SPEAKER, TEXT):
        return sorted(rows, key=lambda row: row.speaker if sort == SPEAKER else row.text.casefold())
    return list(rows)


def intensity_of(row: IndexRow, emotion: str) -> str:
    """Return the intensity of an emotion as text; of the strongest one for ""."""
    labels = row.labels or {}
    return f"{labels.get(emotion, 0) if emotion else max(labels.values(), default=0):g}"


def pick_filters(rows: Sequence[IndexRow], emotion: str) -> Filters:
    """Show the filters in a menu; every choice is in the URL."""
    with st.popover("Filters", icon=":material/filter_list:", key="filter-menu"):
        help_ = "Right: the top label is one of the clip's labels, or the clip has no label and none is decided."
        result = layout.choose("Model's result", [EVERY, RIGHT, WRONG], "result", help=help_)
        query = st.text_input("Words in the transcript", key="words", bind="query-params", placeholder="any")
        speaker = _select("Speaker", "speaker", sorted({row.speaker for row in rows if row.speaker}))
        split = _select("Split", "split", list(dict.fromkeys(row.split for row in rows if row.split)))
        levels = sorted({intensity_of(row, emotion) for row in rows} - {"0"}, key=float)
        help_ = "Intensity of the chosen emotion, or of the strongest one."
        level = _select("Intensity", "intensity", levels, help_)
        flags = {flag.replace("_", " "): flag for flag in sorted({flag for row in rows for flag in row.quality})}
        flag = _select("Quality", "quality", [CLEAN, *flags] if flags else [], "Quality flags set at ingestion.")
        sort = st.selectbox("Sort", ORDERS, key="sort", bind="query-params", filter_mode=None)
    return Filters(emotion, result, speaker, query, split, level, flags.get(flag, flag), sort)


def words_of(filters: Filters) -> str:
    """Return the choices that are not at their default, such as "wrong, s006"; "" if all are."""
    return ", ".join(
        value.replace("_", " ")
        for name, value in vars(filters).items()
        if name != "emotion" and value != getattr(Filters(), name)
    )


def _select(label: str, key: str, values: Sequence[str], help_: str | None = None) -> str:
    """Return one of the values or `EVERY`; disabled where there is nothing to choose."""
    options = [EVERY, *values]
    return st.selectbox(
        label, options, key=key, bind="query-params", disabled=len(options) < 3, help=help_, filter_mode=None
    )
