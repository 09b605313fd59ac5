"""Compute how well the designed problem can be solved: an ideal observer of each subset of modalities.

The observer sees the action units at their apex without noise, the prosody parameters, and which class the sentence
was written for. It has every probability of `problem`, but neither the labels, nor which modality is informative,
nor the speaker's own way of speaking. Its scores are exact posterior probabilities of each emotion; it then decides
as the models do: per class the threshold of {.05, ..., .95} with the best F1 on the validation split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, combinations

import numpy as np
from scipy.stats import norm

from mesm.data.marionette.action_units import prototype_vector
from mesm.data.marionette.problem import (
    AT_ODDS,
    BALANCE,
    INFORMATIVE,
    INTENSITIES,
    LABELS,
    LEVELS,
    NO_EMOTION,
    STRAY_LEVEL,
    STRAY_SPREAD,
    TWO_EMOTIONS,
    UNIT_DROPPED,
    UNIT_SPREAD,
    UNIT_STRAY,
    ClipPlan,
    plan_clip,
)
from mesm.data.marionette.prosody import PARAMETERS, UTTERANCE_SPREAD, effect
from mesm.data.marionette.voices import SPEAKER_SPREAD
from mesm.data.marionette.words import NEUTRAL
from mesm.vocabulary import MODALITIES

THRESHOLDS = np.arange(1, 20) / 20
#: Classes of sentences.
_CLASSES = (*LABELS, NEUTRAL)
State = tuple[tuple[str, int], ...]


@lru_cache(maxsize=1)
def states() -> tuple[State, ...]:
    """List every set of at most two emotions with intensities; the empty one first."""
    one = [((name, level),) for name in LABELS for level in INTENSITIES]
    two = [(a, b) for (a,), (b,) in combinations(one, 2) if a[0] != b[0]]
    return ((), *one, *two)


def _emotion_chances(without: frozenset[str]) -> np.ndarray:
    """Compute (states,) chances of `problem._emotions`, given which emotions may not occur."""
    weights = {name: share for name, share in BALANCE.items() if name not in without}
    total = sum(weights.values())
    share = {name: weight / total for name, weight in weights.items()}
    many = TWO_EMOTIONS / (1 - NO_EMOTION) if len(share) > 1 else 0.0
    chances = []
    for state in states():
        names = [name for name, _ in state]
        if not names or any(name not in share for name in names):
            chances.append(0.0)
            continue
        a, b = share[names[0]], share[names[-1]]
        sets = (1 - many) * a if len(names) == 1 else many * (a * b / (1 - a) + b * a / (1 - b))
        chances.append(sets * float(np.prod([INTENSITIES[level] for _, level in state])))
    return np.array(chances)


def prior() -> np.ndarray:
    """Compute (states,) chance of each state of a clip."""
    chances = (1 - NO_EMOTION) * _emotion_chances(frozenset())
    chances[0] = NO_EMOTION
    return chances


def display_chances(modality: str) -> np.ndarray:
    """Compute (states, states): chance that a modality displays the second state when the clip is in the first."""
    odd: dict[frozenset[str], np.ndarray] = {}
    rows = []
    for k, state in enumerate(states()):
        names = frozenset(name for name, _ in state)
        if names not in odd:
            odd[names] = _emotion_chances(names)
        row = (1 - INFORMATIVE[modality]) * AT_ODDS * odd[names]
        row[0] += (1 - INFORMATIVE[modality]) * (1 - AT_ODDS)
        row[k] += INFORMATIVE[modality]
        rows.append(row)
    return np.array(rows)


def _levels(state: State) -> dict[str, float]:
    return {name: LEVELS[level] for name, level in state}


def _face(apex: np.ndarray) -> np.ndarray:
    """Compute the log likelihood of (N, A) apexes under each displayed state: each unit is the largest of its causes."""
    shown = apex > 0
    logs = np.log(np.where(shown, apex, 1.0))
    out = np.zeros((len(apex), len(states())))
    for column, state in enumerate(states()):
        at_most, rising, absent = np.ones_like(apex), np.zeros_like(apex), np.ones(apex.shape[1])
        for weight, chance, spread in _causes(state):
            with np.errstate(divide="ignore"):
                place = (logs - np.log(weight)) / spread
            below = np.where(weight > 0, 1 - chance + chance * norm.cdf(place), 1.0)
            density = np.where(weight > 0, chance * norm.pdf(place) / spread, 0.0)
            at_most, rising = at_most * below, rising + density / below
            absent = absent * np.where(weight > 0, 1 - chance, 1.0)
        likelihood = np.where(shown, at_most * rising, absent)
        out[:, column] = np.log(likelihood + 1e-300).sum(axis=1)
    return out


def _causes(state: State) -> list[tuple[np.ndarray, float, float]]:
    """Return sizes (A,), chance and spread of everything that can move a unit in a displayed state."""
    causes = [(prototype_vector(n) * level, 1 - UNIT_DROPPED, UNIT_SPREAD) for n, level in _levels(state).items()]
    units = len(prototype_vector(LABELS[0]))
    return [*causes, (np.full(units, STRAY_LEVEL), UNIT_STRAY, STRAY_SPREAD)]


def _voice(prosody: np.ndarray) -> np.ndarray:
    """Compute the log likelihood of (N, 8) prosody parameters under each displayed state."""
    own = np.array([SPEAKER_SPREAD.get(name, 0.0) for name in PARAMETERS])
    spread = np.hypot(own, UTTERANCE_SPREAD)
    means = np.array([effect(_levels(state)) for state in states()])
    return norm.logpdf(prosody[:, None], means[None], spread).sum(axis=2)


def _words(classes: Sequence[str]) -> np.ndarray:
    """Compute the log likelihood of the sentences' classes under each displayed state."""
    table = np.zeros((len(_CLASSES), len(states())))
    for column, state in enumerate(states()):
        levels = _levels(state)
        if not levels:
            table[-1, column] = 1.0
        for name, level in levels.items():
            table[_CLASSES.index(name), column] = level / sum(levels.values())
    return np.log(table[[_CLASSES.index(name) for name in classes]] + 1e-300)


def posteriors(plans: Sequence[ClipPlan], prosody: np.ndarray) -> dict[tuple[str, ...], np.ndarray]:
    """Map subset of modalities -> (N, 6) probability of each emotion.

    Args:
        prosody: (N, 8) parameters as heard, the speaker's own departure included.
    """
    heard = {
        "text": _words([next(iter(plan.displays["text"]), NEUTRAL) for plan in plans]),
        "visual": _face(np.stack([plan.apex for plan in plans])),
        "acoustic": _voice(prosody),
    }
    logs = {}
    for modality, displayed in heard.items():
        top = displayed.max(axis=1, keepdims=True)
        logs[modality] = np.log(np.exp(displayed - top) @ display_chances(modality).T + 1e-300)
    holds = np.array([[name in dict(state) for name in LABELS] for state in states()], float)
    chances = {}
    for subset in chain.from_iterable(combinations(MODALITIES, n) for n in (1, 2, 3)):
        joint = np.log(prior()) + sum(logs[modality] for modality in subset)
        weights = np.exp(joint - joint.max(axis=1, keepdims=True))
        chances[subset] = weights @ holds / weights.sum(axis=1, keepdims=True)
    return chances


def f1_and_weighted_accuracy(predicted: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Compute F1 of the positive class, and (TP N/P + TN) / (2 N), for (N,) bool arrays."""
    hits, misses = np.sum(predicted & truth), np.sum(~predicted & truth)
    false, right = np.sum(predicted & ~truth), np.sum(~predicted & ~truth)
    f1 = 2 * hits / max(2 * hits + misses + false, 1)
    return float(f1), float((hits / max(hits + misses, 1) + right / max(right + false, 1)) / 2)


@dataclass(frozen=True)
class Ceiling:
    """Hold the best attainable scores of one subset of modalities, in percent, per emotion and their mean."""

    modalities: tuple[str, ...]
    weighted_accuracy: dict[str, float]
    f1: dict[str, float]


def ceilings(clips: int = 6000, seed: int = 1) -> list[Ceiling]:
    """Simulate plans and let the observer decide.

    Args:
        clips: simulated clips for choosing thresholds, and as many for the scores: far more than a corpus has, so
            that the figures belong to the design and not to one draw.
    """
    rng = np.random.default_rng(seed)
    plans = [plan_clip(seed, number, 2 * clips) for number in range(2 * clips)]
    own = np.array([SPEAKER_SPREAD.get(name, 0.0) for name in PARAMETERS])
    prosody = np.stack([plan.prosody for plan in plans]) + rng.normal(0, 1, (2 * clips, len(own))) * own
    truth = np.array([[plan.labels[name] > 0 for name in LABELS] for plan in plans])
    rows = []
    for subset, scores in posteriors(plans, prosody).items():
        accuracy, f1 = {}, {}
        for k, name in enumerate(LABELS):
            valid = [f1_and_weighted_accuracy(scores[:clips, k] >= t, truth[:clips, k])[0] for t in THRESHOLDS]
            best = THRESHOLDS[int(np.argmax(valid))]
            score, weighted = f1_and_weighted_accuracy(scores[clips:, k] >= best, truth[clips:, k])
            f1[name], accuracy[name] = 100 * score, 100 * weighted
        for table in (f1, accuracy):
            table["average"] = float(np.mean([table[name] for name in LABELS]))
        rows.append(Ceiling(subset, accuracy, f1))
    return rows
