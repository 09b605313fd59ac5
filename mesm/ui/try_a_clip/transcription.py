"""Transcribe an upload with a speech model from Hugging Face."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from mesm.access import access, computing
from mesm.batch import SAMPLE_RATE_HZ
from mesm.errors import BackendUnavailable, DataError
from mesm.ui.try_a_clip import speech_files

if TYPE_CHECKING:
    from mesm.layers.speech import SpeechModel

#: A small multilingual model, 151 MB, MIT licence; another hub id or folder may be set in the environment.
DEFAULT_MODEL = "openai/whisper-tiny"
VARIABLE = "MESM_SPEECH_MODEL"
_lock = threading.Lock()


def help_words() -> str:
    """Return how the speech model comes, for the button."""
    if access().is_public:
        return "Whisper-tiny. The clip does not leave this server."
    return "Whisper-tiny, downloaded once from Hugging Face (151 MB). The clip does not leave this machine."


def speech_model() -> Path:
    """Return the folder of the speech model; a download shows a button that cancels it, as any other click does.

    Raises:
        BackendUnavailable: it is neither cached nor can it be downloaded.
    """
    name = os.environ.get(VARIABLE, DEFAULT_MODEL)
    if (folder := speech_files.find_model(name)) is not None:
        return folder
    if not access().downloads:
        raise BackendUnavailable("this public server has no speech model: type the transcript")
    place = st.empty()
    with place.container(), st.spinner(f"Downloading {name} from Hugging Face …", show_time=True):
        if speech_files.is_hub_reachable():
            _wait(speech_files.start_download(name))
    place.empty()
    if (folder := speech_files.find_model(name)) is None:
        raise BackendUnavailable(f"{name} is not cached and Hugging Face is unreachable: type the transcript")
    return folder


def _wait(download: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a download. Streamlit ends the run at a click, and the run its download."""
    st.button("Cancel the download", key="cancel-download")
    tick = st.empty()
    try:
        while download.poll() is None:
            tick.empty()
            time.sleep(0.2)
    finally:
        download.kill()
        download.wait()


def transcribe(waveform: np.ndarray, folder: Path) -> str:
    """Return the words of (samples,) float32 at 16 kHz.

    Args:
        folder: of `speech_model`.

    Raises:
        BackendUnavailable: the files in the folder are not those of a speech model.
        DataError: no speech was recognised.
    """
    if len(waveform) < SAMPLE_RATE_HZ // 10:
        raise DataError("the clip has no sound to transcribe: type the transcript")
    try:
        model = _open(str(folder))
    except (OSError, ValueError) as error:
        raise BackendUnavailable("the speech model cannot be read: type the transcript") from error
    with computing(), _lock:
        words = model.words(waveform)
    if not words:
        raise DataError("no words were recognised: type the transcript")
    return words


@st.cache_resource(max_entries=1, show_spinner="Loading the speech model …")
def _open(folder: str) -> SpeechModel:
    from mesm.layers.speech import SpeechModel  # it loads torch

    return SpeechModel(folder)
