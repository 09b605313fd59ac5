"""Small records of sweeps and of FE2E's evaluation, built from the record classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mesm.records.base import CorpusId, Provenance, Record
from mesm.records.evaluation import ClassScores, ClipScores, Evaluation, Interval, Scores, TimedOn
from mesm.records.sweep import DenseReference, LayerMacs, Sweep, SweepPoint
from mesm.records.timing import TimedModel, Timing

LABELS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
TOY = CorpusId("toy")
_LAYERS = (
    ("visual", "stem", "conv5x5"),
    ("visual", "attention", "attention1"),
    ("visual", "conv", "block2.conv1"),
    ("visual", "conv", "block2.conv2"),
    ("acoustic", "conv", "block3.conv1"),
    ("text", "head", "classifier"),
)


def made_provenance(verb: str, checkpoint: str, corpus: CorpusId, sha256: str) -> Provenance:
    return Provenance(
        created="2026-11-23T13:03:33+00:00",
        mesm_commit="abc1234",
        python="3.11",
        corpus=corpus,
        checkpoint=checkpoint,
        checkpoint_sha256=(sha256,),
        command=f"mesm {verb} {checkpoint} --corpus {corpus.key}",
        seed=0,
        config={"name": "mesm", "width": 0.25},
    )


def _scores(wacc: float) -> tuple[Scores, dict[str, Interval]]:
    scores = Scores(accuracy=wacc + 5, wacc=wacc, f1=wacc - 10, auc=wacc + 3)
    ends = (("wacc", wacc), ("f1", wacc - 10), ("accuracy", wacc + 5))
    return scores, {name: Interval(value - 2, value + 3) for name, value in ends}


def made_point(top_p: float | None, ratio: float, wacc: float, clips: int = 30) -> SweepPoint:
    average, interval = _scores(wacc)
    conv = round(1e8 * ratio)
    return SweepPoint(
        top_p=top_p,
        average=average,
        interval=interval,
        macs_ratio=ratio,
        macs_ratio_range=(ratio - 0.01, ratio, ratio + 0.01),
        ms_per_clip=100 * ratio + 10,
        per_clip_ratio=tuple(round(ratio + 0.001 * (i % 7 - 3), 4) for i in range(clips)),
        thresholds=(0.5,) * 6,
        macs={"conv_stack": 6 * conv, "fe2e_conv_stack": round(6e8), "total": 6 * conv},
        macs_by_layer=tuple(LayerMacs(*layer, conv * (i + 1)) for i, layer in enumerate(_LAYERS)),
    )


def made_sweep(
    checkpoint: str = "made",
    corpus: CorpusId = TOY,
    sha256: str = "0" * 64,
    clips: int = 30,
    reference: bool = True,
    points: tuple[SweepPoint, ...] = (),
) -> Record[Sweep]:
    points = points or tuple(
        made_point(*values, clips) for values in ((0.2, 0.25, 60.0), (0.5, 0.4, 66.0), (1.0, 0.9, 68.0))
    )
    sweep = Sweep(
        split="test",
        labels=LABELS,
        clips=clips,
        speakers=5,
        points=points,
        elbow=0.5,
        trivial={name: Scores(70.0, 50.0, 20.0) for name in ("never", "always", "chance")},
        clip_ids=tuple(f"clip{i:02d}" for i in range(clips)),
        timed_on=TimedOn("cpu", 2, "made processor"),
        reference=DenseReference("dense", "1" * 64, made_point(None, 1.0, 67.0, clips)) if reference else None,
    )
    return Record("sweep", made_provenance("sweep", checkpoint, corpus, sha256), sweep)


def made_evaluation(
    checkpoint: str = "dense", corpus: CorpusId = TOY, top_p: float | None = None, clips: int = 30
) -> Record[Evaluation]:
    average, interval = _scores(65.0)
    zeros = [[0.0] * len(LABELS)] * clips
    evaluation = Evaluation(
        split="test",
        top_p=top_p,
        labels=LABELS,
        left_out=(),
        clips=clips,
        speakers=5,
        thresholds=(0.5,) * 6,
        average=average,
        per_class={label: ClassScores(75.0, 65.0, 55.0, positives=5) for label in LABELS},
        interval=interval,
        branches={},
        trivial={"never": Scores(70.0, 50.0, 0.0)},
        macs_ratio=1.0 if top_p is None else 0.4,
        macs_ratio_range=None,
        macs={"conv_stack": round(6e8)},
        per_clip=ClipScores(
            ids=tuple(f"clip{i:02d}" for i in range(clips)),
            speakers=("s",) * clips,
            scores=np.array(zeros),
            truth=np.array(zeros),
            conv_stack_ratio=np.ones(clips),
        ),
    )
    return Record("evaluate", made_provenance("evaluate", checkpoint, corpus, "1" * 64), evaluation)


def made_timing(
    corpus: CorpusId = TOY,
    sha256: str = "0" * 64,
    dense: str | None = "1" * 64,
    top_ps: tuple[float, ...] = (0.2, 0.5, 1.0),
    created: str = "2026-11-30T20:00:00+00:00",
) -> Record[Timing]:
    """10 p ms for `made_sweep`, and 8 ms for its FE2E."""
    models = [TimedModel("made", sha256, p, 10 * p) for p in top_ps]
    models += [TimedModel("dense", dense, None, 8.0)] if dense else []
    timing = Timing("test", TimedOn("cpu", 3, "another processor", "2026-11-30"), tuple(models))
    return Record("time", replace(made_provenance("time", "made", corpus, sha256), created=created), timing)
