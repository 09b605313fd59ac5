"""`mesm predict`: score the clips in a folder or a CSV."""

from __future__ import annotations

import argparse
import os
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mesm.estimate import counted

if TYPE_CHECKING:
    from mesm.analysis.predictor import Predictor
    from mesm.batch import Sample
    from mesm.cli.score_file import ScoreFile
    from mesm.data.clip_list import ListedClip
    from mesm.data.ingest import Decoders


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm predict`."""
    parser.epilog = (
        "A folder: every video or sound with its transcript beside it (clip.mp4 + clip.txt).\n"
        "A CSV: columns path and text (also file or video, transcript or utterance), in any case of letters and any\n"
        "encoding, with commas, semicolons, tabs or bars between them; paths relative to the CSV.\n"
        "Scores are written as they come, to OUT.part; the same command goes on from there and tries failed clips again.\n"
        "Clips that OUT has already with the same path, text, top-p and checkpoint are not scored again.\n"
        "The flag several_faces counts faces of about the speaker's size: smaller ones are not searched for.\n"
        "examples:\n  mesm predict clips/ --out scores.csv --top-p 0.6\n"
        '  mesm predict clip.mp4 --text "I never thought they would come." --checkpoint people-mesm'
    )
    parser.add_argument("source", help="folder, CSV file, or one clip")
    parser.add_argument(
        "--out", help="CSV to write: one row per clip, one column per emotion (default, for one clip: print its scores)"
    )
    parser.add_argument("--text", help="words of a single clip, instead of the transcript beside it")
    parser.add_argument("--checkpoint", default="marionette-mesm", help="name or folder (default: marionette-mesm)")
    parser.add_argument("--top-p", type=float, help="nucleus mass in (0, 1]; default: the checkpoint's")
    parser.add_argument("--restart", action="store_true", help="score every clip again, and replace OUT of any kind")
    parser.add_argument(
        "--workers", type=int, help="files decoded at a time (default: one per core, at most 8); scoring goes on beside"
    )
    parser.add_argument(
        "--no-guard", action="store_true", help="decode files that you trust in this process, without limits"
    )


def run(arguments: argparse.Namespace) -> int:
    """Score every clip and write the CSV; the error of a clip that fails goes into the column `error`."""
    from mesm.cli.score_file import ScoreFile
    from mesm.data.clip_list import list_clips
    from mesm.data.csv_files import escape_bytes
    from mesm.data.ingest import Decoders
    from mesm.errors import ConfigError, DataError

    source = Path(arguments.source)
    clips, left_out = list_clips(source)
    if arguments.text is not None:
        if not source.is_file() or len(clips) != 1:
            raise ConfigError("--text holds the words of a single clip; name its file")
        clips = [replace(clips[0], text=arguments.text)]
    if arguments.out is None:
        if len(clips) != 1 or clips[0].error:
            raise ConfigError(clips[0].error or f"{counted(len(clips), 'clip')}: name the CSV to write with --out")
        return _print_scores(clips[0], _load(arguments.checkpoint), arguments)
    out = Path(arguments.out)
    if out.exists() and out.samefile(source):
        raise DataError(f"--out {out} is the list of clips itself; choose another file")
    with ScoreFile(out, restart=arguments.restart) as file:
        predictor = _load(arguments.checkpoint)
        with Decoders(_workers(arguments.workers, len(clips)), guarded=not arguments.no_guard) as decoders:
            rows, kept = _score(clips, predictor, arguments.top_p, file, decoders)
        file.finish(rows)
    failed = sum(bool(row["error"]) for row in rows)
    again = f" ({kept} of them before)" if kept else ""
    print(f"{escape_bytes(str(out))}: {counted(len(rows) - failed, 'clip')} scored{again}, {failed} failed")
    if left_out:
        shown = ", ".join(map(escape_bytes, left_out[:20])) + (" ..." if len(left_out) > 20 else "")
        print(f"left out (no clips; folders inside are not searched): {shown}")
    return 0 if failed < len(rows) else 1


def _load(checkpoint: str) -> Predictor:
    """Load a checkpoint, and print what its scores are good for."""
    from mesm.analysis.predictor import load
    from mesm.records.limits import training_note

    predictor = load(checkpoint)
    if note := training_note(predictor.metrics):
        print(note, file=sys.stderr)
    return predictor


def _print_scores(clip: ListedClip, predictor: Predictor, arguments: argparse.Namespace) -> int:
    """Print one clip's scores as columns: emotion, score, and a mark at those decided."""
    prediction = predictor.predict(clip.path, clip.text, arguments.top_p, guarded=not arguments.no_guard)
    for flag in prediction.flags:
        print(f"flag: {flag}", file=sys.stderr)
    for name, score in zip(prediction.labels, prediction.scores, strict=True):
        print(f"{name:<12}{score:.4f}{'  decided' * (name in prediction.decided)}")
    return 0


def _workers(number: int | None, clips: int) -> int:
    """Return how many files are decoded at a time; each takes one core and up to 0.5 GB."""
    from mesm.errors import ConfigError

    if number is not None and number < 1:
        raise ConfigError(f"--workers is {number}; give 1 or more")
    return max(1, min(number or min(os.cpu_count() or 1, 8), clips))


@dataclass(frozen=True)
class _Job:
    """Hold a clip's row so far, and either the row of an earlier call or the decoded clip to come."""

    clip: ListedClip
    row: dict[str, object]
    earlier: Mapping[str, object] | None
    sample: Future[Sample] | None


def _read_ahead(
    clips: list[ListedClip], file: ScoreFile, decoders: Decoders, origin: Mapping[str, object]
) -> Iterator[_Job]:
    """Yield the clips in their order, some of them being decoded while earlier ones are scored."""
    from mesm.analysis.predictor import DECODE_S

    jobs: deque[_Job] = deque()
    for clip in clips:
        path = str(clip.path) if clip.path.name else ""
        row: dict[str, object] = {"path": path, "text": clip.text, "error": clip.error, **origin}
        earlier = None if clip.error else file.earlier(row, clip.path)
        sample = decoders.read(clip.path, clip.text, DECODE_S) if earlier is None and not clip.error else None
        jobs.append(_Job(clip, row, earlier, sample))
        if len(jobs) > decoders.ahead:
            yield jobs.popleft()
    yield from jobs


def _score(
    clips: list[ListedClip], predictor: Predictor, top_p: float | None, file: ScoreFile, decoders: Decoders
) -> tuple[list[Mapping[str, object]], int]:
    """Return the rows of all clips, and how many of them an earlier call had scored."""
    from tqdm import tqdm

    from mesm.config import check_top_p

    point = check_top_p(predictor.config.top_p if top_p is None else top_p)
    origin = {"top_p": f"{point:g}", "checkpoint": f"{predictor.name} {predictor.sha256[:12]}"}
    file.begin(["path", "text", *predictor.labels, "decided", "flags", "error", *origin])
    rows: list[Mapping[str, object]] = []
    kept = 0
    try:
        for job in tqdm(_read_ahead(clips, file, decoders, origin), total=len(clips), unit="clip"):
            if job.earlier is not None:
                rows.append(job.earlier)
                kept += 1
                continue
            row = job.row if job.sample is None else job.row | _predict(predictor, job.sample, job.clip.text, top_p)
            file.append(row)
            rows.append(row)
    except KeyboardInterrupt:
        done = f"{len(rows)} of {counted(len(clips), 'clip')} written to {file.part}"
        print(f"\n{done}; the same command goes on from there", file=sys.stderr)
        raise
    return rows, kept


def _predict(predictor: Predictor, sample: Future[Sample], text: str, top_p: float | None) -> dict[str, object]:
    """Return the cells of one clip's scores, or of its error."""
    from mesm.errors import MesmError

    try:
        prediction = predictor.predict(sample.result(), text, top_p)
    except (MesmError, OSError) as error:
        return {"error": str(error)}
    scores = {n: round(float(s), 4) for n, s in zip(prediction.labels, prediction.scores, strict=True)}
    return scores | {"decided": " ".join(prediction.decided), "flags": "; ".join(prediction.flags)}
