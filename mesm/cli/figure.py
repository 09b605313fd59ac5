"""`mesm figure`: write the figures and tables of the app's pages as files for paper, byte by byte the same."""

from __future__ import annotations

import argparse
import contextlib
import io
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesm.errors import DataError

if TYPE_CHECKING:
    from mesm.figures.export import FigureExport


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm figure`."""
    parser.epilog = (
        "examples:\n"
        "  mesm figure case marionette-mesm@marionette --clip m0-00356 --top-p 0.5 --width acl-text\n"
        "  mesm figure sweep marionette-mesm@marionette --metric f1 --axis ms --format svg\n"
        "  mesm figure table 4 --corpus marionette --format tex\n"
        "  mesm figure six marionette-mesm@marionette --seed 1\n"
        "six, mel and topp are the paper's Figures 3, 4 and 5. "
        "A target is CHECKPOINT@CORPUS, with the names of the app's pickers. The provenance is written beside each file."
    )
    parts = parser.add_subparsers(dest="figure", metavar="KIND", required=True)
    for kind, (line, options) in KINDS.items():
        part = parts.add_parser(kind, help=line, description=line)
        for group in options:
            for flag, arguments in OPTIONS[group].items():
                part.add_argument(flag, **arguments)
        part.add_argument("--format", default="pdf", help="pdf (default), svg, png, csv, npz, tex or json")
        part.add_argument(
            "--width",
            default="acl-column",
            help="acl-column (default), acl-text, ieee-column, ieee-text, neurips-text, or inches; an exhibit that is too "
            "wide for a column takes the text's width",
        )
        part.add_argument(
            "--font", default="sans", help="sans (default), serif, or document: an SVG whose text stays text"
        )
        part.add_argument(
            "--out",
            help="file to write, or folder, a name without an ending; default: the figure's own name in the current folder",
        )


def run(arguments: argparse.Namespace) -> int:
    """Make the figure, write it and its provenance, print their paths."""
    from mesm.figures.export import print_notes, provenance_json, render
    from mesm.files import write_atomic

    export = _make(arguments)
    name = f"{export.name}.{arguments.format}"
    path = Path(arguments.out) if arguments.out else Path(name)
    if path.is_dir() or not path.suffix:
        path = path / name
    print(write_atomic(path, render(export, arguments.format, arguments.width)))
    if arguments.format not in ("csv", "json"):
        for note in print_notes(export, arguments.width):
            print(note, file=sys.stderr)
    if arguments.format != "json":
        beside = provenance_json(export, arguments.format, arguments.width)
        print(write_atomic(path.with_name(f"{path.name}.json"), beside))
    return 0


def _make(arguments: argparse.Namespace) -> FigureExport:
    from mesm.cli.figure_kinds import MAKERS

    make = MAKERS.get(arguments.figure)
    if make is None:  # a figure of one clip runs a model; the others are made without torch
        from mesm.cli.figure_clips import MAKERS as CLIP_MAKERS

        make = CLIP_MAKERS[arguments.figure]
    return replace(make(arguments), font=arguments.font)


def remake(command: str) -> FigureExport:
    """Return the export that a command `mesm figure ...` makes, see `FigureExport.command`.

    Raises:
        DataError: it is no such command, or its checkpoint, corpus, clip or record is gone.
    """
    parser = argparse.ArgumentParser(prog="mesm figure")
    add_arguments(parser)
    try:
        words = shlex.split(command)
        if words[:2] != ["mesm", "figure"]:
            raise ValueError
        with contextlib.redirect_stderr(io.StringIO()):
            arguments = parser.parse_args(words[2:])
    except (SystemExit, ValueError) as error:
        raise DataError(f"{command!r} is no command of this version; add the figure again from its page") from error
    return _make(arguments)


#: Group of options -> flag -> arguments of `add_argument`.
OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "target": {"target": {"help": "CHECKPOINT@CORPUS"}},
    "checkpoint": {"checkpoint": {"help": "name or folder"}},
    "targets": {"targets": {"nargs": "+", "help": "CHECKPOINT@CORPUS; several on one figure"}},
    "clip": {
        "--clip": {"required": True, "help": "id of the clip in the corpus"},
        "--top-p": {"type": float, "help": "nucleus mass in (0, 1]; default: the checkpoint's"},
    },
    "six": {
        "--top-p": {"type": float, "default": 0.6, "help": "nucleus mass in (0, 1] (default: 0.6, the paper's)"},
        "--seed": {"type": int, "default": 0, "help": "of the order in which clips are tried (default: 0)"},
        "--pin": {
            "action": "append",
            "default": [],
            "metavar": "EMOTION=CLIP[:SECOND]",
            "help": "show this clip, and its face at this second; repeatable",
        },
        "--frame": {
            "default": "apex",
            "choices": ("apex", "middle", "first"),
            "help": "face of a clip: the apex of its action units where they are known (default), middle or first",
        },
    },
    "score": {"--metric": {"default": "accuracy", "help": "accuracy (default, the paper's), wacc or f1"}},
    "look": {
        "--look": {"default": "mask", "help": "mask (default), heat-map, red-tint, contours or points"},
        "--opacity": {"type": float, "default": 0.8, "help": "opacity of the overlay, 0 to 1 (default: 0.8)"},
        "--loudest": {"action": "store_true", "help": "draw only the highest 10 %% of the mel values"},
    },
    "rows": {
        "--layers": {"default": "1,2,3", "help": "attention layers to draw, a row each (default: all)"},
        "--from": {"dest": "start", "type": float, "default": 0.0, "help": "first second shown of a long clip"},
    },
    "privacy": {"--privacy": {"help": "none, blur or sketch; default: blur unless the corpus is CC0"}},
    "versus": {  # one of them; --text and --without may be given together
        "--other-p": {"type": float, "help": "compare with the same checkpoint at this top-p"},
        "--random": {
            "type": int,
            "metavar": "SEED",
            "help": "compare with random attention: weights drawn again with the trained mean and spread",
        },
        "--other": {"metavar": "CHECKPOINT", "help": "compare with this checkpoint"},
        "--text": {"help": "compare with the clip under this transcript"},
        "--without": {
            "action": "append",
            "choices": ("text", "visual", "acoustic"),
            "help": "compare with the clip without this modality; can be repeated, and given with --text",
        },
    },
    "layer": {"--layer": {"type": int, "choices": (1, 2, 3), "default": 2, "help": "attention layer (default: 2)"}},
    "regions": {"--regions": {"default": "none", "help": "units to outline, such as 1,12/15 (default: none)"}},
    "test": {
        "--what": {
            "required": True,
            "choices": ("leak", "neutral", "keep-only", "order", "redrawn", "targets"),
            "help": "which table",
        }
    },
    "view": {
        "--metric": {"default": "wacc", "help": "wacc (default), f1 or accuracy"},
        "--axis": {"default": "share", "help": "share (default), top_p, gmac, gflop or ms"},
        "--relative": {"action": "store_true", "help": "draw scores as a share of FE2E's"},
        "--log": {"action": "store_true", "help": "logarithmic work"},
    },
    "unit": {"--axis": {"default": "gmac", "choices": ("gmac", "gflop"), "help": "unit of the cost (default: gmac)"}},
    "number": {
        "number": {"type": int, "choices": range(1, 6), "help": "number of the paper's table"},
        "--corpus": {"help": "name or folder; table 5 as reported needs none"},
    },
    "corpus": {"--corpus": {"required": True, "help": "name of the corpus"}},
    "runs": {
        "runs": {"nargs": "+", "metavar": "RUN", "help": "run folders of mesm train, or names of runs in the workspace"}
    },
    "codebook": {
        "--codebook": {"help": "name of the codebook; default: the record's"},
        "--map": {"default": "checkpoint", "help": "attention to draw (default: the checkpoint's)"},
        "--of": {"default": "kept", "help": "kept (default) or attention"},
    },
    "against": {
        "--against": {"default": "chance", "help": "chance (default), or others: minus the other emotions' mean lift"}
    },
    "faces": {
        "--view": {"default": "kept", "help": "kept (default), attention, or a difference of the record"},
        "--layer": {"type": int, "choices": (1, 2, 3), "help": "attention layer alone (default: all, a row each)"},
    },
    "controls": {
        "--what": {"default": "active", "choices": ("active", "own"), "help": "truly active units, or own emotion"}
    },
    "emotion": {"--emotion": {"default": "", "help": "one emotion; default: all pooled"}},
    "scored": {"--emotion": {"default": "", "help": "emotion whose score is drawn; default: the top label"}},
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
    "words": ("one clip without each of its words: scores and masks", ("target", "clip", "scored")),
    "pair": ("two predictions for one clip: their scores", ("target", "clip", "versus")),
    "difference": (
        "two predictions for one clip: the difference of their masks",
        ("target", "clip", "versus", "rows", "privacy"),
    ),
    "regions": (
        "one clip's masks against the regions of action units",
        ("target", "clip", "layer", "regions", "privacy"),
    ),
    "units": ("true action units of a rendered face", ("target", "clip")),
    "six": (
        "the paper's Figure 3: a face of each emotion with the sites that each layer keeps",
        ("target", "six", "privacy"),
    ),
    "mel": ("the paper's Figure 4: one clip's spectrogram with the sites that each layer keeps", ("target", "clip")),
    "topp": ("the paper's Figure 5: score and cost over top-p", ("target", "score")),
    "sweep": ("scores against multiply-adds over top-p", ("targets", "view")),
    "work": ("multiply-adds layer by layer over top-p", ("target", "unit")),
    "spread": ("multiply-adds of every clip", ("target",)),
    "facs": ("agreement of the attention with a codebook", ("target", "codebook", "layer", "against")),
    "baselines": ("lift on a codebook's units beside shuffled labels and centre bias", ("target", "codebook")),
    "faces": ("masks on the average face", ("target", "faces")),
    "controls": ("the attention beside its controls", ("target", "controls")),
    "statements": ("the paper's statements with their verdicts", ("target",)),
    "faithfulness": ("leak tests and faithfulness, a table each", ("target", "test")),
    "table": ("table 1 to 5 of the paper for a corpus", ("number",)),
    "models": ("size, work and time of the models of a reproduced table", ("corpus",)),
    "ablation": ("scores with each part of the model changed", ("corpus",)),
    "guidance": ("MESM under each guidance of its attention, beside FE2E", ("corpus",)),
    "learning": ("loss and validation scores over the epochs of runs", ("runs",)),
    "runs": ("state of runs: epochs, loss, validation scores", ("runs",)),
    "classes": ("scores per emotion", ("target",)),
    "slices": ("scores of parts of the split", ("target",)),
    "confusion": ("top label against true label", ("target",)),
    "cooccurrence": ("co-occurrence of emotions", ("target",)),
    "reliability": ("calibration of the scores", ("target", "emotion")),
}
