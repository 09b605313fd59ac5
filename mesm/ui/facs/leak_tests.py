"""Leak tests and faithfulness on the FACS page: what must stand beside every claim about where the model looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from mesm.figures.style import MODALITY_WORDS
from mesm.studies.faithfulness import exports as exhibits
from mesm.ui import export_menu, layout
from mesm.ui.facs.facs_records import Found


def beside(faithfulness: Found, facs: Found) -> None:
    """The leak test in one line, for under a claim; both records hold it."""
    if faithfulness.data is not None:
        shuffled, sources = faithfulness.data["shuffled_text"], faithfulness.data["neutral_text"]["sources"]
    elif facs.data is not None:
        shuffled, sources = facs.data.get("shuffled_text") or {}, facs.data.get("text_lift") or []
    else:
        st.caption(f":material/info: Whether the text speaks through the mask was not tested. {faithfulness.remedy}")
        return
    parts = []
    cost = (shuffled.get("visual") or {}).get("accuracy")
    if cost and cost["cost"] is not None:
        low, high = cost["interval"]
        parts.append(
            f"with shuffled texts the face branch is right {cost['cost']:.1f} points less often ({low:.1f} to {high:.1f})"
        )
    if sources:
        parts.append(
            f"its scores follow the text on neutral faces with an AUC of {words(sources[0]['auc'])}, where .5 is no leak"
        )
    st.caption(f":material/shield: Leak test: {'; '.join(parts) or 'nothing could be measured'}.")


def words(estimate: Mapping[str, float | None], places: int = 3) -> str:
    """An estimate with its interval."""
    if estimate["value"] is None:
        return "not measured"
    if estimate["low"] is None or estimate["high"] is None:
        return f"{estimate['value']:.{places}f}"
    return f"{estimate['value']:.{places}f} ({estimate['low']:.{places}f} to {estimate['high']:.{places}f})"


def show(found: Found) -> None:
    """Every test of the faithfulness record."""
    st.subheader("Is the mask what the scores are made of?")
    if found.data is None or found.record is None:
        layout.empty("Nothing was tested.", found.remedy)
        return
    data = found.data
    _leak(found.record)
    _keep_only(found.record)
    _redrawn(found.record)
    low, middle, high = data["sufficient_p"]["sufficient"]
    st.markdown(
        f"**Smallest sufficient p**: for half of {data['sufficient_p']['clips']} clips the decided labels stay as they are "
        f"at p = 1 from p = {middle:g} on (quartiles {low:g} and {high:g}); "
        f"{words(data['sufficient_p']['flips'], 1)} changes of the decision per clip over the grid."
    )


def _leak(record: Mapping[str, Any]) -> None:
    st.markdown("##### Does the text speak through the mask?")
    export_menu.tabled(exhibits.leak(record), "leak")
    neutral = record["data"]["neutral_text"]
    for source in neutral["sources"]:
        lifts = source["text_lift"]
        st.markdown(
            f"**Emotive texts on {source['source']}** ({source['faces']} faces of {source['people']} people): AUC of the "
            f"text's emotion from the face branch's scores {words(source['auc'])}"
            + (f"; kept sites lean to the text's regions by {', '.join(words(e, 2) for e in lifts)}" if lifts else "")
            + "."
        )
    if neutral["sources"]:
        st.caption("AUC .5: the scores do not follow the text. Lean above 1: the text guides where the model looks.")
    else:
        st.caption(f"Emotive texts on neutral faces: not tested, {neutral['left_out']}.")


def _keep_only(record: Mapping[str, Any]) -> None:
    st.markdown("##### Only these sites")
    export_menu.tabled(exhibits.keep_only(record), "keep-only")
    data = record["data"]["keep_only"]
    gains = [f"{MODALITY_WORDS[b]} {words(data[b]['nucleus_gain'])}" for b in exhibits.BRANCHES if b in data]
    st.caption(f"Nucleus above random: {', '.join(gains)}; 0 means that any sites would do.")


def _redrawn(record: Mapping[str, Any]) -> None:
    st.markdown("##### Attention drawn anew")
    export_menu.tabled(exhibits.redrawn(record), "redrawn")
    data = record["data"]["redrawn"]
    changes = [f"{MODALITY_WORDS[b]} {words(data[b]['score_change'])}" for b in exhibits.BRANCHES if b in data]
    st.caption(f"Mean change of the scores: {', '.join(changes)}.")
