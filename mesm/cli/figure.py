"""`mesm figure`: write the figures and tables of the app's pages as files for paper, byte by byte the same."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm figure`."""
    parser.epilog = (
        "examples:\n"
        "  mesm figure case marionette-mesm@marionette --clip m0-00356 --top-p 0.5 --width acl-text\n"
        "  mesm figure sweep marionette-mesm@marionette --metric f1 --axis ms --format svg\n"
        "  mesm figure table 4 --corpus marionette --format tex\n"
        "A target is CHECKPOINT@CORPUS, with the names of the app's pickers. The provenance is written beside each file."
    )
    parts = parser.add_subparsers(dest="figure", metavar="KIND", required=True)
    for kind, (line, options) in KINDS.items():
        part = parts.add_parser(kind, help=line, description=line)
        for option in options:
            _OPTIONS[option](part)
        part.add_argument("--format", default="pdf", help="pdf (default), svg, png, csv, tex or json")
        part.add_argument(
            "--width",
            default="acl-column",
            help="acl-column (default), acl-text, ieee-column, ieee-text, neurips-text, or inches",
        )
        part.add_argument(
            "--out", help="file or folder to write; default: the current folder, under the figure's own name"
        )


def run(arguments: argparse.Namespace) -> int:
    """Make the figure, write it and its provenance, print their paths."""
    from mesm.cli.figure_kinds import MAKERS
    from mesm.figures.export import provenance_json, render
    from mesm.files import write_atomic

    make = MAKERS.get(arguments.figure)
    if make is None:  # a figure of one clip runs a model; the others are made without torch
        from mesm.cli.figure_clips import MAKERS as CLIP_MAKERS

        make = CLIP_MAKERS[arguments.figure]
    export = make(arguments)
    name = f"{export.name}.{arguments.format}"
    path = Path(arguments.out) if arguments.out else Path(name)
    if path.is_dir():
        path = path / name
    print(write_atomic(path, render(export, arguments.format, arguments.width)))
    if arguments.format != "json":
        beside = provenance_json(export, arguments.format, arguments.width)
        print(write_atomic(path.with_name(f"{path.name}.json"), beside))
    return 0


def _target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", help="CHECKPOINT@CORPUS")


def _targets(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("targets", nargs="+", help="CHECKPOINT@CORPUS; several on one figure")


def _checkpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", help="name or folder")


def _clip(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clip", required=True, help="id of the clip in the corpus")
    parser.add_argument("--top-p", type=float, help="nucleus mass in (0, 1]; default: the checkpoint's")


def _look(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--look", default="mask", help="mask (default), heat-map, contours or points")
    parser.add_argument("--opacity", type=float, default=0.8, help="opacity of the overlay, 0 to 1 (default: 0.8)")
    parser.add_argument("--loudest", action="store_true", help="draw only the highest 10 %% of the mel values")


def _rows(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--layers", default="1,2,3", help="attention layers to draw, a row each (default: all)")
    parser.add_argument("--from", dest="start", type=float, default=0.0, help="first second shown of a long clip")


def _privacy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--privacy", help="none, blur or sketch; default: blur unless the corpus is CC0")


def _versus(parser: argparse.ArgumentParser) -> None:
    other = parser.add_mutually_exclusive_group(required=True)
    other.add_argument("--other-p", type=float, help="compare with the same checkpoint at this top-p")
    other.add_argument(
        "--random",
        type=int,
        metavar="SEED",
        help="compare with random attention: weights drawn again with the trained mean and spread",
    )
    other.add_argument("--other", metavar="CHECKPOINT", help="compare with this checkpoint")


def _regions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--layer", type=int, choices=(1, 2, 3), default=2, help="attention layer (default: 2)")
    parser.add_argument("--regions", default="none", help="units to outline, such as 1,12/15 (default: none)")


def _test(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--what",
        required=True,
        choices=("leak", "neutral", "keep-only", "order", "redrawn", "targets"),
        help="which table",
    )


def _view(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--metric", default="wacc", help="wacc (default), f1 or accuracy")
    parser.add_argument("--axis", default="share", help="share (default), gmac, gflop or ms")
    parser.add_argument("--relative", action="store_true", help="draw scores as a share of FE2E's")
    parser.add_argument("--log", action="store_true", help="logarithmic work")


def _unit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--axis", default="gmac", choices=("gmac", "gflop"), help="unit of the cost (default: gmac)")


def _number(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("number", type=int, choices=range(1, 6), help="number of the paper's table")
    parser.add_argument("--corpus", help="name or folder; table 5 as reported needs none")


def _corpus(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", required=True, help="name of the corpus")


def _runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "runs", nargs="+", metavar="RUN", help="run folders of mesm train, or names of runs in the workspace"
    )


def _codebook(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--codebook", help="name of the codebook; default: the record's")
    parser.add_argument("--layer", type=int, choices=(1, 2, 3), default=2, help="attention layer (default: 2)")
    parser.add_argument("--map", default="checkpoint", help="attention to draw (default: the checkpoint's)")
    parser.add_argument("--of", default="kept", help="kept (default) or attention")


def _faces_view(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--view", default="kept", help="kept (default), attention, or a difference of the record")


def _what(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--what", default="active", choices=("active", "own"), help="truly active units, or own emotion"
    )


def _emotion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--emotion", default="", help="one emotion; default: all pooled")


_OPTIONS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "target": _target,
    "checkpoint": _checkpoint,
    "targets": _targets,
    "clip": _clip,
    "look": _look,
    "rows": _rows,
    "privacy": _privacy,
    "versus": _versus,
    "regions": _regions,
    "test": _test,
    "view": _view,
    "unit": _unit,
    "number": _number,
    "corpus": _corpus,
    "codebook": _codebook,
    "faces": _faces_view,
    "controls": _what,
    "emotion": _emotion,
    "runs": _runs,
}


#: Kind -> one line of help and its options; `MAKERS` of `figure_kinds` and `figure_clips` make them.
KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "architecture": ("the model in one picture, with its sizes", ("checkpoint",)),
    "case": (
        "one clip: faces and spectrogram with the sites that each layer keeps",
        ("target", "clip", "look", "rows", "privacy"),
    ),
    "scores": ("one clip's scores", ("target", "clip")),
    "cost": ("multiply-adds of one clip, stage by stage", ("target", "clip")),
    "over-p": ("one clip's scores over top-p", ("target", "clip")),
    "pair": ("two predictions for one clip: their scores", ("target", "clip", "versus")),
    "difference": (
        "two predictions for one clip: the difference of their masks",
        ("target", "clip", "versus", "rows", "privacy"),
    ),
    "regions": (
        "one clip's masks against the regions of action units",
        ("target", "clip", "regions", "privacy"),
    ),
    "units": ("true action units of a rendered face", ("target", "clip")),
    "sweep": ("scores against multiply-adds over top-p", ("targets", "view")),
    "work": ("multiply-adds layer by layer over top-p", ("target", "unit")),
    "spread": ("multiply-adds of every clip", ("target",)),
    "facs": ("agreement of the attention with a codebook", ("target", "codebook")),
    "faces": ("masks on the average face", ("target", "faces")),
    "controls": ("the attention beside its controls", ("target", "controls")),
    "statements": ("the paper's statements with their verdicts", ("target",)),
    "faithfulness": ("leak tests and faithfulness, a table each", ("target", "test")),
    "table": ("table 1 to 5 of the paper for a corpus", ("number",)),
    "models": ("size, work and time of the models of a reproduced table", ("corpus",)),
    "ablation": ("scores with each part of the model changed", ("corpus",)),
    "learning": ("loss and validation scores over the epochs of runs", ("runs",)),
    "runs": ("state of runs: epochs, loss, validation scores", ("runs",)),
    "classes": ("scores per emotion", ("target",)),
    "slices": ("scores of parts of the split", ("target",)),
    "confusion": ("top label against true label", ("target",)),
    "cooccurrence": ("co-occurrence of emotions", ("target",)),
    "reliability": ("calibration of the scores", ("target", "emotion")),
}
