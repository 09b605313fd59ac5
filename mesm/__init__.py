"""Run and study multimodal end-to-end sparse models for emotion recognition (MESM).

    import mesm
    model = mesm.load("marionette-mesm")
    prediction = model.predict("clip.mp4", text="I never thought they would come.")

Names are resolved when first used, so that `import mesm` loads no torch.
"""

from __future__ import annotations

import importlib
from typing import Any

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
