"""Compare one clip's masks with the regions of action units: active units, kept share, and chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mesm.batch import Sample
from mesm.data import atlas
from mesm.records.prediction import LayerTrace

#: A region that fills less of a crop than this is not shown: it lies outside the picture.
LEAST_AREA = 0.005


@dataclass(frozen=True)
class Region:
    """Hold action units that share a region, in the usable faces of one clip.

    Attributes:
        name: such as "AU 12/15".
        units: their numbers.
        active: their highest intensity over the faces, of the emotion's part; None without ground truth.
        covered: per layer, the share of the region that the layer keeps.
        chance: per layer, the share that as many sites anywhere in the crop would cover.
        coverage: (F, 48, 48) in [0, 1], where it lies.
    """

    name: str
    units: tuple[int, ...]
    active: float | None
    covered: tuple[float, ...]
    chance: tuple[float, ...]
    coverage: np.ndarray


def clip_regions(sample: Sample, layers: Sequence[LayerTrace]) -> tuple[list[Region], np.ndarray]:
    """Compute every region of action units on the detected faces.

    The regions are the renderer's where the clip has them, else the atlas placed by MTCNN's five points; overlap is
    counted on each layer's own grid, by area.

    Returns:
        The regions, and the (F,) indices of the faces that they were laid on; both empty without a usable face.
    """
    usable = np.flatnonzero(atlas.usable_faces(sample))
    if not len(usable) or not layers:
        return [], usable[:0]
    coverages, _ = atlas.regions_of(sample, "truth" if sample.truth is not None else "points")
    regions = []
    for group in atlas.GROUPS:
        chosen = np.isin(atlas.UNITS, group)
        coverage = atlas.union(coverages[usable], chosen)
        if coverage.mean() < LEAST_AREA:
            continue
        grids = [atlas.on_grid(coverage, *layer.kept.shape[1:]) for layer in layers]
        kept = [layer.kept[usable].astype(float) for layer in layers]
        regions.append(
            Region(
                atlas.group_name(group),
                group,
                _intensity(sample, group, usable),
                tuple(float((k * g).sum() / max(g.sum(), 1e-9)) for k, g in zip(kept, grids, strict=True)),
                tuple(float(k.mean()) for k in kept),
                coverage,
            )
        )
    return regions, usable


def _intensity(sample: Sample, group: Sequence[int], usable: np.ndarray) -> float | None:
    truth = sample.truth
    if truth is None:
        return None
    columns = [i for i, number in enumerate(truth.au_numbers) if number in group]
    return float(truth.au_emotion_intensity[usable][:, columns].max(initial=0.0))
