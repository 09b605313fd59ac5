"""Run the command `mesm`: one verb, one file. `--help` loads no torch.

Start with `VERBS`. Each `<verb>.py` has `add_arguments` and `run`; `measuring.py` has the options that several share,
`figure_kinds.py` and `figure_clips.py` have the exports of `mesm figure`.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mesm.errors import MesmError
from mesm.stopping import StopSignals

#: verb -> (module, one line). The module has `add_arguments(parser)` and `run(arguments) -> int`,
#: and imports heavy packages inside `run` only.
VERBS: dict[str, tuple[str, str]] = {
    "ingest": ("mesm.cli.ingest", "turn a clip into face crops, mel chunks and words"),
    "corpus": ("mesm.cli.corpus", "import or build a corpus; splits, audit, features, export"),
    "train": ("mesm.cli.train", "train the stages of a recipe, or a preset"),
    "search": ("mesm.cli.search", "search hyperparameters, judged on the validation split"),
    "ablate": ("mesm.cli.ablate", "ablation: train one model per part left out or changed"),
    "evaluate": ("mesm.cli.evaluate", "score a checkpoint on a corpus"),
    "seeds": ("mesm.cli.seeds", "average one model over its training seeds, with an interval"),
    "compare": ("mesm.cli.compare", "compare two models: paired difference with its interval"),
    "sweep": ("mesm.cli.sweep", "sweep top-p: scores against cost"),
    "time": ("mesm.cli.time", "time checkpoints on this machine, one clip at a time"),
    "facs": ("mesm.cli.facs", "compare the attention with the regions of action units"),
    "faithfulness": ("mesm.cli.faithfulness", "test whether the kept sites explain the scores"),
    "canonical": ("mesm.cli.canonical", "average the masks of all faces on one template face"),
    "figure": ("mesm.cli.figure", "write a figure or table of the app as a file for paper"),
    "traces": ("mesm.cli.traces", "write attention, kept sites and scores of many clips as arrays"),
    "join": ("mesm.cli.join", "join checkpoints of single modalities into one"),
    "convert": ("mesm.cli.convert", "convert weights of the authors' implementation to a checkpoint"),
    "export-onnx": ("mesm.cli.export_onnx", "write a model for ONNX Runtime, OpenVINO and other runtimes"),
    "reproduce": ("mesm.cli.reproduce", "reproduce a table or figure of the paper: train, evaluate, compare"),
    "calibrate": ("mesm.cli.calibrate", "show and renew what sparse convolutions cost on this machine"),
    "records": ("mesm.cli.records", "rewrite records of earlier versions in today's form"),
    "predict": ("mesm.cli.predict", "score clips in a folder or a CSV"),
    "app": ("mesm.cli.app", "open the app in the browser"),
}


def parser() -> argparse.ArgumentParser:
    """Build the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="mesm",
        description="Multimodal end-to-end sparse models for emotion recognition.",
        epilog="example: mesm predict clips/ --out scores.csv   |   mesm VERB --help shows more",
    )
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb, (module, line) in VERBS.items():
        part = verbs.add_parser(verb, help=line, description=line, formatter_class=argparse.RawDescriptionHelpFormatter)
        importlib.import_module(module).add_arguments(part)
        part.set_defaults(module=module)
    return top


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the arguments of one verb; those of `mesm app` that are Streamlit's are in `passed_on`."""
    top = parser()
    parsed, passed_on = top.parse_known_args(arguments)
    if passed_on and parsed.verb != "app":
        top.error(f"unrecognized arguments: {' '.join(passed_on)}")
    parsed.passed_on = passed_on
    return parsed


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; a user's error is one sentence on stderr and exit status 2."""
    parsed = parse(arguments)
    try:
        with StopSignals(), _notes_on_stderr():
            _check_places(parsed)
            return int(importlib.import_module(parsed.module).run(parsed))
    except MesmError as error:
        print(f"mesm {parsed.verb}: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # a disk, a permission, a pipe: of the machine, not of the program
        reason = str(error.strerror or error).partition("\n")[0]
        place = f"{error.filename}: " if error.filename else ""
        print(f"mesm {parsed.verb}: {place}{reason}; check the place and its free space", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        print(f"mesm {parsed.verb}: {str(error) or 'stopped'}", file=sys.stderr)
        return getattr(error, "status", 130)


class _AboveTheBar(logging.Handler):
    """Print a log's lines on standard error, above a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one line."""
        from tqdm import tqdm

        tqdm.write(self.format(record), file=sys.stderr)


@contextmanager
def _notes_on_stderr() -> Iterator[None]:
    """Print what the package logs for its users, such as a long compilation, on standard error."""
    logger, handler = logging.getLogger("mesm"), _AboveTheBar()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _check_places(parsed: argparse.Namespace) -> None:
    """Refuse places that cannot be written before the work begins, not after it.

    Raises:
        DataError: one cannot.
    """
    from mesm.files import check_writable
    from mesm.runtime import workspace

    if getattr(parsed, "dry_run", False):
        return
    defaults = {"figure": ".", "train": getattr(parsed, "resume", None), "corpus": None}
    for option in ("out", "records"):
        if hasattr(parsed, option):
            place = getattr(parsed, option) or defaults.get(parsed.verb, workspace() / "records")
            if place:
                check_writable(Path(place).parent if Path(place).is_file() else place)
