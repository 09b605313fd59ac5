"""The paper's Tables 3 and 4 on any corpus: what is not there yet is trained, then all is scored by one protocol."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mesm.analysis.predictor import Predictor
from mesm.data.store import Corpus
from mesm.errors import MesmError
from mesm.records import base as typed_records
from mesm.records.base import Record
from mesm.records.legacy import find_records, read_record, write_record
from mesm.records.store import RecordStore
from mesm.records.sweep import Sweep
from mesm.runtime import record_folders
from mesm.studies.evaluation.comparison import over_seeds
from mesm.studies.evaluation.measure import Progress, evaluate, labelled_batches, shared_labels
from mesm.studies.reproduction.table_jobs import Plan, obtain
from mesm.studies.sweep.measure import measure_sweep
from mesm.studies.sweep.top_ps import parse_top_ps
from mesm.training.progress import TrainingProgress

#: Utterances of which each is timed alone.
_TIMED = 16


def line(
    plan: Plan, model: str, records: Path, report: TrainingProgress | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """One line of the table over its seeds: data of a `reproduce` record.

    Scores per class, size, work, time, and where each checkpoint comes from; the clips are in the evaluations' records.

    Args:
        records: folder of these; an evaluation of the same weights on the same clips is read.
        progress: gets clips done and in total of an evaluation.
    """
    models = [obtain(plan, model, seed, report) for seed in plan.seeds]
    predictors = [found.predictor for found in models]
    found = [evaluation(predictor, plan.corpus, plan.split, records, progress) for predictor in predictors]
    data = over_seeds(found, [p.name for p in predictors], plan.seeds)
    del data["per_clip"]
    first = predictors[0]
    return {
        "macs_ratio": None,
        **data,
        "spread": data["spread"] if len(plan.seeds) > 1 else {},  # one run has none
        "parameters": sum(p.numel() for p in first.model.parameters()),
        "macs": round(float(np.mean([f["macs"]["total"] for f in found]))),
        "ms_per_clip": ms_per_clip(first, plan.corpus, plan.split),
        "timed_on": {"device": first.device, "threads": torch.get_num_threads()},
        "checkpoints": [
            {
                "seed": seed,
                "name": one.predictor.name,
                "sha256": one.predictor.sha256,
                "origin": one.origin,
                "differs": list(one.differs),
                "epochs": one.predictor.metrics.train.get("epochs"),
                "train_seconds": one.predictor.metrics.train_seconds,
            }
            for seed, one in zip(plan.seeds, models, strict=True)
        ],
    }


def evaluation(
    predictor: Predictor, corpus: Corpus, split: str, records: Path, progress: Progress | None = None
) -> dict[str, Any]:
    """Data of an `evaluate` record of these weights on this split: a record's that is there, else made and written."""
    for path in find_records((records, *record_folders()), "evaluate", predictor.name, corpus.name):
        record = read_record(path)
        same = record["provenance"].get("checkpoint_sha256") == predictor.sha256 and record["data"]["split"] == split
        if same and record["data"]["per_clip"]["id"] == list(corpus.ids(split)) and _at_home(record, predictor):
            return dict(record["data"])
    data = evaluate(predictor, corpus, split, progress=progress)
    write_record(
        records,
        "evaluate",
        predictor.name,
        corpus.name,
        data,
        checkpoint_sha256=predictor.sha256,
        config=predictor.config.to_dict(),
        seed=predictor.metrics.seed,
        command=f"mesm evaluate {predictor.name} --corpus {corpus.name} --split {split}",
    )
    return data


def _at_home(record: dict[str, Any], predictor: Predictor) -> bool:
    """Whether an evaluation used the checkpoint's own top-p."""
    return bool(record["data"]["top_p"] == (predictor.config.top_p if predictor.has_attention else None))


def figure_5_sweep(
    sparse: Predictor, dense: Predictor, plan: Plan, records: Path, command: str, progress: Progress | None = None
) -> Record[Sweep]:
    """Return the sweep of ten top-p against FE2E: a record of these weights on these clips, or a new one."""
    top_ps, ids = parse_top_ps("0.1:1.0:0.1"), plan.corpus.ids(plan.split)
    store = RecordStore((records, *record_folders()))
    for record in store.find("sweep", checkpoint_sha256=sparse.sha256, corpus=plan.corpus.id):
        data: Sweep = record.data
        same_reference = data.reference is not None and data.reference.sha256 == dense.sha256
        if same_reference and data.clip_ids == tuple(ids) and {point.top_p for point in data.points} >= set(top_ps):
            return record
    data = measure_sweep(sparse, plan.corpus, top_ps, against=dense, split=plan.split, progress=progress)
    provenance = typed_records.new_provenance(plan.corpus.id, sparse.name, [sparse.sha256], command)
    record = Record("sweep", provenance, data)
    typed_records.write_record(records, record)
    return record


@torch.no_grad()
def ms_per_clip(predictor: Predictor, corpus: Corpus, split: str) -> float:
    """Median milliseconds of the model on one utterance alone; on a CPU of processor time, all threads together.

    Processor time, because whatever else a machine does must not count. Without reading, ingestion and phase one, and
    without a frozen text encoder, whose vectors are kept.
    """
    clock = time.process_time if predictor.device == "cpu" else time.perf_counter
    loader = labelled_batches(predictor, corpus, split, shared_labels(predictor, corpus), 1)
    taken = []
    for number, batch in enumerate(itertools.islice(loader.epoch(0), _TIMED + 1)):
        batch = batch.to(predictor.device)
        started = clock()
        scores = predictor.model(batch).scores_BE
        scores.cpu()
        if number:  # the first call folds weights and warms up
            taken.append(1e3 * (clock() - started))
    return round(float(np.median(taken)), 2) if taken else float("nan")


def lines(
    plan: Plan,
    models: Sequence[str],
    records: Path,
    report: TrainingProgress | None = None,
    progress: Progress | None = None,
) -> Iterator[tuple[str, dict[str, Any] | MesmError]]:
    """Every line in turn, or why it cannot be made (no features, no text encoder within reach); the others go on."""
    for model in models:
        try:
            yield model, line(plan, model, records, report, progress)
        except MesmError as error:
            yield model, error
