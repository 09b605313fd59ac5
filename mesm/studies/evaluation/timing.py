"""Time models on one clip alone: the one measurement of milliseconds that tables and figures print."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import torch

from mesm.analysis.predictor import Predictor
from mesm.data.store import Corpus
from mesm.errors import DataError
from mesm.records.evaluation import TimedOn
from mesm.records.timing import TimedModel, Timing
from mesm.runtime import Progress, processor
from mesm.studies.evaluation.measure import labelled_batches, labelled_rows, shared_labels

#: Clips of which each is timed alone.
_TIMED = 16


def time_models(
    predictors: Sequence[Predictor],
    top_ps: Sequence[float],
    corpus: Corpus,
    split: str = "test",
    progress: Progress | None = None,
) -> Timing:
    """Time models by `ms_per_clip`: those with attention at every top-p, the others once.

    Args:
        progress: called with the clips done and their number.

    Raises:
        DataError: the corpus lacks the split or its labels, or has a single clip there.
    """
    runs = [(one, top_p) for one in predictors for top_p in (top_ps if one.has_attention else (None,))]
    if len(labelled_rows(corpus, split)) < 2:
        raise DataError(f"corpus {corpus.name!r} has one {split} clip; timing takes two, the first to warm up")
    times = ms_per_clip(runs, corpus, split, progress)
    models = tuple(
        TimedModel(one.name, one.sha256, top_p, ms or 0.0) for (one, top_p), ms in zip(runs, times, strict=True)
    )
    return Timing(split, timed_on(predictors[0].device), models)


@torch.no_grad()
def ms_per_clip(
    runs: Sequence[tuple[Predictor, float | None]], corpus: Corpus, split: str, progress: Progress | None = None
) -> tuple[float | None, ...]:
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
    clips = min(_TIMED + 1, len(corpus.ids(split)))
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
        if progress is not None:
            progress(number + 1, clips)
    return tuple(round(float(np.median(times)), 2) if times else None for times in taken)


def timed_on(device: str) -> TimedOn:
    """Return this machine and today, as records name them."""
    machine = torch.cuda.get_device_name() if device.startswith("cuda") else processor()
    return TimedOn(device, torch.get_num_threads(), machine, datetime.now(UTC).date().isoformat())
