"""Run what the paper's tables and figures show, on any corpus: rows of Tables 3 and 4, the sweep of Figure 5, a clip.

What is not trained yet is trained (`table_jobs.py`); every row is scored by one protocol.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from shlex import quote

import numpy as np

from mesm.analysis.predictor import Predictor
from mesm.data.features.store import FeatureStore, feature_folder
from mesm.data.store import Corpus
from mesm.errors import DataError, MesmError
from mesm.records.base import Record, new_provenance, write_record
from mesm.records.evaluation import Evaluation
from mesm.records.reproduction import LineCheckpoint, ReproducedLine
from mesm.records.seeds import SeedsMean
from mesm.records.store import RecordStore
from mesm.records.sweep import Sweep
from mesm.runtime import Progress, record_folders
from mesm.studies.case.six import CASE_TOP_P
from mesm.studies.evaluation.measure import evaluate
from mesm.studies.evaluation.timing import ms_per_clip, timed_on
from mesm.studies.reproduction.table_jobs import TableJob, resolve_checkpoint
from mesm.studies.seeds.comparison import average_over_seeds
from mesm.studies.sweep.measure import measure_sweep
from mesm.studies.sweep.top_ps import parse_top_ps
from mesm.training.progress import TrainingProgress
from mesm.vocabulary import MODALITIES

#: Clips among which a rightly scored one is searched.
_CASE_CLIPS = 64


def table_row(
    job: TableJob, model: str, records: Path, report: TrainingProgress | None = None, progress: Progress | None = None
) -> ReproducedLine:
    """Resolve, score and time one model of Table 3 or 4 over its seeds.

    Args:
        records: folder of the evaluations; one of the same weights on the same clips is read, a new one is written.
        progress: gets the clips scored and their number.

    Raises:
        MesmError: a checkpoint cannot be trained or read, or features are missing.
    """
    resolved = [resolve_checkpoint(job, model, seed, report) for seed in job.seeds]
    predictors = [one.predictor for one in resolved]
    evaluations = [find_or_evaluate(p, job.corpus, job.split, records, progress) for p in predictors]
    summary = average_over_seeds(evaluations, [p.name for p in predictors], job.seeds)
    first = predictors[0]
    return ReproducedLine(
        **{f.name: getattr(summary, f.name) for f in fields(SeedsMean)},
        parameters=sum(p.numel() for p in first.model.parameters()),
        macs=round(float(np.mean([evaluation.macs["total"] for evaluation in evaluations]))),
        ms_per_clip=ms_per_clip([(first, None)], job.corpus, job.split)[0],
        timed_on=timed_on(first.device),
        checkpoints=tuple(
            LineCheckpoint(seed, p.name, p.sha256, one.origin, one.differs, _epochs(p), p.metrics.train_seconds)
            for seed, one, p in zip(job.seeds, resolved, predictors, strict=True)
        ),
    )


def table_rows(
    job: TableJob,
    models: Sequence[str],
    records: Path,
    report: TrainingProgress | None = None,
    progress: Progress | None = None,
) -> Iterator[tuple[str, ReproducedLine | MesmError]]:
    """Yield every row in turn, or the error that prevents it (no features, no text encoder within reach)."""
    for model in models:
        try:
            yield model, table_row(job, model, records, report, progress)
        except MesmError as error:
            yield model, error


def find_or_evaluate(
    predictor: Predictor, corpus: Corpus, split: str, records: Path, progress: Progress | None = None
) -> Evaluation:
    """Return the recorded evaluation of these weights on these clips at the checkpoint's top-p, else make and write one."""
    identity = corpus.id
    top_p = predictor.config.top_p if predictor.has_attention else None
    store = RecordStore((records, *record_folders()))
    for record in store.find("evaluate", checkpoint_sha256=predictor.sha256, corpus=identity):
        data: Evaluation = record.data
        if (data.split, data.top_p, data.per_clip.ids) == (split, top_p, tuple(corpus.ids(split))):
            return data
    data = evaluate(predictor, corpus, split, progress=progress)
    provenance = new_provenance(
        identity,
        predictor.name,
        (predictor.sha256,),
        f"mesm evaluate {quote(predictor.name)} --corpus {quote(identity.key)} --split {split}",
        seed=predictor.metrics.seed,
        config=predictor.config.to_dict(),
    )
    write_record(records, Record("evaluate", provenance, data))
    return data


def figure_5_sweep(
    sparse: Predictor, dense: Predictor, job: TableJob, records: Path, command: str, progress: Progress | None = None
) -> Record[Sweep]:
    """Return the recorded sweep of ten top-p against FE2E of these weights on these clips, else make and write one.

    A part of a corpus is drawn by the sweep of the whole: the part has no validation split to choose thresholds on.
    """
    top_ps, ids = parse_top_ps("0.1:1.0:0.1"), set(job.corpus.ids(job.split))
    store = RecordStore((records, *record_folders()))
    for record in store.find("sweep", checkpoint_sha256=sparse.sha256, corpus=job.corpus.id):
        data: Sweep = record.data
        same_reference = data.reference is not None and data.reference.sha256 == dense.sha256
        measured = set(data.clip_ids)
        same_clips = measured == ids or (measured > ids and not job.corpus.ids("valid"))
        if same_reference and same_clips and {point.top_p for point in data.points} >= set(top_ps):
            return record
    data = measure_sweep(sparse, job.corpus, top_ps, against=dense, split=job.split, progress=progress)
    record = Record("sweep", new_provenance(job.corpus.id, sparse.name, [sparse.sha256], command), data)
    write_record(records, record)
    return record


def missing_features(corpus: Corpus) -> tuple[str, ...]:
    """Return the modalities whose hand-crafted features the corpus lacks."""
    folder, missing = feature_folder(corpus), []
    for modality in MODALITIES:
        try:
            FeatureStore(folder, [modality])
        except DataError:
            missing.append(modality)
    return tuple(missing)


def first_right_clip(predictor: Predictor, corpus: Corpus, split: str) -> str:
    """Return the first clip with one emotion, which alone is decided at `CASE_TOP_P`; else the first of the split."""
    ids = corpus.ids(split)
    for clip_id in ids[:_CASE_CLIPS]:
        present = corpus.row(clip_id).present
        if len(present) == 1:
            prediction = predictor.run(predictor.prepare(corpus[clip_id]), CASE_TOP_P, trace=False)
            if prediction.decided == present:
                return clip_id
    return ids[0]


def _epochs(predictor: Predictor) -> int | None:
    epochs = predictor.metrics.train.get("epochs")
    return epochs if isinstance(epochs, int) else None
