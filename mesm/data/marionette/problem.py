"""Define the designed problem: a clip's emotions, the modalities that show them, and the display of each modality.

A clip has no emotion, one or two, each of intensity 1, 2 or 3. Face, voice and words are each informative with a
stated probability, independently: an informative modality displays the clip's emotions, another one is neutral or
displays other emotions. So no modality suffices, and none shows whether it is reliable.

Everything is drawn from the corpus's seed and the clip's number; nothing depends on what was drawn before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mesm.data.marionette.action_units import AU_NUMBERS, prototype_vector
from mesm.data.marionette.prosody import PARAMETERS, UTTERANCE_SPREAD, effect
from mesm.vocabulary import CORPUS_LABELS, MODALITIES

LABELS: tuple[str, ...] = CORPUS_LABELS["marionette"]
#: Chance that a modality displays the clip's emotions. Counting the clips without one, 53 % of the sentences name an emotion
#: of their clip.
INFORMATIVE: dict[str, float] = {"text": 0.60, "visual": 0.72, "acoustic": 0.72}
#: Chance that a modality which is not informative displays other emotions; else it is neutral.
AT_ODDS = 0.25
#: Share of clips with no emotion and with two.
NO_EMOTION, TWO_EMOTIONS = 0.12, 0.26
#: Chances of the first emotion, ordered as in CMU-MOSEI (happiness most, fear least) but less steep.
BALANCE: dict[str, float] = {
    "anger": 0.17, "disgust": 0.14, "fear": 0.10, "happiness": 0.30, "sadness": 0.18, "surprise": 0.11,
}  # fmt: skip
INTENSITIES: dict[int, float] = {1: 0.30, 2: 0.40, 3: 0.30}
#: How strongly each intensity is displayed, of the full prototype.
LEVELS: dict[int, float] = {1: 0.60, 2: 0.85, 3: 1.08}
#: Spread of the logarithm of an action unit's apex round the prototype, chance that it is left out, and chance and
#: size of a unit that belongs to no emotion.
UNIT_SPREAD, UNIT_DROPPED, UNIT_STRAY, STRAY_LEVEL, STRAY_SPREAD = 0.25, 0.08, 0.05, 0.18, 0.4

Display = dict[str, float]


@dataclass(frozen=True)
class ClipPlan:
    """Hold everything about a clip except its pixels and samples.

    Attributes:
        labels: emotion -> intensity, 0 to 3, all six.
        informative: modality -> whether it displays the labels.
        displays: modality -> emotion -> level in [0, about 1]; empty is neutral. The words display one emotion.
        apex: (A,) intensity of each action unit at the emotion's apex.
        prosody: (8,) shifts of `prosody.PARAMETERS`, the speaker's own not included.
    """

    number: int
    speaker: int
    split: str
    labels: dict[str, int]
    informative: dict[str, bool]
    displays: dict[str, Display]
    apex: np.ndarray
    prosody: np.ndarray


def speaker_count(clips: int) -> int:
    """Return the number of speakers: about 12 clips each, a multiple of ten, so that the splits keep their shares."""
    return max(20, 10 * round(clips / 120))


def speaker_split(speaker: int) -> str:
    """Return a speaker's split: of ten speakers seven train, one validates, two test."""
    return {3: "valid", 6: "test", 9: "test"}.get(speaker % 10, "train")


def generator(seed: int, number: int, purpose: int = 0) -> np.random.Generator:
    """Return the clip's own random generator; one for each purpose, so that changing one leaves the others."""
    return np.random.default_rng(np.random.SeedSequence([seed, 0, number, purpose]))


def _emotions(rng: np.random.Generator, without: Mapping[str, int] | None = None) -> dict[str, int]:
    """Draw one or two emotions with intensities, none of them in `without`."""
    names = [name for name in LABELS if name not in (without or {})]
    weights = np.array([BALANCE[name] for name in names])
    many = 2 if rng.random() < TWO_EMOTIONS / (1 - NO_EMOTION) and len(names) > 1 else 1
    drawn = rng.choice(len(names), many, replace=False, p=weights / weights.sum())
    levels = rng.choice(list(INTENSITIES), many, p=list(INTENSITIES.values()))
    return {names[int(k)]: int(level) for k, level in zip(drawn, levels, strict=True)}


def _displayed(emotions: Mapping[str, int]) -> Display:
    return {name: LEVELS[intensity] for name, intensity in emotions.items()}


def _one_of(display: Display, rng: np.random.Generator) -> Display:
    """Draw the one emotion that a sentence can hold, the stronger one more often."""
    if len(display) < 2:
        return display
    names, levels = list(display), np.array(list(display.values()))
    name = names[int(rng.choice(len(names), p=levels / levels.sum()))]
    return {name: display[name]}


def draw_apex(display: Display, rng: np.random.Generator) -> np.ndarray:
    """Draw (A,) action units at the apex: prototypes with individual variation, the larger where two emotions meet."""
    apex = np.zeros(len(AU_NUMBERS))
    for name, level in display.items():
        spread = np.exp(rng.normal(0, UNIT_SPREAD, len(apex)))
        kept = rng.random(len(apex)) >= UNIT_DROPPED
        apex = np.maximum(apex, prototype_vector(name) * level * spread * kept)
    stray = rng.random(len(apex)) < UNIT_STRAY
    size = STRAY_LEVEL * np.exp(rng.normal(0, STRAY_SPREAD, len(apex)))
    return np.maximum(apex, stray * size)


def draw_prosody(display: Display, rng: np.random.Generator) -> np.ndarray:
    """Draw (8,) shifts: the emotion's effect and the utterance's own variation."""
    return effect(display) + rng.normal(0, 1, len(PARAMETERS)) * np.array(UTTERANCE_SPREAD)


@dataclass(frozen=True)
class Design:
    """Hold the emotions of a clip and the modalities that show them; see `ClipPlan`."""

    labels: dict[str, int]
    informative: dict[str, bool]
    displays: dict[str, Display]


def draw_design(rng: np.random.Generator) -> Design:
    """Draw the emotions of a clip, the informative modalities, and the display of each."""
    emotions = {} if rng.random() < NO_EMOTION else _emotions(rng)
    informative = {name: bool(rng.random() < INFORMATIVE[name]) for name in MODALITIES}
    displays: dict[str, Display] = {}
    for name in MODALITIES:
        if informative[name]:
            displays[name] = _displayed(emotions)
        else:
            odd = rng.random() < AT_ODDS
            displays[name] = _displayed(_emotions(rng, emotions)) if odd else {}
    displays["text"] = _one_of(displays["text"], rng)
    return Design({name: emotions.get(name, 0) for name in LABELS}, informative, displays)


def plan_clip(seed: int, number: int, speakers: int) -> ClipPlan:
    """Draw one clip of the corpus with this seed and number of speakers."""
    rng = generator(seed, number)
    speaker = number % speakers
    design = draw_design(rng)
    return ClipPlan(
        number=number,
        speaker=speaker,
        split=speaker_split(speaker),
        labels=design.labels,
        informative=design.informative,
        displays=design.displays,
        apex=draw_apex(design.displays["visual"], rng),
        prosody=draw_prosody(design.displays["acoustic"], rng),
    )
