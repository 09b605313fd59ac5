"""Recognise speech by a transformers model: beside `text.py` the only file that imports transformers.

Find, load and download its files apart from each other: transformers alone retries an unreachable hub for minutes.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import torch

from mesm.batch import SAMPLE_RATE_HZ

#: Seconds that the hub has to answer, before a download is begun.
REACH_S = 1.5
#: The files of a model that are read, by `huggingface_hub.snapshot_download`.
_FILES = ("*.json", "*.txt", "model.safetensors")
_DOWNLOAD = (
    "import sys; from huggingface_hub import snapshot_download as get; get(sys.argv[1], allow_patterns=sys.argv[2:])"
)
#: Longest part that is transcribed; the window of Whisper is 30 s.
MAX_S = 30.0
_MAX_TOKENS = 220


class SpeechModel:
    """Hold a sequence-to-sequence speech model such as Whisper.

    Args:
        source: folder, or hub id of a model in the cache; only safetensors weights are loaded.

    Raises:
        OSError: it is not in the cache, or not whole.
    """

    def __init__(self, source: str) -> None:
        folder = _cached_folder(source)  # before transformers, whose import takes seconds
        from transformers import AutoModelForSpeechSeq2Seq, AutoProcessor

        self.processor = AutoProcessor.from_pretrained(folder)
        self.model = AutoModelForSpeechSeq2Seq.from_pretrained(folder, use_safetensors=True).eval()

    @torch.inference_mode()
    def words(self, waveform: np.ndarray) -> str:
        """Transcribe (samples,) float32 at 16 kHz; at most its first `MAX_S` seconds."""
        part = waveform[: round(MAX_S * SAMPLE_RATE_HZ)]
        inputs = self.processor(part, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt")
        tokens = self.model.generate(inputs.input_features, max_new_tokens=_MAX_TOKENS)
        return str(self.processor.batch_decode(tokens, skip_special_tokens=True)[0]).strip()


def _cached_folder(source: str) -> Path:
    """Return a model's folder; `OSError` if it is not in the cache."""
    if Path(source).is_dir():
        return Path(source)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(snapshot_download(source, allow_patterns=list(_FILES), local_files_only=True))
    except HFValidationError as error:
        raise OSError(f"{source} is neither a folder nor a hub id") from error


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
