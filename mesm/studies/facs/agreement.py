"""Compute agreement measures of maps with regions, both on the map's own grid. Numpy only.

Shapes: F maps of n cells each, laid flat. A map A >= 0 is the attention, or the kept sites as 0/1; a region is the
area coverage c in [0, 1] of each cell. Every function returns (F,), NaN where the region is empty.

    relevance mass   sum(A c) / sum(A)          Arras et al. 2022, Information Fusion 81:14-40; the energy-based pointing
                                                game of Wang et al. 2020, Score-CAM
    lift             relevance mass / mean(c)   1 = chance over the crop
    lift_sites       the same with chance over the cells that the layer could choose from
    lift_head        [sum(A c) / sum(A h)] / [sum(c) / sum(h)]   chance over the head h only
    rank accuracy    coverage of the K cells of largest A / of the K best covered cells, K = round(sum(c))   Arras et al.
    pointing         coverage of the cell of largest A   Zhang et al. 2018, IJCV 126:1084-1102
    iou              sum(min(S, c)) / sum(max(S, c)) of the kept sites S
    auc              probability that a cell of the region has more attention than one outside, ties half
    nss              mean over the region of the map scaled to mean 0 and deviation 1   Peters et al. 2005, Vision
                     Research 45:2397-2416
    cosine           A c / (|A| |c|)   Belharbi et al. 2024
"""

from __future__ import annotations

import numpy as np

from mesm import statistics

#: Smallest mean coverage of a region that counts: below it, a ratio is mostly rounding.
LEAST_AREA = 0.005
KEPT_MEASURES = ("lift", "lift_sites", "lift_head", "mass", "area", "iou", "iou_chance", "cosine")
ATTENTION_MEASURES = (
    "lift", "lift_sites", "lift_head", "mass", "area", "rank_accuracy", "pointing", "auc", "nss", "cosine",
)  # fmt: skip


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 1e-9)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("fn,fn->f", a, b, dtype=np.float64)


def area(region: np.ndarray) -> np.ndarray:
    """Return the mean coverage: the share of the crop that the region takes."""
    return region.mean(axis=1, dtype=np.float64)


def relevance_mass(map_: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Return the share of the map's mass on the region."""
    return _share(_dot(map_, region), map_.sum(1, dtype=np.float64))


def lift(map_: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Return the relevance mass over the region's share of the crop.

    Examples:
        >>> kept, region = np.array([[1.0, 1.0, 0.0, 0.0]]), np.array([[1.0, 0.0, 0.0, 0.0]])
        >>> lift(kept, region).tolist()  # half of the kept sites on a quarter of the crop
        [2.0]
    """
    share = area(region)
    return _share(relevance_mass(map_, region), np.where(share > LEAST_AREA, share, 0))


def lift_within(map_: np.ndarray, region: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return the lift with chance, and the map's mass, over the cells of `where` (F, n) in [0, 1] only."""
    inside = np.minimum(region, where)
    enough = inside.mean(1, dtype=np.float64) > LEAST_AREA
    chance = _share(inside.sum(1, dtype=np.float64), where.sum(1, dtype=np.float64))
    return _share(_share(_dot(map_, inside), _dot(map_, where)), np.where(enough, chance, 0))


def rank_accuracy(map_: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Return the share of the region's cells among the K most attended, K the region's size."""
    count = np.rint(region.sum(1)).astype(int)
    by_map = np.take_along_axis(region, np.argsort(-map_, axis=1, kind="stable"), 1).cumsum(1, dtype=np.float64)
    best = np.sort(region, axis=1)[:, ::-1].cumsum(1, dtype=np.float64)
    last = np.maximum(count - 1, 0)[:, None]
    accuracy = _share(np.take_along_axis(by_map, last, 1)[:, 0], np.take_along_axis(best, last, 1)[:, 0])
    return np.where(count > 0, accuracy, np.nan)


def pointing(map_: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Return the coverage of the most attended cell; the mean of them where several tie."""
    top = map_ == map_.max(1, keepdims=True)
    return np.where(region.any(1), _dot(top, region) / top.sum(1), np.nan)


def iou(kept: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Return the intersection over union of the kept cells and the region."""
    either = np.maximum(kept, region).sum(1, dtype=np.float64)
    return np.where(region.any(1), _share(np.minimum(kept, region).sum(1, dtype=np.float64), either), np.nan)


def iou_chance(kept: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Return the same for as many random cells: expected intersection over expected union."""
    size, taken = region.sum(1, dtype=np.float64), kept.mean(1, dtype=np.float64)
    either = size + kept.sum(1, dtype=np.float64) - taken * size
    return np.where(region.any(1), _share(taken * size, either), np.nan)


def nss(map_: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Return the normalised scanpath saliency; NaN for a flat map."""
    centred = map_ - map_.mean(1, keepdims=True)
    return _share(_share(_dot(centred, region), region.sum(1, dtype=np.float64)), map_.std(1, dtype=np.float64))


def cosine(map_: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Return the cosine of the angle between map and region."""
    return _share(_dot(map_, region), np.sqrt(_dot(map_, map_) * _dot(region, region)))


def measures(
    kind: str, map_: np.ndarray, region: np.ndarray, active: np.ndarray, head: np.ndarray
) -> dict[str, np.ndarray]:
    """Compute every measure of one kind of map: measure -> (F,).

    Args:
        kind: `attention`, or `kept` (0/1), which has no ranks.
        active: (F, n) bool, the cells that the layer could choose from.
        head: (F, n) coverage by the head.
    """
    values = {
        "lift": lift(map_, region),
        "lift_sites": lift_within(map_, region, active.astype(np.float32)),
        "lift_head": lift_within(map_, region, head),
        "mass": relevance_mass(map_, region),
        "area": area(region),
        "cosine": cosine(map_, region),
    }
    functions = {"iou": iou, "iou_chance": iou_chance} if kind == "kept" else _RANKED
    values |= {name: function(map_, region) for name, function in functions.items()}
    none = ~(area(region) > LEAST_AREA)
    names = KEPT_MEASURES if kind == "kept" else ATTENTION_MEASURES
    return {name: np.where(none, np.nan, values[name]) for name in names}


_RANKED = {"rank_accuracy": rank_accuracy, "pointing": pointing, "auc": statistics.auc, "nss": nss}
