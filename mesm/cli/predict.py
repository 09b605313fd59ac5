"""`mesm predict`: score the clips in a folder or a CSV."""

from __future__ import annotations

import argparse
import csv
import io
from pathlib import Path

from mesm.errors import DataError, MesmError

MEDIA = {".mp4", ".mov", ".webm", ".avi", ".mkv", ".flv", ".mpg"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm predict`."""
    parser.epilog = (
        "A folder: every video with its transcript beside it (clip.mp4 + clip.txt).\n"
        "A CSV: columns path and text; paths relative to the CSV.\n"
        "example:\n  mesm predict clips/ --out scores.csv --top-p 0.6"
    )
    parser.add_argument("source", help="folder or CSV file")
    parser.add_argument("--out", required=True, help="CSV to write: one row per clip, one column per emotion")
    parser.add_argument("--checkpoint", default="marionette-mesm", help="name or folder (default: marionette-mesm)")
    parser.add_argument("--top-p", type=float, help="nucleus mass in (0, 1]; default: the checkpoint's")
    parser.add_argument(
        "--no-guard", action="store_true", help="decode files that you trust in this process, without limits"
    )


def run(arguments: argparse.Namespace) -> int:
    """Score every clip and write the CSV; the error of a clip that fails goes into the column `error`."""
    from tqdm import tqdm

    from mesm.analysis.predictor import load
    from mesm.files import write_atomic

    clips = find_clips(Path(arguments.source))
    predictor = load(arguments.checkpoint)
    rows: list[dict[str, object]] = []
    for path, text in tqdm(clips, unit="clip"):
        row: dict[str, object] = {"path": str(path), "text": text, "error": ""}
        try:
            prediction = predictor.predict(path, text, arguments.top_p, guarded=not arguments.no_guard)
            row |= {n: round(float(s), 4) for n, s in zip(prediction.labels, prediction.scores, strict=True)}
            row |= {"decided": " ".join(prediction.decided), "flags": "; ".join(prediction.flags)}
        except MesmError as error:
            row["error"] = str(error)
        rows.append(row)
    out = io.StringIO()
    writer = csv.DictWriter(out, ["path", "text", *predictor.labels, "decided", "flags", "error"], restval="")
    writer.writeheader()
    writer.writerows(rows)
    write_atomic(arguments.out, out.getvalue().encode())
    failed = sum(bool(row["error"]) for row in rows)
    print(f"{arguments.out}: {len(rows) - failed} clips scored, {failed} failed")
    return 0 if failed < len(rows) else 1


def find_clips(source: Path) -> list[tuple[Path, str]]:
    """List (path, transcript) of the clips in a folder or a CSV.

    Raises:
        DataError: the source does not exist, cannot be read, or holds no clip.
    """
    if source.is_dir():
        videos = sorted(p for p in source.iterdir() if p.suffix.lower() in MEDIA and not p.name.startswith("."))
        clips = [(p, _transcript(p.with_suffix(".txt"))) for p in videos]
    elif source.is_file():
        try:
            with source.open(newline="", encoding="utf-8-sig") as file:
                rows = list(csv.DictReader(file))
            clips = [(source.parent / row["path"], row.get("text") or "") for row in rows]
        except (KeyError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{source} must be a UTF-8 CSV with the columns path and text") from error
    else:
        raise DataError(f"{source} does not exist; give a folder with videos or a CSV with the columns path and text")
    if not clips:
        raise DataError(f"{source} holds no clip; videos end in {', '.join(sorted(MEDIA))}")
    return clips


def _transcript(path: Path) -> str:
    return path.read_text(errors="replace").strip() if path.is_file() else ""
