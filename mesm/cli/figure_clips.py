"""Make the figures of one clip: each maker runs a model. Imported when a figure is made only."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mesm.analysis.attention_controls import control_attention
from mesm.analysis.predictor import Predictor, load
from mesm.analysis.provenance import clip_origin
from mesm.analysis.what_if import change_clip, leave_one_word_out
from mesm.batch import Sample
from mesm.cli.figure_kinds import Maker
from mesm.cli.measuring import target_parts
from mesm.data.corpora import open_corpus
from mesm.data.ingest.closeups import with_closeups
from mesm.errors import ConfigError, DataError
from mesm.figures.export import FigureExport
from mesm.figures.privacy import default_privacy
from mesm.json_form import Json
from mesm.records.base import CorpusId
from mesm.records.prediction import Prediction
from mesm.studies.case import exports
from mesm.studies.case.label_flip import flip_report
from mesm.studies.case.mosaic import OVERLAYS, MosaicStyle, fit_window
from mesm.studies.case.paper_exports import SixChoice, export_mel, export_six
from mesm.studies.case.regions import clip_regions
from mesm.studies.case.six import choose_six, parse_pins


@dataclass(frozen=True)
class _OpenClip:
    """Hold a model, one clip with close-ups, and the origin of both."""

    predictor: Predictor
    sample: Sample
    origin: dict[str, Json]
    top_p: float | None
    privacy: str

    def predict(self) -> Prediction:
        """Return scores and trace at the top-p of the command line."""
        return self.predictor.run(self.predictor.prepare(self.sample), self.top_p)


def _open(arguments: argparse.Namespace) -> _OpenClip:
    checkpoint, key = target_parts(arguments.target)
    predictor, corpus = load(checkpoint), open_corpus(key)
    sample = with_closeups(corpus[arguments.clip], corpus.media_path(arguments.clip))
    licence = str(corpus.manifest.meta.get("licence", ""))
    origin = clip_origin(predictor, CorpusId(corpus.name, corpus.digest), licence, key)
    privacy = getattr(arguments, "privacy", None) or default_privacy(licence)
    return _OpenClip(predictor, sample, origin, arguments.top_p, privacy)


def _layers(words: str) -> tuple[int, ...]:
    """Return the layers, from 0, of "1,2,3".

    Raises:
        ConfigError: something else.
    """
    layers = tuple(int(number) - 1 if number.isdecimal() else -1 for number in words.split(","))
    if not set(layers) <= {0, 1, 2}:
        raise ConfigError(f"--layers {words!r} must look like 1,2,3")
    return layers


def _case(arguments: argparse.Namespace) -> FigureExport:
    overlay = arguments.look.replace("-", " ")
    layers = _layers(arguments.layers)
    if overlay not in OVERLAYS or not 0 <= arguments.opacity <= 1:
        raise ConfigError(
            f"--look {arguments.look!r} must be one of {', '.join(o.replace(' ', '-') for o in OVERLAYS)}, and --opacity "
            "from 0 to 1"
        )
    clip = _open(arguments)
    style = MosaicStyle(overlay, arguments.opacity, layers, arguments.loudest)
    window = fit_window(clip.sample.duration_s, arguments.start)
    return exports.export_case(clip.sample, clip.predict(), window, style, clip.origin, clip.privacy)


def _of_prediction(
    export: Callable[[Sample, Prediction, dict[str, Json]], FigureExport], arguments: argparse.Namespace
) -> FigureExport:
    clip = _open(arguments)
    return export(clip.sample, clip.predict(), clip.origin)


def _scores_over_p(arguments: argparse.Namespace) -> FigureExport:
    clip = _open(arguments)
    prepared = clip.predictor.prepare(clip.sample)
    report = flip_report(lambda top_p: clip.predictor.run(prepared, top_p))
    return exports.export_scores_over_p(clip.sample, report, clip.origin)


def _pair(arguments: argparse.Namespace) -> FigureExport:
    clip = _open(arguments)
    pair, names, option = _predict_pair(clip, arguments)
    return exports.export_pair(clip.sample, pair, names, clip.origin, option)


def _difference(arguments: argparse.Namespace) -> FigureExport:
    style = MosaicStyle(layers=_layers(arguments.layers))
    clip = _open(arguments)
    pair, names, option = _predict_pair(clip, arguments)
    if not all(one.layers for one in pair):
        raise ConfigError("one of the two has no attention, so there is no mask to compare; choose two of MESM")
    view = fit_window(clip.sample.duration_s, arguments.start), style
    return exports.export_difference(clip.sample, pair, names, view, clip.origin, option, clip.privacy)


def _predict_pair(
    clip: _OpenClip, arguments: argparse.Namespace
) -> tuple[tuple[Prediction, Prediction], tuple[str, str], str]:
    """Return two predictions, their names, and the option that makes the second."""
    predictor = clip.predictor
    is_changed = arguments.text is not None or bool(arguments.without)
    ways = [arguments.other, arguments.random, arguments.other_p, is_changed or None]
    if sum(way is not None for way in ways) != 1:
        raise ConfigError("give one thing to compare with: --other-p, --random, --other, or --text and --without")
    if arguments.other is None and not is_changed and not predictor.has_attention:
        raise ConfigError(
            f"{predictor.name} has no attention, so no other p and no random one; use --other CHECKPOINT, --text or --without"
        )
    prepared = predictor.prepare(clip.sample)
    first = predictor.run(prepared, clip.top_p)
    top_p = first.top_p or 1.0
    without = tuple(dict.fromkeys(arguments.without or ()))
    if is_changed:
        changed = change_clip(clip.sample, arguments.text, without)
        second = predictor.run_variants(prepared, [changed], top_p)[0]
    elif arguments.other is not None:
        other = load(arguments.other)
        second = other.run(other.prepare(clip.sample), top_p)
    elif arguments.random is not None:
        with control_attention(predictor.attention_model, arguments.random, "moment_matched"):
            second = predictor.run(prepared, top_p)
    else:
        second = predictor.run(prepared, arguments.other_p)
    names, option = exports.pair_names(
        predictor.name,
        top_p,
        other_p=arguments.other_p,
        draw=arguments.random,
        checkpoint=arguments.other,
        text=arguments.text,
        without=without,
    )
    return (first, second), names, option


def _words(arguments: argparse.Namespace) -> FigureExport:
    clip = _open(arguments)
    predictor, sample = clip.predictor, clip.sample
    if arguments.emotion not in ("", *predictor.labels):
        raise ConfigError(f"--emotion {arguments.emotion!r} must be one of {', '.join(predictor.labels)}")
    prepared = predictor.prepare(sample)
    effects = leave_one_word_out(
        sample.text,
        lambda texts: predictor.run_variants(prepared, [change_clip(sample, text) for text in texts], clip.top_p),
    )
    return exports.export_words(sample, effects, clip.origin, predictor.config.has_text_query, arguments.emotion)


def _six(arguments: argparse.Namespace) -> FigureExport:
    checkpoint, key = target_parts(arguments.target)
    predictor, corpus = load(checkpoint), open_corpus(key)
    pins = parse_pins(arguments.pin, predictor.labels)
    choice = SixChoice(arguments.top_p, arguments.seed, pins, arguments.frame)
    faces = choose_six(predictor, corpus, top_p=choice.top_p, seed=choice.seed, pins=choice.pins, frame=choice.frame)
    licence = str(corpus.manifest.meta.get("licence", ""))
    origin = clip_origin(predictor, CorpusId(corpus.name, corpus.digest), licence, key)
    privacy = arguments.privacy or default_privacy(licence)
    return export_six(faces, choice, origin, privacy, predictor.labels)


def _mel(arguments: argparse.Namespace) -> FigureExport:
    clip = _open(arguments)
    return export_mel(clip.sample, clip.predict(), clip.origin)


def _regions(arguments: argparse.Namespace) -> FigureExport:
    clip = _open(arguments)
    prediction = clip.predict()
    regions = clip_regions(clip.sample, prediction.layers.get("visual", ()))
    if not regions[0]:
        raise DataError(
            f"clip {arguments.clip} has no mask on a detected face, so no region can be placed; choose another clip"
        )
    known = [region.name for region in regions[0]]
    outlined = [] if arguments.regions == "none" else [f"AU {name}" for name in arguments.regions.split(",") if name]
    unknown = [name for name in outlined if name not in known]
    if unknown:
        raise ConfigError(f"--regions {unknown[0].removeprefix('AU ')!r} must be of {', '.join(known)}")
    return exports.export_regions(
        clip.sample, prediction, regions, outlined, arguments.layer - 1, clip.origin, clip.privacy
    )


def _units(arguments: argparse.Namespace) -> FigureExport:
    clip = _open(arguments)
    if clip.sample.truth is None:
        raise DataError(f"clip {arguments.clip} is not rendered, so its action units are not known")
    return exports.export_units(clip.sample, clip.origin)


#: Kind (a key of `mesm.cli.figure.KINDS`) -> its maker.
MAKERS: dict[str, Maker] = {
    "case": _case,
    "scores": partial(_of_prediction, exports.export_scores),
    "cost": partial(_of_prediction, exports.export_work),
    "over-p": _scores_over_p,
    "words": _words,
    "pair": _pair,
    "difference": _difference,
    "regions": _regions,
    "six": _six,
    "mel": _mel,
    "units": _units,
}
