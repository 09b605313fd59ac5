"""Writing down what is said in an upload, with a speech model from the hub where the hub can be reached."""

from __future__ import annotations

import os
import threading
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
    """The words of (samples,) float32 at 16 kHz.

    Raises:
        BackendUnavailable: neither the hub nor a copy of the model can be reached.
        DataError: there is nothing to hear.
    """
    if len(waveform) < SAMPLE_RATE_HZ // 10:
        raise DataError("there is no sound to transcribe; type what is said")
    try:
        model = _model(os.environ.get(VARIABLE, DEFAULT_MODEL))
    except OSError as error:
        raise BackendUnavailable(
            "the speech model cannot be had from here; type what is said, or connect this machine to the hub once"
        ) from error
    with _lock:
        words = model.words(waveform)
    if not words:
        raise DataError("no words were heard; type what is said")
    return words


@st.cache_resource(max_entries=1, show_spinner="Fetching the speech model …")
def _model(name: str) -> SpeechModel:
    from mesm.layers.speech import SpeechModel  # here: it loads torch

    return SpeechModel(name)
