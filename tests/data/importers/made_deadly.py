"""A file that ends the first process that looks at it: by its name alone, so that other processes can import it."""

from __future__ import annotations

import os
import signal
from pathlib import Path


class DeadlyPath(type(Path())):  # type: ignore[misc]
    """Whoever first asks whether the file is there is killed; a second one finds the mark and is spared."""

    def is_file(self) -> bool:
        mark = Path(f"{self}.killed")
        if not mark.exists():
            mark.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return super().is_file()
