"""How long the server needs from a released slider to the new pictures: `python -m benchmarks.app --json F`.

One clip of 16 faces and 16 mel chunks, the work that does not depend on top-p already done, a new top-p every time (so
nothing comes from a cache): the model, its cost, both mosaics as PNG, both charts as JSON. What the browser adds is
measured by tests/app/test_browser.py.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

SEGMENTS = 16


def resident_mb() -> float:
    """Memory of this process that is in use."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def untrained(width: float, folder: Path) -> Path:
    """A MESM of this width with random weights, as a checkpoint: the hard case, its masks are scattered."""
    from mesm.models import build_model, save_checkpoint
    from mesm.presets import preset
    from mesm.records.checkpoint import CheckpointMetrics

    config = replace(preset("marionette-mesm").model, width=width)
    metrics = CheckpointMetrics(thresholds=(0.5,) * len(config.labels))
    return save_checkpoint(folder, build_model(config), metrics, "Untrained.")


def measure(checkpoint: Path, corpus_name: str, moves: int, overlay: str) -> dict[str, float | int | str]:
    """Milliseconds per move and growth of the memory after the first 50."""
    from mesm.data.corpora import open_corpus
    from mesm.studies.case.chart_data import scores_chart
    from mesm.studies.case.mosaic import MosaicStyle, fit_window
    from mesm.studies.case.screen import chart_scores, chart_work
    from mesm.ui import clip_pictures, models
    from mesm.ui.corpora import Case

    import torch  # isort: skip  - after mesm.ui, which decides how its threads wait

    corpus = open_corpus(corpus_name)
    first = corpus[corpus.ids()[0]]
    sample = replace(
        first,
        faces=np.resize(first.faces, (SEGMENTS, *first.faces.shape[1:])),
        faces_large=np.resize(first.faces_large, (SEGMENTS, *first.faces_large.shape[1:])),
        face_times_s=np.arange(SEGMENTS, dtype=np.float32) / 2,
        face_found=np.ones(SEGMENTS, bool),
        mel=np.resize(first.mel, (SEGMENTS, *first.mel.shape[1:])),
        duration_s=SEGMENTS / 2,
        truth=None,
    )
    # A clip of a corpus: what is kept of an own one needs a visit.
    case = Case("benchmark", "clip", sample, corpus=corpus.id)
    model = models.open_model(checkpoint)
    strip, look = fit_window(sample.duration_s), MosaicStyle(overlay)
    steps: dict[str, list[float]] = {"model": [], "pictures": [], "charts": [], "all": []}
    memory = 0.0
    for move, top_p in enumerate(np.random.default_rng(0).uniform(0.3, 1.0, moves)):
        start = time.perf_counter()
        prediction = models.predict(model, case, float(top_p))
        run = time.perf_counter()
        clip_pictures.draw_clip(case, prediction, model.facts.sha256, strip, look)
        drawn = time.perf_counter()
        chart_scores(scores_chart(prediction, sample.labels)).to_json()
        chart_work(prediction.macs).to_json()
        end = time.perf_counter()
        for name, seconds in zip(steps, (run - start, drawn - run, end - drawn, end - start), strict=True):
            steps[name].append(1000 * seconds)
        if move == 50:
            memory = resident_mb()
    found: dict[str, float | int | str] = {
        "checkpoint": checkpoint.name,
        "width": model.facts.config.width,
        "overlay": overlay,
        "moves": moves,
        "torch_threads": torch.get_num_threads(),
        "growth_mb": round(resident_mb() - memory, 1),
    }
    warm = {name: values[5:] for name, values in steps.items()}
    found |= {f"{name}_p50_ms": round(float(np.median(values)), 1) for name, values in warm.items()}
    found |= {"p50_ms": found["all_p50_ms"], "p95_ms": round(float(np.percentile(warm["all"], 95)), 1)}
    return found


def main() -> None:
    """Print the figures, and write them to a file if one is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="marionette-mesm")
    parser.add_argument("--corpus", default="marionette")
    parser.add_argument("--moves", type=int, default=500)
    parser.add_argument("--overlay", default="mask")
    parser.add_argument("--width", type=float, help="an untrained MESM of this width instead, such as 1")
    parser.add_argument("--json", help="file for the figures")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # Streamlit's, about running without a server
    from mesm.analysis.checkpoints import checkpoint_folder

    with tempfile.TemporaryDirectory() as folder:
        checkpoint = (
            untrained(arguments.width, Path(folder) / f"untrained-{arguments.width:g}")
            if arguments.width
            else checkpoint_folder(arguments.checkpoint)
        )
        text = json.dumps(measure(checkpoint, arguments.corpus, arguments.moves, arguments.overlay), indent=1)
    print(text)
    if arguments.json:
        Path(arguments.json).write_text(text + "\n")


if __name__ == "__main__":
    main()
