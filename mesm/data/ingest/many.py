"""Track the faces of many clips: frames of several share the detector's batches while the next ones are decoded."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

import numpy as np

from mesm.data.ingest.faces import Detector, FaceTrack, FaceTrackBuilder, batch_frames, shared_detector

Key = TypeVar("Key")
#: Frames that wait for the detector are at most this many pixels, and at most one frame if that is larger.
_WAITING_PIXELS = 8_000_000


class _Frames(Generic[Key]):
    """Yield the frames of all clips in order, decoded in a thread that stays a little ahead.

    Iterating yields (key, time, frame) and, after the last frame of a clip, (key, time, None).
    """

    def __init__(self, clips: Iterable[tuple[Key, Iterable[tuple[float, np.ndarray]]]]) -> None:
        self.clips = clips
        self.ready: queue.Queue[tuple[Key, float, np.ndarray | None] | BaseException | None] = queue.Queue()
        self.free = threading.Condition()
        self.pixels, self.stopped = 0, False

    def _decode(self) -> None:
        try:
            for key, frames in self.clips:
                for time_s, frame in frames:
                    if not self._wait_for(frame.shape[0] * frame.shape[1]):
                        return
                    self.ready.put((key, time_s, frame))
                self.ready.put((key, 0.0, None))
            self.ready.put(None)
        except BaseException as error:  # handed to the reader, who raises it
            self.ready.put(error)

    def _wait_for(self, pixels: int) -> bool:
        with self.free:
            self.free.wait_for(lambda: self.stopped or self.pixels == 0 or self.pixels + pixels <= _WAITING_PIXELS)
            self.pixels += pixels
            return not self.stopped

    def __iter__(self) -> Iterator[tuple[Key, float, np.ndarray | None]]:
        decoder = threading.Thread(target=self._decode, daemon=True, name="mesm-decoder")
        decoder.start()
        try:
            while (item := self.ready.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
                if item[2] is not None:
                    with self.free:
                        self.pixels -= item[2].shape[0] * item[2].shape[1]
                        self.free.notify()
        finally:
            with self.free:
                self.stopped = True
                self.free.notify()
            decoder.join()


def track_clips(
    clips: Iterable[tuple[Key, Iterable[tuple[float, np.ndarray]]]],
    *,
    large_px: int = 96,
    detector: Detector | None = None,
) -> Iterator[tuple[Key, FaceTrack]]:
    """Run `mesm.data.ingest.faces.track_faces` on many clips: the same crops, in the order of the clips.

    Args:
        clips: (key, frames) with frames as for `track_faces`; decoded ahead in a thread, at most about
            `_WAITING_PIXELS` of them in memory. What a clip's iterator raises, this raises.
        large_px: side of the larger crop; 0 for none.
        detector: MTCNN unless given.
    """
    builders: dict[int, tuple[Key, FaceTrackBuilder]] = {}
    batch: list[tuple[int, float, np.ndarray]] = []
    number = 0

    def search() -> None:
        if batch:
            detected = (detector or shared_detector()).detect([frame for _, _, frame in batch])
            for (clip, time_s, frame), faces in zip(batch, detected, strict=True):
                builders[clip][1].add(time_s, frame, faces)
            batch.clear()

    def finished(until: int) -> Iterator[tuple[Key, FaceTrack]]:
        for clip in sorted(builders):
            if clip < until:
                key, builder = builders.pop(clip)
                yield key, builder.track()

    for key, time_s, frame in _Frames(clips):
        builders.setdefault(number, (key, FaceTrackBuilder(large_px)))
        if frame is None:
            number += 1
            if not batch:
                yield from finished(number)
            continue
        if batch and frame.shape != batch[0][2].shape:
            search()
        batch.append((number, time_s, frame))
        if len(batch) >= batch_frames(frame):
            search()
            yield from finished(number)
    search()
    yield from finished(number)
