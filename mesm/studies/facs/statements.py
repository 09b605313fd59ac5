"""What the paper says about where its model looks (section 6.2), held against measurements, by one rule.

Every statement about a face becomes a lift: kept sites on the area's regions, over the area's share of the crop, in
faces that show the emotion, in each layer, with its interval over speakers. The rule was fixed before it was looked at:

- *looks at* an area: supported if the interval lies above 1 in most layers, not supported if it lies below 1 in most
- an area is *sometimes missed*: supported if the interval lies above 1 in no layer, not supported if in most
- *high spectral values in early layers*: the loudest tenth of a clip's mel values, kept over active sites of the first
  layer; supported above 1, not supported below
- *later layers keep fewer points*: shares of the layers' whole maps; supported if each lies below the one before with
  intervals apart, not supported if one lies above

Anything else is undecided. The same rule on attention that was drawn anew stands beside every verdict: what it supports
too was not learnt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from mesm.records.faithfulness import Faithfulness

Estimate = Mapping[str, float | None]

SUPPORTED, REFUTED, UNDECIDED, UNMEASURED = "supported", "not supported", "undecided", "not measured"
FOUND, MISSED = "found", "missed"


@dataclass(frozen=True)
class Claim:
    """One statement of the paper about faces.

    Attributes:
        words: what it says, in short.
        units: one action unit of each group whose region stands for the area.
        kind: `FOUND` or `MISSED`.
    """

    emotion: str
    words: str
    area: str
    units: tuple[int, ...]
    kind: str = FOUND


#: Dai et al. 2021, section 6.2. Our reading of its areas as action units' regions: lips 12/15 and 23/24/25, eyelids 5
#: and 45 (both lids), the gap between the eyes 4, brows 1 and 2, the open mouth 23/24/25 and 17/26, the nose 9.
CLAIMS: tuple[Claim, ...] = (
    Claim("happiness", "the lips are attended", "lips", (12, 25)),
    Claim("sadness", "the lips are attended", "lips", (15, 25)),
    Claim("sadness", "the eyelids are attended", "eyelids", (5, 45)),
    Claim("anger", "the lips are found", "lips", (24,)),
    Claim("anger", "the gap between the eyes is sometimes missed", "gap between the eyes", (4,), MISSED),
    Claim("surprise", "the eyelids are found", "eyelids", (5, 45)),
    Claim("surprise", "the mouth is found", "mouth", (25, 26)),
    Claim("surprise", "the brows are sometimes missed", "brows", (1, 2), MISSED),
    Claim("fear", "the brows are attended", "brows", (1, 2)),
    Claim("fear", "the upper eyelids are attended", "upper eyelids", (5,)),
    Claim("fear", "the mouth is attended", "mouth", (20, 25)),
    Claim("disgust", "the nose is attended", "nose", (9,)),
    Claim("disgust", "the upper lip is attended", "upper lip", (10,)),
)
EARLY, FEWER = "early layers attend to high spectral values", "later layers keep fewer points"


def above(estimate: Estimate) -> bool:
    """Whether the whole interval lies above chance, 1."""
    return estimate["low"] is not None and estimate["low"] > 1


def below(estimate: Estimate) -> bool:
    """Whether the whole interval lies below chance, 1."""
    return estimate["high"] is not None and estimate["high"] < 1


def judge(kind: str, layers: Sequence[Estimate]) -> str:
    """The verdict of `FOUND` or `MISSED` from one area's lifts, layer after layer."""
    known = [e for e in layers if e["low"] is not None and e["high"] is not None]
    if not known:
        return UNMEASURED
    most = len(layers) // 2 + 1
    over, under = sum(map(above, known)), sum(map(below, known))
    if kind == MISSED:
        return SUPPORTED if not over else REFUTED if over >= most else UNDECIDED
    return SUPPORTED if over >= most else REFUTED if under >= most else UNDECIDED


def judge_together(kind: str, groups: Sequence[Sequence[Estimate]]) -> str:
    """An area of several regions: the verdict that all of them share, else undecided."""
    verdicts = {judge(kind, layers) for layers in groups}
    return verdicts.pop() if len(verdicts) == 1 else UNDECIDED


def judge_falling(layers: Sequence[Estimate]) -> str:
    """Whether every layer's estimate lies below the one before, intervals apart."""
    ends = [(e["low"], e["high"]) for e in layers if e["low"] is not None and e["high"] is not None]
    if len(layers) < 2 or len(ends) < len(layers):
        return UNMEASURED
    steps = list(pairwise(ends))
    if all(after[1] < before[0] for before, after in steps):
        return SUPPORTED
    return REFUTED if any(after[0] > before[1] for before, after in steps) else UNDECIDED


def statements(facs: Mapping[str, Any] | None, faithfulness: Faithfulness | None) -> list[dict[str, Any]]:
    """The table, from the data of a checkpoint's `facs` record and of its `faithfulness` record; either may be None.

    Returns:
        Rows of `about` (an emotion, or "voice"), `statement`, `measured` (in words), `series` (name -> estimates, one
        per layer), `verdict`, and `control`: the verdict of the same rule on attention drawn anew, None if unknown.
    """
    rows = [_face_row(claim, facs) for claim in CLAIMS if facs is None or claim.emotion in facs["emotions"]]
    voice = faithfulness.loudness if faithfulness is not None else None
    sound = asdict(voice) if voice is not None else None
    layers = sound["layers"] if sound else []
    loud = layers[0]["kept_lift"] if layers else None
    first = UNMEASURED if loud is None else judge(FOUND, [loud])
    tenth = f"the loudest {100 * sound['loudest']:.0f} % of the mel values" if sound else "loud sites"
    rows.append(
        {
            "about": "voice",
            "statement": EARLY,
            "measured": f"{tenth}: kept over active sites, first layer; chance 1",
            "series": {"loud sites": [layer["kept_lift"] for layer in layers]},
            "verdict": first,
            "control": None,
        }
    )
    shares = [layer["kept_share"] for layer in layers]
    rows.append(
        {
            "about": "voice",
            "statement": FEWER,
            "measured": "share of the layer's whole map that is kept",
            "series": {"kept share": shares},
            "verdict": judge_falling(shares),
            "control": None,
        }
    )
    return rows


def _face_row(claim: Claim, facs: Mapping[str, Any] | None) -> dict[str, Any]:
    series = _series(claim, facs, "checkpoint")
    control = _series(claim, facs, "random")
    return {
        "about": claim.emotion,
        "statement": claim.words,
        "measured": f"kept sites on {' and '.join(series) or claim.area}, lift over the crop; chance 1",
        "series": series,
        "verdict": judge_together(claim.kind, list(series.values())) if series else UNMEASURED,
        "control": judge_together(claim.kind, list(control.values())) if control else None,
    }


def _series(claim: Claim, facs: Mapping[str, Any] | None, name: str) -> dict[str, list[Estimate]]:
    """Group name -> estimates of the layers, of the groups that hold the claim's units."""
    looks = (facs or {}).get("maps", {}).get(name)
    if facs is None or not looks:
        return {}
    measured = looks["kept"]["groups"].get(claim.emotion) or {}

    names = [group["name"] for group in facs["groups"] if set(group["units"]) & set(claim.units)]
    return {n: measured[n] for n in names if n in measured}
