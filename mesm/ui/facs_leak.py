"""Leak tests and faithfulness on the FACS page: what must stand beside every claim about where the model looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from mesm.figures.style import MODALITY_WORDS
from mesm.ui import layout
from mesm.ui.facs_records import Found

_SETS = {
    "nucleus": "the nucleus",
    "random": "as many random sites",
    "least": "as many of the least attended",
    "complement": "all but the nucleus",
}


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
    if found.data is None:
        layout.empty("Nothing was tested.", found.remedy)
        return
    data = found.data
    _leak(data)
    left, right = st.columns(2, gap="medium")
    with left:
        _keep_only(data["keep_only"])
    with right:
        _redrawn(data["redrawn"])
    low, middle, high = data["sufficient_p"]["sufficient"]
    st.markdown(
        f"**Smallest sufficient p**: for half of {data['sufficient_p']['clips']} clips the decided labels stay as they are "
        f"at p = 1 from p = {middle:g} on (quartiles {low:g} and {high:g}); "
        f"{words(data['sufficient_p']['flips'], 1)} changes of the decision per clip over the grid."
    )


def _leak(data: Mapping[str, Any]) -> None:
    rows = []
    for branch in ("visual", "acoustic"):
        for measure, title in (("accuracy", "strongest score is right, %"), ("wacc", "WAcc, %"), ("auc", "AUC, %")):
            cost = (data["shuffled_text"].get(branch) or {}).get(measure)
            if cost:
                interval = cost.get("interval")
                rows.append(
                    {
                        "branch": MODALITY_WORDS[branch],
                        "measure": title,
                        "own text": cost["own"],
                        "shuffled": cost["shuffled"],
                        "cost": cost["cost"],
                        "95 % interval": f"{interval[0]:.1f} to {interval[1]:.1f}"
                        if interval and interval[0] is not None
                        else "",
                    }
                )
    st.markdown("##### Does the text speak through the mask?")
    left, right = st.columns([1.3, 1], gap="medium")
    with left:
        st.dataframe(rows, hide_index=True, alt="What each branch loses when the texts are shuffled")
        test = data["shuffled_text"]
        st.caption(
            f"Texts shuffled between {test['clips']} clips, {test['shuffles']} times: what a branch then loses it had "
            "from the words, through the pattern of kept sites."
        )
    with right:
        neutral = data["neutral_text"]
        for source in neutral["sources"]:
            lifts = source["text_lift"]
            st.markdown(
                f"**Emotive texts on {source['source']}** ({source['faces']} faces of {source['people']} people): AUC of the "
                f"text's emotion from the face branch's scores {words(source['auc'])}"
                + (
                    f"; kept sites lean to the text's regions by {', '.join(words(e, 2) for e in lifts)}"
                    if lifts
                    else ""
                )
                + "."
            )
        if neutral["sources"]:
            st.caption(
                "AUC .5: the scores do not follow the text. Lean above 1: the text guides where the model looks."
            )
        else:
            st.caption(f"Emotive texts on neutral faces: not tested, {neutral['left_out']}.")


def _keep_only(data: Mapping[str, Any]) -> None:
    st.markdown("##### Only these sites")
    rows = [
        {
            "branch": MODALITY_WORDS[branch],
            "kept": title,
            "share of sites": data[branch][name]["share"],
            "score": data[branch][name]["score"]["value"],
            "first label stays": data[branch][name]["same"]["value"],
        }
        for branch in ("visual", "acoustic")
        if branch in data
        for name, title in _SETS.items()
    ]
    st.dataframe(rows, hide_index=True, alt="Scores when only some sites are kept")
    gains = [f"{MODALITY_WORDS[b]} {words(data[b]['nucleus_gain'])}" for b in ("visual", "acoustic") if b in data]
    st.caption(
        f"Score of the label that is first with all sites, {data['clips']} clips. Nucleus above random: {', '.join(gains)}; "
        "0 means that any sites would do."
    )


def _redrawn(data: Mapping[str, Any]) -> None:
    st.markdown("##### Attention drawn anew")
    rows = [
        {
            "branch": MODALITY_WORDS[branch],
            "layer": f"L{number + 1}",
            "rank correlation": layer["rank_correlation"]["value"],
            "overlap of kept sites": layer["iou"]["value"],
            "by chance": layer["iou_chance"]["value"],
        }
        for branch in ("visual", "acoustic")
        if branch in data
        for number, layer in enumerate(data[branch]["layers"])
    ]
    st.dataframe(rows, hide_index=True, alt="The trained attention against redrawn ones")
    changes = [f"{MODALITY_WORDS[b]} {words(data[b]['score_change'])}" for b in ("visual", "acoustic") if b in data]
    st.caption(
        f"{data['draws']} redrawn attentions, {data['clips']} clips. A correlation near 0: the map is what was learnt, not "
        f"the picture's edges. Mean change of the scores: {', '.join(changes)}."
    )
