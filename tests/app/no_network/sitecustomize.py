"""Refuse every connection but to this machine, and note it in the file MESM_TEST_CONNECTIONS.

Python loads this file by itself in a process whose PYTHONPATH begins with its folder, and in the children of that process.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

LOCAL = ("localhost", "127.0.0.1", "::1", "0.0.0.0", "::", "", None)


def refuse(host: Any) -> None:
    """Note a host that is another machine, and raise what an unplugged cable does."""
    name = host.decode() if isinstance(host, bytes) else host
    if name not in LOCAL:
        with Path(os.environ["MESM_TEST_CONNECTIONS"]).open("a") as log:
            log.write(f"{name}\n")
        raise OSError(101, "Network is unreachable")


class Local(socket.socket):
    """Connect to this machine only."""

    def connect(self, address: Any) -> None:
        refuse(address[0] if isinstance(address, tuple) else None)
        super().connect(address)

    def connect_ex(self, address: Any) -> int:
        refuse(address[0] if isinstance(address, tuple) else None)
        return super().connect_ex(address)

    def sendto(self, *arguments: Any) -> int:
        refuse(arguments[-1][0] if isinstance(arguments[-1], tuple) else None)
        return super().sendto(*arguments)


_look_up = socket.getaddrinfo


def look_up(host: Any, *arguments: Any, **options: Any) -> Any:
    """Resolve this machine's own names only: asking a name server is a request, too."""
    refuse(host)
    return _look_up(host, *arguments, **options)


socket.socket = Local  # type: ignore[misc]
socket.getaddrinfo = look_up
