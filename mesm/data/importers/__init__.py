"""Real corpora in: from a release's folder to a stored corpus, nothing silently left out.

`find_release` lists what a release holds (one file per corpus), `dry_run` reports on it, `import_release` stores it.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

from mesm.data.importers.plan import REASONS, Problem, Release, Utterance

#: What can be imported -> its module.
IMPORTERS: dict[str, str] = {
    "iemocap": "iemocap",
    "mosei": "mosei",
    "mesm-processed": "mesm_processed",
    "meld": "meld",
    "ravdess": "ravdess",
    "crema-d": "crema_d",
    "manifest": "manifest_csv",
}


def find_release(importer: str, source: str | os.PathLike[str], **options: Any) -> Release:
    """What `source` holds, by the importer of that name.

    Raises:
        DataError: the folder is not such a release.
    """
    return importlib.import_module(f"mesm.data.importers.{IMPORTERS[importer]}").read_release(source, **options)


__all__ = ["IMPORTERS", "REASONS", "Problem", "Release", "Utterance", "find_release"]
