"""Time models on one clip alone: the one measurement of milliseconds that tables and figures print."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence

import numpy as np
import torch

from mesm.analysis.predictor import Predictor
from mesm.data.store import Corpus
from mesm.records.evaluation import TimedOn
from mesm.runtime import processor
from mesm.studies.evaluation.measure import labelled_batches, shared_labels

#: Clips of which each is timed alone.
_TIMED = 16


@torch.no_grad()
def ms_per_clip(runs: Sequence[tuple[Predictor, float | None]], corpus: Corpus, split: str) -> tuple[float | None, ...]:
    """Time each model at its top-p on one clip alone: median milliseconds; on a CPU of processor time, all threads together.

    Every clip passes all runs in turn, so that a slow moment of the machine slows all alike; processor time, so that its
    other work does not count. Reading, ingestion, and a frozen text encoder, whose vectors are cached, are not timed.

    Returns:
        a value per run; None on a split without clips.
    """
    loaders = {
        id(predictor): labelled_batches(predictor, corpus, split, shared_labels(predictor, corpus), 1).epoch(0)
        for predictor, _ in runs
    }
    taken: list[list[float]] = [[] for _ in runs]
    for number, batches in enumerate(itertools.islice(zip(*loaders.values(), strict=True), _TIMED + 1)):
        batch_of = dict(zip(loaders, batches, strict=True))
        for (predictor, top_p), times in zip(runs, taken, strict=True):
            clock = time.process_time if predictor.device == "cpu" else time.perf_counter
            batch = batch_of[id(predictor)].to(predictor.device)
            for _ in range(2):  # what a first call costs is not timed: packed weights, buffers
                predictor.model(batch, top_p)
            started = clock()
            predictor.model(batch, top_p).scores_BE.cpu()
            if number:  # the first clip folds weights and warms up
                times.append(1e3 * (clock() - started))
    return tuple(round(float(np.median(times)), 2) if times else None for times in taken)


def timed_on(device: str) -> TimedOn:
    """Return this machine, as records name it."""
    machine = torch.cuda.get_device_name() if device.startswith("cuda") else processor()
    return TimedOn(device, torch.get_num_threads(), machine)
