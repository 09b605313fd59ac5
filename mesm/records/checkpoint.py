"""Name the files of a checkpoint's folder."""

from __future__ import annotations

WEIGHTS, CONFIG, METRICS, CARD = "model.safetensors", "config.json", "metrics.json", "README.md"
