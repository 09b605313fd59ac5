"""Small records of the FACS kinds, with the shapes that the analyses write and numbers that a test can tell apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from mesm.records.base import CorpusId, Estimate, Record, new_provenance, write_record
from mesm.records.faithfulness import (
    PRUNED_LAYERS,
    BranchControl,
    BranchKeepOnly,
    BranchShuffleCost,
    ClipSufficientP,
    ControlLayer,
    ControlTest,
    DeletionInsertion,
    Faithfulness,
    KeepOnly,
    LoudnessLayer,
    LoudnessLift,
    NeutralTexts,
    OwnAndControl,
    ShuffleCost,
    ShuffledTexts,
    SiteCurves,
    SiteOrder,
    SiteSetScores,
    SufficientP,
    TextOnNeutral,
)
from mesm.vocabulary import CORPUS_LABELS

T = TypeVar("T")
LABELS = CORPUS_LABELS["marionette"]
GROUPS = {"AU 1": [1], "AU 2": [2], "AU 4": [4], "AU 5": [5], "AU 9": [9], "AU 10": [10], "AU 12/15": [12, 15],
          "AU 17/26": [17, 26], "AU 20": [20], "AU 23/24/25": [23, 24, 25], "AU 45": [45]}  # fmt: skip


def estimate(value: float | None, spread: float = 0.1, **more: float) -> dict[str, Any]:
    """An estimate with an interval of `spread` to both sides."""
    if value is None:
        return {"value": None, "low": None, "high": None}
    return {"value": value, "low": round(value - spread, 4), "high": round(value + spread, 4), **more}


def looks(lift: float) -> dict[str, Any]:
    """Every region of every emotion at one lift; significant where it is not 1."""
    q = 0.001 if abs(lift - 1) > 0.1 else 0.6
    layers = [estimate(lift, p=q, q=q) for _ in range(3)]
    look = {
        "active": [{"lift": estimate(lift)} for _ in range(3)],
        "own_other": {"layers": [estimate(lift / 2) for _ in range(3)], "by_emotion": {}},
        "groups": {label: dict.fromkeys(GROUPS, layers) for label in LABELS},
        "codebooks": {},
    }
    return {"kept": look, "attention": look}


def facs_record() -> dict[str, Any]:
    """The checkpoint at twice chance, both controls at chance; nothing measured of fear."""
    data: dict[str, Any] = {
        "corpus": "noise",
        "split": "test",
        "top_p": 0.5,
        "emotions": list(LABELS),
        "codebook": "emfacs",
        "groups": [{"name": name, "units": units} for name, units in GROUPS.items()],
        "counts": {"frames_used": 90, "speakers": 3, "frames_without_face": 4},
        "maps": {"checkpoint": looks(2.0), "hard": looks(1.0), "random": looks(1.0)},
        "targets": [
            {"name": "kept sites on active units", "wanted": ">= 2 in two layers", "found": "2.0", "reached": True}
        ],
        "shuffled_text": {"visual": {"accuracy": {"own": 60.0, "shuffled": 59.0, "cost": 1.0, "interval": [0.2, 1.8]}}},
        "text_lift": [
            {"source": "rendered faces", "auc": estimate(0.52, 0.01), "text_lift": [estimate(1.0, 0.01)] * 3}
        ],
    }
    data["maps"]["checkpoint"]["kept"]["groups"]["fear"] = None
    return data


def faithfulness_record() -> Faithfulness:
    """Every faithfulness test with both branches, in numbers that a test can tell apart."""

    def e(value: float, spread: float = 0.1) -> Estimate:
        return Estimate(value, round(value - spread, 4), round(value + spread, 4))

    def both(measurement: T) -> dict[str, T]:
        return {"visual": measurement, "acoustic": measurement}

    sets = SiteSetScores(0.4, e(0.6), e(0.9), e(70.0))
    areas = DeletionInsertion(
        SiteCurves((0.3, 0.6), (0.2, 0.6), (0.25, 0.6)), 0.45, 0.4, 0.42, e(0.03, 0.01), e(0.02, 0.01)
    )
    control = BranchControl(
        (ControlLayer(e(0.1), e(0.1), e(0.1), e(0.1)),) * 3, e(0.2), e(0.3), OwnAndControl(e(70), e(40))
    )
    neutral = TextOnNeutral(
        "clips of this split whose face shows no emotion", 30, 3, e(0.531, 0.02), dict.fromkeys(LABELS, 0.5), e(0.5),
        (e(1.06, 0.02),) * 3,
    )  # fmt: skip
    cost = ShuffleCost(60.0, 58.5, Estimate(1.5))
    branch_cost = BranchShuffleCost(ShuffleCost(60.0, 58.5, e(1.5, 1.0)), cost, cost)
    layers = tuple(
        LoudnessLayer(e(lift), e(lift), e(lift), e(40.0), e(share, 0.01), e(share, 0.01))
        for lift, share in ((1.5, 0.45), (1.2, 0.30), (1.0, 0.20))
    )
    ids = ClipSufficientP(("a", "b"), (0.5, 1.0), ((0.5,), ()))
    return Faithfulness(
        split="test",
        top_p=0.5,
        labels=LABELS,
        seed=0,
        without_text=0,
        shuffled_text=ShuffledTexts(20, 3, 5, both(branch_cost)),
        neutral_text=NeutralTexts("texts that name the emotion", (neutral,)),
        keep_only=KeepOnly(20, 3, 3, 0.5, both(BranchKeepOnly(sets, sets, sets, sets, e(0.05, 0.02)))),
        order=SiteOrder(20, 3, (0.5, 1.0), both(dict.fromkeys(PRUNED_LAYERS, areas))),
        sufficient_p=SufficientP(20, 3, (0.5, 1.0), (e(0.9), e(1.0)), (0.3, 0.5, 0.8), e(1.2), ids),
        control=ControlTest(20, 3, 5, 0.5, "moment_matched", both(control)),
        loudness=LoudnessLift(20, 3, 0.5, 0.1, layers),
    )


def write_faithfulness(folder: Path, checkpoint: str, corpus: str, digest: str) -> Path:
    """Write `faithfulness_record` into a folder of records."""
    command = f"mesm faithfulness {checkpoint} --corpus {corpus}"
    provenance = new_provenance(CorpusId(corpus), checkpoint, (digest,), command)
    return write_record(folder, Record("faithfulness", provenance, faithfulness_record()))


def canonical_record(size: int = 4) -> dict[str, Any]:
    """Maps of `size` cells: kept 0.5 but for one unseen corner; one significant cell in the difference to the others."""
    kept = [" ".join(["-", *["50"] * (size - 1)]), *[" ".join(["50"] * size)] * (size - 1)]
    map_ = [" ".join(["-", *["0"] * (size - 1)]), *[" ".join(["25"] + ["-10"] * (size - 1))] * (size - 1)]
    mask = ["0" * size, "1" + "0" * (size - 1), *["0" * size] * (size - 2)]
    some = [{"map": map_, "significant": mask, "speakers": 3}] * 3
    return {
        "labels": list(LABELS),
        "window": [-1.4, 1.4, -1.05, 1.75],
        "outline": {"face": [[[0, -1], [1, 0], [0, 1.7], [-1, 0], [0, -1]]], "mouth": [[[-0.4, 1.1], [0.4, 1.1]]]},
        "frames": 90,
        "speakers": 3,
        "alpha": 0.05,
        "emotion_from": "the clip's labels",
        "maps": {name: {look: {e: [kept] * 3 for e in ("all", *LABELS)} for look in ("kept", "attention")}
                 for name in ("checkpoint", "random")},
        "differences": {"others": dict.fromkeys(LABELS, some), "wrong": dict.fromkeys(LABELS, [None] * 3),
                        "random": dict.fromkeys(LABELS, some)},
    }  # fmt: skip
