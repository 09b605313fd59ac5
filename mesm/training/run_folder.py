"""Write the files of one run so that a run that is killed can be resumed.

<run>/config.json      the RunConfig, with the absolute path of the corpus
<run>/state.pt         all that the run has come to: weights, optimiser, schedule, position, log and the epoch to keep;
                       written whole, read with weights_only=True after a check of its checksums
<run>/metrics.jsonl    one line per epoch, written from the state
<run>/best/            checkpoint of the epoch to keep so far, the best by valid average F1 or the last: from the state, too
<run>/checkpoint/      the result
<run>/.lock            while a trainer writes the run (`mesm.locks`)
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import torch

from mesm.config import ModelConfig, RunConfig
from mesm.data.remote import is_url
from mesm.errors import ConfigError, DataError, MesmError
from mesm.files import write_atomic
from mesm.json_form import members, read_json
from mesm.locks import FolderLock
from mesm.models.checkpoint import save_state
from mesm.records.training_log import LOG_NAME, EpochReport
from mesm.training.recipe_plan import RECIPE

if TYPE_CHECKING:
    from mesm.training.run_state import RunState


class RunFolder:
    """Read and write a run's folder.

    Args:
        path: created when the run is opened.
        writes: False in all processes of a training but one: they read only.
    """

    def __init__(self, path: str | os.PathLike[str], *, writes: bool = True) -> None:
        self.path, self.writes = Path(path), writes
        self.best, self.checkpoint = self.path / "best", self.path / "checkpoint"
        self.config = self.path / _CONFIG

    @property
    def has_state(self) -> bool:
        """Return whether there is a state to resume from."""
        return (self.path / _STATE).is_file()

    def lock(self) -> AbstractContextManager[object]:
        """Lock the folder for this trainer.

        Raises:
            FolderBusyError: another trainer writes the run.
        """
        return FolderLock(self.path, "run") if self.writes else nullcontext()

    def open(self, run: RunConfig) -> None:
        """Write the config of a fresh run, or check that the folder holds this one; the corpus may have moved.

        Raises:
            ConfigError: the folder holds a run with other settings.
            DataError: config.json is damaged.
        """
        stored = self.read_config() if self.config.is_file() else None
        if (self.path / RECIPE).is_file() or (stored is not None and not same_settings(stored, run)):
            raise ConfigError(f"{self.path} holds a run with other settings; choose another --out, or --resume it")
        placed = run if is_url(run.train.corpus) else with_corpus(run, Path(run.train.corpus).resolve())
        if self.writes and stored != placed:
            write_atomic(self.config, (json.dumps(placed.to_dict(), indent=1) + "\n").encode())

    def read_config(self) -> RunConfig:
        """Read the run's config.

        Raises:
            MesmError: the folder holds no run.
            DataError: config.json is damaged.
        """
        config = self.config
        if not config.is_file():
            raise MesmError(
                f"{self.path} holds no run (no config.json); start one with mesm train --recipe mesm --out {self.path}"
            )
        try:
            return RunConfig.from_dict(members(read_json(config)))
        except (DataError, ConfigError, KeyError) as error:
            raise DataError(
                f"{config} is damaged ({error}); delete it and give the command that started the run again, "
                "which resumes it from its state"
            ) from error

    def save_state(self, state: Mapping[str, object]) -> None:
        """Write state.pt whole or not at all.

        Raises:
            DataError: the disk refuses; the last state is untouched.
        """
        if self.writes:
            buffer = io.BytesIO()
            torch.save(dict(state), buffer)
            write_atomic(self.path / _STATE, buffer.getvalue())

    def load_state(self, device: torch.device | str) -> dict[str, Any] | None:
        """Read state.pt, or return None where there is none yet.

        Raises:
            DataError: the file is damaged.
        """
        path = self.path / _STATE
        if not path.is_file():
            return None
        try:
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()  # torch itself compares no checksum
            if damaged is None:
                state: dict[str, Any] = torch.load(path, weights_only=True, map_location=device)
                return state
        except Exception as error:  # torch has many for a file that it cannot read
            raise DataError(f"{path} is damaged{_REMEDY}") from error
        raise DataError(f"{path} is damaged ({damaged} has another checksum){_REMEDY}")

    def write_from_state(self, state: RunState, config: ModelConfig, *, best: bool) -> None:
        """Write the files that follow from a state: after it, so that a kill between the two loses nothing.

        Args:
            best: also the weights of the epoch to keep so far.
        """
        self.write_log(state.log)
        if self.writes and best and state.best is not None:
            save_state(self.best, state.best.weights, config, state.best.metrics, "")

    def write_log(self, reports: Iterable[EpochReport]) -> None:
        """Write metrics.jsonl, whole."""
        text = "".join(json.dumps(asdict(report)) + "\n" for report in reports)
        log = self.path / LOG_NAME
        if self.writes and (text or log.exists()):
            write_atomic(log, text.encode())


def require_corpus(run: RunConfig, folder: str | os.PathLike[str]) -> None:
    """Check that the corpus of a run is where it was.

    Raises:
        DataError: it is not.
    """
    if not is_url(run.train.corpus) and not Path(run.train.corpus).is_dir():
        raise DataError(
            f"{run.train.corpus}, the corpus of run {folder}, is not there; give its new place with --corpus"
        )


def with_corpus(run: RunConfig, folder: str | os.PathLike[str]) -> RunConfig:
    """Return a run on a corpus in another place."""
    return replace(run, train=replace(run.train, corpus=str(folder)))


def same_settings(one: RunConfig, other: RunConfig) -> bool:
    """Return whether two runs have the same settings, wherever their corpora and starts lie.

    A start or a teacher is known by its run's folder and its own: the stages of a recipe move together.
    """
    return _placeless(one) == _placeless(other)


def _placeless(run: RunConfig) -> RunConfig:
    def of(checkpoint: str) -> str:
        return "/".join(PurePath(checkpoint).parts[-2:])

    teacher = replace(run.train.distillation, checkpoint=of(run.train.distillation.checkpoint))
    return replace(run, train=replace(run.train, corpus="", init_from=of(run.train.init_from), distillation=teacher))


_CONFIG, _STATE = "config.json", "state.pt"
_REMEDY = "; restore it, or delete it to start the run over"
