"""Run a checkpoint over a split once and keep what its attention did on every face, and what the faces showed.

Shapes: F frames of all clips, A units in the order of `atlas.UNITS`, E emotions, n = H x W cells of a layer's grid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mesm.analysis.attention_controls import control_attention
from mesm.batch import ACTIVE_INTENSITY, CHUNK_MS, Sample
from mesm.errors import DataError
from mesm.layers.sparse_vgg import LayerTensors, SparseVGG
from mesm.models import ModelOutput, Prepared
from mesm.runtime import Progress
from mesm.studies.facs import atlas
from mesm.studies.faithfulness.evaluation_clips import BATCH, EvaluationClips, prepare
from mesm.studies.faithfulness.loudness_lift import loud_cells

#: Maps shown side by side: the checkpoint's own; fresh attention with the paper's hard gate; fresh attention alone.
MAPS = ("checkpoint", "hard", "random")
_HARD_SEED, _RANDOM_SEED, _CONTROL_SEED = 0, 100, 1000


@dataclass(frozen=True)
class LayerMaps:
    """One attention layer on F frames: (F, n) float32 attention, bool kept, bool active; `side` = (H, W)."""

    attention: np.ndarray
    kept: np.ndarray
    active: np.ndarray
    side: tuple[int, int]

    def of(self, kind: str) -> np.ndarray:
        """`attention`, or the kept sites as 0/1 float32."""
        return self.attention if kind == "attention" else self.kept.astype(np.float32)


@dataclass(frozen=True)
class Faces:
    """What is known of F frames with a face, whatever the model.

    Attributes:
        clip: (F,) number of the clip in the study's order; `speaker` (F,) names.
        emotions: E names; `shown` (F, E) bool, what the face shows (rendered) or the clip's labels.
        active: (F, A) bool, units really active; None where nobody knows.
        regions: (F, A, 48, 48) uint8, 255 = the pixel lies in the unit's region; `head` (F, 48, 48) the same.
        without_face: frames left out because they are the fallback crop.
    """

    clip: np.ndarray
    speaker: np.ndarray
    emotions: tuple[str, ...]
    shown: np.ndarray
    active: np.ndarray | None
    regions: np.ndarray
    head: np.ndarray
    without_face: int


@dataclass(frozen=True)
class Study:
    """A checkpoint's attention on one split.

    Attributes:
        maps: name of `MAPS` -> layers, on the frames of `faces`.
        control: per initialisation, the layers on the frames `control_frames` (indices into `faces`).
        voices: name of `MAPS` -> layers on the mel chunks of all clips; `loud` (chunks, 128, 32) bool, the highest
            tenth of each clip's mel values; `spoken` the same shape, columns in which a word is said (all before the
            clip's end where word times are unknown); `voice_speaker` (chunks,) names.
    """

    faces: Faces
    maps: dict[str, list[LayerMaps]]
    control: list[list[LayerMaps]]
    control_frames: np.ndarray
    voices: dict[str, list[LayerMaps]]
    loud: np.ndarray
    spoken: np.ndarray
    voice_speaker: np.ndarray


def _flat(parts: list[LayerTensors], keep: list[np.ndarray] | None) -> LayerMaps:
    def joined(name: str) -> np.ndarray:
        arrays = [getattr(part, name).flatten(1).cpu().numpy() for part in parts]
        return np.concatenate([a if keep is None else a[k] for a, k in zip(arrays, keep or arrays, strict=True)])

    _, height, width = parts[0].attention_SHW.shape
    attention = joined("attention_SHW").astype(np.float32)
    return LayerMaps(attention, joined("kept_SHW").astype(bool), joined("active_SHW").astype(bool), (height, width))


class _Gathered:
    """Grows batch by batch; `study` closes it."""

    def __init__(
        self, clips: EvaluationClips, regions: str, active_from: float, units: Mapping[str, np.ndarray] | None
    ) -> None:
        self.clips, self.regions, self.active_from, self.units = clips, regions, active_from, units
        self.emotions = tuple(clips.corpus.labels)
        self.layers: dict[str, dict[str, list[list[LayerTensors]]]] = {m: {"visual": [], "acoustic": []} for m in MAPS}
        self.found: list[np.ndarray] = []
        self.faces: dict[str, list[np.ndarray]] = {
            n: [] for n in ("clip", "speaker", "shown", "active", "units", "head")
        }
        self.sound: dict[str, list[np.ndarray]] = {n: [] for n in ("loud", "spoken", "speaker")}
        self.stems: list[Tensor] = []
        self.queries: list[Tensor] = []
        self.control: list[int] = []
        self.rng = np.random.default_rng(0)

    def add_outputs(self, name: str, output: ModelOutput) -> None:
        for modality, layers in output.layers.items():
            self.layers[name][modality].append(list(layers))

    def add_samples(self, samples: list[Sample], first: int, prepared: Prepared) -> None:
        """What the clips show; and one frame of each clip for the control."""
        found, start, frames = [], 0, sum(len(part) for part in self.faces["clip"])
        for i, sample in enumerate(samples):
            usable = np.asarray(sample.face_found, bool)
            if len(usable) != len(sample.faces):
                usable = np.zeros(len(sample.faces), bool)
            if usable.any():
                active = self._add_face(sample, first + i, usable)
                candidates = np.flatnonzero(active.any(1)) if active is not None else np.arange(int(usable.sum()))
                if len(candidates):
                    chosen = int(self.rng.choice(candidates))
                    self.control.append(frames + chosen)
                    self.stems.append(prepared.maps["visual"][start + int(np.flatnonzero(usable)[chosen])])
                    self.queries.append(prepared.text_BD[i])
            found.append(usable)
            start += len(usable)
            frames += int(usable.sum())
            self._add_sound(sample)
        self.found.append(np.concatenate(found) if found else np.zeros(0, bool))

    def _add_face(self, sample: Sample, clip: int, usable: np.ndarray) -> np.ndarray | None:
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
        for name, rows in (
            ("clip", np.full(count, clip)),
            ("speaker", np.full(count, sample.group, dtype=object)),
            ("shown", shown),
            ("units", (regions[usable] * 255 + 0.5).astype(np.uint8)),
            ("head", (head[usable] * 255 + 0.5).astype(np.uint8)),
        ):
            self.faces[name].append(rows)
        if active is not None:
            self.faces["active"].append(active)
        return active

    def _intensity(self, sample: Sample) -> np.ndarray | None:
        """(S, A) in [0, 1] from the file that was given, else from the truth; NaN where a frame is not in the file."""
        if self.units is not None:
            unknown = np.full((len(sample.faces), len(atlas.UNITS)), np.nan, np.float32)
            return self.units.get(sample.clip_id, unknown)
        if sample.truth is None:
            return None
        found = np.zeros((len(sample.faces), len(atlas.UNITS)), np.float32)
        for column, number in enumerate(sample.truth.au_numbers):
            if number in atlas.COLUMN:
                found[:, atlas.COLUMN[number]] = sample.truth.au_emotion_intensity[:, column]
        return found

    def _add_sound(self, sample: Sample) -> None:
        chunks, _, hops = sample.mel.shape
        at_s = np.arange(chunks * hops).reshape(chunks, hops) * CHUNK_MS / 1000 / hops
        spoken = at_s < sample.duration_s
        if sample.words:
            spoken &= np.any([(at_s >= word.start_s) & (at_s < word.end_s) for word in sample.words], axis=0)
        self.sound["loud"].append(loud_cells(sample.mel) if chunks else sample.mel.astype(bool))
        self.sound["spoken"].append(np.broadcast_to(spoken[:, None], sample.mel.shape))
        self.sound["speaker"].append(np.full(chunks, sample.group, dtype=object))

    def flat(self, name: str, modality: str) -> list[LayerMaps]:
        batches = self.layers[name][modality]
        if not batches:
            return []
        keep = [found for found in self.found if len(found)] if modality == "visual" else None
        return [_flat([batch[layer] for batch in batches], keep) for layer in range(len(batches[0]))]

    def known_faces(self) -> Faces:
        joined = {name: np.concatenate(parts) for name, parts in self.faces.items() if parts}
        if not joined:
            raise DataError(
                f"no face was found in the clips of corpus {self.clips.corpus.name!r}, split {self.clips.split!r}; "
                "attention can only be compared with regions of a face"
            )
        return Faces(
            joined["clip"],
            joined["speaker"].astype(str),
            self.emotions,
            joined["shown"],
            joined.get("active"),
            joined["units"],
            joined["head"],
            int(sum((~found).sum() for found in self.found)),
        )


def default_regions(clips: EvaluationClips) -> str:
    """`truth` where the clips were rendered, else `points`."""
    return "truth" if clips.corpus.read(clips.rows[0].clip_id).truth is not None else "points"


@torch.no_grad()
def look(
    clips: EvaluationClips,
    regions: str,
    *,
    active_from: float = ACTIVE_INTENSITY,
    units: Mapping[str, np.ndarray] | None = None,
    inits: int = 20,
    progress: Progress | None = None,
) -> Study:
    """Run the checkpoint, and fresh attentions on the same stems, over the clips.

    Args:
        clips: with the checkpoint and top-p.
        regions: where units lie, one of `atlas.SOURCES`.
        active_from: intensity from which a unit counts as active.
        units: clip id -> (S, A) intensities of its frames, NaN where unknown, instead of the truth's.
        inits: fresh attentions of the control, each on one frame of every clip.

    Raises:
        DataError: no face was found in any clip, or the corpus lacks what `regions` needs.
    """
    model, top_p = clips.predictor.attention_model, clips.top_p
    gathered = _Gathered(clips, regions, active_from, units)
    total = len(clips.rows)
    for start in range(0, total, BATCH):
        samples = [clips.corpus.read(row.clip_id) for row in clips.rows[start : start + BATCH]]
        prepared = prepare(clips.predictor, samples, clips.vectors)
        gathered.add_outputs("checkpoint", model.finish(prepared, top_p, trace=True))
        with control_attention(model, _HARD_SEED, gate="hard"):
            gathered.add_outputs("hard", model.finish(prepared, top_p, trace=True))
        with control_attention(model, _RANDOM_SEED):
            gathered.add_outputs("random", model.finish(prepared, top_p, trace=True))
        gathered.add_samples(samples, start, prepared)
        if progress is not None:
            progress(min(start + BATCH, total), total)
    faces = gathered.known_faces()
    sound = {name: np.concatenate(parts) for name, parts in gathered.sound.items()}
    return Study(
        faces=faces,
        maps={name: gathered.flat(name, "visual") for name in MAPS},
        control=[_control(clips, gathered, _CONTROL_SEED + i) for i in range(inits)],
        control_frames=np.array(gathered.control),
        voices={name: gathered.flat(name, "acoustic") for name in MAPS},
        loud=sound["loud"],
        spoken=sound["spoken"],
        voice_speaker=sound["speaker"].astype(str),
    )


def _control(clips: EvaluationClips, gathered: _Gathered, seed: int) -> list[LayerMaps]:
    """The layers of one fresh attention on the control's frames."""
    cnn = clips.predictor.attention_model.branches["visual"].cnn
    assert isinstance(cnn, SparseVGG)
    batches = []
    with control_attention(clips.predictor.attention_model, seed):
        for start in range(0, len(gathered.stems), 64):
            part = slice(start, start + 64)
            query = torch.stack(gathered.queries[part])
            batches.append(cnn.sparse_part(torch.stack(gathered.stems[part]), query, clips.top_p, trace=True).layers)
    return [_flat([batch[layer] for batch in batches], None) for layer in range(len(batches[0]))]


def on_grids(coverage: np.ndarray, layers: Sequence[LayerMaps]) -> list[np.ndarray]:
    """Coverage (F, H, W) on each layer's grid: (F, n) float32. Whole numbers are shares of 255, bool is 0 or 1."""
    found, scale = [], np.float32(255 if coverage.dtype == np.uint8 else 1)
    for layer in layers:
        coverage = atlas.on_grid(coverage, *layer.side)  # each grid divides the one before it
        found.append(coverage.reshape(len(coverage), -1) / scale)
    return found
