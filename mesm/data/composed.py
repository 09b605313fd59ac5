"""Compose clips of three modalities from banks of one: faces, voices and sentences of different releases.

No freely available release has words, voice and face of everyday emotion with a stated licence. A composed clip takes
each modality from another bank, by the designed problem of the demo corpus (`mesm.data.marionette.problem`): the clip has
no emotion, one or two; each modality displays them, or at odds another one, or none. A bank is any stored corpus; a
composed split draws from the same split of each bank, so no person, speaker or sentence is in two splits.

Start at `Recipe.read` and `compose`. Deterministic: the same recipe and banks give the same bytes.
"""

from __future__ import annotations

import os
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from mesm.batch import CHUNK_MS, FACE_SIZE_PX, FRAME_INTERVAL_MS, Sample, Truth
from mesm.data.marionette.problem import LABELS, Display, draw_design, generator
from mesm.data.store import Corpus, CorpusWriter
from mesm.errors import ConfigError, DataError
from mesm.json_form import Json, to_json
from mesm.vocabulary import MODALITIES, SPLITS

#: Of ten clips seven train, one validates, two test, as in the demo corpus.
_SPLIT_OF_TEN = ("train",) * 7 + ("valid",) + ("test",) * 2
#: Purposes of `problem.generator`.
_DRAWS, _MOTION = 4, 5
#: Largest departure of a still picture's frames from its middle: shift in pixels, turn in degrees, scale.
_SHIFT_PX, _TURN_DEG, _ZOOM = 1.5, 3.0, 0.04
_MOST_FRAMES = 12


@dataclass(frozen=True)
class Bank:
    """Describe a corpus that one modality is drawn from.

    Attributes:
        corpus: its folder.
        weight: how often it is drawn, relative to the modality's other banks; 0 for never.
        alone: how many of its clips also join by themselves, with this modality only; -1 for all. A composed clip costs
            a model many segments, a picture alone one, so a bank of pictures teaches more this way.
        frames: most frames of a clip that joins alone: those with the most movement of the emotion where that is known,
            else evenly spaced; 0 for all.
    """

    corpus: str
    modality: str
    weight: float = 1.0
    alone: int = 0
    frames: int = 0


@dataclass(frozen=True)
class Recipe:
    """Describe a composed corpus: how many clips, and the banks of each modality."""

    name: str
    clips: int
    banks: tuple[Bank, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.name or self.clips < 0 or not (self.clips or any(bank.alone for bank in self.banks)):
            raise ConfigError(
                f"the recipe has name {self.name!r} and {self.clips} clips; give a name, and clips or banks with alone"
            )
        for modality in MODALITIES if self.clips else ():
            if not any(bank.modality == modality and bank.weight > 0 for bank in self.banks):
                raise ConfigError(f"the recipe has no bank with modality = {modality!r}; add one with [[bank]]")

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Recipe:
        """Read a TOML file: `name`, `clips`, `seed`, and `[[bank]]` tables with `corpus`, `modality`, `weight`.

        The folders of the banks are relative to the file.

        Raises:
            ConfigError: the file cannot be read, or a setting is unknown or of another type.
        """
        try:
            content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
            banks = tuple(Bank(**bank) for bank in content.pop("bank", ()))
            recipe = cls(banks=banks, **content)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError) as error:
            raise ConfigError(f"{path} is no recipe ({error}); it needs name, clips and [[bank]] tables") from error
        folder = Path(path).parent
        return replace(recipe, banks=tuple(replace(bank, corpus=str(folder / bank.corpus)) for bank in banks))


@dataclass(frozen=True)
class _Drawer:
    """Draw the clips of one modality and split that display an emotion ("" for none).

    Attributes:
        clips: emotion -> bank -> clip ids.
    """

    modality: str
    split: str
    banks: Sequence[tuple[Bank, Corpus]]
    clips: Mapping[str, Mapping[int, Sequence[str]]]

    def draw(self, emotion: str, rng: np.random.Generator) -> Sample:
        """Return a clip with this emotion."""
        choices = self.clips.get(emotion, {})
        if not choices:
            raise DataError(
                f"no {self.modality} bank has a {self.split} clip of {emotion or 'no emotion'}; add a bank, or split one "
                "again with mesm corpus split"
            )
        numbers = list(choices)
        weights = np.array([self.banks[n][0].weight for n in numbers])
        number = numbers[int(rng.choice(len(numbers), p=weights / weights.sum()))]
        ids = choices[number]
        return self.banks[number][1].read(ids[int(rng.integers(len(ids)))])


def compose(recipe: Recipe, folder: str | os.PathLike[str], *, progress: bool = True) -> Corpus:
    """Write the composed corpus, or go on with one that was interrupted.

    Raises:
        DataError: a bank is missing, or holds no clip of an emotion in a split.
    """
    drawers = _drawers(recipe) if recipe.clips else {}
    meta = _meta(recipe)
    with CorpusWriter(folder, recipe.name, LABELS, meta, capabilities=("displays",)) as writer:
        for number in tqdm(range(recipe.clips), desc="clips", unit="clip", disable=not progress):
            if clip_name(recipe, number) not in writer.stored:
                writer.add(_compose_clip(recipe, number, drawers))
        for bank in recipe.banks:
            if bank.alone:
                _add_alone(bank, writer, progress)
    return Corpus(folder)


def _add_alone(bank: Bank, writer: CorpusWriter, progress: bool) -> None:
    """Add clips of a bank, or `bank.alone` of them drawn at random, with the bank's modality only."""
    corpus = Corpus(bank.corpus)
    chosen = list(_displayed(corpus, bank.modality))
    if 0 < bank.alone < len(chosen):
        order = np.random.default_rng(0).permutation(len(chosen))[: bank.alone]
        chosen = [chosen[i] for i in sorted(order)]
    for clip_id, _, emotion in tqdm(chosen, desc=corpus.name, unit="clip", disable=not progress):
        name = f"{corpus.name}-{bank.modality}-{clip_id}"
        if name not in writer.stored:
            writer.add(_alone(corpus.read(clip_id), name, bank, emotion))


def _alone(sample: Sample, name: str, bank: Bank, emotion: str) -> Sample:
    """Return a clip with one modality, labelled with the emotion that it displays ("" for none)."""
    visual, acoustic = bank.modality == "visual", bank.modality == "acoustic"
    sample = _frames(sample, _kept_frames(sample, bank.frames) if visual else np.arange(0))
    displays: dict[str, Display] = {bank.modality: {emotion: 1.0} if emotion else {}}
    informative = {modality: modality == bank.modality and bool(emotion) for modality in MODALITIES}
    return replace(
        sample,
        clip_id=name,
        text=sample.text if bank.modality == "text" else "",
        mel=sample.mel if acoustic else sample.mel[:0],
        labels={label: float(label == emotion) for label in LABELS},
        words=(),
        quality=(),
        media="",
        truth=_truth(sample, informative, displays, {bank.modality: sample.clip_id}),
    )


def _kept_frames(sample: Sample, most: int) -> np.ndarray:
    """Return the indices of at most `most` frames, in order."""
    count = len(sample.faces)
    if not 0 < most < count:
        return np.arange(count)
    truth = sample.truth
    if truth is not None and truth.au_emotion_intensity.size:
        return np.sort(np.argsort(-truth.au_emotion_intensity.sum(1), kind="stable")[:most])
    return np.linspace(0, count - 1, most).round().astype(int)


def _frames(sample: Sample, kept: np.ndarray) -> Sample:
    """Return a clip with these frames only, its truth with it; without a larger crop of them."""
    truth = sample.truth
    if truth is not None:
        names = ("au_intensity", "au_emotion_intensity", "au_region", "head", "landmarks", "pose")
        arrays = {name: getattr(truth, name) for name in names}
        truth = replace(truth, **{name: rows[kept] if len(rows) else rows for name, rows in arrays.items()})
    return replace(
        sample,
        faces=sample.faces[kept],
        faces_large=np.zeros((0, 1, 1, 3), np.uint8),
        face_times_s=sample.face_times_s[kept],
        face_boxes=sample.face_boxes[kept],
        face_points=sample.face_points[kept] if len(sample.face_points) else sample.face_points,
        face_found=sample.face_found[kept],
        truth=truth,
    )


def clip_name(recipe: Recipe, number: int) -> str:
    """Return the id of a composed clip."""
    return f"{recipe.name}{recipe.seed}-{number:05d}"


def _drawers(recipe: Recipe) -> dict[tuple[str, str], _Drawer]:
    """Index the banks: (modality, split) -> drawer."""
    drawers = {}
    for modality in MODALITIES:
        banks = [(bank, Corpus(bank.corpus)) for bank in recipe.banks if bank.modality == modality and bank.weight > 0]
        index: dict[str, dict[str, dict[int, list[str]]]] = {split: {} for split in SPLITS}
        for number, (_, corpus) in enumerate(banks):
            for clip_id, split, emotion in _displayed(corpus, modality):
                if split in index:
                    index[split].setdefault(emotion, defaultdict(list))[number].append(clip_id)
        for split in SPLITS:
            drawers[modality, split] = _Drawer(modality, split, banks, index[split])
    return drawers


def _displayed(corpus: Corpus, modality: str) -> Iterator[tuple[str, str, str]]:
    """Yield (clip, split, emotion) of the clips that display one known emotion, or none, in this modality."""
    generated = "displays" in corpus.capabilities or corpus.manifest.design is not None
    for row in corpus.index:
        if generated:
            truth = corpus.read(row.clip_id).truth
            names = list(truth.displays.get(modality, {})) if truth is not None else []
        else:
            names = [name for name in row.present if name != "neutral"]
        if len(names) <= 1 and all(name in LABELS for name in names) and row.labels is not None:
            yield row.clip_id, row.split, names[0] if names else ""


def _compose_clip(recipe: Recipe, number: int, drawers: Mapping[tuple[str, str], _Drawer]) -> Sample:
    design = draw_design(generator(recipe.seed, number))
    split = _SPLIT_OF_TEN[number % 10]
    rng = generator(recipe.seed, number, _DRAWS)
    displays: dict[str, Display] = {}
    parts: dict[str, Sample] = {}
    for modality in MODALITIES:
        emotion = _strongest(design.displays[modality], rng)
        displays[modality] = {emotion: design.displays[modality][emotion]} if emotion else {}
        parts[modality] = drawers[modality, split].draw(emotion, rng)
    face, voice, words = parts["visual"], parts["acoustic"], parts["text"]
    duration_s = len(voice.mel) * CHUNK_MS / 1000
    face = _in_motion(face, duration_s, generator(recipe.seed, number, _MOTION))
    return replace(
        face,
        clip_id=clip_name(recipe, number),
        text=words.text,
        mel=voice.mel,
        duration_s=max(duration_s, float(face.face_times_s.max(initial=0.0))),
        labels={name: float(level) for name, level in design.labels.items()},
        words=(),
        speaker=voice.speaker,
        split=split,
        quality=(),
        media="",
        truth=_truth(face, design.informative, displays, {m: parts[m].clip_id for m in MODALITIES}),
    )


def _strongest(display: Display, rng: np.random.Generator) -> str:
    """Draw the one emotion that a bank's clip can show, the stronger one more often; "" for none."""
    if not display:
        return ""
    names, levels = list(display), np.array(list(display.values()))
    return names[int(rng.choice(len(names), p=levels / levels.sum()))]


def _in_motion(face: Sample, duration_s: float, rng: np.random.Generator) -> Sample:
    """Turn a still picture into a short sequence with small motion, so that lengths are alike in all banks."""
    if len(face.faces) != 1:
        return face
    count = int(np.clip(np.ceil(duration_s * 1000 / FRAME_INTERVAL_MS), 1, _MOST_FRAMES))
    steps = rng.normal(0, 0.5, (count, 4)).cumsum(0)
    steps = np.clip(steps - steps.mean(0), -1, 1)
    picture = Image.fromarray(face.faces[0])
    frames = [_moved(picture, *(step * (_SHIFT_PX, _SHIFT_PX, _TURN_DEG, _ZOOM))) for step in steps]
    return replace(
        face,
        faces=np.stack(frames),
        faces_large=np.zeros((0, 1, 1, 3), np.uint8),
        face_times_s=np.arange(count, dtype=np.float32) * FRAME_INTERVAL_MS / 1000,
        face_boxes=face.face_boxes.repeat(count, 0),
        face_points=face.face_points.repeat(count, 0),
        face_found=face.face_found.repeat(count),
    )


def _moved(picture: Image.Image, dx: float, dy: float, turn_deg: float, zoom: float) -> np.ndarray:
    """Return the picture shifted, turned and zoomed about its middle; edges repeat."""
    pad = 8
    padded = Image.fromarray(np.pad(np.asarray(picture), ((pad, pad), (pad, pad), (0, 0)), mode="edge"))
    middle, cos, sin = (FACE_SIZE_PX + 2 * pad) / 2, np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    scale = 1 / (1 + zoom)
    a, b, d, e = cos * scale, sin * scale, -sin * scale, cos * scale
    c, f = middle - a * (middle + dx) - b * (middle + dy), middle - d * (middle + dx) - e * (middle + dy)
    moved = padded.transform(padded.size, Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BILINEAR)
    return np.asarray(moved)[pad : pad + FACE_SIZE_PX, pad : pad + FACE_SIZE_PX]


def _truth(
    face: Sample, informative: dict[str, bool], displays: dict[str, Display], sources: Mapping[str, str]
) -> Truth:
    """Return the truth of a composed clip: its displays, and a rendered face's action units; a recorded face has none."""
    extra: dict[str, Json] = {"sources": to_json(dict(sources))}
    if face.truth is not None:
        return replace(face.truth, informative=informative, displays=displays, prosody={}, extra=extra)
    frames = len(face.faces)
    return Truth(
        au_numbers=(),
        au_intensity=np.zeros((frames, 0), np.float32),
        au_emotion_intensity=np.zeros((frames, 0), np.float32),
        au_region=np.zeros((frames, 0, FACE_SIZE_PX, FACE_SIZE_PX), np.uint8),
        head=np.zeros((0, FACE_SIZE_PX, FACE_SIZE_PX), np.uint8),
        landmarks=np.zeros((0, 68, 2), np.float32),
        pose=np.zeros((0, 3), np.float32),
        informative=informative,
        displays=displays,
        extra=extra,
    )


def _meta(recipe: Recipe) -> dict[str, Json]:
    """Return the manifest's facts: every source with its identity, licence and citation."""
    sources = []
    for bank in recipe.banks:
        if (recipe.clips and bank.weight > 0) or bank.alone:
            corpus = Corpus(bank.corpus)
            meta = corpus.manifest.meta
            source: dict[str, Json] = {"corpus": corpus.name, "digest": corpus.digest, "modality": bank.modality}
            source |= {"weight": bank.weight, "alone": bank.alone}
            source.update((key, meta[key]) for key in ("licence", "citation") if key in meta)
            sources.append(source)
    return {"kind": "composed", "clips": recipe.clips, "seed": recipe.seed, "sources": to_json(sources)}
