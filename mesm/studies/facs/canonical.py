"""Warp every face's map to one template face and average: where the attention lies, without showing a participant.

The template is the atlas's: a similarity transform takes the five points of each face to it. Means are over speakers,
each with the mean of their own frames, so that each speaker counts once; only frames with a detected face, and of the
template only cells that most frames show. Start with `canonical_faces`; `mesm.records.canonical` is the result.

Shape legend: S frames of one clip, G speakers, K = 2 site kinds in the order of `KINDS`, L layers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from mesm.analysis.attention_controls import control_attention
from mesm.analysis.predictor import Predictor
from mesm.analysis.supervision import supervision_of
from mesm.batch import FACE_SIZE_PX, Sample
from mesm.config import check_top_p
from mesm.data import atlas
from mesm.data.region_geometry import LANDMARKS
from mesm.data.store import Corpus
from mesm.errors import ConfigError, DataError
from mesm.layers.sparse_vgg import LayerTensors, SparseVGG
from mesm.records.canonical import ALL, CanonicalFaces, CanonicalMaps, EmotionFrames, MapDifference, pack
from mesm.records.facs import KINDS
from mesm.runtime import Progress
from mesm.statistics import false_discovery, sign_flip_p
from mesm.studies.faithfulness.evaluation_clips import EvaluationClips, open_clips, strongest_is_true

SIZE = 24
WINDOW = (-1.4, 1.4, -1.05, 1.75)
ALPHA = 0.05
DRAWS = 2000
#: A cell of the template counts where at least this share of the frames show it.
SEEN_BY = 0.5
#: Fewest speakers with both sides of a difference.
LEAST_SPEAKERS = 3


def template_points() -> np.ndarray:
    """Return (SIZE, SIZE, 2) canonical x, y of the template's cells."""
    x0, x1, y0, y1 = WINDOW
    at = (np.arange(SIZE) + 0.5) / SIZE
    return np.stack(np.meshgrid(x0 + at * (x1 - x0), y0 + at * (y1 - y0)), axis=-1)


def warp(maps_SHW: np.ndarray, points_S52: np.ndarray) -> np.ndarray:
    """Return maps of crops on the template: (S, SIZE, SIZE), NaN outside the crop or without points.

    Each cell of the template takes the value of the map's cell in which its centre lies: no smoothing.
    """
    with np.errstate(invalid="ignore"):
        pixels = atlas.to_pixels(points_S52, template_points())
        column, row = (np.floor(pixels[..., i] * maps_SHW.shape[2 - i] / FACE_SIZE_PX) for i in (0, 1))
    height, width = maps_SHW.shape[1:]
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    rows, columns = np.where(inside, row, 0).astype(int), np.where(inside, column, 0).astype(int)
    return np.where(inside, maps_SHW[np.arange(len(maps_SHW))[:, None, None], rows, columns], np.nan)


def outline() -> dict[str, tuple[tuple[tuple[float, float], ...], ...]]:
    """Return the lines (x, y) that draw the template: face, brows, eyes, nose and mouth."""
    strips = {"brow": (range(17, 22), range(22, 27)), "nose": (range(27, 31), range(31, 36))}
    parts = {
        "face": [np.concatenate([atlas.face_outline(), atlas.face_outline()[:1]])],
        "eyes": [np.concatenate([eye, eye[:1]]) for eye in atlas.eye_openings()],
        "mouth": [LANDMARKS[[*range(48, 60), 48]], LANDMARKS[[*range(60, 68), 60]]],
        **{name: [LANDMARKS[list(part)] for part in ranges] for name, ranges in strips.items()},
    }
    return {
        name: tuple(tuple((float(x), float(y)) for x, y in np.round(line, 3)) for line in lines)
        for name, lines in parts.items()
    }


def emotions_of(sample: Sample) -> tuple[set[str], bool]:
    """Return the emotions that the face shows and True where they are the renderer's truth, else the clip's labels and False."""
    if sample.truth is not None and sample.truth.displays:
        return set(sample.truth.displays.get("visual", {})), True
    return {name for name, value in (sample.labels or {}).items() if value > 0}, False


class SpeakerMapSums:
    """Sum warped maps per speaker, group of frames, site kind and layer, clip by clip.

    Groups: all frames, and for every emotion those that show it, those that do not, and those that show it in clips
    whose highest score is right, or wrong.
    """

    def __init__(self, emotions: Sequence[str], speakers: Sequence[str], layers: int) -> None:
        self.emotions, self.speakers = tuple(emotions), tuple(speakers)
        self.groups = (ALL, *(f for e in emotions for f in (e, f"not {e}", f"{e}, right", f"{e}, wrong")))
        shape = (len(speakers), len(self.groups), len(KINDS), layers, SIZE, SIZE)
        self.sums, self.counts = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self.frames = np.zeros(shape[:2], int)

    def add(self, speaker: str, shown: set[str], right: float, warped: np.ndarray) -> None:
        """Add the frames of one clip.

        Args:
            shown: emotions of the frames.
            right: 1 where the clip's highest score is right, 0 where wrong, NaN without a label.
            warped: (S, K, L, SIZE, SIZE), NaN where a cell lies outside the crop.
        """
        known = np.isfinite(warped)
        values, counts = np.where(known, warped, 0).sum(0), known.sum(0)
        groups = [ALL, *(e if e in shown else f"not {e}" for e in self.emotions)]
        if np.isfinite(right):
            groups += [f"{e}, {'right' if right else 'wrong'}" for e in self.emotions if e in shown]
        for group in groups:
            index = self.speakers.index(speaker), self.groups.index(group)
            self.sums[index] += values
            self.counts[index] += counts
            self.frames[index] += len(warped)

    def frames_of(self, group: str) -> np.ndarray:
        """Return (G,) frames."""
        return self.frames[:, self.groups.index(group)]

    def means(self, group: str) -> np.ndarray:
        """Return (G, K, L, SIZE, SIZE) means per speaker, NaN where fewer than `SEEN_BY` of the frames show a cell."""
        g = self.groups.index(group)
        least = np.maximum(SEEN_BY * self.frames[:, g], 1)[:, None, None, None, None]
        sums, counts = self.sums[:, g], self.counts[:, g]
        return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts >= least)


def _mean(means: np.ndarray) -> np.ndarray:
    """Return the mean over the speakers; NaN where fewer than half of those who have frames show the cell."""
    present = np.isfinite(means).any(axis=tuple(range(1, means.ndim)))
    known = np.isfinite(means).sum(0)
    total = np.nansum(means, axis=0)
    return np.divide(
        total, known, out=np.full(total.shape, np.nan), where=known >= max(SEEN_BY * float(present.sum()), 1)
    )


def difference(first: np.ndarray, second: np.ndarray, seed: int = 0) -> MapDifference | None:
    """Return first minus second, paired within speakers, with the cells that differ significantly.

    p by flipping the signs of whole speakers; significant where p after Benjamini-Hochberg over the cells is below `ALPHA`.

    Args:
        first: (G, H, W), NaN where a speaker has no value; `second` the same.

    Returns:
        None with fewer than `LEAST_SPEAKERS` speakers that have both sides.
    """
    each = first - second
    both = np.isfinite(each).any((1, 2))
    if both.sum() < LEAST_SPEAKERS:
        return None
    each = each[both]
    map_ = _mean(each)
    departures = np.where(np.isfinite(each), each, 0).reshape(len(each), -1)
    p = np.where(np.isfinite(map_).ravel(), sign_flip_p(departures, DRAWS, seed), np.nan)
    with np.errstate(invalid="ignore"):
        significant = (false_discovery(p) < ALPHA).reshape(map_.shape)
    mask = tuple("".join("1" if v else "0" for v in row) for row in significant)
    return MapDifference(pack(map_), mask, int(both.sum()))


def canonical_faces(
    predictor: Predictor,
    corpus: Corpus,
    split: str = "test",
    top_p: float | None = None,
    *,
    against: Predictor | None = None,
    clips: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> CanonicalFaces:
    """Average the maps of a checkpoint, of its re-initialised attention, and of a second checkpoint.

    Args:
        against: the second checkpoint, for the difference of the maps.
        clips: use at most so many clips, the speakers in turn.
        seed: of the re-initialised attention and of the permutations.

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

    def new_sums(of: Predictor) -> SpeakerMapSums:
        return SpeakerMapSums(corpus.labels, speakers, _layers(of))

    own = new_sums(predictor)
    without_face, rendered = add_clips(own, chosen, progress)
    if not own.frames.any():
        raise DataError(f"no face was found in split {split!r} of corpus {corpus.name!r}; there is nothing to average")
    sums = {"checkpoint": own, "random": new_sums(predictor)}
    with control_attention(predictor.attention_model, seed):
        add_clips(sums["random"], chosen, progress)
    if against is not None:
        sums[against.name] = new_sums(against)
        add_clips(sums[against.name], open_clips(against, corpus, split, top_p, clips), progress)
    return CanonicalFaces(
        split=split,
        top_p=top_p,
        labels=tuple(corpus.labels),
        layers=_layers(predictor),
        clips=len(chosen),
        speakers=len(speakers),
        frames=int(own.frames[:, 0].sum()),
        without_face=without_face,
        emotion_from="what the rendered face shows" if rendered else "the clip's labels",
        window=WINDOW,
        outline=outline(),
        draws=DRAWS,
        alpha=ALPHA,
        maps={name: _mean_maps(one) for name, one in sums.items()},
        frames_per_emotion={
            e: EmotionFrames(int(own.frames_of(e).sum()), int((own.frames_of(e) > 0).sum())) for e in own.emotions
        },
        differences=_differences(sums, seed),
        supervision=supervision_of(predictor.metrics.train),
    )


def _layers(predictor: Predictor) -> int:
    cnn = predictor.attention_model.branches["visual"].cnn
    assert isinstance(cnn, SparseVGG)
    return len(cnn.attention)


@torch.no_grad()
def add_clips(sums: SpeakerMapSums, clips: EvaluationClips, progress: Progress | None = None) -> tuple[int, bool]:
    """Add every face of the clips; return the number of frames without a face, and True if the emotion is the renderer's truth."""
    without, rendered = 0, False
    truth, groups = clips.truth, clips.groups
    for batch, samples, prepared in clips.batches(progress, full=True):
        output = clips.predictor.attention_model.finish(prepared, clips.top_p, trace=True)
        right = strongest_is_true(clips.branch_scores(output)["fused"], truth[batch])
        ends = np.cumsum([0, *(len(sample.faces) for sample in samples)])
        for i, sample in enumerate(samples):
            shown, known = emotions_of(sample)
            rendered |= known
            usable = atlas.usable_faces(sample)
            without += int((~usable).sum())
            if usable.any():
                part = slice(int(ends[i]), int(ends[i + 1]))
                warped = _warped(output.layers["visual"], part, usable, sample.face_points)
                sums.add(groups[batch][i], shown, right[i], warped)
    return without, rendered


def _warped(layers: Sequence[LayerTensors], part: slice, usable: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return (S, K, L, SIZE, SIZE) of one clip's usable frames; attention as a multiple of a uniform map."""
    warped = []
    for layer in layers:
        attention = layer.attention_SHW[part].float().cpu().numpy()[usable]
        kept = layer.kept_SHW[part].float().cpu().numpy()[usable]
        cells = attention.shape[1] * attention.shape[2]
        warped.append(np.stack([warp(kept, points[usable]), warp(attention * cells, points[usable])], 1))
    return np.stack(warped, 2)


def _mean_maps(sums: SpeakerMapSums) -> CanonicalMaps:
    means = {group: _mean(sums.means(group)) for group in (ALL, *sums.emotions)}
    return CanonicalMaps(
        *({group: tuple(pack(m) for m in mean[k]) for group, mean in means.items()} for k in range(len(KINDS)))
    )


def _differences(sums: dict[str, SpeakerMapSums], seed: int) -> dict[str, dict[str, tuple[MapDifference | None, ...]]]:
    own = sums["checkpoint"]

    def layers(first: np.ndarray, second: np.ndarray) -> tuple[MapDifference | None, ...]:
        kept = KINDS.index("kept")
        pairs = zip(first[:, kept].swapaxes(0, 1), second[:, kept].swapaxes(0, 1), strict=True)
        return tuple(difference(one, other, seed) for one, other in pairs)

    return {
        "others": {e: layers(own.means(e), own.means(f"not {e}")) for e in own.emotions},
        "wrong": {e: layers(own.means(f"{e}, right"), own.means(f"{e}, wrong")) for e in own.emotions},
        **{
            name: {e: layers(own.means(e), other.means(e)) for e in own.emotions}
            for name, other in sums.items()
            if other is not own
        },
    }
