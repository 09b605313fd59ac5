"""Find the files of a speech model in the cache of the Hugging Face hub, or download them.

Apart from transformers, which takes seconds to import and retries an unreachable hub for minutes.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

#: Seconds that the hub has to answer, before a download is begun.
REACH_S = 1.0
#: The files that are read, by `huggingface_hub.snapshot_download`.
_FILES = ("*.json", "*.txt", "model.safetensors")
_DOWNLOAD = (
    "import sys; from huggingface_hub import snapshot_download as get; get(sys.argv[1], allow_patterns=sys.argv[2:])"
)


def find_model(source: str) -> Path | None:
    """Return the folder of a model, by folder or by hub id; None if its weights are not in the cache."""
    if Path(source).is_dir():
        return Path(source)
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        weights = try_to_load_from_cache(source, "model.safetensors")
    except HFValidationError:
        return None
    return Path(weights).parent if isinstance(weights, str) else None


def is_hub_reachable() -> bool:
    """Return whether the Hugging Face hub answers within `REACH_S` seconds; a proxy's refusal is no answer."""
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return False
    answers: list[bool] = []

    def ask() -> None:
        try:
            answers.append(get_session().head(constants.ENDPOINT, timeout=REACH_S).status_code < 400)
        except Exception:  # of the HTTP library; whatever it is, there is no answer
            return

    thread = threading.Thread(target=ask, daemon=True)  # a name server that is silent has no time limit
    thread.start()
    thread.join(REACH_S)
    return any(answers)


def start_download(source: str) -> subprocess.Popen[bytes]:
    """Start to download a model into the cache, in a process that can be ended; its status is 0 once it is whole."""
    return subprocess.Popen(
        [sys.executable, "-c", _DOWNLOAD, source, *_FILES],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
