"""Frames per second of ingestion's face search against the plain per-frame loop: `python -m benchmarks.ingest`.

Plain is facenet-pytorch's MTCNN called with one frame at a time, as the authors' code does. Both see the same frames:
portraits of the public domain (scikit-image's astronaut) panned, zoomed and blurred, and Marionette's heads rendered
at the same size. Time is the process's own processor time on one thread, so that a busy machine does not matter; on an
idle one ask for waiting time on all cores. Every frame whose box overlaps the plain one by less than `SAME` (intersection
over union) is listed.

    --clock wall --threads 2   what somebody waits for on two cores
    --memory   instead: peak memory of a 2-hour video cut into utterances, and of a corpus of 20 000 clips
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.timing import CLOCKS, conditions, write_measured
from mesm.data.ingest.faces import DetectedFace, MtcnnDetector, choose_face
from mesm.data.ingest.search import CoarseToFine

SAME = 0.9
WIDTH, HEIGHT = 640, 360
_ZOOMS = (0.6, 0.8, 1.0, 1.3, 1.7)


def portraits(count: int, seed: int = 0) -> Iterator[tuple[str, np.ndarray]]:
    """Names and (360, 640, 3) uint8 frames: the portrait panned, zoomed by `_ZOOMS` and blurred by 0 to 3 px."""
    from PIL import Image, ImageFilter
    from skimage import data

    rng, whole = np.random.default_rng(seed), Image.fromarray(data.astronaut()).crop((0, 0, 512, 288))
    for number in range(count):
        zoom = _ZOOMS[number % len(_ZOOMS)]
        wide, high = round(WIDTH / zoom), round(HEIGHT / zoom)
        picture = whole.resize((WIDTH, HEIGHT))
        x, y = rng.integers(-60, 61), rng.integers(-20, 21)
        left, top = WIDTH * 0.44 - wide / 2 + x, HEIGHT * 0.42 - high / 2 + y
        blur = float(rng.uniform(0, 3)) if number % 2 else 0.0
        view = picture.transform(
            (WIDTH, HEIGHT), Image.Transform.EXTENT, (left, top, left + wide, top + high), Image.Resampling.BILINEAR
        ).filter(ImageFilter.GaussianBlur(blur))
        yield f"portrait {number} zoom {zoom} blur {blur:.1f}", np.asarray(view)


def heads(folder: str, count: int) -> Iterator[tuple[str, np.ndarray]]:
    """Frames of Marionette's previews, (360, 640, 3): the square picture between two grey bands."""
    from PIL import Image

    from mesm.data.corpora import open_corpus
    from mesm.data.ingest.video import FrameSampler

    corpus, made = open_corpus(folder), 0
    for clip_id in corpus.ids():
        path = corpus.media_path(clip_id)
        for time_s, frame in [] if path is None else FrameSampler(path):
            if made == count:
                return
            canvas = np.full((HEIGHT, WIDTH, 3), 118, np.uint8)
            scale = HEIGHT / max(frame.shape[:2])
            size = (round(frame.shape[1] * scale), round(frame.shape[0] * scale))
            left = (WIDTH - size[0]) // 2
            canvas[: size[1], left : left + size[0]] = np.asarray(Image.fromarray(frame).resize(size))
            made += 1
            yield f"{clip_id} {time_s:.1f} s", canvas


def overlap(one: DetectedFace | None, other: DetectedFace | None) -> float:
    """Intersection over union of two boxes; 1 where neither found a face, 0 where only one did."""
    if one is None or other is None:
        return float(one is other)
    corner, far = np.maximum(one.box[:2], other.box[:2]), np.minimum(one.box[2:], other.box[2:])
    shared = float(np.prod(np.maximum(far - corner, 0)))
    areas = [float(np.prod(face.box[2:] - face.box[:2])) for face in (one, other)]
    return shared / (sum(areas) - shared)


def timed(
    detect: Callable[[Sequence[np.ndarray]], list[list[DetectedFace]]],
    frames: Sequence[np.ndarray],
    together: int,
    now: Callable[[], float],
) -> tuple[list[DetectedFace | None], float]:
    """Faces, and seconds by the clock."""
    faces: list[DetectedFace | None] = []
    start = now()
    for i in range(0, len(frames), together):
        faces += map(choose_face, detect(frames[i : i + together]))
    return faces, now() - start


def compare(named: Sequence[tuple[str, np.ndarray]], clock: str) -> dict[str, Any]:
    """Both searches over the same frames."""
    plain, fast = MtcnnDetector(), CoarseToFine()
    frames = [frame for _, frame in named]
    for detector in (plain, fast):
        detector.detect(frames[:1])
    expected, plain_s = timed(plain.detect, frames, 1, CLOCKS[clock])
    faces, fast_s = timed(fast.detect, frames, 16, CLOCKS[clock])
    overlaps = [overlap(a, b) for a, b in zip(expected, faces, strict=True)]
    return {
        "frames": len(frames),
        "with_a_face": sum(face is not None for face in expected),
        "plain_frames_per_s": round(len(frames) / plain_s, 2),
        "fast_frames_per_s": round(len(frames) / fast_s, 2),
        "times_faster": round(plain_s / fast_s, 2),
        "same_share": round(float(np.mean([value >= SAME for value in overlaps])), 4),
        "median_overlap": round(statistics.median(overlaps), 4),
        "differing": {name: round(value, 3) for (name, _), value in zip(named, overlaps, strict=True) if value < SAME},
    }


def memory(clips: int, hours: float) -> dict[str, Any]:
    """Peak memory of this process while it imports a long video in parts, and then many clips; a stand-in, no faces."""
    from mesm.data.importers.decode import Settings
    from mesm.data.importers.engine import import_release
    from mesm.data.importers.plan import MediaSpan, Release, Utterance

    measured: dict[str, Any] = {"before_mb": _peak_mb()}
    with tempfile.TemporaryDirectory() as folder:
        long, short = Path(folder) / "long.mp4", Path(folder) / "short.mp4"
        _write_video(long, 3600 * hours)
        _write_video(short, 0.5)
        parts = tuple(
            Utterance(f"p{i}", "words", MediaSpan(long, 60.0 * i, 60.0 * i + 4), labels={"fear": 0.0})
            for i in range(int(60 * hours))
        )
        many = tuple(Utterance(f"c{i}", "words", MediaSpan(short), labels={"fear": 0.0}) for i in range(clips))
        for name, utterances in (("long_video", parts), ("many_clips", many)):
            release = Release(name, ("fear",), utterances, "random")
            start = time.perf_counter()
            report = import_release(
                release, folder, Path(folder) / name, settings=Settings(large_px=0), workers=0, progress=True
            )
            measured[name] = {
                "stored": report.stored, "peak_mb": _peak_mb(), "minutes": round((time.perf_counter() - start) / 60, 2),
            }  # fmt: skip
    return measured


def _peak_mb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def _write_video(path: Path, seconds: float) -> None:
    """Grey, 2 frames a second, with a tone."""
    import av

    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=2, options={"preset": "ultrafast", "g": "10"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = out.add_stream("aac", rate=16_000, layout="mono")
        tone = (0.2 * np.sin(np.arange(8000) / 3)).astype(np.float32)[None]
        for i in range(max(1, round(2 * seconds))):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), i % 200, np.uint8), format="rgb24")
            frame.pts = i
            out.mux(video.encode(frame))
            block = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            block.sample_rate, block.pts = 16_000, 8000 * i
            out.mux(sound.encode(block))
        out.mux(video.encode(None))
        out.mux(sound.encode(None))


def main() -> None:
    """Print the figures, and write them to a file if one is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--portraits", type=int, default=60)
    parser.add_argument("--heads", type=int, default=60)
    parser.add_argument("--corpus", default="marionette")
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory", action="store_true", help="measure the memory of a large import instead")
    parser.add_argument("--clips", type=int, default=20_000)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    measured: dict[str, Any] = {"conditions": {**conditions(), "clock": arguments.clock}}
    if arguments.memory:
        measured |= memory(arguments.clips, arguments.hours)
    else:
        measured["portraits"] = compare(list(portraits(arguments.portraits)), arguments.clock)
        measured["marionette"] = compare(list(heads(arguments.corpus, arguments.heads)), arguments.clock)
    write_measured(measured, arguments.json)


if __name__ == "__main__":
    main()
