"""More of one clip as exhibits: its scores over top-p, two answers side by side, action units and the mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mesm.batch import ACTIVE_INTENSITY, Sample
from mesm.figures.bibliography import PAPER, corpus_cites
from mesm.figures.export import Exhibit
from mesm.figures.privacy import private_faces
from mesm.figures.tables import Row, Table
from mesm.files import slug
from mesm.records.prediction import LayerTrace, Prediction
from mesm.studies.case import captions
from mesm.studies.case.clip_paper import plot_over_p, plot_pair, plot_regions
from mesm.studies.case.difference import difference_caption
from mesm.studies.case.mosaic import Look, Strip
from mesm.studies.case.paper import plot_case
from mesm.vocabulary import ACTION_UNITS

#: Faces in a row of `regions`.
MOST_FACES = 6
#: Units whose intensity stays below this all along are not listed.
AU_SHOWN_FROM = 0.05
Layers = Mapping[str, tuple[LayerTrace, ...]]


def over_p(sample: Sample, report: Any, origin: Mapping[str, Any]) -> Exhibit:
    """A clip's scores at every p, with its flip point and its smallest sufficient p.

    Args:
        report: `analysis.flip.FlipReport`.
    """
    rows = tuple(
        Row((float(p), *map(float, scores), None if np.isnan(work) else float(work)))
        for p, scores, work in zip(report.top_ps, report.scores, report.work, strict=True)
    )
    return Exhibit(
        name=f"over-p-{sample.clip_id}-{origin['checkpoint']}",
        title=f"Clip {sample.clip_id}: scores at every p",
        caption=(
            f"Scores of {origin['checkpoint']} for “{sample.text}” over top-p. At p = 1 the strongest is {report.answer}. "
            + " ".join(f"{words.capitalize()}." for words in over_p_marks(report))
        ),
        command=_command("over-p", sample.clip_id, None, origin),
        origin=_origin(sample, origin, [float(p) for p in report.top_ps]),
        draw=lambda width: plot_over_p(report.labels, report.top_ps, report.scores, over_p_marks(report), width),
        table=Table(("p", *report.labels, "work, share of FE2E"), rows, digits=3),
        cites=(PAPER, *corpus_cites(str(origin["corpus"]))),
    )


def over_p_marks(report: Any) -> dict[str, float]:
    """Words -> p of the two points of a `FlipReport`."""
    marks = {f"enough: {report.sufficient_p:.2f}": report.sufficient_p}
    return marks if report.flip_p is None else marks | {f"flips: {report.flip_p:.2f}": report.flip_p}


def versus(
    name: str, top_p: float, *, other_p: float | None = None, draw: int | None = None, checkpoint: str | None = None
) -> tuple[tuple[str, str], str]:
    """What two answers are called, and the option of `mesm figure pair` that makes the second.

    Args:
        name: of the first answer's checkpoint.
        top_p: of the first answer.
        other_p: of the second; or
        draw: the seed of its attention; or
        checkpoint: its checkpoint.
    """
    if checkpoint is not None:
        return (name, checkpoint), f"--other {checkpoint}"
    if draw is not None:
        return ("trained attention", f"random attention {draw}"), f"--random {draw}"
    return (f"p = {top_p:g}", f"p = {other_p:g}"), f"--other-p {other_p:g}"


def pair(
    sample: Sample,
    answers: tuple[Prediction, Prediction],
    names: tuple[str, str],
    origin: Mapping[str, Any],
    option: str,
) -> Exhibit:
    """Two answers side by side: scores, their difference, and the work.

    Args:
        option: of the command, which makes the second answer, such as "--other-p 1".
    """
    first, second = answers
    shared = [label for label in first.labels if label in second.labels]
    both = [[float(a.scores[a.labels.index(label)]) for label in shared] for a in answers]
    rows = [Row((label, a, b, b - a)) for label, a, b in zip(shared, *both, strict=True)]
    work = [a.macs.get("conv_stack", 0) / 1e9 for a in answers]
    rows.append(Row(("work, GMAC", *work, work[1] - work[0]), ranked=False))
    return Exhibit(
        name=f"pair-{sample.clip_id}-{slug(names[0])}-{slug(names[1])}",
        title=f"Clip {sample.clip_id}: {names[0]} and {names[1]}",
        caption=(
            f"Scores for “{sample.text}”; filled: {names[0]}, {work[0]:.3f} GMAC; hollow: {names[1]}, {work[1]:.3f} GMAC."
        ),
        command=f"{_command('pair', sample.clip_id, first, origin)} {option}",
        origin=_origin(sample, origin, _top_p(first)) | {"compared": list(names)},
        draw=lambda width: plot_pair(shared, both, names, sample.labels or {}, width),
        table=Table(("emotion", *names, "change"), tuple(rows), digits=3),
        cites=(PAPER, *corpus_cites(str(origin["corpus"]))),
    )


def difference(
    sample: Sample,
    answers: tuple[Prediction, Prediction],
    names: tuple[str, str],
    view: tuple[Strip, Look],
    origin: Mapping[str, Any],
    option: str,
    privacy: str,
) -> Exhibit:
    """Where two masks of one clip differ, layer by layer.

    Args:
        option: see `pair`.
        privacy: one of `bundle.PRIVACY`.
    """
    strip, look = view[0], Look(layers=view[1].layers)
    ours, theirs = (layers_of(answer) for answer in answers)
    said = [
        f"{captions.MODALITY_WORDS[m]}: {difference_caption(ours[m], theirs.get(m, ()), look.layers, names)}"
        for m in ("visual", "acoustic")
        if ours.get(m)
    ]
    numbers = ",".join(str(number + 1) for number in look.layers)
    chosen = f" --layers {numbers}" if look.layers != Look().layers else ""
    start = f" --from {strip.start_s:g}" if strip.start_s else ""
    return Exhibit(
        name=f"difference-{sample.clip_id}-{slug(names[0])}-{slug(names[1])}",
        title=f"Clip {sample.clip_id}: masks of {names[0]} and {names[1]}",
        caption=f"“{sample.text}”. {' '.join(said)}",
        command=(
            f"{_command('difference', sample.clip_id, answers[0], origin)} {option}{chosen}{start} --privacy {privacy}"
        ),
        origin=_origin(sample, origin, _top_p(answers[0])) | {"compared": list(names)},
        draw=lambda width: plot_case(private_faces(sample, privacy), ours, strip, look, width, theirs),
        cites=(PAPER, *corpus_cites(str(origin["corpus"]))),
        privacy=privacy,
        private=lambda other: difference(sample, answers, names, view, origin, option, other),
    )


def regions(
    sample: Sample,
    prediction: Prediction,
    found: tuple[Sequence[Any], np.ndarray],
    chosen: Sequence[str],
    layer: int,
    origin: Mapping[str, Any],
    privacy: str,
) -> Exhibit:
    """Regions of action units outlined on a clip's faces over one layer's mask, and how much of each is kept.

    Args:
        found: `analysis.clip_regions.clip_regions` of the clip and its layers.
        chosen: names of the regions to outline.
        layer: from 0.
        privacy: one of `bundle.PRIVACY`.
    """
    every, usable = found
    some = usable[:MOST_FACES]
    trace = layers_of(prediction)["visual"]
    outlines = {region.name: region.coverage[: len(some)] for region in every if region.name in chosen}
    names = ",".join(name.removeprefix("AU ") for name in outlines) or "none"
    return Exhibit(
        name=f"regions-{sample.clip_id}-L{layer + 1}-{origin['checkpoint']}",
        title=f"Clip {sample.clip_id}: action units and the mask",
        caption=(
            f"What layer {layer + 1} of {origin['checkpoint']} left out is faded; outlined: {', '.join(outlines) or 'nothing'}. "
            f"“{sample.text}”."
        ),
        command=(
            f"{_command('regions', sample.clip_id, prediction, origin)} --layer {layer + 1} --regions {names} "
            f"--privacy {privacy}"
        ),
        origin=_origin(sample, origin, _top_p(prediction)) | {"layers": [layer + 1]},
        draw=lambda width: plot_regions(
            private_faces(sample, privacy).faces[some], trace[layer].kept[some], outlines, width
        ),
        table=regions_table(every, len(trace)),
        cites=(PAPER, *corpus_cites(str(origin["corpus"]))),
        privacy=privacy,
        private=lambda other: regions(sample, prediction, found, chosen, layer, origin, other),
    )


def regions_table(found: Sequence[Any], layers: int) -> Table:
    """Share of each region that every layer keeps, and its multiple of what as many sites anywhere would cover."""
    known = any(region.active is not None for region in found)
    columns = ("units", "movement", *(("active",) if known else ()))
    columns += tuple(f"L{i + 1}{what}" for i in range(layers) for what in ("", " / chance"))
    rows = []
    for region in sorted(found, key=lambda r: -(r.active or 0)):
        active = ("yes" if (region.active or 0) >= ACTIVE_INTENSITY else "no",) if known else ()
        shares = zip(region.covered, region.chance, strict=True)
        numbers = tuple(n for covered, chance in shares for n in (covered, covered / max(chance, 1e-9)))
        rows.append(Row((region.name, ", ".join(ACTION_UNITS[n] for n in region.units), *active, *numbers)))
    return Table(columns, tuple(rows), digits=2)


def units(sample: Sample, origin: Mapping[str, Any]) -> Exhibit:
    """What a rendered face did: the highest intensity of every action unit that moved."""
    truth = sample.truth
    assert truth is not None, "only a rendered clip knows its action units"
    order = sorted(enumerate(truth.au_numbers), key=lambda n: -truth.au_emotion_intensity[:, n[0]].max())
    rows = tuple(
        Row((number, ACTION_UNITS.get(number, ""), *(float(found[:, a].max()) for found in _intensities(truth))))
        for a, number in order
        if truth.au_intensity[:, a].max() > AU_SHOWN_FROM
    )
    return Exhibit(
        name=f"units-{sample.clip_id}",
        title=f"Clip {sample.clip_id}: action units that this rendered face shows",
        caption="Highest intensity over the clip's faces. What the renderer was told to do, not what a model found.",
        command=_command("units", sample.clip_id, None, origin),
        origin=_origin(sample, origin, None),
        table=Table(("AU", "movement", "for the emotion", "with speech and blinks"), rows, digits=2),
        cites=corpus_cites(str(origin["corpus"])),
    )


def _intensities(truth: Any) -> tuple[np.ndarray, np.ndarray]:
    return truth.au_emotion_intensity, truth.au_intensity


def layers_of(prediction: Prediction) -> dict[str, tuple[LayerTrace, ...]]:
    """Modality -> what each layer kept; empty for a model without attention."""
    return dict(prediction.trace.layers) if prediction.trace is not None else {}


def _top_p(prediction: Prediction) -> float | None:
    return prediction.trace.top_p if prediction.trace is not None else None


def _command(kind: str, clip_id: str, prediction: Prediction | None, origin: Mapping[str, Any]) -> str:
    if not origin["corpus"]:
        return "# a visitor's own clip is not kept: no command makes this again"
    top_p = f" --top-p {prediction.trace.top_p:g}" if prediction is not None and prediction.trace else ""
    return f"mesm figure {kind} {origin['checkpoint']}@{origin['corpus']} --clip {clip_id}{top_p}"


def _origin(sample: Sample, origin: Mapping[str, Any], top_p: float | list[float] | None) -> dict[str, Any]:
    return {**origin, "split": sample.split, "n": 1, "clip_ids": [sample.clip_id], "top_p": top_p}
