"""`mesm canonical`: average the masks of every face on one template face."""

from __future__ import annotations

import argparse

from mesm.cli import measuring
from mesm.estimate import counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm canonical`."""
    parser.epilog = "example:\n  mesm canonical marionette-mesm --corpus marionette --against another-mesm"
    measuring.add_study_arguments(parser)
    parser.add_argument("--against", help="a second MESM checkpoint, for the difference of the maps")


def run(arguments: argparse.Namespace) -> int:
    """Average the maps, write the record, print its sample."""
    from functools import partial

    from mesm.analysis.predictor import load
    from mesm.studies.facs.canonical import canonical_faces

    measuring.positive(arguments, "clips")
    predictor, corpus = load(arguments.checkpoint), measuring.corpus_to_score(arguments.corpus)
    against = load(arguments.against) if arguments.against else None
    with measuring.bar() as progress:
        faces = canonical_faces(
            predictor,
            corpus,
            arguments.split,
            arguments.top_p,
            against=against,
            clips=arguments.clips,
            progress=partial(progress, "maps"),
        )
    options = {"split": arguments.split, "against": against and against.name}
    options |= {"top-p": arguments.top_p, "clips": arguments.clips}
    path = measuring.write(arguments, "canonical", predictor, corpus, faces, options)
    print(
        f"{counted(faces.frames, 'face')} of {counted(faces.speakers, 'speaker')}; "
        f"{counted(faces.without_face, 'frame')} without a face left out"
    )
    print(path)
    return 0
