"""Judge the paper's statements about its attention (Dai et al. 2021, section 6.2) by measurements and one fixed rule.

Every statement about a face becomes a lift: kept sites on the area's regions, over the area's share of the crop, in
faces that show the emotion, in each layer, with its interval over speakers. The rule was fixed before the measurement, but
for the other emotions as a baseline, which came later and can only take a "supported" away:

- an area is *attended*: supported if the interval lies above 1 and above the mean lift of the other emotions in most
  layers; not specific if above 1 in most, for then the area is attended on every face, whatever it shows; not supported if
  it lies below 1 in most
- an area is *sometimes missed*: supported if the interval lies above 1 in no layer, not supported if in most
- *high spectral values in early layers*: the loudest tenth of a clip's mel values, kept over active sites of the first
  layer; supported above 1, not supported below
- *later layers keep fewer points*: shares of the layers' whole maps; supported if each lies below the one before with
  intervals apart, not supported if one lies above

Anything else is undecided. The verdict of re-initialised attention under the same rule stands beside each: a statement
that it supports too was not learnt. Start with `statements`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from mesm.estimate import Estimate, decimal_text
from mesm.records.facs import FacsStudy
from mesm.records.faithfulness import Faithfulness
from mesm.studies.facs.chart_data import others_lift

SUPPORTED, REFUTED, UNDECIDED, UNMEASURED = "supported", "not supported", "undecided", "not measured"
#: Attended, but no more than on the faces of other emotions.
UNSPECIFIC = "not specific"
ATTENDED, MISSED = "attended", "missed"


@dataclass(frozen=True)
class Claim:
    """Hold one statement of the paper about faces.

    Attributes:
        statement: in short.
        units: one action unit of each group whose region stands for the area.
        kind: `ATTENDED` or `MISSED`.
    """

    emotion: str
    statement: str
    area: str
    units: tuple[int, ...]
    kind: str = ATTENDED


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


@dataclass(frozen=True)
class Statement:
    """Hold one statement with its measurement.

    Attributes:
        about: an emotion, or "voice".
        measured: the measured quantity, in words.
        series: region or quantity -> one estimate per layer; empty where nothing was measured.
        verdict: one of the five verdict words.
        control: the verdict of re-initialised attention; None where it was not measured.
    """

    about: str
    statement: str
    measured: str
    verdict: str
    control: str | None = None
    series: dict[str, tuple[Estimate, ...]] = field(default_factory=dict)


def judge(kind: str, layers: Sequence[Estimate], others: Sequence[float | None] = ()) -> str:
    """Return the verdict on an `ATTENDED` or `MISSED` area from its lifts, layer after layer.

    Args:
        others: mean lift of the other emotions on the area in each layer; () where there is no such baseline.
    """
    known = [(e.low, e.high) for e in layers if e.low is not None and e.high is not None]
    if not known:
        return UNMEASURED
    most = len(layers) // 2 + 1
    over, under = sum(low > 1 for low, _ in known), sum(high < 1 for _, high in known)
    if kind == MISSED:
        return SUPPORTED if not over else REFUTED if over >= most else UNDECIDED
    if over < most:
        return REFUTED if under >= most else UNDECIDED
    baselines = [max(1.0, other or 1.0) for other in others] or [1.0] * len(layers)
    beyond = sum(e.low is not None and e.low > baseline for e, baseline in zip(layers, baselines, strict=True))
    return SUPPORTED if beyond >= most else UNSPECIFIC


def judge_together(
    kind: str, groups: Mapping[str, Sequence[Estimate]], others: Mapping[str, Sequence[float | None]]
) -> str:
    """Return the verdict on an area of several regions: the one that all of them share, else undecided."""
    verdicts = {judge(kind, layers, others.get(name, ())) for name, layers in groups.items()}
    if verdicts == {SUPPORTED, UNSPECIFIC}:
        return UNSPECIFIC
    return verdicts.pop() if len(verdicts) == 1 else UNDECIDED


def judge_falling(layers: Sequence[Estimate]) -> str:
    """Return the verdict on estimates that should fall from layer to layer, intervals apart."""
    ends = [(e.low, e.high) for e in layers if e.low is not None and e.high is not None]
    if len(layers) < 2 or len(ends) < len(layers):
        return UNMEASURED
    steps = list(pairwise(ends))
    if all(after[1] < before[0] for before, after in steps):
        return SUPPORTED
    return REFUTED if any(after[0] > before[1] for before, after in steps) else UNDECIDED


def statements(facs: FacsStudy | None, faithfulness: Faithfulness | None) -> list[Statement]:
    """Judge every statement; a statement whose measurement is None is "not measured"."""
    rows = [_face_statement(claim, facs) for claim in CLAIMS if facs is None or claim.emotion in facs.emotions]
    voice = faithfulness.loudness if faithfulness is not None else None
    layers = voice.layers if voice is not None else ()
    lifts, shares = tuple(layer.kept_lift for layer in layers), tuple(layer.kept_share for layer in layers)
    loud = (
        f"the loudest {decimal_text(100 * voice.loudest, 0)} % of the mel values" if voice is not None else "loud sites"
    )
    early = Statement(
        "voice",
        EARLY,
        f"{loud}: kept over active sites, first layer; chance 1",
        judge(ATTENDED, lifts[:1]),
        series={"loud sites": lifts},
    )
    fewer = Statement(
        "voice",
        FEWER,
        "share of the layer's whole map that is kept",
        judge_falling(shares),
        series={"kept share": shares},
    )
    return [*rows, early, fewer]


def _face_statement(claim: Claim, facs: FacsStudy | None) -> Statement:
    series = _series(claim, facs, "checkpoint")
    control = _series(claim, facs, "random")
    return Statement(
        claim.emotion,
        claim.statement,
        f"kept sites on {' and '.join(series) or claim.area}, lift over the crop; chance 1",
        judge_together(claim.kind, series, _others(claim, facs, "checkpoint", series)) if series else UNMEASURED,
        judge_together(claim.kind, control, _others(claim, facs, "random", control)) if control else None,
        series,
    )


def _series(claim: Claim, facs: FacsStudy | None, map_name: str) -> dict[str, tuple[Estimate, ...]]:
    """Return region group -> lifts of the layers, of the groups that hold the claim's units."""
    if facs is None or map_name not in facs.maps:
        return {}
    lifts = facs.maps[map_name].kept.groups.get(claim.emotion, {})
    names = [group.name for group in facs.groups if set(group.units) & set(claim.units)]
    return {name: tuple(lifts[name]) for name in names if name in lifts}


def _others(
    claim: Claim, facs: FacsStudy | None, map_name: str, regions: Iterable[str]
) -> dict[str, tuple[float | None, ...]]:
    """Return region group -> mean lifts of the other emotions, layer after layer."""
    if facs is None:
        return {}
    lifts = facs.maps[map_name].kept.groups
    return {
        name: tuple(others_lift(lifts, claim.emotion, name, layer) for layer in range(facs.layers)) for name in regions
    }
