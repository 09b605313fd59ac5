"""`mesm facs`: compare the attention with the regions of action units, with chance and controls."""

from __future__ import annotations

import argparse

from mesm.cli import measuring
from mesm.studies.facs.codebooks import CODEBOOKS

#: Option -> its default; the command in a record names only the others.
_DEFAULTS = {"split": "test", "codebook": "emfacs", "active_from": 0.2, "inits": 20, "people": 24}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm facs`."""
    parser.epilog = "example:\n  mesm facs marionette-mesm --corpus marionette --codebook belharbi2024"
    measuring.add_study_arguments(parser)
    parser.set_defaults(**_DEFAULTS)
    parser.add_argument("--codebook", choices=sorted(CODEBOOKS), help="codebook to print; the record holds all")
    parser.add_argument("--regions", choices=("truth", "points", "landmarks"), help="default: the truth if known")
    parser.add_argument("--active-from", type=float, help="intensity of an active unit (default: %(default)s)")
    parser.add_argument(
        "--units", metavar="DIR", help="action units of recorded faces: OpenFace or py-feat, CLIP.csv each"
    )
    parser.add_argument("--units-fps", type=float, help="frame rate of those files, if they have no timestamp")
    parser.add_argument("--inits", type=int, help="re-initialised attentions of the control (default: %(default)s)")
    parser.add_argument(
        "--people", type=int, help="people whose neutral faces to render, if possible (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Measure the checkpoint, write the record, print the tables."""
    from mesm.analysis.predictor import load
    from mesm.studies.facs.measure import facs
    from mesm.studies.facs.tables import summary

    measuring.positive(arguments, "clips", "inits")
    predictor, corpus = load(arguments.checkpoint), measuring.corpus_to_score(arguments.corpus)
    with measuring.bar() as progress:
        study = facs(
            predictor,
            corpus,
            arguments.split,
            arguments.top_p,
            clips=arguments.clips,
            book=arguments.codebook,
            regions=arguments.regions,
            active_from=arguments.active_from,
            units_folder=arguments.units,
            units_fps=arguments.units_fps,
            inits=arguments.inits,
            people=max(arguments.people, 0),
            progress=progress,
        )
    path = measuring.write(arguments, "facs", predictor, corpus, study, _options(arguments))
    print(summary(study))
    print(path)
    return 0


def _options(arguments: argparse.Namespace) -> dict[str, object]:
    """Return the options that are not the default; a folder belongs to this machine and is not named."""
    names = ("split", "codebook", "top_p", "clips", "regions", "active_from", "units_fps", "inits", "people")
    values = {name: getattr(arguments, name) for name in names}
    changed = {name.replace("_", "-"): v for name, v in values.items() if v != _DEFAULTS.get(name)}
    return changed | ({"units": "DIR"} if arguments.units else {})
