"""Which clips of a corpus the gallery shows, and in what order. Everything chosen here is in the URL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from mesm.data.store import IndexRow
from mesm.ui.models import Verdict

EVERY, RIGHT, WRONG, CLEAN = "all", "right", "wrong", "no flag"
STORED, SUREST, LEAST_SURE, LONGEST, SHORTEST, SPEAKER, TEXT = (
    "as stored", "strongest score first", "weakest score first", "longest first", "shortest first", "speaker", "words",
)  # fmt: skip
Verdicts = Mapping[str, Verdict]


def choose_rows(rows: Sequence[IndexRow], emotion: str, verdicts: Callable[[], Verdicts | None]) -> list[IndexRow]:
    """The clips that pass every filter, sorted.

    Args:
        verdicts: clip id -> what the model makes of it, asked for only when a filter or the order needs it; None where
            there is no model.
    """
    result, speaker, words = st.columns([1.2, 1, 1.6], vertical_alignment="bottom")
    with result:
        choice = st.segmented_control(
            "Strongest score",
            [EVERY, RIGHT, WRONG],
            default=EVERY,
            required=True,
            key="result",
            bind="query-params",
            help="Right: the highest score is one of the clip's emotions, or nothing is true and nothing is decided.",
        )
    with speaker:
        who = _select("Speaker", "speaker", sorted({row.speaker for row in rows if row.speaker}))
    with words:
        query = st.text_input("Words in the transcript", key="words", bind="query-params", placeholder="any")
    split, intensity, quality, order = st.columns(4)
    with split:
        part = _select("Split", "split", list(dict.fromkeys(row.split for row in rows if row.split)))
    with intensity:
        level = _select("Intensity", "intensity", _levels(rows, emotion), "Of the chosen emotion, or of the strongest.")
    with quality:
        flags = {flag.replace("_", " "): flag for flag in sorted({flag for row in rows for flag in row.quality})}
        flag = _select("Quality", "quality", [CLEAN, *flags] if flags else [], "What ingestion noted about a clip.")
    with order:
        orders = [STORED, SUREST, LEAST_SURE, LONGEST, SHORTEST, SPEAKER, TEXT]
        sort = st.selectbox("Sort", orders, key="sort", bind="query-params", filter_mode=None)
    kept = [
        row
        for row in rows
        if (not emotion or emotion in row.present)
        and (who == EVERY or row.speaker == who)
        and (part == EVERY or row.split == part)
        and (level == EVERY or level == _level(row, emotion))
        and (flag == EVERY or (not row.quality if flag == CLEAN else flags[flag] in row.quality))
        and query.casefold() in row.text.casefold()
    ]
    known = verdicts() if choice != EVERY or sort in (SUREST, LEAST_SURE) else None
    if known is not None and choice != EVERY:
        kept = [row for row in kept if row.clip_id in known and known[row.clip_id].right == (choice == RIGHT)]
    return in_order(kept, sort, known)


def in_order(rows: Sequence[IndexRow], sort: str, verdicts: Verdicts | None) -> list[IndexRow]:
    """The rows sorted; equal ones stay as stored. Clips that no model scored come last."""
    if sort in (SUREST, LEAST_SURE):
        known = verdicts or {}
        sign = -1 if sort == SUREST else 1
        return sorted(rows, key=lambda r: sign * known[r.clip_id].score if r.clip_id in known else 2.0)
    keys: dict[str, Callable[[IndexRow], object]] = {
        LONGEST: lambda row: -row.duration_s,
        SHORTEST: lambda row: row.duration_s,
        SPEAKER: lambda row: row.speaker,
        TEXT: lambda row: row.text.casefold(),
    }
    return sorted(rows, key=keys[sort]) if sort in keys else list(rows)  # type: ignore[arg-type]


def _select(label: str, key: str, values: Sequence[str], help_: str | None = None) -> str:
    """One of the values or all of them; it stands still where there is nothing to choose."""
    options = [EVERY, *values]
    return st.selectbox(
        label, options, key=key, bind="query-params", disabled=len(options) < 3, help=help_, filter_mode=None
    )


def _levels(rows: Sequence[IndexRow], emotion: str) -> list[str]:
    found = {_level(row, emotion) for row in rows}
    return sorted(found - {"0"}, key=float)


def _level(row: IndexRow, emotion: str) -> str:
    labels = row.labels or {}
    return f"{labels.get(emotion, 0) if emotion else max(labels.values(), default=0):g}"
