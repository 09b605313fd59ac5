"""Share what the verbs that measure a checkpoint need: a progress bar, the corpus in a command, the record at the end."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from mesm.errors import ConfigError, DataError

if TYPE_CHECKING:
    from mesm.analysis.predictor import Predictor
    from mesm.data.store import Corpus
    from mesm.records.base import Record

#: Step, clips done, clips in total.
Progress = Callable[[str, int, int], None]


def add_study_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a verb that measures the attention of one checkpoint on one corpus."""
    parser.add_argument("checkpoint", help="name or folder of a MESM checkpoint")
    parser.add_argument("--corpus", required=True, help="name or folder of a corpus")
    parser.add_argument("--split", default="test", help="train, valid or test (default)")
    parser.add_argument("--top-p", type=float, help="nucleus mass in (0, 1]; default: the checkpoint's")
    parser.add_argument("--clips", type=int, help="use at most this many clips, the speakers in turn")
    parser.add_argument("--out", help="folder of the record; default: the workspace's records/")


@contextmanager
def bar() -> Iterator[Progress]:
    """Show a progress bar until the block ends; its total may change with every step."""
    from tqdm import tqdm

    with tqdm(unit="clip", leave=False) as shown:

        def report(step: str, done: int, total: int) -> None:
            shown.set_description(step, refresh=False)
            shown.total, shown.n = total, done
            shown.refresh()

        yield report


def reporter(path: str | None) -> Callable[[int, int], None]:
    """Return a function that writes how much of a job is done, and of how much, into a JSON file; nothing without one."""
    import json

    from mesm.files import write_atomic

    def report(done: int, total: int) -> None:
        if path:
            write_atomic(path, json.dumps({"done": done, "total": total}).encode())

    return report


def positive(arguments: argparse.Namespace, *names: str) -> None:
    """Refuse numbers below 1.

    Raises:
        ConfigError: one of these options has such a value.
    """
    for name in names:
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise ConfigError(f"--{name} is {value}; it must be at least 1")


def records_folder(option: str | None) -> Path:
    """Return the folder that records are written into: the option's, else the workspace's records/."""
    from mesm.runtime import workspace

    return Path(option) if option else workspace() / "records"


def corpus_to_score(name: str) -> Corpus:
    """Open the corpus of --corpus; print a sentence on standard error if it is unfinished."""
    from mesm.data.corpora import open_corpus

    corpus = open_corpus(name)
    if not corpus.manifest.complete:
        print(
            f"corpus {corpus.name!r} is unfinished: its build was interrupted or is under way, and only the "
            f"{len(corpus.index)} clips so far are read; build it to the end for final results",
            file=sys.stderr,
        )
    return corpus


def corpus_argument(corpus: Corpus, text: str) -> str:
    """Return what --corpus has to be so that this very corpus is opened again.

    Args:
        text: as it was given; returned where neither the name nor `NAME@DIGEST8` opens this corpus.
    """
    from mesm.data.corpora import open_corpus

    for name in (corpus.name, corpus.id.key):
        try:
            if open_corpus(name).folder == corpus.folder:
                return name
        except DataError:
            continue
    return text


def find_records(kind: str, corpus: str, checkpoint: str | None = None) -> list[Record[Any]]:
    """Return the records of a kind on a corpus, best first: the workspace's, then the bundled ones.

    Args:
        corpus: name, `NAME@DIGEST8` or folder; a corpus that cannot be opened is matched by its name.
    """
    from mesm.data.corpora import open_corpus
    from mesm.records.base import CorpusId
    from mesm.records.store import RecordStore
    from mesm.runtime import record_folders

    try:
        identity = open_corpus(corpus).id
    except DataError:
        identity = CorpusId(Path(corpus).name.partition("@")[0])
    digits = corpus.partition("@")[2]
    records = RecordStore(record_folders()).find(kind, checkpoint=checkpoint, corpus=identity)
    return [r for r in records if not r.provenance.corpus.digest or r.provenance.corpus.digest.startswith(digits)]


def target_parts(target: str) -> tuple[str, str]:
    """Split CHECKPOINT@CORPUS.

    Raises:
        ConfigError: it is not of this form.
    """
    checkpoint, at, corpus = target.partition("@")
    if not at:
        raise ConfigError(f"{target!r} must be CHECKPOINT@CORPUS, such as marionette-mesm@marionette")
    return checkpoint, corpus


def find_record(kind: str, target: str) -> Record[Any]:
    """Return the best record of CHECKPOINT@CORPUS or CHECKPOINT@CORPUS@DIGEST.

    Raises:
        DataError: there is none.
    """
    checkpoint, corpus = target_parts(target)
    records = find_records(kind, corpus, checkpoint)
    if not records:
        raise DataError(
            f"there is no {kind} of {target}; make one with: mesm {kind} {quote(checkpoint)} --corpus {quote(corpus)}"
        )
    return records[0]


def write(
    arguments: argparse.Namespace,
    kind: str,
    predictor: Predictor,
    corpus: Corpus,
    data: object,
    options: Mapping[str, object],
) -> Path:
    """Write the record of one checkpoint on one corpus into --out or the workspace, and return its path.

    Args:
        kind: also the verb that makes it again.
        data: of the kind's dataclass (`mesm.records.base.KINDS`).
        options: of the command that makes it again, without dashes; those that are None or "" are left out.
    """
    from mesm.records.base import Record, new_provenance, write_record

    words = "".join(f" --{name} {quote(str(value))}" for name, value in options.items() if value not in (None, ""))
    command = f"mesm {kind} {quote(predictor.name)} --corpus {quote(corpus_argument(corpus, arguments.corpus))}{words}"
    provenance = new_provenance(
        corpus.id,
        predictor.name,
        (predictor.sha256,),
        command,
        seed=predictor.metrics.seed,
        config=predictor.config.to_dict(),
    )
    return write_record(records_folder(arguments.out), Record(kind, provenance, data))
