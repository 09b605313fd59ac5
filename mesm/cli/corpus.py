"""`mesm corpus`: build the demo corpus; its card, contact sheets and audit."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's own subcommands."""
    parts = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    build = parts.add_parser("build", help="build a corpus, or go on with one that was interrupted")
    build.add_argument("corpus", choices=["marionette"])
    build.add_argument("--preset", choices=["small", "default", "large"], default="default")
    build.add_argument("--clips", type=int, help="number of clips, instead of a preset's")
    build.add_argument("--seed", type=int, default=0)
    build.add_argument("--workers", type=int, default=2, help="processes; they change the speed only")
    build.add_argument("--out", required=True, metavar="DIR")


def run(arguments: argparse.Namespace) -> int:
    """Run one subcommand."""
    from mesm.data.marionette.build import PRESETS, build

    clips = arguments.clips if arguments.clips is not None else PRESETS[arguments.preset]
    corpus = build(arguments.out, clips, arguments.seed, arguments.workers)
    print(f"{len(corpus)} clips in {arguments.out}")
    return 0
