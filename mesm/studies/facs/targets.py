"""Compare a FACS study with the targets that were set for the attention before training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mesm.estimate import Estimate, decimal_text
from mesm.records.facs import Agreement, Contrast, FacsStudy, ReinitialisedControl, Specificity
from mesm.records.faithfulness import ShuffledTexts, TextOnNeutral

#: Target of each layer: kept sites on a text's regions over the same under other texts.
TEXT_LIFT = 1.05


@dataclass(frozen=True)
class Target:
    """Hold one target and its measurement.

    Attributes:
        criterion: in words; `measured` the values, layer after layer, with 95 % intervals.
        reached: None where it was not measured.
    """

    name: str
    criterion: str
    measured: str = "not measured"
    reached: bool | None = None


def _value(estimate: Estimate, missing: float = 0.0) -> float:
    return missing if estimate.value is None else estimate.value


def _low(estimate: Estimate) -> float:
    return 0.0 if estimate.low is None else estimate.low


def _words(estimates: Sequence[Estimate]) -> str:
    return " / ".join(
        "-"
        if e.value is None
        else decimal_text(e.value, 2)
        if e.low is None or e.high is None
        else f"{decimal_text(e.value, 2)} [{decimal_text(e.low, 2)}, {decimal_text(e.high, 2)}]"
        for e in estimates
    )


def unseen_neutral(study: FacsStudy) -> TextOnNeutral | None:
    """Return the neutral faces that judge the text's lift: rendered ones of people not trained on, else the first."""
    rendered = [source for source in study.neutral_text.sources if source.source.startswith("rendered")]
    return next(iter((*rendered, *study.neutral_text.sources)), None)


def missing_text_effect(study: FacsStudy) -> str | None:
    """Return a sentence where the text moves the masks less than `TEXT_LIFT` in every layer; else None."""
    source = unseen_neutral(study)
    lifts = [_value(e, TEXT_LIFT) for e in source.text_lift or ()] if source is not None else []
    if not lifts or max(lifts) >= TEXT_LIFT:
        return None
    measured = " / ".join(decimal_text(lift, 2) for lift in lifts)
    return (
        "In this checkpoint the masks depend on face and voice and little on the words: on neutral faces, the regions "
        f"of a text's emotion are kept {measured} times as often as under other texts."
    )


def targets(study: FacsStudy) -> list[Target]:
    """Return every target with its measurement."""
    kept = study.maps["checkpoint"].kept
    rows = [*_region_lift(kept.active), *_specificity(kept.specificity), _control(study.control)]
    return [*rows, *_text(unseen_neutral(study)), _shuffled(study.shuffled_text)]


def _region_lift(active: Sequence[Agreement] | None) -> list[Target]:
    crop = ("kept sites on the active units, over chance", ">= 2.0 in two layers")
    head = ("the same with chance over the head only", ">= 1.5 in one layer")
    if active is None:
        return [Target(*crop), Target(*head)]
    over_crop, over_head = [row.lift for row in active], [row.lift_head for row in active]
    return [
        Target(*crop, _words(over_crop), sum(_value(e) >= 2.0 for e in over_crop) >= 2),
        Target(*head, _words(over_head), any(_value(e) >= 1.5 for e in over_head)),
    ]


def _specificity(specificity: Specificity | None) -> list[Target]:
    units = "kept sites on the shown emotion's units over other emotions' units"
    faces = "kept sites on an emotion's units where it is shown over where others are"
    if specificity is None:
        return [*_contrast(None, units), *_contrast(None, faces)]
    return [*_contrast(specificity.own_over_other_units, units), *_contrast(specificity.own_over_other_faces, faces)]


def _contrast(contrast: Contrast | None, name: str) -> list[Target]:
    criterion = (">= 1.25 in one layer", "interval above 1 for at least five emotions in one layer")
    if contrast is None:
        return [Target(name, criterion[0]), Target(f"{name}, by emotion", criterion[1])]
    layers = contrast.pooled
    pooled = Target(name, criterion[0], _words(layers), any(_value(e) >= 1.25 for e in layers))
    if all(e.low is None for row in contrast.by_emotion.values() for e in row):
        return [pooled, Target(f"{name}, by emotion", criterion[1], "no interval: too few speakers")]
    above = [[e for e, row in contrast.by_emotion.items() if _low(row[i]) > 1] for i in range(len(layers))]
    best = max(above, key=len)
    counts = " / ".join(str(len(emotions)) for emotions in above)
    return [
        pooled,
        Target(f"{name}, by emotion", criterion[1], f"{counts}; best: {', '.join(best) or 'none'}", len(best) >= 5),
    ]


def _control(control: ReinitialisedControl | None) -> Target:
    name, criterion = "the same with re-initialised attention (mean", "interval holds 1 in every layer"
    if control is None:
        return Target(f"{name})", criterion)
    ends = [(e.low, e.high) for e in control.crop if e.low is not None and e.high is not None]
    reached = all(low <= 1 <= high for low, high in ends) if len(ends) == len(control.crop) else None
    return Target(f"{name} of {control.inits})", criterion, _words(control.crop), reached)


def _text(neutral: TextOnNeutral | None) -> list[Target]:
    guides = Target(
        "the text guides: kept sites on its units, neutral faces", ">= 1.05 in each layer, >= 1.10 in one, above 1"
    )
    leak = Target("no leak of the text through the mask: AUC, neutral faces", "<= 0.55")
    if neutral is None:
        return [guides, leak]
    lifts = neutral.text_lift or ()
    if lifts:
        each = all(_value(e) >= TEXT_LIFT and _low(e) > 1 for e in lifts)
        reached = each and any(_value(e) >= 1.1 for e in lifts)
        # The criterion is one of the intervals' ends, which too few speakers do not give.
        known = all(e.low is not None for e in lifts)
        guides = Target(guides.name, guides.criterion, _words(lifts), reached if known else None)
    auc = neutral.auc
    return [guides, Target(leak.name, leak.criterion, _words([auc]), None if auc.value is None else auc.value <= 0.55)]


def _shuffled(texts: ShuffledTexts) -> Target:
    target = Target("shuffled texts cost the face branch", "<= 2 points of accuracy")
    branch = texts.branches.get("visual")
    if branch is None or branch.accuracy.cost.value is None:
        return target
    measured = f"{decimal_text(branch.accuracy.cost.value, 2)} of {decimal_text(branch.accuracy.own or 0, 2)}"
    low, high = branch.accuracy.cost.low, branch.accuracy.cost.high
    interval = "" if low is None or high is None else f" [{decimal_text(low, 2)}, {decimal_text(high, 2)}]"
    return Target(target.name, target.criterion, measured + interval, branch.accuracy.cost.value <= 2)
