"""Find corpora by name, in the bundled assets and the workspace, or by folder or URL.

A corpus is its name and its digest (`mesm.data.manifest.Manifest.digest`). Its key, under which the app lists it and the
command line opens it, is the plain name where one corpus alone has it; else the bundled one keeps the plain name and
the others are `name@digest8`.
"""

from __future__ import annotations

import os
from pathlib import Path

from mesm.data.manifest import MANIFEST_NAME, Manifest
from mesm.data.remote import is_url, resolve_folder
from mesm.data.store import Corpus
from mesm.errors import DataError
from mesm.runtime import assets, workspace

#: Hex digits of a key's digest.
KEY_DIGITS = 8


def corpus_folders(home: str | os.PathLike[str] | None = None) -> tuple[Path, ...]:
    """Return the folders that are searched, in this order: the bundled assets, then the workspace's corpora/."""
    return assets(), workspace(home) / "corpora"


def find_corpora(home: str | os.PathLike[str] | None = None) -> dict[str, Path]:
    """Map the key of every corpus to its folder, the bundled ones first; see `find_damaged_corpora` for the rest.

    Of several folders with the same name and digest in the workspace, which hold parts of one corpus or copies of it,
    the one with the most clips is listed.
    """
    keys: dict[str, Path] = {}
    bundled, others = (
        [(m, path) for m, path in _manifests(folder) if isinstance(m, Manifest)] for folder in corpus_folders(home)
    )
    for manifest, folder in bundled:
        keys.setdefault(manifest.name, folder)
    largest: dict[tuple[str, str], tuple[Manifest, Path]] = {}
    for manifest, folder in others:
        identity = manifest.name, manifest.digest
        if identity not in largest or _clips(manifest) > _clips(largest[identity][0]):
            largest[identity] = manifest, folder
    names = [name for name, _ in largest]
    for (name, digest), (_, folder) in largest.items():
        alone = name not in keys and names.count(name) == 1
        keys[name if alone else f"{name}@{digest[:KEY_DIGITS]}"] = folder
    return keys


def find_damaged_corpora(home: str | os.PathLike[str] | None = None) -> dict[str, DataError]:
    """Map the folder name of every corpus whose manifest cannot be read to its error."""
    return {
        path.name: manifest
        for folder in corpus_folders(home)
        for manifest, path in _manifests(folder)
        if isinstance(manifest, DataError)
    }


def open_corpus(key_or_path: str | os.PathLike[str], home: str | os.PathLike[str] | None = None) -> Corpus:
    """Open a corpus by its folder or URL, by its key, or by `name@` and at least 8 digits of its digest.

    Raises:
        DataError: there is none, or several; the sentence lists the keys.

    Examples:
        >>> corpus = open_corpus("marionette")
        >>> len(corpus), corpus["m0-00356"].text
        (96, 'You can pick up the parcel at the office.')
    """
    path = resolve_folder(key_or_path)
    if is_url(key_or_path) or (path / MANIFEST_NAME).is_file():
        return Corpus(path)
    key, known = str(key_or_path), find_corpora(home)
    if key in known:
        return Corpus(known[key])
    name, at, digest = key.rpartition("@")
    if at and len(digest) >= KEY_DIGITS:
        for folder in known.values():
            corpus = Corpus(folder)
            if corpus.name == name and corpus.digest.startswith(digest):
                return corpus
    if several := [other for other in known if other.rpartition("@")[0] == key]:
        raise DataError(f"{len(several)} corpora are named {key!r}; give one of {', '.join(several)}")
    raise DataError(
        f"no corpus {key!r}: neither a folder with a {MANIFEST_NAME} nor one of the known ones "
        f"({', '.join(known) or 'none'})"
    )


def _manifests(folder: Path) -> list[tuple[Manifest | DataError, Path]]:
    """Read the manifest of every corpus in a folder; an unreadable one is its error."""
    manifests: list[tuple[Manifest | DataError, Path]] = []
    for path in sorted(folder.glob(f"*/{MANIFEST_NAME}")):
        try:
            manifests.append((Manifest.read(path.parent), path.parent))
        except DataError as error:
            manifests.append((error, path.parent))
    return manifests


def _clips(manifest: Manifest) -> int:
    return sum(shard.rows for shard in manifest.shards)
