"""Small records and a clip for the tests of figures."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesm.batch import Sample, Word
from mesm.figures.export import FigureExport
from mesm.records.prediction import LayerTrace, Prediction, Trace
from mesm.studies.case.exports import export_case
from mesm.studies.case.mosaic import MosaicStyle, fit_window

LABELS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
CLIPS = 30
GRIDS = {"visual": ((24, 24), (12, 12), (6, 6)), "acoustic": ((64, 16), (32, 8), (16, 4))}


def provenance(checkpoint: str = "made") -> dict[str, Any]:
    return {
        "created": "2026-11-23T13:03:33+00:00",
        "mesm_commit": "abc1234",
        "python": "3.11",
        "checkpoint": checkpoint,
        "checkpoint_sha256": "0" * 64,
        "corpus": "toy",
        "config": {"name": "mesm", "width": 0.25},
        "seed": 0,
        "command": f"mesm evaluate {checkpoint} --corpus toy",
    }


def evaluation_record(checkpoint: str = "made", top_p: float | None = 0.5) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    truth = rng.random((CLIPS, 6)) < 0.3
    scores = np.clip(0.35 + 0.3 * truth + rng.normal(0, 0.15, (CLIPS, 6)), 0, 1).round(4)
    one = {"accuracy": 80.0, "wacc": 70.0, "f1": 50.0, "weighted_f1": 75.0, "auc": 77.0}
    data: dict[str, Any] = {
        "split": "test",
        "top_p": top_p,
        "labels": list(LABELS),
        "left_out": [],
        "clips": CLIPS,
        "speakers": 5,
        "thresholds": [0.5] * 6,
        "branches": {},
        **one,
        "per_class": {name: {**one, "wacc": 70.0 + i, "positives": 5} for i, name in enumerate(LABELS)},
        "interval": {k: [one[k] - 2, one[k] + 2] for k in ("wacc", "f1", "accuracy")},
        "trivial": {k: {"accuracy": 70.0, "wacc": 50.0, "f1": 20.0} for k in ("never", "always", "chance")},
        "macs_ratio": 0.4 if top_p else 1.0,
        "macs_ratio_range": None,
        "macs": {"conv_stack": 1, "fe2e_conv_stack": 2},
        "per_clip": {
            "conv_stack_ratio": [0.4 if top_p else 1.0] * CLIPS,
            "id": [f"clip{i:02d}" for i in range(CLIPS)],
            "speaker": [f"s{i % 5}" for i in range(CLIPS)],
            "scores": scores.tolist(),
            "truth": truth.astype(int).tolist(),
        },
    }
    return {"kind": "evaluate", "schema": 1, "provenance": provenance(checkpoint), "data": data}


def reproduction_record(model: str = "MESM", macs: int = 200_000_000) -> dict[str, Any]:
    data = evaluation_record(model, 0.5 if model == "MESM" else None)["data"]
    del data["per_clip"]
    checkpoint = {"seed": 0, "name": "made", "sha256": "0" * 64, "origin": "trained", "differs": []}
    data |= {"runs": [{}], "parameters": 1_900_000, "macs": macs, "ms_per_clip": 12.5, "checkpoints": [checkpoint]}
    data["timed_on"] = {"device": "cpu", "threads": 2}
    return {"kind": "reproduce", "schema": 1, "provenance": provenance(model), "data": data}


def made_sample(frames: int = 5, chunks: int = 6) -> Sample:
    rng = np.random.default_rng(1)
    points = np.tile(np.array([[16, 18], [32, 18], [24, 27], [18, 36], [30, 36]], np.float32), (frames, 1, 1))
    return Sample(
        "clip00",
        "costs $5 & 10 %, 最後 конец",
        rng.integers(0, 256, (frames, 48, 48, 3), dtype=np.uint8),
        rng.normal(-3, 1, (chunks, 128, 32)).astype(np.float16),
        duration_s=max(frames / 2, 0.4 * chunks),
        face_times_s=np.arange(frames, dtype=np.float32) / 2,
        face_found=np.ones(frames, bool),
        face_points=points,
        labels={"anger": 2.0, "fear": 0.0},
        words=(Word("costs", 0.1, 0.4), Word("$5", 0.4, 0.6), Word("&", 0.7, 0.8), Word("conec", 2.3, 2.5)),
        split="test",
    )


def made_prediction(sample: Sample, top_p: float = 0.5) -> Prediction:
    rng = np.random.default_rng(2)
    layers = {}
    for modality, count in (("visual", len(sample.faces)), ("acoustic", len(sample.mel))):
        found = []
        active = None
        for height, width in GRIDS[modality]:
            active = np.ones((count, height, width), bool)
            attention = rng.random((count, height, width)).astype(np.float32)
            attention /= attention.sum(axis=(1, 2), keepdims=True)
            found.append(LayerTrace(attention, rng.random((count, height, width)) < top_p, active))
        layers[modality] = tuple(found)
    return Prediction(
        sample.clip_id, LABELS, np.linspace(0.1, 0.9, 6), np.full(6, 0.5),
        {"text": np.full(6, 0.2), "visual": np.full(6, 0.6)}, {"text": 0.5, "visual": 0.5},
        trace=Trace(layers, top_p), macs={"conv_stack": 5, "fe2e_conv_stack": 10},
    )  # fmt: skip


ORIGIN = {"checkpoint": "made", "checkpoint_sha256": "0" * 64, "config": {}, "seed": 0, "corpus": "toy", "licence": ""}


def figure_case(privacy: str, style: MosaicStyle | None = None) -> FigureExport:
    sample = made_sample()
    return export_case(
        sample, made_prediction(sample), fit_window(sample.duration_s), style or MosaicStyle(), ORIGIN, privacy
    )
