"""The guard's child, with a decoder that does what the transcript of a clip says: crash, hang, spin, fill the memory."""

from __future__ import annotations

import os
import signal
import time

from mesm.data.ingest import guard

_decode = guard._VERBS["ingest"]


def _misbehave(request: guard._Request, progress: guard.StageProgress) -> guard._Answer:
    if request.text.startswith("folder "):  # tell the test which process this is
        with open(request.text.removeprefix("folder "), "w") as file:  # noqa: PTH123
            file.write(str(os.getpid()))
    if "crash" in request.text:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "hang" in request.text or request.text.startswith("folder "):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        time.sleep(600)
    if "spin" in request.text:
        while True:
            pass
    if "fill" in request.text:
        hoard = []
        while True:
            hoard.append(bytearray(2**24))
    if "chatter" in request.text:
        while True:
            os.write(3, b"x" * 2**20)
    return _decode(request, progress)


guard._VERBS["ingest"] = _misbehave

if __name__ == "__main__":
    guard._serve()
