"""Import real corpora: from a release's folder to a stored corpus; every utterance is stored or listed with a reason.

Start at `find_release`, which lists a release's utterances (`plan`: `Release`, `Utterance`, `MediaSpan`, `Problem`) by the
module of that corpus. `report.dry_run` reads the headers (`headers`) and reports; `engine.import_release` stores: it
assigns splits, decodes (`decode`) in processes (`workers`) or on a cluster (`ray_engine`), and writes the shards,
`sources.jsonl` and `quarantine.jsonl`. `resplit` copies a corpus with other splits.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

from mesm.data.importers.plan import REASONS, Problem, Release, Utterance

#: What can be imported -> its module, and the function there unless it is `read_release`.
IMPORTERS: dict[str, str] = {
    "iemocap": "iemocap",
    "mosei": "mosei",
    "mesm-processed": "mesm_processed",
    "meld": "meld",
    "ravdess": "ravdess",
    "crema-d": "crema_d",
    "voices": "labelled_folder:read_voices",
    "faces": "labelled_folder:read_faces",
    "sentences": "sentences",
    "manifest": "manifest_csv",
}


def find_release(importer: str, source: str | os.PathLike[str], **options: Any) -> Release:
    """List the utterances of the release at `source`, by the importer of that name.

    Raises:
        DataError: the folder is not such a release.
    """
    module, _, function = IMPORTERS[importer].partition(":")
    read = getattr(importlib.import_module(f"mesm.data.importers.{module}"), function or "read_release")
    return read(source, **options)


__all__ = ["IMPORTERS", "REASONS", "Problem", "Release", "Utterance", "find_release"]
