"""What `mesm figure KIND` makes of one clip: each function runs a model and hands over an exhibit."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from mesm.cli.figure_kinds import target_parts
from mesm.errors import ConfigError, DataError

if TYPE_CHECKING:
    from mesm.figures.export import Exhibit


def _open_clip(arguments: argparse.Namespace) -> tuple[Any, Any, dict[str, Any]]:
    """Sample with close-ups, prediction with its trace, origin."""
    predictor, sample, origin = _open(arguments)
    return sample, predictor.run(predictor.prepare(sample), arguments.top_p), origin


def _open(arguments: argparse.Namespace) -> tuple[Any, Any, dict[str, Any]]:
    """Predictor, sample with close-ups, origin."""
    from mesm.analysis.predictor import load
    from mesm.analysis.provenance import clip_origin
    from mesm.data.corpora import open_corpus
    from mesm.data.ingest.closeups import with_closeups

    checkpoint, name = target_parts(arguments.target)
    predictor, corpus = load(checkpoint), open_corpus(name)
    sample = with_closeups(corpus[arguments.clip], corpus.media_path(arguments.clip))
    licence = str(corpus.manifest.meta.get("licence", ""))
    return predictor, sample, clip_origin(predictor, corpus.name, licence)


def _layers(words: str) -> tuple[int, ...]:
    """Layers from 0 of "1,2,3".

    Raises:
        ConfigError: something else.
    """
    layers = tuple(int(number) - 1 if number.isdecimal() else -1 for number in words.split(","))
    if not set(layers) <= {0, 1, 2}:
        raise ConfigError(f"--layers {words!r} must look like 1,2,3")
    return layers


def case_exhibit(arguments: argparse.Namespace) -> Exhibit:
    """Faces, spectrogram and what each layer kept."""
    from mesm.figures.privacy import default_privacy
    from mesm.studies.case.exports import case
    from mesm.studies.case.mosaic import OVERLAYS, Look, fit_strip

    overlay = arguments.look.replace("-", " ")
    layers = _layers(arguments.layers)
    if overlay not in OVERLAYS or not 0 <= arguments.opacity <= 1:
        raise ConfigError(
            f"--look {arguments.look!r} must be one of {', '.join(o.replace(' ', '-') for o in OVERLAYS)}, and --opacity "
            "from 0 to 1"
        )
    sample, prediction, origin = _open_clip(arguments)
    look = Look(overlay, arguments.opacity, layers, arguments.loudest)
    strip = fit_strip(sample.duration_s, arguments.start)
    return case(sample, prediction, strip, look, origin, arguments.privacy or default_privacy(origin["licence"]))


def scores_exhibit(arguments: argparse.Namespace) -> Exhibit:
    """One clip's scores."""
    from mesm.studies.case.exports import scores

    return scores(*_open_clip(arguments))


def cost_exhibit(arguments: argparse.Namespace) -> Exhibit:
    """One clip's multiply-adds."""
    from mesm.studies.case.exports import work

    return work(*_open_clip(arguments))


def over_p_exhibit(arguments: argparse.Namespace) -> Exhibit:
    """One clip's scores at every p."""
    from mesm.studies.case.clip_exports import over_p
    from mesm.studies.case.label_flip import flip_report

    predictor, sample, origin = _open(arguments)
    clip = predictor.prepare(sample)
    return over_p(sample, flip_report(lambda top_p: predictor.run(clip, top_p)), origin)


def pair_exhibit(arguments: argparse.Namespace) -> Exhibit:
    """Two answers for one clip: their scores."""
    from mesm.studies.case.clip_exports import pair

    sample, answers, names, origin, option = _two_answers(arguments)
    return pair(sample, answers, names, origin, option)


def difference_exhibit(arguments: argparse.Namespace) -> Exhibit:
    """Two answers for one clip: where their masks differ."""
    from mesm.figures.privacy import default_privacy
    from mesm.studies.case.clip_exports import difference, layers_of
    from mesm.studies.case.mosaic import Look, fit_strip

    look = Look(layers=_layers(arguments.layers))
    sample, answers, names, origin, option = _two_answers(arguments)
    if not all(map(layers_of, answers)):
        raise ConfigError("one of the two has no attention, so there is no mask to compare; choose two of MESM")
    view = fit_strip(sample.duration_s, arguments.start), look
    privacy = arguments.privacy or default_privacy(origin["licence"])
    return difference(sample, answers, names, view, origin, option, privacy)


def _two_answers(arguments: argparse.Namespace) -> tuple[Any, tuple[Any, Any], tuple[str, str], dict[str, Any], str]:
    from mesm.analysis.attention_controls import control_attention
    from mesm.analysis.predictor import load
    from mesm.studies.case.clip_exports import versus

    predictor, sample, origin = _open(arguments)
    if arguments.other is None and not predictor.has_attention:
        raise ConfigError(f"{predictor.name} has no attention, so no other p and no other draw; use --other CHECKPOINT")
    clip = predictor.prepare(sample)
    first = predictor.run(clip, arguments.top_p)
    top_p = first.trace.top_p if first.trace is not None else 1.0
    if arguments.other is not None:
        other = load(arguments.other)
        second = other.run(other.prepare(sample), top_p)
    elif arguments.random is not None:
        with control_attention(predictor.model, arguments.random, "moment_matched"):
            second = predictor.run(clip, top_p)
    else:
        second = predictor.run(clip, arguments.other_p)
    names, option = versus(
        predictor.name, top_p, other_p=arguments.other_p, draw=arguments.random, checkpoint=arguments.other
    )
    return sample, (first, second), names, origin, option


def regions_exhibit(arguments: argparse.Namespace) -> Exhibit:
    """Action units' regions over one layer's mask."""
    from mesm.figures.privacy import default_privacy
    from mesm.studies.case.clip_exports import layers_of, regions
    from mesm.studies.case.regions import clip_regions

    sample, prediction, origin = _open_clip(arguments)
    layers = layers_of(prediction).get("visual", ())
    found = clip_regions(sample, layers)
    if not found[0]:
        raise DataError(f"clip {arguments.clip} has no mask on a found face, so no region can be laid on it")
    known = [region.name for region in found[0]]
    chosen = [] if arguments.regions == "none" else [f"AU {name}" for name in arguments.regions.split(",") if name]
    wrong = [name for name in chosen if name not in known]
    if wrong:
        raise ConfigError(f"--regions {wrong[0].removeprefix('AU ')!r} must be of {', '.join(known)}")
    privacy = arguments.privacy or default_privacy(origin["licence"])
    return regions(sample, prediction, found, chosen, arguments.layer - 1, origin, privacy)


def units_exhibit(arguments: argparse.Namespace) -> Exhibit:
    """What a rendered face did."""
    from mesm.studies.case.clip_exports import units

    _, sample, origin = _open(arguments)
    if sample.truth is None:
        raise DataError(f"clip {arguments.clip} is not rendered: nobody knows its action units")
    return units(sample, origin)
