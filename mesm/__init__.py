"""Run and study multimodal end-to-end sparse models for emotion recognition (MESM).

    import mesm
    model = mesm.load("marionette-mesm")
    prediction = model.predict("clip.mp4", text="I never thought they would come.")

Names are resolved when first used, so that `import mesm` loads no torch.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

# Threads of torch that wait for work spin for a millisecond, on a core that the threads of the sparse blocks need. A twentieth
# of it bridges the pauses between two operations (benchmarks/README.md). Read when torch is loaded; a user's choice stands.
if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
    os.environ["GOMP_SPINCOUNT"] = "20000"

__version__ = "0.1.0"

_LAZY = {
    "load": ("mesm.analysis.predictor", "load"),
    "Predictor": ("mesm.analysis.predictor", "Predictor"),
    "ingest_clip": ("mesm.data.ingest", "ingest_clip"),
}

__all__ = ["__version__", *_LAZY]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'mesm' has no attribute {name!r}")
    module, attribute = _LAZY[name]
    return getattr(importlib.import_module(module), attribute)
