"""List clips with their transcripts: of a folder, whose files are distinguished by their content, or of a CSV."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mesm.data.csv_files import PATH_NAMES, TEXT_NAMES, read_csv
from mesm.data.importers.headers import read_header
from mesm.data.importers.plan import visible
from mesm.data.text_files import read_transcript
from mesm.errors import DataError

#: Usual endings of names. They decide what a dialog for files offers, and that a damaged clip is not passed over.
VIDEO_SUFFIXES = (
    "mp4", "m4v", "mov", "webm", "avi", "mkv", "flv", "mpg", "mpeg", "wmv", "3gp", "ogv", "mts", "m2ts",
)  # fmt: skip
SOUND_SUFFIXES = ("wav", "mp3", "m4a", "aac", "ogg", "oga", "opus", "flac", "wma", "aif", "aiff", "amr")
PICTURE_SUFFIXES = ("png", "jpg", "jpeg", "webp")


@dataclass(frozen=True)
class ListedClip:
    """Hold a clip to be scored.

    Attributes:
        path: of its media file; `Path()` in a row that names none.
        text: its transcript; "" without one.
        error: why it cannot be scored, in one sentence; "" if nothing is known against it.
    """

    path: Path
    text: str
    error: str = ""


def media_kind(path: Path) -> str:
    """Return "video", "sound", "picture" or "" of a file's content; of its name where it cannot be read as any."""
    try:
        header = read_header(path)
    except (DataError, OSError):
        return _kind_of_name(path)
    return "picture" if header.still else "video" if header.video else "sound" if header.audio else ""


def _kind_of_name(path: Path) -> str:
    suffix = path.suffix.lower().lstrip(".")
    return "video" if suffix in VIDEO_SUFFIXES else "sound" if suffix in SOUND_SUFFIXES else ""


def files_by_stem(folder: Path, kind: str, suffix: str) -> dict[str, Path]:
    """Map stem -> file, for every visible video or sound below `folder`, in whatever container.

    Where several files share a stem, those with `suffix`, the release's own, come first, then the first by path. Only a
    file of unknown ending is opened.
    """
    files: dict[str, Path] = {}
    paths = (path for path in folder.rglob("*") if visible(path) and path.is_file())
    for path in sorted(paths, key=lambda path: (path.suffix.lower() != f".{suffix}", path)):
        if (_kind_of_name(path) or media_kind(path)) == kind:
            files.setdefault(path.stem, path)
    return files


def list_clips(source: Path) -> tuple[list[ListedClip], list[str]]:
    """List the clips of a folder, of a CSV with the columns `path` and `text`, or one clip alone.

    In a folder every video is a clip, and every sound that has not the stem of a video; transcripts lie beside them as
    `<stem>.txt`. Hidden files do not count.

    Returns:
        The clips, and the names of what a folder holds beside them.

    Raises:
        DataError: the source does not exist, cannot be read, lacks a column, or holds no clip.
    """
    if source.is_dir():
        clips, left_out = _list_folder(source)
    elif not source.is_file():
        raise DataError(
            f"{source} does not exist; give a clip, a folder with clips, or a CSV with the columns path and text"
        )
    elif media_kind(source):
        clips, left_out = [_with_transcript(source)], []
    else:
        clips, left_out = list(_list_table(source)), []
    if not clips:
        raise DataError(
            f"{source} holds no clip; give a folder with videos or sounds (folders inside are not searched), or a CSV"
        )
    return clips, left_out


def _list_folder(folder: Path) -> tuple[list[ListedClip], list[str]]:
    try:
        names = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error.strerror}); check its permissions") from error
    kinds = {path: media_kind(path) for path in names if path.is_file()}
    videos = {path.stem for path, kind in kinds.items() if kind == "video"}
    paths = [p for p, kind in kinds.items() if kind == "video" or (kind == "sound" and p.stem not in videos)]
    stems = {path.stem for path in paths}
    used = {path for path in kinds if path.suffix.lower() == ".txt" and path.stem in stems} | set(paths)
    left_out = [path.name + "/" * path.is_dir() for path in names if path not in used]
    return [_with_transcript(path) for path in paths], left_out


def _with_transcript(path: Path) -> ListedClip:
    try:
        return ListedClip(path, read_transcript(path))
    except DataError as error:
        return ListedClip(path, "", str(error))


def _list_table(source: Path) -> Iterator[ListedClip]:
    table = read_csv(source, {"path": PATH_NAMES, "text": TEXT_NAMES})
    table.require("path", "text")
    for row in table.rows:
        path = row.cells.get("path", "")
        missing = "" if path else f"row {row.number} (line {row.line}) names no path: write one, or remove the row"
        yield ListedClip(source.parent / path if path else Path(), row.cells.get("text", ""), row.error or missing)
