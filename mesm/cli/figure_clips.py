"""Make the figures of one clip for `mesm figure`: each function runs a model and returns a `FigureExport`."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mesm.cli.figure_kinds import target_parts
from mesm.errors import ConfigError, DataError

if TYPE_CHECKING:
    from mesm.analysis.predictor import Predictor
    from mesm.batch import Sample
    from mesm.figures.export import FigureExport
    from mesm.records.json_form import Json
    from mesm.records.prediction import Prediction


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
    from mesm.analysis.predictor import load
    from mesm.analysis.provenance import clip_origin
    from mesm.data.corpora import open_corpus
    from mesm.data.ingest.closeups import with_closeups
    from mesm.figures.privacy import default_privacy
    from mesm.records.base import CorpusId

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


def make_case(arguments: argparse.Namespace) -> FigureExport:
    """Return faces and spectrogram with the sites that each layer kept."""
    from mesm.studies.case.exports import export_case
    from mesm.studies.case.mosaic import OVERLAYS, MosaicStyle, fit_window

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
    return export_case(clip.sample, clip.predict(), window, style, clip.origin, clip.privacy)


def make_scores(arguments: argparse.Namespace) -> FigureExport:
    """Return one clip's scores."""
    from mesm.studies.case.exports import export_scores

    clip = _open(arguments)
    return export_scores(clip.sample, clip.predict(), clip.origin)


def make_cost(arguments: argparse.Namespace) -> FigureExport:
    """Return one clip's multiply-adds."""
    from mesm.studies.case.exports import export_work

    clip = _open(arguments)
    return export_work(clip.sample, clip.predict(), clip.origin)


def make_scores_over_p(arguments: argparse.Namespace) -> FigureExport:
    """Return one clip's scores over top-p."""
    from mesm.studies.case.exports import export_scores_over_p
    from mesm.studies.case.label_flip import flip_report

    clip = _open(arguments)
    prepared = clip.predictor.prepare(clip.sample)
    report = flip_report(lambda top_p: clip.predictor.run(prepared, top_p))
    return export_scores_over_p(clip.sample, report, clip.origin)


def make_pair(arguments: argparse.Namespace) -> FigureExport:
    """Return two predictions for one clip: their scores."""
    from mesm.studies.case.exports import export_pair

    clip = _open(arguments)
    pair, names, option = _predict_pair(clip, arguments)
    return export_pair(clip.sample, pair, names, clip.origin, option)


def make_difference(arguments: argparse.Namespace) -> FigureExport:
    """Return two predictions for one clip: the difference of their masks."""
    from mesm.studies.case.exports import export_difference, layers_of
    from mesm.studies.case.mosaic import MosaicStyle, fit_window

    style = MosaicStyle(layers=_layers(arguments.layers))
    clip = _open(arguments)
    pair, names, option = _predict_pair(clip, arguments)
    if not all(map(layers_of, pair)):
        raise ConfigError("one of the two has no attention, so there is no mask to compare; choose two of MESM")
    view = fit_window(clip.sample.duration_s, arguments.start), style
    return export_difference(clip.sample, pair, names, view, clip.origin, option, clip.privacy)


def _predict_pair(
    clip: _OpenClip, arguments: argparse.Namespace
) -> tuple[tuple[Prediction, Prediction], tuple[str, str], str]:
    """Return two predictions, their names, and the option that makes the second."""
    from mesm.analysis.attention_controls import control_attention
    from mesm.analysis.predictor import load
    from mesm.studies.case.exports import pair_names

    predictor = clip.predictor
    if arguments.other is None and not predictor.has_attention:
        raise ConfigError(f"{predictor.name} has no attention, so no other p and no random one; use --other CHECKPOINT")
    prepared = predictor.prepare(clip.sample)
    first = predictor.run(prepared, clip.top_p)
    top_p = first.trace.top_p if first.trace is not None else 1.0
    if arguments.other is not None:
        other = load(arguments.other)
        second = other.run(other.prepare(clip.sample), top_p)
    elif arguments.random is not None:
        with control_attention(predictor.attention_model, arguments.random, "moment_matched"):
            second = predictor.run(prepared, top_p)
    else:
        second = predictor.run(prepared, arguments.other_p)
    names, option = pair_names(
        predictor.name, top_p, other_p=arguments.other_p, draw=arguments.random, checkpoint=arguments.other
    )
    return (first, second), names, option


def make_regions(arguments: argparse.Namespace) -> FigureExport:
    """Return the regions of action units over one layer's mask."""
    from mesm.studies.case.exports import export_regions, layers_of
    from mesm.studies.case.regions import clip_regions

    clip = _open(arguments)
    prediction = clip.predict()
    regions = clip_regions(clip.sample, layers_of(prediction).get("visual", ()))
    if not regions[0]:
        raise DataError(
            f"clip {arguments.clip} has no mask on a detected face, so no region can be placed; choose another clip"
        )
    known = [region.name for region in regions[0]]
    outlined = [] if arguments.regions == "none" else [f"AU {name}" for name in arguments.regions.split(",") if name]
    unknown = [name for name in outlined if name not in known]
    if unknown:
        raise ConfigError(f"--regions {unknown[0].removeprefix('AU ')!r} must be of {', '.join(known)}")
    return export_regions(clip.sample, prediction, regions, outlined, arguments.layer - 1, clip.origin, clip.privacy)


def make_units(arguments: argparse.Namespace) -> FigureExport:
    """Return the action units of a rendered face."""
    from mesm.studies.case.exports import export_units

    clip = _open(arguments)
    if clip.sample.truth is None:
        raise DataError(f"clip {arguments.clip} is not rendered, so its action units are not known")
    return export_units(clip.sample, clip.origin)
