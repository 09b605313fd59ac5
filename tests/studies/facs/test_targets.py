"""Targets are reached exactly when the measurement meets the criterion that is printed beside it."""

from __future__ import annotations

from dataclasses import replace

from mesm.estimate import Estimate
from mesm.records.facs import Contrast, FacsStudy, Specificity
from mesm.records.faithfulness import NeutralTexts
from mesm.studies.facs.targets import Target, targets
from tests.figures.facs_records_made import LABELS, LAYERS, chance_estimate, estimate, facs_study, without_active_units


def by_name(study: FacsStudy) -> dict[str, Target]:
    return {target.name: target for target in targets(study)}


def with_lifts(study: FacsStudy, lifts: tuple[float, ...]) -> FacsStudy:
    """Return the study with other lifts of the kept sites on the active units."""
    own = study.maps["checkpoint"]
    assert own.kept.active is not None
    active = tuple(replace(row, lift=chance_estimate(v)) for row, v in zip(own.kept.active, lifts, strict=True))
    kept = replace(own.kept, active=active)
    return replace(study, maps=study.maps | {"checkpoint": replace(own, kept=kept)})


def test_lift_needs_two_layers() -> None:
    name = "kept sites on the active units, over chance"
    assert by_name(with_lifts(facs_study(), (2.0, 2.1, 1.0)))[name].reached is True
    one = by_name(with_lifts(facs_study(), (2.0, 1.9, 1.0)))[name]
    assert one.reached is False and one.measured == "2.00 [1.90, 2.10] / 1.90 [1.80, 2.00] / 1.00 [0.90, 1.10]"


def test_specificity_and_the_control() -> None:
    study = facs_study()
    rows = by_name(study)
    units = "kept sites on the shown emotion's units over other emotions' units"
    assert rows[units].reached is False and rows[f"{units}, by emotion"].measured == "0 / 0 / 0; best: none"
    specific = study.maps["checkpoint"].kept.specificity
    assert specific is not None
    faces = replace(
        specific.own_over_other_faces,
        pooled=(estimate(1.0), estimate(1.25), estimate(1.0)),
        by_emotion={label: (estimate(1.0), estimate(1.2), estimate(1.0)) for label in LABELS[:5]},
    )
    kept = replace(study.maps["checkpoint"].kept, specificity=replace(specific, own_over_other_faces=faces))
    own = replace(study.maps["checkpoint"], kept=kept)
    rows = by_name(replace(study, maps=study.maps | {"checkpoint": own}))
    name = "kept sites on an emotion's units where it is shown over where others are"
    assert rows[name].reached is True and rows[f"{name}, by emotion"].reached is True and rows[units].reached is False
    control = "the same with re-initialised attention (mean of 2)"
    assert rows[control].reached is True
    assert study.control is not None
    high = replace(study, control=replace(study.control, crop=(estimate(1.0), estimate(1.2), estimate(1.0))))
    assert by_name(high)[control].reached is False


def test_text_effect_and_leak() -> None:
    study = facs_study()
    guides = "the text guides: kept sites on its units, neutral faces"
    leak = "no leak of the text through the mask: AUC, neutral faces"
    rows = by_name(study)
    assert rows[guides].reached is False and rows[leak].reached is True
    (source,) = study.neutral_text.sources
    other = replace(source, source="clips", text_lift=None)
    better = replace(source, auc=estimate(0.56, 0.01), text_lift=tuple(estimate(v, 0.01) for v in (1.06, 1.1, 1.07)))
    rows = by_name(replace(study, neutral_text=NeutralTexts("", (other, better))))  # the rendered faces are judged
    assert rows[guides].reached is True and rows[leak].reached is False


def test_what_was_not_measured_is_not_judged() -> None:
    bare = replace(without_active_units(facs_study()), neutral_text=NeutralTexts("", ()))
    rows = targets(bare)
    assert len(rows) == len(targets(facs_study())) == 10
    judged = [row.name for row in rows if row.reached is not None]
    assert judged == ["shuffled texts cost the face branch"]


def test_without_intervals_a_criterion_on_intervals_is_not_judged() -> None:
    study = facs_study()
    assert study.control is not None
    few = replace(study, control=replace(study.control, crop=(Estimate(1.0),) * LAYERS))
    row = by_name(few)["the same with re-initialised attention (mean of 2)"]
    assert row.reached is None and row.measured == "1.00 / 1.00 / 1.00"
    specific = study.maps["checkpoint"].kept.specificity
    assert specific is not None
    none = Contrast((Estimate(1.3),) * LAYERS, {label: (Estimate(1.3),) * LAYERS for label in LABELS})
    kept = replace(study.maps["checkpoint"].kept, specificity=Specificity(none, none))
    own = replace(study.maps["checkpoint"], kept=kept)
    rows = by_name(replace(study, maps=study.maps | {"checkpoint": own}))
    units = "kept sites on the shown emotion's units over other emotions' units"
    assert rows[units].reached is True and rows[f"{units}, by emotion"].reached is None
