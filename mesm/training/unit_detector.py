"""Train a small detector of action units on rendered faces, and read the units of any corpus's faces with it.

It stands for OpenFace or py-feat where neither is at hand, and gives rendered clips units with a detector's errors. The
network is FE2E's face CNN at an eighth of its width on single crops, each standardised in grey, so that camera and light
do not matter. The files have OpenFace's columns, which every reader of action units here accepts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mesm.batch import Batch, Sample
from mesm.config import FE2EConfig
from mesm.data.features.action_units import OPENFACE_COLUMNS, OPENFACE_MOST, OPENFACE_PRESENT
from mesm.data.store import Corpus
from mesm.errors import DataError
from mesm.files import write_atomic
from mesm.layers.standardise import standardise_crops
from mesm.layers.vgg import DenseVGG
from mesm.runtime import Progress
from mesm.training.augment import augment

_EPOCHS = 6
_BATCH = 64
_RATE = 2e-3


class UnitDetector(nn.Module):
    """Compute (S, A) intensities of action units, about 0 to 1, from (S, 3, 48, 48) crops on the 0..255 scale.

    Attributes:
        numbers: the A units, in the order of the columns.
    """

    def __init__(self, numbers: Sequence[int]) -> None:
        super().__init__()
        self.numbers = tuple(numbers)
        self.cnn = DenseVGG(3, FE2EConfig(width=0.125))
        self.out = nn.Linear(self.cnn.out_channels * 9, len(self.numbers))

    def forward(self, faces_SCHW: Tensor) -> Tensor:
        """Return the intensities; a little below 0 or above 1 where the network is sure."""
        maps = self.cnn(standardise_crops(faces_SCHW.float(), grey=True))
        return self.out(maps.flatten(1))


def train_unit_detector(
    corpus: Corpus, clip_ids: Sequence[str], seed: int = 0, epochs: int = _EPOCHS, progress: Progress | None = None
) -> UnitDetector:
    """Train on the known units of clips, augmented; about a minute of one core for 2000 clips.

    Raises:
        DataError: no clip has known units.
    """
    samples = [corpus.read(clip_id) for clip_id in clip_ids]
    known = [(s.faces, s.truth) for s in samples if s.truth is not None and len(s.faces)]
    if not known:
        raise DataError(f"corpus {corpus.name!r} has no known action units to train a detector on; give a rendered one")
    numbers = known[0][1].au_numbers
    faces = torch.from_numpy(np.concatenate([faces for faces, _ in known])).permute(0, 3, 1, 2).contiguous()
    units = torch.from_numpy(np.concatenate([truth.au_intensity for _, truth in known])).float()
    torch.manual_seed(seed)
    detector, order = UnitDetector(numbers).train(), np.random.default_rng(seed)
    steps = epochs * -(-len(faces) // _BATCH)
    optimizer = torch.optim.AdamW(detector.parameters(), lr=_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps)
    for _ in range(epochs):
        for part in np.array_split(order.permutation(len(faces)), steps // epochs):
            crops = augment(_batch(faces[part]), torch.Generator().manual_seed(schedule.last_epoch))[0].faces
            loss = (detector(crops) - units[part]).square().mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            if progress is not None:
                progress(schedule.last_epoch, steps)
    return detector.eval()


def _batch(faces_SCHW: Tensor) -> Batch:
    """Return single crops as clips of one face, so that each is augmented on its own."""
    count = len(faces_SCHW)
    ones = torch.ones(count, dtype=torch.int64)
    return Batch(
        tuple(map(str, range(count))),
        torch.zeros(count, dtype=torch.bool),
        faces_SCHW,
        ones,
        torch.zeros(0, 1, 128, 32),
        torch.zeros_like(ones),
    )


@dataclass(frozen=True)
class UnitReading:
    """Hold what `write_units` wrote: number of files, and of their frames with a face."""

    files: int
    frames: int


def write_units(
    corpus: Corpus, rendered: Corpus, folder: str | os.PathLike[str], seed: int = 0, progress: Progress | None = None
) -> UnitReading:
    """Write `<clip id>.csv` with the units of every clip that has a face.

    The detector is trained on the training split of the rendered corpus. Clips that it would be trained on are read by one
    trained on the other half of the speakers, so that their units have the same errors as any other face's.

    Args:
        corpus: to be read.
        rendered: with known units; may be the same corpus.

    Raises:
        DataError: the rendered corpus has no known units, or no clip has a face.
    """
    files = frames = 0
    for detector, clip_ids in _readers(corpus, rendered, seed, progress):
        for clip_id in clip_ids:
            sample = corpus.read(clip_id, full=False)
            if len(sample.faces):
                write_atomic(Path(folder) / f"{clip_id}.csv", unit_csv(detector, sample).encode())
                files, frames = files + 1, frames + int(np.sum(sample.face_found))
    if not files:
        raise DataError(f"corpus {corpus.name!r} has no faces whose action units could be read")
    return UnitReading(files, frames)


def _readers(
    corpus: Corpus, rendered: Corpus, seed: int, progress: Progress | None
) -> Iterator[tuple[UnitDetector, list[str]]]:
    """Yield detectors with the clips that each reads."""
    rows = [row for row in rendered.index if row.split == "train"]
    speakers = sorted({row.group for row in rows})
    even = set(speakers[::2])
    own = {row.clip_id: row.group in even for row in rows} if corpus.digest == rendered.digest else {}
    for half in (True, False) if own else ():
        trained_on = [clip_id for clip_id, in_half in own.items() if in_half != half]
        yield (
            train_unit_detector(rendered, trained_on, seed, progress=progress),
            [clip_id for clip_id, in_half in own.items() if in_half == half],
        )
    others = [clip_id for clip_id in corpus.ids() if clip_id not in own]
    if others:
        yield train_unit_detector(rendered, [row.clip_id for row in rows], seed, progress=progress), others


@torch.no_grad()
def unit_csv(detector: UnitDetector, sample: Sample) -> str:
    """Return a clip's units as OpenFace's CSV: a row per crop, `success` 0 where no face was found.

    Units that the detector does not read are 0; those that OpenFace has no column for are left out.
    """
    crops = torch.from_numpy(sample.faces.copy()).permute(0, 3, 1, 2)
    intensity = OPENFACE_MOST * detector(crops).clamp(0, 1).numpy()
    columns = dict(zip(detector.numbers, intensity.T, strict=True))
    nothing = np.zeros(len(intensity))
    lines = [",".join(("frame", "timestamp", "success", *OPENFACE_COLUMNS))]
    detected = sample.face_found if len(sample.face_found) else np.ones(len(intensity), bool)
    for i, (time_s, has_face) in enumerate(zip(sample.face_times_s, detected, strict=True)):
        values = [columns.get(int(name[2:4]), nothing)[i] for name in OPENFACE_COLUMNS]
        cells = [
            f"{value:.2f}" if name.endswith("_r") else str(int(value >= OPENFACE_PRESENT))
            for name, value in zip(OPENFACE_COLUMNS, values, strict=True)
        ]
        lines.append(",".join((str(i + 1), f"{time_s:.3f}", str(int(has_face)), *cells)))
    return "\n".join(lines) + "\n"
