"""Read the authors' features: `IEMOCAP_HCF_FEATURES/*.pt` and `MOSEI_HCF_FEATURES/*.pkl`, as plain values only.

IEMOCAP, one file per split and modality:
    text: {utterance: (words, 300)}; audio: {utterance: {"L" | "R": (763, frames)}}, of which the paper uses 142 rows;
    video: {utterance: {"image_L_<i>" | "image_R_<i>": at least 35 numbers}}, of which the last 35 are OpenFace's units.
The speaker is on the left if the last letter of the session equals the first of the utterance's suffix.
CMU-MOSEI, one file per split: {"id": N, "vision": (N, 500, 35), "audio": (N, 500, 74), "text": (N, 50, 300)}; text is
filled up with zero rows behind, vision and audio as their maker left them.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mesm.data.features.acoustic import DISVOICE_INDICES, disvoice_set
from mesm.data.features.action_units import openface_set
from mesm.data.features.store import FeatureSet, write_features
from mesm.data.safe_pickle import load_plain_pickle
from mesm.data.store import Corpus
from mesm.errors import DataError

_PHASES = ("train", "valid", "test")
#: One split of CMU-MOSEI's vision alone is 2 GB.
_MAX_BYTES = 1 << 34
_WORDS = FeatureSet("text", tuple(f"v{i:03d}" for i in range(300)), ("",) * 300, "GloVe 840B 300-d, by the authors")
_COVAREP = FeatureSet("acoustic", tuple(f"covarep{i:02d}" for i in range(74)), ("",) * 74, "COVAREP 74-d, by CMU-MOSEI")
_FACET = FeatureSet("visual", tuple(f"facet{i:02d}" for i in range(35)), ("",) * 35, "Facet 35-d, by CMU-MOSEI")


def load_plain(path: str | os.PathLike[str]) -> Any:
    """Read a pickle of plain values, or a file of `torch.save` with tensors in plain containers.

    Raises:
        DataError: the file holds anything else.
    """
    path = Path(path)
    if not zipfile.is_zipfile(path):
        return load_plain_pickle(path, _MAX_BYTES)
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises pickle, runtime and value errors
        reason = str(error).splitlines()[0]
        raise DataError(f"{path} holds more than tensors in plain containers ({reason}); it is not opened") from error


def import_features(corpus: Corpus, source: str | os.PathLike[str], folder: str | os.PathLike[str]) -> list[Path]:
    """Import the authors' features of IEMOCAP or CMU-MOSEI for a corpus with their utterance names.

    Args:
        corpus: clip ids are the authors' utterance ids.
        source: the folder `IEMOCAP_HCF_FEATURES` or `MOSEI_HCF_FEATURES`.
        folder: see `feature_folder`.

    Returns:
        The folder of each modality's features.

    Raises:
        DataError: a file is missing or of another layout, or none of the corpus's clips is in it.
    """
    place = Path(source)
    if any(place.glob("mosei_senti_hcf_*.pkl")):
        return _mosei(corpus, place, folder)
    if any(place.glob("*_text_features.pt")):
        return _iemocap(corpus, place, folder)
    raise DataError(f"{place} has neither <phase>_text_features.pt nor mosei_senti_hcf_<phase>.pkl; give that folder")


def _iemocap(corpus: Corpus, place: Path, folder: str | os.PathLike[str]) -> list[Path]:
    readers = {
        "text": ("text", _WORDS, lambda _, value: _rows(value, 300)),
        "video": ("visual", openface_set(), _units),
        "audio": ("acoustic", disvoice_set(), _voice),
    }
    written = []
    for name, (_, kind, read) in readers.items():
        features: dict[str, np.ndarray] = {}
        for phase in _PHASES:
            content = load_plain(place / f"{phase}_{name}_features.pt")
            if not isinstance(content, Mapping):
                raise DataError(
                    f"{place / f'{phase}_{name}_features.pt'} is no dict of utterances; give the authors' file"
                )
            for utterance in content.keys() & set(corpus.ids()):
                features[utterance] = read(utterance, content[utterance])
        written.append(_write(corpus, folder, kind, features))
    return written


def _mosei(corpus: Corpus, place: Path, folder: str | os.PathLike[str]) -> list[Path]:
    kinds = {"text": _WORDS, "vision": _FACET, "audio": _COVAREP}
    features: dict[str, dict[str, np.ndarray]] = {name: {} for name in kinds}
    clip_ids = set(corpus.ids())
    for phase in _PHASES:
        path = place / f"mosei_senti_hcf_{phase}.pkl"
        content = load_plain(path)
        if not isinstance(content, Mapping) or not {"id", *kinds} <= content.keys():
            raise DataError(f"{path} has no id, vision, audio and text; give the authors' file")
        for i, utterance in enumerate(np.asarray(content["id"]).tolist()):
            if utterance in clip_ids:
                for name, kind in kinds.items():
                    features[name][utterance] = _trimmed(_rows(content[name][i], len(kind.columns)))
    return [_write(corpus, folder, kind, features[name]) for name, kind in kinds.items()]


def _write(corpus: Corpus, folder: str | os.PathLike[str], kind: FeatureSet, features: dict[str, np.ndarray]) -> Path:
    if not features:
        raise DataError(
            f"the files have no utterance of corpus {corpus.name!r}; its clip ids must be the authors' names"
        )
    nothing = np.zeros((0, len(kind.columns)), np.float32)

    def rows() -> Iterator[tuple[str, np.ndarray]]:
        for clip_id in corpus.ids():
            yield clip_id, features.get(clip_id, nothing)

    return write_features(folder, kind, rows(), {"clips_without_features": len(corpus) - len(features)})


def _rows(value: ArrayLike, width: int) -> np.ndarray:
    array = np.asarray(value, np.float32)
    if array.size and array.shape[-1] != width:
        raise DataError(
            f"features of shape {array.shape} were found where rows of {width} were expected; give the authors' file"
        )
    # COVAREP writes infinities and NaN where its models fail; nothing is known there.
    return np.nan_to_num(array.reshape(-1, width), posinf=0.0, neginf=0.0)


def _trimmed(rows: np.ndarray) -> np.ndarray:
    """Cut off the rows of zeros that fill up both ends."""
    filled = np.flatnonzero(rows.any(1))
    return rows[filled[0] : filled[-1] + 1] if len(filled) else rows[:0]


def _side(utterance: str) -> str:
    first, *_, last = utterance.split("_")
    return "L" if first[-1] == last[0] else "R"


def _units(utterance: str, frames: Mapping[str, ArrayLike]) -> np.ndarray:
    prefix = f"image_{_side(utterance)}_"
    numbered = sorted((int(m[1]), name) for name in frames if (m := re.fullmatch(rf"{prefix}(\d+)", name)))
    return _rows([np.asarray(frames[name])[-35:] for _, name in numbered], 35)


def _voice(utterance: str, sides: Mapping[str, ArrayLike]) -> np.ndarray:
    values = np.asarray(sides[_side(utterance)], np.float32)
    if values.ndim != 2 or values.shape[0] <= DISVOICE_INDICES[-1]:
        raise DataError(
            f"utterance {utterance!r} has acoustic features of shape {values.shape}, not 763 rows; give the authors' file"
        )
    return _rows(values[list(DISVOICE_INDICES)].T, 142)
