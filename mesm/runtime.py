"""Set seed, device and folders: the only module that does."""

from __future__ import annotations

import os
import platform
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np

#: Called with the number of items that are done, and of all.
Progress = Callable[[int, int], None]
_PACKAGE = Path(__file__).resolve().parent
#: Where the wheel has what lies beside the package in a checkout (pyproject.toml, `sources`).
_BUNDLE = _PACKAGE / "_bundle"


def seed_everything(seed: int) -> None:
    """Seed Python, numpy and torch."""
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def pick_device(name: str = "auto") -> str:
    """Return the device's name; `auto` is CUDA where there is one, else the CPU."""
    import torch

    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"


def processor() -> str:
    """Return the processor's name, from Linux where that is more precise than Python."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def workspace(home: str | os.PathLike[str] | None = None) -> Path:
    """Return the user's folder for checkpoints/, corpora/, records/ and runs/.

    `home`, else the environment's MESM_HOME, else `mesm_home` in the current folder. Not created here.
    """
    return Path(home or os.environ.get("MESM_HOME") or "mesm_home").expanduser()


def bundle() -> Path:
    """Return the folder of app.py, pages/ and assets/: inside the package where a wheel put it, else the checkout."""
    return _BUNDLE if _BUNDLE.is_dir() else _PACKAGE.parent


def assets() -> Path:
    """Return the folder of the bundled assets."""
    return bundle() / "assets"


def record_folders() -> tuple[Path, Path]:
    """Return the folders of records: the workspace's, which takes precedence, and the bundled one."""
    return workspace() / "records", assets() / "records"
