"""`mesm corpus`: import or build a corpus; card, contact sheets, audit, splits, features, export."""

from __future__ import annotations

import argparse
import io
import json

from mesm.cli import features, measuring
from mesm.cli.corpus_import import add_import, add_split, run_import, run_split
from mesm.estimate import counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own subcommands."""
    parts = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    build = parts.add_parser("build", help="build a corpus, or go on with one that was interrupted")
    build.add_argument("corpus", choices=["marionette"])
    build.add_argument("--preset", choices=["small", "default", "large"], default="default")
    build.add_argument("--clips", type=int, help="number of clips, instead of a preset's (240, 3000, 12000)")
    build.add_argument("--seed", type=int, default=0)
    build.add_argument("--workers", type=int, default=2, help="processes; they change the speed only")
    build.add_argument("--out", required=True, metavar="DIR", help="folder of the corpus")
    build.add_argument("--progress", metavar="FILE", help="JSON file for the parts done and the parts in total")
    mix = parts.add_parser(
        "compose",
        help="compose clips from banks of faces, voices and sentences",
        description=(
            "A recipe (TOML) names the corpus, the number of clips, a seed, and a [[bank]] for each stored corpus that a "
            "modality is drawn from, with corpus, modality (text, visual or acoustic) and weight."
        ),
    )
    mix.add_argument("recipe", metavar="RECIPE.toml")
    mix.add_argument(
        "--out", required=True, metavar="DIR", help="folder of the corpus; an interrupted one is completed"
    )
    sheet = parts.add_parser("sheet", help="contact sheet: people down, neutral and six emotions across")
    sheet.add_argument("corpus", choices=["marionette"])
    sheet.add_argument("--out", required=True, metavar="FILE.png")
    sheet.add_argument("--seed", type=int, default=0)
    sheet.add_argument("--people", type=int, default=8)
    sheet.add_argument("--level", type=float, default=1.0, help="intensity of the expression, 0 to 1")
    sheet.add_argument("--px", type=int, default=144, help="side of each picture, in pixels")
    card = parts.add_parser("card", help="counts, durations, balance and audit of a corpus; ceilings of a rendered one")
    card.add_argument("folder", metavar="DIR")
    card.add_argument(
        "--simulate", type=int, default=6000, metavar="N", help="clips for the ceilings; 0 leaves them out"
    )
    card.add_argument("--json", action="store_true", help="print the whole report as JSON")
    audit = parts.add_parser("audit", help="list what the splits of a corpus share: speakers, dialogues, transcripts")
    audit.add_argument("folder", metavar="DIR")
    audit.add_argument("--json", action="store_true", help="print the whole report as JSON")
    features.add_arguments(parts.add_parser("features", help="hand-crafted features for the two-phase baselines"))
    units = parts.add_parser(
        "units",
        help="read the action units of a corpus's faces with a small detector",
        description=(
            "Train a small detector on the known units of a rendered corpus, about a minute, and write <clip id>.csv with "
            "OpenFace's columns, for train.action_units, mesm facs --units and mesm corpus features --action-units."
        ),
    )
    units.add_argument("folder", metavar="CORPUS", help="name or folder of the corpus to read")
    units.add_argument(
        "--rendered", metavar="CORPUS", help="corpus with known units to train on; default: CORPUS itself"
    )
    units.add_argument("--seed", type=int, default=0)
    units.add_argument("--out", metavar="DIR", help="folder of the files; default: action_units/ in the corpus")
    separate = parts.add_parser("separability", help="score a plain classifier on the faces of a Marionette corpus")
    separate.add_argument("folder", metavar="DIR")
    export = parts.add_parser("export", help="part of a Marionette corpus, with previews that play")
    export.add_argument("folder", metavar="DIR")
    export.add_argument("--split", default="test")
    export.add_argument("--clips", type=int, default=96)
    export.add_argument("--per-emotion", type=int, default=16)
    export.add_argument("--out", required=True, metavar="DIR")
    add_import(parts)
    add_split(parts)


def run(arguments: argparse.Namespace) -> int:
    """Run one subcommand."""
    actions = {
        "build": _build,
        "compose": _compose,
        "sheet": _sheet,
        "card": _card,
        "audit": _audit,
        "features": features.run,
        "separability": _separability,
        "export": _export,
        "units": _units,
        "import": run_import,
        "split": run_split,
    }
    return actions[arguments.action](arguments)


def _build(arguments: argparse.Namespace) -> int:
    from mesm.data.marionette.build import PRESETS, build

    clips = arguments.clips if arguments.clips is not None else PRESETS[arguments.preset]
    corpus = build(
        arguments.out, clips, arguments.seed, arguments.workers, report=measuring.reporter(arguments.progress)
    )
    print(f"{counted(len(corpus), 'clip')} in {arguments.out}; see them with mesm corpus card {arguments.out}")
    return 0


def _compose(arguments: argparse.Namespace) -> int:
    from mesm.data.composed import Recipe, compose

    corpus = compose(Recipe.read(arguments.recipe), arguments.out)
    splits = ", ".join(f"{split} {count}" for split, count in corpus.manifest.splits.items())
    print(f"{counted(len(corpus), 'clip')} in {arguments.out}: {splits}")
    return 0


def _sheet(arguments: argparse.Namespace) -> int:
    from PIL import Image

    from mesm.data.marionette.sheet import contact_sheet
    from mesm.files import write_atomic

    picture = contact_sheet(arguments.people, arguments.seed, arguments.px, arguments.level)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    print(write_atomic(arguments.out, buffer.getvalue()))
    return 0


def _card(arguments: argparse.Namespace) -> int:
    from mesm.data.marionette.corpus_report import report_corpus, report_text
    from mesm.data.store import Corpus
    from mesm.json_form import to_json

    card = report_corpus(Corpus(arguments.folder), simulated=arguments.simulate)
    print(json.dumps(to_json(card), indent=1) if arguments.json else report_text(card))
    return 0


def _audit(arguments: argparse.Namespace) -> int:
    from mesm.data.audit import audit_splits, audit_text
    from mesm.data.store import Corpus
    from mesm.json_form import to_json

    report = audit_splits(Corpus(arguments.folder))
    print(json.dumps(to_json(report), indent=1) if arguments.json else audit_text(report))
    return 0


def _separability(arguments: argparse.Namespace) -> int:
    from mesm.data.marionette.separability import separability, separability_text
    from mesm.data.store import Corpus

    print(separability_text(separability(Corpus(arguments.folder))))
    return 0


def _units(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from mesm.data.action_unit_files import FOLDER_NAME
    from mesm.data.corpora import open_corpus
    from mesm.training.unit_detector import write_units

    corpus = open_corpus(arguments.folder)
    rendered = open_corpus(arguments.rendered) if arguments.rendered else corpus
    folder = arguments.out or str(corpus.folder / FOLDER_NAME)
    with tqdm(desc="detector", unit="step", leave=False) as bar:

        def update_bar(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        reading = write_units(corpus, rendered, folder, arguments.seed, update_bar)
    print(f"{counted(reading.files, 'file')} with {counted(reading.frames, 'frame')} that show a face")
    print(folder)
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from mesm.data.marionette.export import export

    part = export(
        arguments.folder,
        arguments.out,
        split=arguments.split,
        clips=arguments.clips,
        per_emotion=arguments.per_emotion,
    )
    print(f"{counted(len(part), 'clip')} in {arguments.out}")
    return 0
