"""Write the files of one run so that a run that is killed can be resumed.

<run>/config.json      the RunConfig
<run>/metrics.jsonl    one line per epoch
<run>/state.pt         weights, optimiser, schedule and position; written whole, loaded with weights_only=True
<run>/best/            checkpoint of the epoch to keep so far: the best by valid average F1, or the last
<run>/checkpoint/      the result
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from mesm.config import RunConfig
from mesm.errors import ConfigError, DataError, MesmError
from mesm.files import write_atomic
from mesm.json_form import members, read_json
from mesm.records.training_log import LOG_NAME, EpochReport, read_log


class RunFolder:
    """Read and write a run's folder.

    Args:
        path: created when the run is opened.
        writes: False in all processes of a training but one: they read only.
    """

    def __init__(self, path: str | os.PathLike[str], *, writes: bool = True) -> None:
        self.path, self.writes = Path(path), writes
        self.best, self.checkpoint = self.path / "best", self.path / "checkpoint"

    def open(self, run: RunConfig) -> None:
        """Write the config of a fresh run, or check that the folder holds this one.

        Raises:
            ConfigError: the folder holds a run with other settings.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        config = self.path / "config.json"
        if config.is_file():
            if RunConfig.from_dict(members(read_json(config))) != run:
                raise ConfigError(f"{self.path} holds a run with other settings; choose another --out, or --resume it")
        elif self.writes:
            write_atomic(config, (json.dumps(run.to_dict(), indent=1) + "\n").encode())

    def read_config(self) -> RunConfig:
        """Read the run's config.

        Raises:
            MesmError: the folder holds no run.
        """
        config = self.path / "config.json"
        if not config.is_file():
            raise MesmError(
                f"{self.path} holds no run (no config.json); start one with mesm train --preset ... --out {self.path}"
            )
        return RunConfig.from_dict(members(read_json(config)))

    def save_state(self, state: Mapping[str, object]) -> None:
        """Write state.pt whole or not at all.

        Raises:
            DataError: the disk refuses; the last state is untouched.
        """
        if self.writes:
            buffer = io.BytesIO()
            torch.save(dict(state), buffer)
            write_atomic(self.path / "state.pt", buffer.getvalue())

    def load_state(self, device: torch.device | str) -> dict[str, Any] | None:
        """Read state.pt, or return None where there is none yet.

        Raises:
            DataError: the file is damaged.
        """
        path = self.path / "state.pt"
        if not path.is_file():
            return None
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True, map_location=device)
        except Exception as error:
            raise DataError(f"{path} cannot be read ({error}); delete it to start over") from error
        return state

    def log(self, report: EpochReport) -> None:
        """Append an epoch to metrics.jsonl."""
        if self.writes:
            with (self.path / LOG_NAME).open("a") as log:
                log.write(_line(report))

    def cut_log(self, epoch: int) -> None:
        """Drop the lines from `epoch` on, which the loaded state does not know yet and which will be written again."""
        log = self.path / LOG_NAME
        if log.is_file():
            kept = [report for report in read_log(self.path) if report.epoch < epoch]
            write_atomic(log, "".join(map(_line, kept)).encode())


def _line(report: EpochReport) -> str:
    return json.dumps(asdict(report)) + "\n"
