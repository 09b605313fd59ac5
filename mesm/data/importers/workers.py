"""Run chunks of utterances in processes of this machine, in order, a bounded number at a time."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache

from mesm.data.importers.decode import Outcome, Settings, make_outcomes
from mesm.data.importers.plan import Problem, Utterance
from mesm.data.ingest.search import CoarseToFine
from mesm.data.sources import SourceFacts

Chunk = Sequence[Utterance]
#: Chunks that are under way or wait to be written, per worker: this bounds the memory.
_AHEAD = 2


@lru_cache(maxsize=1)
def _detector() -> CoarseToFine:
    return CoarseToFine()


def one_thread() -> None:
    """Set one thread for this worker, so that its results do not depend on the load of the machine."""
    import torch

    torch.set_num_threads(1)


def make_chunk(chunk: Chunk, settings: Settings) -> list[Outcome]:
    """Make the outcomes of one chunk with this worker's detector."""
    return make_outcomes(chunk, settings, _detector())


def run_here(chunks: Sequence[Chunk], settings: Settings) -> Iterator[Outcome]:
    """Run chunks in this process."""
    for chunk in chunks:
        yield from make_chunk(chunk, settings)


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), one_thread)


def run_local(chunks: Sequence[Chunk], settings: Settings, workers: int) -> Iterator[Outcome]:
    """Run chunks in `workers` processes. A file that ends its process costs only itself."""
    waiting: deque[tuple[Chunk, Future[list[Outcome]]]] = deque()
    left = deque(chunks)
    pool = _pool(workers)
    try:
        while left or waiting:
            while left and len(waiting) < _AHEAD * workers:
                chunk = left.popleft()
                waiting.append((chunk, pool.submit(make_chunk, chunk, settings)))
            chunk, future = waiting[0]
            try:
                outcomes = future.result()
            except BrokenProcessPool:
                # Which of the chunks under way did it is not known: take their utterances one by one.
                pool.shutdown(wait=True, cancel_futures=True)
                suspects = [utterance for chunk, _ in waiting for utterance in chunk]
                waiting.clear()
                yield from _one_by_one(suspects, settings)
                pool = _pool(workers)
                continue
            waiting.popleft()
            yield from outcomes
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _one_by_one(utterances: Sequence[Utterance], settings: Settings) -> Iterator[Outcome]:
    pool = _pool(1)
    try:
        for utterance in utterances:
            try:
                yield from pool.submit(make_chunk, [utterance], settings).result()
            except BrokenProcessPool:
                pool.shutdown(wait=True, cancel_futures=True)
                pool = _pool(1)
                problem = Problem("broke_decoder", "the process that decoded it ended; the file may be damaged")
                yield Outcome(utterance.id, SourceFacts(), problem=problem)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
