"""Measure the processor time of each part of `mesm predict`: one thread, one process, mean over many clips.

    python -m benchmarks.predict --clips 60 --json predict.json
    python -m benchmarks.predict --source clips/ --detector mtcnn

Each clip passes all parts in turn: decoding the picture, finding and cutting faces, sound, the sentence's vector, the model.
`guard` is what the child process of the command adds: a clip written as a corpus of one and read again.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.timing import conditions, write_measured
from mesm.analysis.predictor import Predictor, load
from mesm.batch import query_text
from mesm.data.clip_list import ListedClip, list_clips
from mesm.data.ingest.audio import read_sound
from mesm.data.ingest.clip import assemble
from mesm.data.ingest.faces import Detector, MtcnnDetector, shared_detector, track_faces
from mesm.data.ingest.private_folder import private_folder
from mesm.data.ingest.search import shared_search
from mesm.data.ingest.video import FrameSampler
from mesm.data.store import Corpus, CorpusWriter
from mesm.runtime import assets

DETECTORS: dict[str, Callable[[], MtcnnDetector]] = {"coarse": shared_search, "mtcnn": shared_detector}


class Split:
    """Sum the processor milliseconds of each part."""

    def __init__(self) -> None:
        self.ms: Counter[str] = Counter()
        self.last = time.process_time()

    def end(self, part: str) -> None:
        """Count the time since the part before."""
        now = time.process_time()
        self.ms[part] += 1e3 * (now - self.last)
        self.last = now


def pass_clip(clip: ListedClip, predictor: Predictor, detector: Detector, split: Split) -> int:
    """Score a clip part by part; return its number of faces."""
    split.end("")
    frames = list(FrameSampler(clip.path))
    split.end("picture")
    track = track_faces(frames, large_px=0, detector=detector)
    split.end("faces")
    sound = read_sound(clip.path)
    waveform = None if sound is None else sound.waveform
    sample = assemble("clip", clip.text, track, waveform, duration_s=len(frames) / 2)
    split.end("sound")
    with private_folder() as folder:
        with CorpusWriter(folder, name="upload", compressed=False) as writer:
            writer.add(sample)
        sample = Corpus(folder)["clip"]
    split.end("guard")
    predictor.text_encoder.vectors([query_text(sample.text)])
    split.end("text")
    prepared = predictor.prepare(sample)
    split.end("text and stem")
    predictor.run(prepared, trace=False)
    split.end("sparse blocks, Transformer, heads")
    return len(sample.faces)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default=str(assets() / "marionette" / "media"))
    parser.add_argument("--checkpoint", default="marionette-mesm")
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--detector", choices=sorted(DETECTORS), default="coarse")
    parser.add_argument("--json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    predictor, detector = load(arguments.checkpoint, device="cpu"), DETECTORS[arguments.detector]()
    clips = list_clips(Path(arguments.source))[0][: arguments.clips]
    for clip in clips[:2]:
        pass_clip(clip, predictor, detector, Split())
    split = Split()
    faces = sum(pass_clip(clip, predictor, detector, split) for clip in clips)
    ms = {part: value / len(clips) for part, value in split.ms.items() if part}
    ms["stem"] = ms.pop("text and stem") - ms["text"]
    split_ms = {part: round(value, 1) for part, value in sorted(ms.items(), key=lambda item: -item[1])}
    measured = {"clips": len(clips), "faces": faces, "ms": split_ms, "sum_ms": round(sum(ms.values()), 1)}
    write_measured({**conditions(), **measured}, arguments.json)


if __name__ == "__main__":
    main()
