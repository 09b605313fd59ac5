"""Leak tests, faithfulness and the attention's targets as exhibits: tables of their records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mesm.figures.bibliography import PAPER, corpus_cites
from mesm.figures.export import Exhibit, origin_of
from mesm.figures.style import MODALITY_WORDS
from mesm.figures.tables import Row, Table
from mesm.files import slug

Record = Mapping[str, Any]
BRANCHES = ("visual", "acoustic")
_MEASURES = {"accuracy": "strongest score is right, %", "wacc": "WAcc, %", "auc": "AUC, %"}
_SETS = {
    "nucleus": "the nucleus",
    "random": "as many random sites",
    "least": "as many of the least attended",
    "complement": "all but the nucleus",
}
_REACHED = {True: "reached", False: "not reached", None: "not measured"}


def leak(record: Record) -> Exhibit:
    """What each branch loses when the texts are shuffled."""
    test = record["data"]["shuffled_text"]
    rows = []
    for branch in BRANCHES:
        for measure, title in _MEASURES.items():
            cost = (test.get(branch) or {}).get(measure)
            if cost:
                low, high = cost.get("interval") or (None, None)
                cells = (cost["own"], cost["shuffled"], cost["cost"], low, high)
                rows.append(Row((MODALITY_WORDS[branch], title, *cells)))
    return _table(
        record,
        "leak",
        "Does the text speak through the mask?",
        f"Texts shuffled between {test['clips']} clips, {test['shuffles']} times: what a branch then loses it had from "
        "the words, through the pattern of kept sites. Intervals: 95 %.",
        Table(("branch", "measure", "own text", "shuffled", "cost", "95 % from", "to"), tuple(rows)),
    )


def keep_only(record: Record) -> Exhibit:
    """Scores when only some sites are kept."""
    data = record["data"]["keep_only"]
    rows = tuple(
        Row((MODALITY_WORDS[branch], title, found["share"], found["score"]["value"], found["same"]["value"]))
        for branch in BRANCHES
        for name, title in _SETS.items()
        if (found := data.get(branch, {}).get(name))
    )
    return _table(
        record,
        "keep-only",
        "Only these sites",
        f"Score of the label that is first with all sites, and how often it stays first, {data['clips']} clips.",
        Table(("branch", "kept", "share of sites", "score", "first label stays"), rows, digits=3),
    )


def redrawn(record: Record) -> Exhibit:
    """The trained attention against redrawn ones."""
    data = record["data"]["redrawn"]
    rows = tuple(
        Row(
            (
                MODALITY_WORDS[branch],
                f"L{number + 1}",
                *(layer[key]["value"] for key in ("rank_correlation", "iou", "iou_chance")),
            )
        )
        for branch in BRANCHES
        for number, layer in enumerate(data.get(branch, {}).get("layers", ()))
    )
    return _table(
        record,
        "redrawn",
        "Attention drawn anew",
        f"The trained attention against {data['draws']} redrawn ones, {data['clips']} clips. A correlation near 0: the map "
        "is what was learnt, not the picture's edges.",
        Table(("branch", "layer", "rank correlation", "overlap of kept sites", "by chance"), rows, digits=3),
    )


def targets(record: Record) -> Exhibit:
    """What the attention was to reach, of a FACS record, and what it reached."""
    rows = tuple(
        Row((str(t["name"]), str(t["wanted"]), str(t["found"]), _REACHED[t["reached"]]))
        for t in record["data"].get("targets") or ()
    )
    return _table(
        record,
        "targets",
        "What this attention was to reach",
        "Targets set before training, and what was found.",
        Table(("target", "wanted", "found", "verdict"), rows),
    )


#: What `mesm figure faithfulness --what` makes -> the kind of record, the exhibit.
TABLES = {
    "leak": ("faithfulness", leak),
    "keep-only": ("faithfulness", keep_only),
    "redrawn": ("faithfulness", redrawn),
    "targets": ("facs", targets),
}


def _table(record: Record, what: str, title: str, caption: str, table: Table) -> Exhibit:
    origin = record["provenance"]
    checkpoint, corpus = str(origin["checkpoint"]), str(origin["corpus"])
    return Exhibit(
        name=f"{what}-{slug(checkpoint)}-{slug(corpus)}",
        title=title,
        caption=caption,
        command=f"mesm figure faithfulness {checkpoint}@{corpus} --what {what}",
        origin=origin_of(record),
        table=table,
        cites=(PAPER, *corpus_cites(corpus)),
    )
