"""Recognise speech by a transformers model: beside `text.py` the only file that imports transformers."""

from __future__ import annotations

import os

import numpy as np
import torch

from mesm.batch import SAMPLE_RATE_HZ

#: Longest part that is transcribed; the window of Whisper is 30 s.
MAX_S = 30.0
_MAX_TOKENS = 220


class SpeechModel:
    """Hold a sequence-to-sequence speech model such as Whisper.

    Args:
        folder: its files; only safetensors weights are loaded.

    Raises:
        OSError: a file is missing.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
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
