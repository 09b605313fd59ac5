"""Draw people: head shape, colours, hair and voice, from the corpus's seed and the speaker's number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesm.data.marionette.hair import STYLES, hair_shell
from mesm.data.marionette.head import Head, macro_targets
from mesm.data.marionette.voices import Voice, draw_voice

_ANCESTRIES = ("caucasian", "african", "asian")
#: Shape targets and the largest weight drawn for each; `*` stands for both sides.
_SHAPES: tuple[tuple[str, float], ...] = (
    ("head/head-oval", 0.7), ("head/head-round", 0.7), ("head/head-square", 0.6), ("head/head-triangular", 0.5),
    ("head/head-fat-incr", 0.6), ("nose/nose-scale-horiz-incr", 0.8), ("nose/nose-scale-horiz-decr", 0.7),
    ("nose/nose-hump-incr", 0.7), ("nose/nose-scale-vert-incr", 0.6), ("nose/nose-volume-incr", 0.7),
    ("nose/nose-point-up", 0.7), ("chin/chin-width-incr", 0.7), ("chin/chin-height-incr", 0.6),
    ("chin/chin-prominent-incr", 0.7), ("chin/chin-height-decr", 0.5), ("mouth/mouth-scale-horiz-incr", 0.6),
    ("mouth/mouth-scale-horiz-decr", 0.5), ("mouth/mouth-upperlip-volume-decr", 0.6),
    ("mouth/mouth-lowerlip-volume-incr", 0.5), ("forehead/forehead-nubian-incr", 0.6),
    ("eyes/*-eye-scale-incr", 0.6), ("eyes/*-eye-scale-decr", 0.5), ("eyes/*-eye-corner2-up", 0.6),
    ("eyes/*-eye-corner2-down", 0.6), ("eyes/*-eye-trans-out", 0.5), ("eyebrows/eyebrows-trans-up", 0.6),
    ("cheek/*-cheek-bones-incr", 0.7), ("cheek/*-cheek-volume-incr", 0.7),
)  # fmt: skip
#: Skin of each ancestry, linear RGB; people vary round a mixture of these.
_SKIN = {"caucasian": (0.88, 0.69, 0.59), "african": (0.50, 0.34, 0.25), "asian": (0.87, 0.70, 0.56)}
_DARK_HAIR = ((0.055, 0.045, 0.04), (0.13, 0.085, 0.06))
_LIGHT_HAIR = ((0.27, 0.18, 0.11), (0.55, 0.42, 0.25), (0.42, 0.19, 0.10))
_DARK_IRIS = ((0.20, 0.13, 0.08), (0.12, 0.08, 0.06))
_LIGHT_IRIS = ((0.30, 0.42, 0.52), (0.30, 0.40, 0.28))
_HAIR_BY_SEX = {
    "female": (("bob", 0.25), ("bob_fringe", 0.2), ("long", 0.3), ("short", 0.1), ("full", 0.1), ("fringe", 0.05)),
    "male": (("short", 0.32), ("cropped", 0.26), ("full", 0.12), ("fringe", 0.10), ("thinning", 0.1), ("bald", 0.1)),
}
_OLD_MEN = (("thinning", 0.35), ("bald", 0.3), ("short", 0.25), ("cropped", 0.1))


@dataclass(frozen=True, eq=False)
class Identity:
    """Hold a neutral head with its colours, hair and voice.

    Attributes:
        rest: (V, 3) vertices at rest; `centre` the point that the camera is aimed at.
        unit: eye-to-mouth distance; `scale` the same relative to the canonical head, which displacements follow.
        triangles: head, then hair; `hair_points` (H, 3); `hair_attributes` (V + H, 3), zero on the head.
        colours: name of `shader.COLOURS` -> RGB, those of the person.
        age: 0 young, 1 old. `beard`, `stubble_scalp`: share of hair in the skin's colour.
        resting: face units that are never quite at rest.
    """

    name: str
    sex: str
    ancestry: str
    style: str
    rest: np.ndarray
    centre: np.ndarray
    unit: float
    scale: float
    triangles: np.ndarray
    hair_points: np.ndarray
    hair_attributes: np.ndarray
    colours: dict[str, tuple[float, float, float]]
    brow_thickness: float
    beard: float
    age: float
    stubble_scalp: float
    resting: dict[str, float]
    voice: Voice


def _pick(rng: np.random.Generator, weighted: tuple[tuple[str, float], ...]) -> str:
    weights = np.array([weight for _, weight in weighted])
    return weighted[int(rng.choice(len(weighted), p=weights / weights.sum()))][0]


def _shape(head: Head, rng: np.random.Generator, mix: np.ndarray, sex: str, age: float) -> np.ndarray:
    rest = head.base.copy()
    for ancestry, share in zip(_ANCESTRIES, mix, strict=True):
        for stage, part in (("young", 1 - age), ("old", age)):
            specific, universal = macro_targets(ancestry, sex, stage)
            rest += share * part * (head.target(specific) + head.target(universal))
    for k in rng.choice(len(_SHAPES), 6, replace=False):
        name, most = _SHAPES[k]
        weight = float(rng.uniform(0.1, most))
        for side in ("l", "r") if "*" in name else ("",):
            rest += weight * head.target(f"mpfb2/targets/{name.replace('*', side)}.target.gz")
    return rest


def _colours(rng: np.random.Generator, mix: np.ndarray, age: float) -> dict[str, tuple[float, float, float]]:
    tone = sum(share * np.array(_SKIN[name]) for name, share in zip(_ANCESTRIES, mix, strict=True))
    skin = np.clip(tone * rng.uniform(0.84, 1.08) + rng.normal(0, 0.012, 3), 0.15, 0.97)
    light = rng.random() < 0.75 * mix[0]
    hairs, irises = (_LIGHT_HAIR, _LIGHT_IRIS) if light else (_DARK_HAIR, _DARK_IRIS)
    hair = np.array(hairs[int(rng.integers(len(hairs)))]) * rng.uniform(0.85, 1.15)
    grey = float(np.clip(rng.normal(1.3 * age - 0.25, 0.2), 0, 0.85))
    hair = hair * (1 - grey) + np.array((0.62, 0.61, 0.60)) * grey
    lip = skin * np.array([0.90, 0.64, 0.68]) + np.array([rng.uniform(-0.04, 0.05), 0, 0])
    iris = np.array(irises[int(rng.integers(len(irises)))]) * rng.uniform(0.85, 1.2)
    clothes = np.clip(rng.uniform(0.1, 0.75) + rng.normal(0, 0.16, 3), 0.05, 0.9)
    table = {"skin": skin, "hair": hair, "lip": np.clip(lip, 0.1, 0.95), "iris": iris, "clothes": clothes}
    return {name: (float(c[0]), float(c[1]), float(c[2])) for name, c in table.items()}


def make_identity(head: Head, seed: int, speaker: int, style: str | None = None) -> Identity:
    """Make person number `speaker` of the corpus with this seed; the same in every process."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 1, speaker]))
    # Every second speaker is a woman, so that no split is of one sex.
    sex = ("female", "male")[(speaker + speaker // 10) % 2]
    mix = rng.dirichlet((0.35, 0.35, 0.35))
    age = float(rng.uniform(0, 0.35) if rng.random() < 0.65 else rng.uniform(0.4, 1.0))
    rest = _shape(head, rng, mix, sex, age).astype(np.float32)
    colours = _colours(rng, mix, age)
    drawn = _pick(rng, _OLD_MEN if sex == "male" and age > 0.5 else _HAIR_BY_SEX[sex])
    style = style or drawn
    points, hair_triangles, attributes = hair_shell(head, rest, STYLES[style])
    first = len(rest)
    eye_y, mouth_y = float(rest[head.eyes, 1].mean()), float(rest[head.lips, 1].mean())
    unit = eye_y - mouth_y
    canonical_unit = float(head.canonical[head.eyes, 1].mean() - head.canonical[head.lips, 1].mean())
    beard = float(rng.uniform(0.1, 0.65)) if sex == "male" and rng.random() < 0.5 else 0.0
    return Identity(
        name=f"s{speaker:03d}",
        sex=sex,
        ancestry=_ANCESTRIES[int(np.argmax(mix))],
        style=style,
        rest=rest,
        centre=np.array([0.0, eye_y - 0.35 * unit, rest[head.eyes, 2].mean()], np.float32),
        unit=unit,
        scale=unit / canonical_unit,
        triangles=np.concatenate([head.triangles, hair_triangles + first]),
        hair_points=points,
        hair_attributes=np.concatenate([np.zeros((first, 3), np.float32), attributes]),
        colours=colours,
        brow_thickness=float(rng.uniform(0.8, 1.1) if sex == "female" else rng.uniform(0.95, 1.4)),
        beard=beard,
        age=age,
        stubble_scalp=0.75 if style != "bald" else 0.15,
        resting={"eyeSquint": float(rng.uniform(0.05, 0.25)), "eyeBlink": float(rng.uniform(0.0, 0.12))},
        voice=draw_voice(np.random.default_rng(np.random.SeedSequence([seed, 2, speaker])), sex, age),
    )
