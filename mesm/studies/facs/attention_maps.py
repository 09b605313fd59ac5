"""Run a checkpoint once over a split and collect its attention on every face and mel chunk, with what the faces show.

Start with `collect_attention_maps`. Shape legend: F frames of all clips, f frames of one clip, A units in the order of
`atlas.UNITS`, E emotions, n = H x W cells of a layer's grid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mesm.analysis.attention_controls import control_attention
from mesm.batch import ACTIVE_INTENSITY, CHUNK_MS, Sample
from mesm.data import atlas
from mesm.errors import DataError
from mesm.layers.sparse_vgg import LayerTensors, SparseVGG
from mesm.models import ModelOutput, Prepared
from mesm.records.facs import MAPS
from mesm.runtime import Progress
from mesm.studies.faithfulness.evaluation_clips import EvaluationClips
from mesm.studies.faithfulness.loudness_lift import loud_cells

_HARD_SEED, _RANDOM_SEED, _CONTROL_SEED = 0, 100, 1000
#: Frames of the control that run together.
_CONTROL_BATCH = 64


@dataclass(frozen=True)
class LayerMaps:
    """Hold one attention layer on F frames: (F, n) float32 attention, bool kept, bool active; `side` = (H, W)."""

    attention: np.ndarray
    kept: np.ndarray
    active: np.ndarray
    side: tuple[int, int]

    def of(self, kind: str) -> np.ndarray:
        """Return the attention, or the kept sites as 0/1 float32."""
        return self.attention if kind == "attention" else self.kept.astype(np.float32)


@dataclass(frozen=True)
class FaceFrames:
    """Hold frames with a detected face, independent of the model.

    Attributes:
        clip: (F,) number of the clip in the order of the study; `speaker` (F,) names.
        shown: (F, E) bool, emotions by the renderer's truth or else the clip's labels.
        active: (F, A) bool, truly active units; None where they are not known.
        regions: (F, A, 48, 48) uint8, 255 = the pixel lies in the unit's region; `head` (F, 48, 48) the same.
    """

    clip: np.ndarray
    speaker: np.ndarray
    shown: np.ndarray
    active: np.ndarray | None
    regions: np.ndarray
    head: np.ndarray


@dataclass(frozen=True)
class Faces(FaceFrames):
    """Hold the frames of all clips: E names of emotions, and the number of frames left out for want of a face."""

    emotions: tuple[str, ...]
    without_face: int


@dataclass(frozen=True)
class AttentionMaps:
    """Hold the attention of one checkpoint, and of re-initialised attentions on the same stems, on one split.

    Attributes:
        maps: name of `MAPS` -> layers on the frames of `faces`.
        control: per initialisation, the layers on the frames `control_frames` (indices into `faces`).
        voices: name of `MAPS` -> layers on the C mel chunks of all clips.
        loud: (C, 128, 32) bool, the highest tenth of each clip's mel values.
        spoken: (C, 128, 32) bool, columns in which a word is spoken; all before the clip's end without word times.
        voice_speaker: (C,) names.
    """

    faces: Faces
    maps: dict[str, list[LayerMaps]]
    control: list[list[LayerMaps]]
    control_frames: np.ndarray
    voices: dict[str, list[LayerMaps]]
    loud: np.ndarray
    spoken: np.ndarray
    voice_speaker: np.ndarray


@dataclass(frozen=True)
class _ControlFrame:
    """Hold a clip's frame for re-initialised attentions: index into `Faces`, (C, H, W) stem map, (D,) query."""

    frame: int
    stem: Tensor
    query: Tensor


class _MapCollector:
    """Collect clips batch by batch."""

    def __init__(
        self, clips: EvaluationClips, regions: str, active_from: float, units: Mapping[str, np.ndarray] | None
    ) -> None:
        self.clips, self.regions, self.active_from, self.units = clips, regions, active_from, units
        self.emotions = tuple(clips.corpus.labels)
        self.layers: dict[tuple[str, str], list[tuple[LayerTensors, ...]]] = {}
        self.has_face: list[np.ndarray] = []
        self.faces: list[FaceFrames] = []
        #: Of each clip, the mel chunks' `loud`, `spoken` and `voice_speaker` of `AttentionMaps`.
        self.voices: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.control: list[_ControlFrame] = []
        self.rng = np.random.default_rng(0)

    def add_outputs(self, name: str, output: ModelOutput) -> None:
        """Add the layers of one attention on a batch."""
        for modality, layers in output.layers.items():
            self.layers.setdefault((name, modality), []).append(tuple(layers))

    def add_samples(self, samples: list[Sample], first: int, prepared: Prepared) -> None:
        """Add the truth of a batch's faces and voices, and one frame of each clip for the control."""
        segment, frames = 0, sum(len(part.clip) for part in self.faces)
        for i, sample in enumerate(samples):
            usable = _usable_faces(sample)
            if usable.any():
                part = self._clip_faces(sample, first + i, usable)
                self.faces.append(part)
                candidates = np.arange(len(part.clip)) if part.active is None else np.flatnonzero(part.active.any(1))
                if len(candidates):
                    chosen = int(self.rng.choice(candidates))
                    stem = prepared.maps["visual"][segment + int(np.flatnonzero(usable)[chosen])]
                    self.control.append(_ControlFrame(frames + chosen, stem, prepared.text_BD[i]))
                frames += len(part.clip)
            self.has_face.append(usable)
            segment += len(usable)
            self.voices.append(_clip_voice(sample))

    def _clip_faces(self, sample: Sample, clip: int, usable: np.ndarray) -> FaceFrames:
        regions, head = atlas.regions_of(sample, self.regions)
        count = int(usable.sum())
        intensity = self._intensity(sample)
        active = None if intensity is None else (intensity >= self.active_from)[usable]
        labels = [(sample.labels or {}).get(name, 0) > 0 for name in self.emotions]
        shown = np.tile(np.array(labels, bool), (count, 1))
        if sample.truth is not None and sample.truth.displays and self.units is None:
            display = sample.truth.displays["visual"]
            assert active is not None
            shown = np.array([name in display for name in self.emotions]) & active.any(1, keepdims=True)
        return FaceFrames(
            np.full(count, clip),
            np.full(count, sample.group),
            shown,
            active,
            (regions[usable] * 255 + 0.5).astype(np.uint8),
            (head[usable] * 255 + 0.5).astype(np.uint8),
        )

    def _intensity(self, sample: Sample) -> np.ndarray | None:
        """Return (S, A) in [0, 1] from the user's file, else from the truth; NaN where the file lacks a frame."""
        if self.units is not None:
            unknown = np.full((len(sample.faces), len(atlas.UNITS)), np.nan, np.float32)
            return self.units.get(sample.clip_id, unknown)
        if sample.truth is None:
            return None
        intensity = np.zeros((len(sample.faces), len(atlas.UNITS)), np.float32)
        for column, number in enumerate(sample.truth.au_numbers):
            if number in atlas.COLUMN:
                intensity[:, atlas.COLUMN[number]] = sample.truth.au_emotion_intensity[:, column]
        return intensity

    def flat(self, name: str, modality: str) -> list[LayerMaps]:
        """Return the layers of one attention on all frames with a face, or on all mel chunks; empty without them."""
        batches = self.layers.get((name, modality), [])
        rows = np.concatenate(self.has_face) if modality == "visual" else None
        return [_flat(layer, rows) for layer in zip(*batches, strict=True)]

    def known_faces(self) -> Faces:
        """Return all frames with a face.

        Raises:
            DataError: there is none.
        """
        if not self.faces:
            raise DataError(
                f"no face was found in the clips of corpus {self.clips.corpus.name!r}, split {self.clips.split!r}; "
                "attention can only be compared with regions of a face"
            )
        columns = {f.name: [getattr(part, f.name) for part in self.faces] for f in fields(FaceFrames)}
        known: dict[str, Any] = {
            name: None if any(part is None for part in parts) else np.concatenate(parts)
            for name, parts in columns.items()
        }
        return Faces(**known, emotions=self.emotions, without_face=int(sum((~u).sum() for u in self.has_face)))


def _flat(parts: Sequence[LayerTensors], rows: np.ndarray | None) -> LayerMaps:
    """Return one layer's batches one after the other, of the segments in `rows` only."""

    def joined(name: str) -> np.ndarray:
        array = np.concatenate([getattr(part, name).flatten(1).cpu().numpy() for part in parts])
        return array if rows is None else array[rows]

    _, height, width = parts[0].attention_SHW.shape
    attention = joined("attention_SHW").astype(np.float32)
    return LayerMaps(attention, joined("kept_SHW").astype(bool), joined("active_SHW").astype(bool), (height, width))


def _usable_faces(sample: Sample) -> np.ndarray:
    """Return (S,) bool, the frames in which the detector found a face."""
    usable = np.asarray(sample.face_found, bool)
    return usable if len(usable) == len(sample.faces) else np.zeros(len(sample.faces), bool)


def _clip_voice(sample: Sample) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    chunks, _, hops = sample.mel.shape
    at_s = np.arange(chunks * hops).reshape(chunks, hops) * CHUNK_MS / 1000 / hops
    spoken = at_s < sample.duration_s
    if sample.words:
        spoken &= np.any([(at_s >= word.start_s) & (at_s < word.end_s) for word in sample.words], axis=0)
    loud = loud_cells(sample.mel) if chunks else sample.mel.astype(bool)
    return loud, np.broadcast_to(spoken[:, None], sample.mel.shape), np.full(chunks, sample.group)


def default_regions(clips: EvaluationClips) -> str:
    """Return the best source of regions that the clips have: "truth" of rendered faces, else "points"."""
    return "truth" if clips.corpus.read(clips.rows[0].clip_id).truth is not None else "points"


@torch.no_grad()
def collect_attention_maps(
    clips: EvaluationClips,
    regions: str,
    *,
    active_from: float = ACTIVE_INTENSITY,
    units: Mapping[str, np.ndarray] | None = None,
    inits: int = 20,
    progress: Progress | None = None,
) -> AttentionMaps:
    """Run the checkpoint, and re-initialised attentions on the same stems, over the clips.

    Args:
        clips: with the checkpoint and top-p.
        regions: where units lie, one of `atlas.SOURCES`.
        active_from: intensity in (0, 1] from which a unit counts as active.
        units: clip id -> (S, A) intensities of its frames, NaN where unknown, instead of the truth's.
        inits: re-initialised attentions of the control, each on one frame of every clip.

    Raises:
        DataError: no face was found in any clip, or the corpus lacks what `regions` needs.
    """
    model, top_p = clips.predictor.attention_model, clips.top_p
    collector = _MapCollector(clips, regions, active_from, units)
    for part, samples, prepared in clips.batches(progress, full=True):
        collector.add_outputs("checkpoint", model.finish(prepared, top_p, trace=True))
        with control_attention(model, _HARD_SEED, gate="hard"):
            collector.add_outputs("hard", model.finish(prepared, top_p, trace=True))
        with control_attention(model, _RANDOM_SEED):
            collector.add_outputs("random", model.finish(prepared, top_p, trace=True))
        collector.add_samples(samples, part.start, prepared)
    loud, spoken, voice_speaker = (np.concatenate(parts) for parts in zip(*collector.voices, strict=True))
    return AttentionMaps(
        faces=collector.known_faces(),
        maps={name: collector.flat(name, "visual") for name in MAPS},
        control=[_control_maps(clips, collector.control, _CONTROL_SEED + i) for i in range(inits)],
        control_frames=np.array([one.frame for one in collector.control]),
        voices={name: collector.flat(name, "acoustic") for name in MAPS},
        loud=loud,
        spoken=spoken,
        voice_speaker=voice_speaker,
    )


def _control_maps(clips: EvaluationClips, frames: Sequence[_ControlFrame], seed: int) -> list[LayerMaps]:
    """Return the layers of one re-initialised attention on the control's frames."""
    cnn = clips.predictor.attention_model.branches["visual"].cnn
    assert isinstance(cnn, SparseVGG)
    batches = []
    with control_attention(clips.predictor.attention_model, seed):
        for start in range(0, len(frames), _CONTROL_BATCH):
            part = frames[start : start + _CONTROL_BATCH]
            stems, queries = torch.stack([one.stem for one in part]), torch.stack([one.query for one in part])
            batches.append(cnn.sparse_part(stems, queries, clips.top_p, trace=True).layers)
    return [_flat(layer, None) for layer in zip(*batches, strict=True)]


def coverage_on_grids(coverage: np.ndarray, layers: Sequence[LayerMaps]) -> list[np.ndarray]:
    """Return coverage (F, H, W) on each layer's grid: (F, n) float32 in [0, 1]. uint8 is shares of 255, bool 0 or 1."""
    grids, scale = [], np.float32(255 if coverage.dtype == np.uint8 else 1)
    for layer in layers:
        coverage = atlas.on_grid(coverage, *layer.side)  # each grid divides the one before it
        grids.append(coverage.reshape(len(coverage), -1) / scale)
    return grids
