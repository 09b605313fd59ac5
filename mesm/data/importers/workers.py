"""Run chunks of utterances in processes of this machine, in order, a bounded number at a time."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from mesm.data.importers.decode import Outcome, Settings, make_outcomes
from mesm.data.importers.plan import Problem, Utterance
from mesm.data.ingest import limits
from mesm.data.ingest.search import shared_search
from mesm.data.sources import SourceFacts
from mesm.errors import DataError

Chunk = Sequence[Utterance]
#: Chunks that are under way or wait to be written, per worker: this bounds the memory.
_AHEAD = 2
#: Longest time without a frame, and the heap of a worker.
STALL_S, _MEMORY_MB = 120.0, 4096
#: A worker that ended, or had no memory for a frame.
_ENDED = (BrokenProcessPool, MemoryError)


def one_thread() -> None:
    """Set one thread for this worker, so that its results do not depend on the load of the machine."""
    import torch

    torch.set_num_threads(1)


def make_chunk(chunk: Chunk, settings: Settings) -> list[Outcome]:
    """Make the outcomes of one chunk with this worker's detector."""
    return make_outcomes(chunk, settings, shared_search())


def make_chunk_guarded(chunk: Chunk, settings: Settings, stall_s: float) -> list[Outcome]:
    """Make the outcomes of one chunk; this process ends where no frame is decoded for `stall_s` seconds."""
    limits.end_after(stall_s)
    try:
        return make_outcomes(chunk, settings, shared_search(), lambda: limits.end_after(stall_s))
    finally:
        limits.end_never()


def run_here(chunks: Sequence[Chunk], settings: Settings) -> Iterator[Outcome]:
    """Run chunks in this process, without limits."""
    for chunk in chunks:
        yield from make_chunk(chunk, settings)


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin_worker, (os.getpid(),))


def _begin_worker(parent: int) -> None:
    limits.end_with_parent(parent)
    limits.limit_memory(_MEMORY_MB)
    one_thread()


def run_local(chunks: Sequence[Chunk], settings: Settings, workers: int, stall_s: float = STALL_S) -> Iterator[Outcome]:
    """Run chunks in `workers` processes with limits. A file that ends its process, or hangs it, costs only itself."""
    waiting: deque[tuple[Chunk, Future[list[Outcome]]]] = deque()
    left = deque(chunks)
    pool = _pool(workers)
    try:
        while left or waiting:
            while left and len(waiting) < _AHEAD * workers:
                chunk = left.popleft()
                waiting.append((chunk, pool.submit(make_chunk_guarded, chunk, settings, stall_s)))
            chunk, future = waiting[0]
            try:
                outcomes = future.result()
            except _ENDED:
                # Which of the chunks under way did it is not known: take their utterances one by one.
                pool.shutdown(wait=True, cancel_futures=True)
                suspects = [utterance for chunk, _ in waiting for utterance in chunk]
                waiting.clear()
                yield from _one_by_one(suspects, settings, stall_s)
                pool = _pool(workers)
                continue
            waiting.popleft()
            yield from outcomes
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _load_detector() -> None:
    shared_search()


def _check_worker(pool: ProcessPoolExecutor) -> None:
    """Start the pool's worker.

    Raises:
        DataError: it ends before it has a clip, so that no clip is to blame.
    """
    try:
        pool.submit(_load_detector).result()
    except _ENDED as error:
        raise DataError(
            "a process of the import ends at its start, before any clip; free memory, or decode in this process with "
            "--workers 0"
        ) from error


def _one_by_one(utterances: Sequence[Utterance], settings: Settings, stall_s: float) -> Iterator[Outcome]:
    pool = _pool(1)
    try:
        for utterance in utterances:
            try:
                yield from pool.submit(make_chunk_guarded, [utterance], settings, stall_s).result()
            except _ENDED:
                pool.shutdown(wait=True, cancel_futures=True)
                pool = _pool(1)
                _check_worker(pool)
                problem = Problem(
                    "broke_decoder",
                    f"decoding it crashed, stood still for {stall_s:.0f} s or took more than {_MEMORY_MB} MB; "
                    "the file may be damaged",
                )
                yield Outcome(utterance.id, SourceFacts(), problem=problem)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
