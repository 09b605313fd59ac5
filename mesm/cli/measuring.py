"""What the verbs that measure a checkpoint share: a bar while they run, and the record at the end."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesm.errors import ConfigError

if TYPE_CHECKING:
    from mesm.analysis.predictor import Predictor
    from mesm.data.store import Corpus

#: What is being done, clips done, clips in total.
Show = Callable[[str, int, int], None]


@contextmanager
def bar() -> Iterator[Show]:
    """A bar that goes at the end, also after an error; its total may change with every step."""
    from tqdm import tqdm

    with tqdm(unit="clip", leave=False) as shown:

        def show(what: str, done: int, total: int) -> None:
            shown.set_description(what, refresh=False)
            shown.total, shown.n = total, done
            shown.refresh()

        yield show


def positive(arguments: argparse.Namespace, *names: str) -> None:
    """Refuse numbers below 1.

    Raises:
        ConfigError: one of these options has such a value.
    """
    for name in names:
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise ConfigError(f"--{name} is {value}; it must be at least 1")


def write(
    arguments: argparse.Namespace,
    kind: str,
    predictor: Predictor,
    corpus: Corpus,
    data: Any,
    options: dict[str, Any],
    **more: Any,
) -> Path:
    """The record of one checkpoint on one corpus, in --out or the workspace.

    Args:
        kind: also the verb that makes it again.
        options: of the command that makes it again, without dashes; those that are None or "" are left out.
    """
    from mesm.records.legacy import write_record
    from mesm.runtime import workspace

    if not isinstance(data, dict):
        from mesm.records.base import Record, new_provenance
        from mesm.records.base import write_record as write_typed

        chosen = "".join(f" --{name} {value}" for name, value in options.items() if value not in (None, ""))
        command = f"mesm {kind} {predictor.name} --corpus {corpus.name}{chosen}"
        provenance = new_provenance(corpus.id, predictor.name, (predictor.sha256,), command)
        return write_typed(arguments.out or workspace() / "records", Record(kind, provenance, data))
    given = "".join(f" --{name} {value}" for name, value in options.items() if value not in (None, ""))
    return write_record(
        Path(arguments.out) if arguments.out else workspace() / "records",
        kind,
        predictor.name,
        corpus.name,
        data,
        checkpoint_sha256=predictor.sha256,
        command=f"mesm {kind} {predictor.name} --corpus {corpus.name}{given}",
        **more,
    )
