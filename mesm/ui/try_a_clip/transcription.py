"""Transcribe an upload with a speech model from Hugging Face."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from mesm.batch import SAMPLE_RATE_HZ
from mesm.errors import BackendUnavailable, DataError

if TYPE_CHECKING:
    from mesm.layers.speech import SpeechModel

#: A small multilingual model, 151 MB, MIT licence; another hub id may be set in the environment.
DEFAULT_MODEL = "openai/whisper-tiny"
VARIABLE = "MESM_SPEECH_MODEL"
_lock = threading.Lock()


def transcribe(waveform: np.ndarray) -> str:
    """Return the words of (samples,) float32 at 16 kHz.

    Raises:
        BackendUnavailable: the model is neither cached nor can it be downloaded.
        DataError: no speech was recognised.
    """
    if len(waveform) < SAMPLE_RATE_HZ // 10:
        raise DataError("the clip has no sound to transcribe: type the transcript")
    name = os.environ.get(VARIABLE, DEFAULT_MODEL)
    try:
        model = _open(name)
    except OSError:
        _download(name)
        try:
            model = _open(name)
        except OSError as error:
            raise BackendUnavailable(f"{name} is no speech model: type the transcript") from error
    with _lock:
        words = model.words(waveform)
    if not words:
        raise DataError("no words were recognised: type the transcript")
    return words


@st.cache_resource(max_entries=1, show_spinner="Loading the speech model …")
def _open(name: str) -> SpeechModel:
    from mesm.layers.speech import SpeechModel  # it loads torch

    return SpeechModel(name)


def _download(name: str) -> None:
    """Download a model while the page shows a button that cancels it; any other click does so, too."""
    from mesm.layers import speech

    place = st.empty()
    with place.container(), st.spinner(f"Downloading {name} from Hugging Face …", show_time=True):
        is_done = speech.is_hub_reachable() and _wait(speech.start_download(name))
    place.empty()
    if not is_done:
        raise BackendUnavailable(f"{name} is not cached and Hugging Face is unreachable: type the transcript")


def _wait(download: subprocess.Popen[bytes]) -> bool:
    """Return whether the download succeeded. Streamlit ends the run, and this the download, at a click."""
    st.button("Cancel the download", key="cancel-download")
    tick = st.empty()
    try:
        while download.poll() is None:
            tick.empty()
            time.sleep(0.2)
    finally:
        download.kill()
        download.wait()
    return download.returncode == 0
