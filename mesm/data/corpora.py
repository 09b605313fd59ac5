"""Where corpora lie: the bundled assets, the user's workspace, or any folder that is named."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from mesm.data.manifest import MANIFEST_NAME, Manifest
from mesm.data.remote import is_url, place
from mesm.data.store import Corpus
from mesm.errors import DataError
from mesm.runtime import assets, workspace


def corpus_folders(home: str | os.PathLike[str] | None = None) -> tuple[Path, ...]:
    """Where to look, first come first served: the workspace's corpora/, then the bundled assets."""
    return workspace(home) / "corpora", assets()


def find_corpora(folders: Iterable[str | os.PathLike[str]] | None = None) -> dict[str, Path]:
    """Corpus name -> folder, for every folder with a readable manifest directly in `folders`.

    Where two corpora share a name, the second goes by `<name> (<folder>)`.
    """
    found: dict[str, Path] = {}
    for folder in map(Path, corpus_folders() if folders is None else folders):
        for path in sorted(folder.glob(f"*/{MANIFEST_NAME}")):
            try:
                name = Manifest.read(path.parent).name
            except DataError:
                continue  # a damaged one is reported by open_corpus, when it is asked for
            found[name if name not in found else f"{name} ({path.parent})"] = path.parent
    return found


def open_corpus(name_or_path: str | os.PathLike[str], home: str | os.PathLike[str] | None = None) -> Corpus:
    """A corpus by its folder or URL, or by its name among those of `find_corpora`.

    Raises:
        DataError: there is none; the sentence lists those there are.
    """
    path = place(name_or_path)
    if is_url(name_or_path) or (path / MANIFEST_NAME).is_file():
        return Corpus(path)
    known = find_corpora(corpus_folders(home))
    if str(name_or_path) in known:
        return Corpus(known[str(name_or_path)])
    raise DataError(
        f"no corpus {str(name_or_path)!r}: neither a folder with a {MANIFEST_NAME} nor one of the known ones "
        f"({', '.join(known) or 'none'})"
    )
