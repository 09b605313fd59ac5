"""Small records of the FACS kinds, with the shapes that the analyses write and numbers that a test can tell apart."""

from __future__ import annotations

from typing import Any

from mesm.vocabulary import CORPUS_LABELS

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


def faithfulness_record() -> dict[str, Any]:
    """Sections as `mesm.studies.faithfulness.measure` writes them, for both branches."""
    cost = {"own": 60.0, "shuffled": 58.5, "cost": 1.5}
    branch = {"accuracy": cost | {"interval": [0.5, 2.5]}, "wacc": cost, "auc": cost}
    only = {name: {"share": 0.4, "score": estimate(0.6), "same": estimate(0.9), "accuracy": estimate(70.0)}
            for name in ("nucleus", "random", "least", "complement")}  # fmt: skip
    layer = {k: estimate(0.1) for k in ("rank_correlation", "iou", "iou_chance", "iou_over_chance")}
    redrawn = {"layers": [layer] * 3, "score_change": estimate(0.2), "first_label_changes": estimate(0.3)}
    counted = {"clips": 20, "speakers": 3}
    sound = [{"kept_lift": estimate(lift), "kept_share": estimate(share, 0.01)}
             for lift, share in ((1.5, 0.45), (1.2, 0.30), (1.0, 0.20))]  # fmt: skip
    return {
        "shuffled_text": counted | {"shuffles": 5, "visual": branch, "acoustic": branch},
        "neutral_text": {
            "texts": "texts that name the emotion",
            "sources": [{"source": "clips of this split whose face shows no emotion", "faces": 30, "people": 3,
                         "auc": estimate(0.531, 0.02), "text_lift": [estimate(1.06, 0.02)] * 3}],
        },
        "keep_only": counted | {b: only | {"nucleus_gain": estimate(0.05, 0.02)} for b in ("visual", "acoustic")},
        "order": counted,
        "sufficient_p": counted | {"sufficient": [0.3, 0.5, 0.8], "flips": estimate(1.2)},
        "redrawn": counted | {"draws": 5, "visual": redrawn, "acoustic": redrawn},
        "sound": counted | {"loudest": 0.1, "layers": sound},
    }  # fmt: skip


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
