"""Small records and a clip for the tests of figures."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from mesm.batch import Sample, Word
from mesm.figures.export import FigureExport
from mesm.records.ablation import Ablation, AblationLine, AblationRun, AblationSetup, ShuffledText
from mesm.records.base import CorpusId, Provenance, Record
from mesm.records.comparison import PairedDifference
from mesm.records.evaluation import ClassScores, ClipScores, Evaluation, Interval, ScoredModel, Scores
from mesm.records.prediction import LayerTrace, Prediction, Trace
from mesm.records.reproduction import LineCheckpoint, ReproducedLine, TimedOn
from mesm.records.seeds import SeedClipScores, SeedRun, SeedsMean, SeedsSummary
from mesm.studies.case.exports import export_case
from mesm.studies.case.mosaic import MosaicStyle, fit_window

LABELS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
CLIPS = 30
TOY = CorpusId("toy")
GRIDS = {"visual": ((24, 24), (12, 12), (6, 6)), "acoustic": ((64, 16), (32, 8), (16, 4))}


def made_provenance(checkpoint: str = "made", sha256: str = "0" * 64, corpus: CorpusId = TOY) -> Provenance:
    return Provenance(
        "2026-11-23T13:03:33+00:00",
        "abc1234",
        "3.11",
        corpus,
        checkpoint,
        (sha256,),
        f"mesm evaluate {checkpoint} --corpus toy",
        0,
        {"name": "mesm", "width": 0.25},
    )


def made_evaluation(top_p: float | None = 0.5) -> Evaluation:
    """An evaluation whose scores, truth and thresholds go with nothing else in it."""
    rng = np.random.default_rng(0)
    truth = rng.random((CLIPS, 6)) < 0.3
    scores = np.clip(0.35 + 0.3 * truth + rng.normal(0, 0.15, (CLIPS, 6)), 0, 1).round(4)
    average = Scores(80.0, 70.0, 50.0, 75.0, 77.0)
    return Evaluation(
        split="test",
        top_p=top_p,
        labels=LABELS,
        clips=CLIPS,
        speakers=5,
        average=average,
        per_class={name: ClassScores(80.0, 70.0 + i, 50.0, 75.0, 77.0, 5) for i, name in enumerate(LABELS)},
        interval={"wacc": Interval(68.0, 72.0), "f1": Interval(48.0, 52.0), "accuracy": Interval(78.0, 82.0)},
        trivial={
            "never": Scores(70.0, 50.0, 0.0),
            "always": Scores(30.0, 50.0, 31.0),
            "chance": Scores(60.0, 50.0, 20.0),
        },
        macs_ratio=0.4 if top_p else 1.0,
        left_out=(),
        thresholds=(0.5,) * 6,
        branches={},
        macs_ratio_range=None,
        macs={"conv_stack": 1, "fe2e_conv_stack": 2},
        per_clip=ClipScores(
            tuple(f"clip{i:02d}" for i in range(CLIPS)),
            tuple(f"s{i % 5}" for i in range(CLIPS)),
            scores,
            truth.astype(int),
            np.zeros(0),
        ),
    )


def evaluation_record(checkpoint: str = "made", top_p: float | None = 0.5) -> Record[Evaluation]:
    return Record("evaluate", made_provenance(checkpoint), made_evaluation(top_p))


def made_seeds(seeds: int = 3, top_p: float | None = 0.5) -> SeedsSummary:
    """The mean of runs that all score alike, with a spread in WAcc."""
    one = made_evaluation(top_p)
    clips = one.per_clip
    scores = np.stack([clips.scores] * seeds)
    return SeedsSummary(
        **{f.name: getattr(one, f.name) for f in fields(ScoredModel)},
        spread={"wacc": 0.5} if seeds > 1 else {},
        runs=tuple(SeedRun(f"run{i}", i, one.average, 0.4, one.thresholds, one.interval) for i in range(seeds)),
        per_clip=SeedClipScores(clips.ids, clips.speakers, scores, clips.truth),
    )


def made_line(macs: int = 200_000_000, top_p: float | None = 0.5) -> ReproducedLine:
    mean = made_seeds(1, top_p)
    return ReproducedLine(
        **{f.name: getattr(mean, f.name) for f in fields(SeedsMean)},
        parameters=1_900_000,
        macs=macs,
        ms_per_clip=12.5,
        timed_on=TimedOn("cpu", 2),
        checkpoints=(LineCheckpoint(0, "made", "0" * 64, "trained", ()),),
    )


def reproduction_record(model: str = "MESM", macs: int = 200_000_000) -> Record[ReproducedLine]:
    return Record("reproduce", made_provenance(model), made_line(macs, 0.5 if model == "MESM" else None))


def ablation_record() -> Record[Ablation]:
    """Three rows of two seeds: the reference, one of its modalities, one of another group."""
    run = AblationRun(0, Scores(80.0, 70.0, 50.0, None, 77.0), 1.0, 60.0)
    reference = AblationLine(
        row="fe2e-TAV",
        group="FE2E, modalities",
        what="FE2E on TAV",
        average=Scores(80.0, 70.0, 50.0, None, 77.0),
        macs_ratio=1.0,
        interval={"wacc": Interval(68.04, 72.0), "f1": Interval(47.04, 52.0)},
        top_p=None,
        modalities=("text", "visual", "acoustic"),
        runs=(run, replace(run, seed=1)),
        seconds=60.0,
        spread={"wacc": 1.5},
        loaded=(None, None),
    )
    part = replace(
        reference,
        row="fe2e-TA",
        what="FE2E on TA",
        against="fe2e-TAV",
        difference={"wacc": PairedDifference(-1.25, -2.5, 0.1, 0.1)},
    )
    lost = ShuffledText(70.0, 68.0, 2.0)
    gate = replace(
        part, row="gate-hard", group="gate", what="gate hard", macs_ratio=0.4,
        shuffled_text={"visual": {"wacc": lost, "auc": lost}},
    )  # fmt: skip
    setup = AblationSetup("toy", epochs=6)
    data = Ablation(setup, (0, 1), LABELS, (reference, part, gate))
    return Record("ablation", replace(made_provenance(), checkpoint="", checkpoint_sha256=()), data)


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
