"""What every test needs: few threads, so that two workers do not fight over two cores."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MESM_CALIBRATION", "off")  # three seconds, and another choice on another machine
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def pytest_configure() -> None:
    import hypothesis
    import torch

    torch.set_num_threads(1)
    # A slow machine is no fault of the code: first calls compile, and other work takes the cores.
    hypothesis.settings.register_profile("mesm", deadline=None)
    hypothesis.settings.load_profile("mesm")
