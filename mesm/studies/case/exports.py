"""Build the figures and tables of one clip that `mesm figure` and the app's menus write to disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from shlex import quote
from typing import TYPE_CHECKING

import numpy as np

from mesm.batch import Sample
from mesm.estimate import decimal_text
from mesm.figures.bibliography import PAPER, corpus_cites
from mesm.figures.export import FigureExport
from mesm.figures.privacy import private_faces
from mesm.figures.style import MODALITY_WORDS
from mesm.files import slug
from mesm.json_form import Json
from mesm.records.prediction import Prediction
from mesm.studies.case import captions, tables
from mesm.studies.case.chart_data import pair_chart, scores_chart, scores_over_p_chart
from mesm.studies.case.difference import difference_caption, overlaps
from mesm.studies.case.label_flip import FlipReport
from mesm.studies.case.mosaic import MosaicStyle, TimeWindow
from mesm.studies.case.mosaic_paper import plot_mosaic, plot_regions
from mesm.studies.case.paper import plot_pair, plot_scores, plot_scores_over_p, plot_words
from mesm.studies.case.traces import trace_csv, trace_npz
from mesm.studies.case.words import words_chart, words_sentence, words_table

if TYPE_CHECKING:
    from mesm.analysis.what_if import WordEffects
    from mesm.studies.case.regions import Region

#: Faces in a row of `export_regions`.
MOST_FACES = 6
#: Of `mesm.analysis.provenance.clip_origin`. Its `corpus_key` opens the corpus on the command line; it is not written.
Origin = Mapping[str, Json]
Pair = tuple[Prediction, Prediction]
#: What leaving out a modality means.
ABSENT_NOTE = (
    "What is left out is absent, not silent or black: its branch is dropped and the fusion weights of the others grow."
)


def export_case(
    sample: Sample, prediction: Prediction, window: TimeWindow, style: MosaicStyle, origin: Origin, privacy: str
) -> FigureExport:
    """Return faces, spectrogram and words on one time axis, with the sites that each layer kept."""
    style = replace(style, dark=False)  # paper is white
    layers = prediction.layers
    top_p = "" if prediction.top_p is None else f"{prediction.top_p:g}"
    sources = _provenance(sample, origin, prediction.top_p)
    data = {"npz": partial(trace_npz, sample, prediction, sources)}
    if layers:
        data["csv"] = partial(trace_csv, sample, prediction)
    shown: dict[str, Json] = {"layers": [number + 1 for number in style.layers], "look": style.overlay}
    return FigureExport(
        name=f"case-{sample.clip_id}-{origin['checkpoint']}{top_p and f'-p{top_p}'}",
        title=f"Clip {sample.clip_id}: sites kept by {origin['checkpoint']}",
        caption=(
            f"“{sample.text}” ({captions.truth_words(sample.labels)}), {origin['checkpoint']}{top_p and f' at p = {top_p}'}. "
            + captions.printed_caption(layers, style, len(sample.mel) > 0)
        ),
        command=_command("case", sample, prediction, origin, _style_options(window, style) + f" --privacy {privacy}"),
        origin=sources | shown | _cost(prediction),
        draw=lambda width: plot_mosaic(private_faces(sample, privacy), layers, window, style, width),
        data=data,
        cites=_cites(origin),
        privacy=privacy,
        private=lambda other: export_case(sample, prediction, window, style, origin, other),
    )


def export_scores(sample: Sample, prediction: Prediction, origin: Origin) -> FigureExport:
    """Return the scores per emotion: fused, of each modality alone, thresholds, truth."""
    chart = scores_chart(prediction, sample.labels)
    return FigureExport(
        name=f"scores-{sample.clip_id}-{origin['checkpoint']}",
        title=f"Clip {sample.clip_id}: scores",
        caption=(
            f"Scores of {origin['checkpoint']} for “{sample.text}”. Bars: fused scores; hollow markers: single-modality "
            f"scores; ticks: decision thresholds{'' if sample.labels is None else '; bold: true labels'}."
        ),
        command=_command("scores", sample, prediction, origin),
        origin=_provenance(sample, origin, prediction.top_p) | _cost(prediction),
        draw=lambda width: plot_scores(chart, width),
        table=tables.scores_table(chart),
        cites=_cites(origin),
    )


def export_work(sample: Sample, prediction: Prediction, origin: Origin) -> FigureExport:
    """Return the multiply-adds of one clip, stage by stage, beside those of FE2E's convolutions."""
    dense = prediction.macs.get("fe2e_conv_stack", 0)
    share = f"{prediction.macs['conv_stack'] / dense:.2f} of FE2E's" if dense else "none"
    return FigureExport(
        name=f"cost-{sample.clip_id}-{origin['checkpoint']}",
        title=f"Clip {sample.clip_id}: multiply-adds",
        caption=f"Multiply-adds of {origin['checkpoint']} for this clip; convolutions and attention take {share}.",
        command=_command("cost", sample, prediction, origin),
        origin=_provenance(sample, origin, prediction.top_p) | _cost(prediction),
        table=tables.work_table(prediction),
        cites=_cites(origin),
    )


def export_scores_over_p(sample: Sample, report: FlipReport, origin: Origin) -> FigureExport:
    """Return a clip's scores over top-p, with its label flip."""
    chart = scores_over_p_chart(report)
    flip = "does not change" if report.flip_p is None else f"changes at p = {decimal_text(report.flip_p, 2)}"
    return FigureExport(
        name=f"over-p-{sample.clip_id}-{origin['checkpoint']}",
        title=f"Clip {sample.clip_id}: scores over top-p",
        caption=(
            f"Scores of {origin['checkpoint']} for “{sample.text}” over top-p. The top label at p = 1 is {report.answer}; "
            f"it {flip} when p is lowered from 1."
        ),
        command=_command("over-p", sample, None, origin),
        origin=_provenance(sample, origin, [float(p) for p in report.top_ps]),
        draw=lambda width: plot_scores_over_p(chart, width),
        table=tables.scores_over_p_table(report),
        cites=_cites(origin),
    )


def export_words(
    sample: Sample, effects: WordEffects, origin: Origin, has_query: bool, emotion: str = ""
) -> FigureExport:
    """Return the effect of leaving out each word on the score of an emotion (default: the top label) and on the masks.

    Args:
        has_query: whether the text queries the attention.
    """
    chart = words_chart(effects, emotion)
    option = f" --emotion {emotion}" if emotion else ""
    return FigureExport(
        name=f"words-{sample.clip_id}-{origin['checkpoint']}" + (f"-{emotion}" if emotion else ""),
        title=f"Clip {sample.clip_id}: the effect of each word",
        caption=(
            f"“{sample.text}” without each word, {origin['checkpoint']}. Left: score of {chart.emotion} without the word "
            "minus that with all words. Right: sites kept by only one of the two masks, mean of the layers. "
            f"{words_sentence(effects, emotion, has_query)}"
        ),
        command=_command("words", sample, effects.before, origin, option),
        origin=_provenance(sample, origin, effects.before.top_p),
        draw=lambda width: plot_words(chart, width),
        table=words_table(effects, emotion),
        cites=_cites(origin),
    )


def pair_names(
    name: str,
    top_p: float,
    *,
    other_p: float | None = None,
    draw: int | None = None,
    checkpoint: str | None = None,
    text: str | None = None,
    without: Sequence[str] = (),
) -> tuple[tuple[str, str], str]:
    """Return the names of two predictions, and the option of `mesm figure pair` that makes the second.

    Args:
        name: of the first prediction's checkpoint.
        top_p: of the first prediction.
        other_p: top-p of the second; or
        draw: the seed with which its attention's weights were drawn again; or
        checkpoint: its checkpoint; or
        text: its transcript, and
        without: the modalities that it lacks.
    """
    if text is not None or without:
        parts = ["other words"] if text is not None else []
        parts += [f"no {MODALITY_WORDS[modality]}" for modality in without]
        options = [f"--text={quote(text)}"] if text is not None else []
        return ("the clip", " and ".join(parts)), " ".join([*options, *(f"--without {m}" for m in without)])
    if checkpoint is not None:
        return (name, checkpoint), f"--other {quote(checkpoint)}"
    if draw is not None:
        return ("trained attention", f"random attention {draw}"), f"--random {draw}"
    return (f"p = {top_p:g}", f"p = {other_p:g}"), f"--other-p {other_p:g}"


def export_pair(sample: Sample, pair: Pair, names: tuple[str, str], origin: Origin, option: str) -> FigureExport:
    """Return the scores and the cost of two predictions; `option` makes the second, such as "--other-p 1"."""
    chart = pair_chart(pair, names, sample.labels)
    return FigureExport(
        name=f"pair-{sample.clip_id}-{slug(names[0])}-{slug(names[1])}",
        title=f"Clip {sample.clip_id}: {names[0]} and {names[1]}",
        caption=(
            f"Scores for “{sample.text}”. Filled: {names[0]}, {decimal_text(chart.gmacs[0], 3)} GMAC; hollow: {names[1]}, "
            f"{decimal_text(chart.gmacs[1], 3)} GMAC.{_control_note(option)}"
        ),
        command=_command("pair", sample, pair[0], origin, f" {option}"),
        origin=_provenance(sample, origin, pair[0].top_p) | {"compared": list(names)},
        draw=lambda width: plot_pair(chart, width),
        table=tables.pair_table(chart),
        cites=_cites(origin),
    )


def export_difference(
    sample: Sample,
    pair: Pair,
    names: tuple[str, str],
    view: tuple[TimeWindow, MosaicStyle],
    origin: Origin,
    option: str,
    privacy: str,
) -> FigureExport:
    """Return the sites that only one of two masks of a clip keeps, layer by layer."""
    window, style = view[0], MosaicStyle(layers=view[1].layers)
    first, second = (one.layers for one in pair)
    parts = [
        f"{MODALITY_WORDS[m].capitalize()}: "
        f"{difference_caption(overlaps(first[m], second.get(m, ()), style.layers), names)}"
        f"{captions.padding_note(first[m])}"
        for m in ("visual", "acoustic")
        if first.get(m)
    ]
    options = _style_options(window, style)
    return FigureExport(
        name=f"difference-{sample.clip_id}-{slug(names[0])}-{slug(names[1])}",
        title=f"Clip {sample.clip_id}: masks of {names[0]} and {names[1]}",
        caption=f"“{sample.text}”. {' '.join(parts)}{_control_note(option)}",
        command=_command("difference", sample, pair[0], origin, f" {option}{options} --privacy {privacy}"),
        origin=_provenance(sample, origin, pair[0].top_p) | {"compared": list(names)},
        draw=lambda width: plot_mosaic(private_faces(sample, privacy), first, window, style, width, second),
        cites=_cites(origin),
        privacy=privacy,
        private=lambda other: export_difference(sample, pair, names, view, origin, option, other),
    )


def export_regions(
    sample: Sample,
    prediction: Prediction,
    regions: tuple[Sequence[Region], np.ndarray],
    outlined: Sequence[str],
    layer: int,
    origin: Origin,
    privacy: str,
) -> FigureExport:
    """Return regions of action units outlined on a clip's faces over one layer's mask, and their table.

    Args:
        regions: `regions.clip_regions` of the clip and its layers.
        outlined: names of the regions to outline.
        layer: from 0.
        privacy: of the faces, one of `figures.export.PRIVACY`.
    """
    every, usable = regions
    some = usable[:MOST_FACES]
    trace = prediction.layers["visual"]
    outlines = {region.name: region.coverage[: len(some)] for region in every if region.name in outlined}
    units = ",".join(name.removeprefix("AU ") for name in outlines) or "none"
    options = f" --layer {layer + 1} --regions {units} --privacy {privacy}"
    return FigureExport(
        name=f"regions-{sample.clip_id}-L{layer + 1}-{origin['checkpoint']}",
        title=f"Clip {sample.clip_id}: action units and the mask",
        caption=(
            f"Faded: sites that layer {layer + 1} of {origin['checkpoint']} dropped. Outlined: "
            f"{', '.join(outlines) or 'nothing'}. “{sample.text}”."
        ),
        command=_command("regions", sample, prediction, origin, options),
        origin=_provenance(sample, origin, prediction.top_p) | {"layers": [layer + 1]},
        draw=lambda width: plot_regions(
            private_faces(sample, privacy).faces[some], trace[layer].kept[some], outlines, width
        ),
        table=tables.regions_table(every, len(trace)),
        cites=_cites(origin),
        privacy=privacy,
        private=lambda other: export_regions(sample, prediction, regions, outlined, layer, origin, other),
    )


def export_units(sample: Sample, origin: Origin) -> FigureExport:
    """Return the highest intensity of every action unit that a rendered face moved."""
    assert sample.truth is not None, "only a rendered clip has true action units"
    return FigureExport(
        name=f"units-{sample.clip_id}",
        title=f"Clip {sample.clip_id}: action units of this rendered face",
        caption="Highest intensity over the clip's faces, from the renderer's settings; no model estimated it.",
        command=_command("units", sample, None, origin),
        origin=_provenance(sample, origin, None),
        table=tables.units_table(sample.truth),
        cites=_cites(origin)[1:],
    )


def _control_note(option: str) -> str:
    if "--without" in option:
        return f" {ABSENT_NOTE}"
    if not option.startswith("--random"):
        return ""
    return (
        " Random attention: its weights are drawn again with the mean and the standard deviation of the trained ones."
    )


def _cites(origin: Origin) -> tuple[str, ...]:
    return (PAPER, *corpus_cites(str(origin["corpus"])))


def _command(kind: str, sample: Sample, prediction: Prediction | None, origin: Origin, options: str = "") -> str:
    if not origin["corpus"] and "ingest" not in origin:
        return "# this clip is in no corpus, so no command makes this again"
    corpus = origin.get("corpus_key") or origin["corpus"]
    top_p = f" --top-p {prediction.top_p:g}" if prediction is not None and prediction.top_p is not None else ""
    target = quote(f"{origin['checkpoint']}@{corpus}")
    # An uploaded clip is not kept: its file comes first.
    first = f"{origin['ingest']} && " if "ingest" in origin else ""
    return f"{first}mesm figure {kind} {target} {clip_option(sample.clip_id)}{top_p}{options}"


def clip_option(clip_id: str) -> str:
    """Return the option of a command that names a clip, quoted for a shell."""
    return f"--clip{'=' if clip_id.startswith('-') else ' '}{quote(clip_id)}"


def _style_options(window: TimeWindow, style: MosaicStyle) -> str:
    """Return the options that differ from the command's defaults."""
    default = MosaicStyle()
    layers = ",".join(str(number + 1) for number in style.layers)
    return (
        (f" --look {style.overlay.replace(' ', '-')}" if style.overlay != default.overlay else "")
        + (f" --opacity {style.opacity:g}" if style.opacity != default.opacity else "")
        + (f" --layers {layers}" if style.layers != default.layers else "")
        + (" --loudest" if style.loudest_only else "")
        + (f" --from {window.start_s:g}" if window.start_s else "")
    )


def _provenance(sample: Sample, origin: Origin, top_p: float | list[float] | None) -> dict[str, Json]:
    source = {name: value for name, value in origin.items() if name not in ("corpus_key", "ingest")}
    clips: list[Json] = [sample.clip_id]
    points: Json = list(top_p) if isinstance(top_p, list) else top_p
    return {**source, "split": sample.split, "n": 1, "clip_ids": clips, "top_p": points}


def _cost(prediction: Prediction) -> dict[str, Json]:
    return {"macs": dict(prediction.macs), "cost_unit": "MAC"}
