"""Canonical-face maps: every face's mask warped to one template face and averaged. Evidence without a participant.

The template is the atlas's: the five points of each face are taken to it by a similarity transform. Averages are over
speakers, each with the mean of their own frames, so that nobody counts twice; only frames with a face that was found,
and of the template only cells that most frames show.

The record `canonical_<checkpoint>_<corpus>.json` holds, beside `split`, `top_p`, `labels`, `layers` (their number),
`clips`, `speakers`, `frames`, `without_face` (frames left out), `emotion_from` (how a face's emotion is known), `window`
(x0, x1, y0, y1 of the template in canonical coordinates), `outline` (lines to draw it), `draws` and `alpha`:

- `maps`: {"checkpoint", "random", a second checkpoint's name: {"kept" | "attention": {emotion or "all": [map per layer]}}}
- `frames_per_emotion`: {emotion: {"frames", "speakers"}}
- `differences`: {"others" | "wrong" | "random" | a second checkpoint: {emotion: [{"map", "significant", "speakers"} per
  layer]}}: kept sites of the emotion minus those of the other faces; of clips whose strongest score is right minus
  wrong; of the checkpoint minus the same with attention drawn anew, or minus the second checkpoint. `significant` marks
  cells whose p, from flipping the signs of whole speakers, stays below `alpha` after Benjamini-Hochberg over the cells
  of the map. None where fewer than three speakers have both sides.

A map is `SIZE` rows of words: hundredths, "-" where too few frames show the cell; `kept` in shares of the frames,
`attention` and differences likewise in hundredths, attention as a multiple of an even share. `significant` is rows of 0
and 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from mesm.analysis.attention_controls import control_attention
from mesm.analysis.predictor import Predictor
from mesm.batch import FACE_SIZE_PX, Sample
from mesm.config import check_top_p
from mesm.data.store import Corpus
from mesm.errors import ConfigError, DataError
from mesm.layers.sparse_vgg import LayerTensors
from mesm.studies.facs import atlas
from mesm.studies.facs.region_geometry import LANDMARKS
from mesm.studies.facs.statistics import Speakers, false_discovery
from mesm.studies.faithfulness.evaluation_clips import (
    BATCH,
    EvaluationClips,
    Progress,
    open_clips,
    prepare,
    strongest_is_true,
)

SIZE = 24
WINDOW = (-1.4, 1.4, -1.05, 1.75)
ALPHA = 0.05
DRAWS = 2000
#: A template's cell counts where at least this share of the frames show it.
SEEN_BY = 0.5
#: A difference needs so many speakers with both sides.
LEAST_SPEAKERS = 3
#: Attention layers of a branch.
LAYERS = 3
LOOKS = ("kept", "attention")
ALL = "all"


def template_points() -> np.ndarray:
    """(SIZE, SIZE, 2) canonical x, y of the template's cells."""
    x0, x1, y0, y1 = WINDOW
    at = (np.arange(SIZE) + 0.5) / SIZE
    return np.stack(np.meshgrid(x0 + at * (x1 - x0), y0 + at * (y1 - y0)), axis=-1)


def warp(maps_SHW: np.ndarray, points_S52: np.ndarray) -> np.ndarray:
    """Maps of crops as seen on the template: (S, SIZE, SIZE), NaN outside the crop or without points.

    Each cell of the template takes the value of the map's cell that its centre lies in: nothing is smoothed.
    """
    with np.errstate(invalid="ignore"):
        pixels = atlas.to_pixels(points_S52, template_points())
        column, row = (np.floor(pixels[..., i] * maps_SHW.shape[2 - i] / FACE_SIZE_PX) for i in (0, 1))
    height, width = maps_SHW.shape[1:]
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    rows, columns = np.where(inside, row, 0).astype(int), np.where(inside, column, 0).astype(int)
    found = maps_SHW[np.arange(len(maps_SHW))[:, None, None], rows, columns]
    return np.where(inside, found, np.nan)


def outline() -> dict[str, list[list[list[float]]]]:
    """Lines of the template: the face, brows, eyes, nose and mouth, as lists of (x, y)."""
    strips = {"brow": (range(17, 22), range(22, 27)), "nose": (range(27, 31), range(31, 36))}
    lines = {
        "face": [np.concatenate([atlas.face_outline(), atlas.face_outline()[:1]])],
        "eyes": [np.concatenate([eye, eye[:1]]) for eye in atlas.eye_openings()],
        "mouth": [LANDMARKS[[*range(48, 60), 48]], LANDMARKS[[*range(60, 68), 60]]],
        **{name: [LANDMARKS[list(part)] for part in parts] for name, parts in strips.items()},
    }
    return {name: [np.round(line, 3).tolist() for line in found] for name, found in lines.items()}


def pack(values: np.ndarray) -> list[str]:
    """(H, W) as H rows of hundredths, "-" for NaN: a record stays small and can be read."""
    return [" ".join("-" if np.isnan(v) else str(round(100 * v)) for v in row) for row in values.tolist()]


def emotions_of(sample: Sample) -> tuple[set[str], bool]:
    """What the face shows where the renderer knows it (True), else what the clip is labelled with."""
    if sample.truth is not None and sample.truth.displays:
        return set(sample.truth.displays.get("visual", {})), True
    return {name for name, value in (sample.labels or {}).items() if value > 0}, False


class Tally:
    """Sums of warped maps per speaker, group of frames, look and layer; grows clip by clip.

    Groups: all frames, and for every emotion those that show it, those that do not, and those that show it in clips
    whose strongest score is right, or wrong.
    """

    def __init__(self, emotions: Sequence[str], speakers: Sequence[str]) -> None:
        self.emotions, self.speakers = tuple(emotions), tuple(speakers)
        self.groups = (ALL, *(f for e in emotions for f in (e, f"not {e}", f"{e}, right", f"{e}, wrong")))
        shape = (len(speakers), len(self.groups), len(LOOKS), LAYERS, SIZE, SIZE)
        self.sums, self.counts = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self.frames = np.zeros(shape[:2], int)

    def add(self, speaker: str, shown: set[str], right: float, warped: np.ndarray) -> None:
        """Frames of one clip.

        Args:
            shown: emotions that they show.
            right: 1 where the clip's strongest score is right, 0 where wrong, NaN where nobody knows.
            warped: (S, looks, layers, SIZE, SIZE), NaN where a cell is not seen.
        """
        known = np.isfinite(warped)
        values, counts = np.where(known, warped, 0).sum(0), known.sum(0)
        groups = [ALL, *(e if e in shown else f"not {e}" for e in self.emotions)]
        if np.isfinite(right):
            groups += [f"{e}, {'right' if right else 'wrong'}" for e in self.emotions if e in shown]
        for group in groups:
            place = self.speakers.index(speaker), self.groups.index(group)
            self.sums[place] += values
            self.counts[place] += counts
            self.frames[place] += len(warped)

    def frames_of(self, group: str) -> np.ndarray:
        """(speakers,) frames."""
        return self.frames[:, self.groups.index(group)]

    def means(self, group: str) -> np.ndarray:
        """(speakers, looks, layers, SIZE, SIZE) each speaker's mean, NaN where too few of their frames show a cell."""
        g = self.groups.index(group)
        least = np.maximum(SEEN_BY * self.frames[:, g], 1)[:, None, None, None, None]
        sums, counts = self.sums[:, g], self.counts[:, g]
        return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts >= least)


def _mean(means: np.ndarray) -> np.ndarray:
    """Over the speakers; NaN where fewer than half of those who have frames show the cell."""
    present = np.isfinite(means).any(axis=tuple(range(1, means.ndim)))
    known = np.isfinite(means).sum(0)
    total = np.nansum(means, axis=0)
    return np.divide(
        total, known, out=np.full(total.shape, np.nan), where=known >= max(SEEN_BY * float(present.sum()), 1)
    )


def difference(first: np.ndarray, second: np.ndarray, seed: int = 0) -> dict[str, Any] | None:
    """First minus second, paired within speakers, with the cells that differ.

    Args:
        first: (speakers, H, W), NaN where a speaker has nothing to show; `second` the same.

    Returns:
        `map` and `significant` as rows, `speakers` with both sides; None with fewer than `LEAST_SPEAKERS`.
    """
    each = first - second
    both = np.isfinite(each).any((1, 2))
    if both.sum() < LEAST_SPEAKERS:
        return None
    each = each[both]
    map_ = _mean(each)
    signs = Speakers(np.arange(len(each)).astype(str), DRAWS, seed).signs
    flat = np.where(np.isfinite(each), each, 0).reshape(len(each), -1)
    observed, flipped = np.abs(flat.sum(0)), np.abs(signs @ flat)
    reached = (flipped >= observed * (1 - 1e-9)).sum(0)
    exact = len(signs) == 2 ** len(each)
    p = np.where(np.isfinite(map_).ravel(), reached / len(signs) if exact else (1 + reached) / (1 + len(signs)), np.nan)
    with np.errstate(invalid="ignore"):
        significant = (false_discovery(p) < ALPHA).reshape(map_.shape)
    return {
        "map": pack(map_),
        "significant": ["".join("1" if v else "0" for v in row) for row in significant],
        "speakers": int(both.sum()),
    }


def canonical(
    predictor: Predictor,
    corpus: Corpus,
    split: str = "test",
    top_p: float | None = None,
    *,
    against: Predictor | None = None,
    clips: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Canonical maps of a checkpoint, of the same with attention drawn anew, and of a second one if given.

    Raises:
        ConfigError: a checkpoint has no attention, or no face branch.
        DataError: no face was found in the split.
    """
    for one in (predictor, against):
        if one is not None and not (one.has_attention and "visual" in one.config.modalities):
            raise ConfigError(f"checkpoint {one.name!r} has no attention on faces; give a MESM with a face branch")
    top_p = check_top_p(predictor.config.top_p if top_p is None else top_p)
    chosen = open_clips(predictor, corpus, split, top_p, clips)
    speakers = tuple(sorted(set(chosen.groups.tolist())))
    tallies = {"checkpoint": Tally(corpus.labels, speakers)}
    without_face, rendered = fill(tallies["checkpoint"], chosen, progress)
    if not tallies["checkpoint"].frames.any():
        raise DataError(f"no face was found in split {split!r} of corpus {corpus.name!r}; there is nothing to average")
    tallies["random"] = Tally(corpus.labels, speakers)
    with control_attention(predictor.attention_model, seed):
        fill(tallies["random"], chosen, progress)
    if against is not None:
        tallies[against.name] = Tally(corpus.labels, speakers)
        fill(tallies[against.name], open_clips(against, corpus, split, top_p, clips), progress)
    return {
        "split": split,
        "top_p": top_p,
        "labels": list(corpus.labels),
        "layers": LAYERS,
        "clips": len(chosen),
        "speakers": len(speakers),
        "frames": int(tallies["checkpoint"].frames[:, 0].sum()),
        "without_face": without_face,
        "emotion_from": "what the rendered face shows" if rendered else "the clip's labels",
        "window": list(WINDOW),
        "outline": outline(),
        "draws": DRAWS,
        "alpha": ALPHA,
        **_summary(tallies, seed),
    }


@torch.no_grad()
def fill(tally: Tally, clips: EvaluationClips, progress: Progress | None = None) -> tuple[int, bool]:
    """Add every face of the clips; how many frames have no face, and whether the renderer knows what they show."""
    without, rendered = 0, False
    truth = clips.truth
    for start in range(0, len(clips), BATCH):
        rows = clips.rows[start : start + BATCH]
        samples = [clips.corpus.read(row.clip_id) for row in rows]
        prepared = prepare(clips.predictor, samples, clips.vectors)
        output = clips.predictor.attention_model.finish(prepared, clips.top_p, trace=True)
        right = strongest_is_true(clips.branch_scores(output)["fused"], truth[start : start + BATCH])
        ends = np.cumsum([0, *(len(sample.faces) for sample in samples)])
        for i, sample in enumerate(samples):
            shown, known = emotions_of(sample)
            rendered |= known
            usable = _usable(sample)
            without += int((~usable).sum())
            if usable.any():
                part = slice(int(ends[i]), int(ends[i + 1]))
                warped = _warped(output.layers["visual"], part, usable, sample.face_points)
                tally.add(clips.groups[start + i], shown, right[i], warped)
        if progress is not None:
            progress(min(start + BATCH, len(clips)), len(clips))
    return without, rendered


def _usable(sample: Sample) -> np.ndarray:
    """(S,) bool, frames with a face that was found and has its five points."""
    if len(sample.face_found) != len(sample.faces) or len(sample.face_points) != len(sample.faces):
        return np.zeros(len(sample.faces), bool)
    return np.asarray(sample.face_found, bool) & np.isfinite(sample.face_points).all((1, 2))


def _warped(layers: Sequence[LayerTensors], part: slice, usable: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(S, looks, layers, SIZE, SIZE) of one clip's usable frames; attention as a multiple of an even share of the map."""
    found = []
    for layer in layers:
        attention = layer.attention_SHW[part].float().cpu().numpy()[usable]
        kept = layer.kept_SHW[part].float().cpu().numpy()[usable]
        even = attention.shape[1] * attention.shape[2]
        found.append(np.stack([warp(kept, points[usable]), warp(attention * even, points[usable])], 1))
    return np.stack(found, 2)


def _summary(tallies: dict[str, Tally], seed: int) -> dict[str, Any]:
    own = tallies["checkpoint"]
    maps = {
        name: {
            look: {group: [pack(m) for m in _mean(tally.means(group)[:, k])] for group in (ALL, *tally.emotions)}
            for k, look in enumerate(LOOKS)
        }
        for name, tally in tallies.items()
    }
    pairs: dict[str, Callable[[str], tuple[np.ndarray, np.ndarray]]] = {
        "others": lambda e: (own.means(e), own.means(f"not {e}")),
        "wrong": lambda e: (own.means(f"{e}, right"), own.means(f"{e}, wrong")),
        **{
            name: (lambda e, tally=tally: (own.means(e), tally.means(e)))  # type: ignore[misc]
            for name, tally in tallies.items()
            if tally is not own
        },
    }
    differences: dict[str, dict[str, list[dict[str, Any] | None]]] = {}
    for name, pair in pairs.items():
        differences[name] = {}
        for emotion in own.emotions:
            first, second = pair(emotion)
            differences[name][emotion] = [
                difference(first[:, 0, layer], second[:, 0, layer], seed) for layer in range(LAYERS)
            ]
    return {
        "maps": maps,
        "frames_per_emotion": {
            e: {"frames": int(own.frames_of(e).sum()), "speakers": int((own.frames_of(e) > 0).sum())}
            for e in own.emotions
        },
        "differences": differences,
    }
