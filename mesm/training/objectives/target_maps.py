"""Give each training clip the target maps of its attention: what `train.attention.target` chooses.

`regions` are those of the known truth, in `attention_supervision.FaceRegions`; the others need none:

    points    where action units lie in general, laid on each crop by its five points
    units     the regions of the units that a detector reads in the frame (`train.action_units`)
    saliency  what the dense model's scores depend on (`saliency.SaliencyTargets`); `face_saliency`: times the points' map

A clip without a target has maps of zeros, which the supervision leaves out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.batch import ACTIVE_INTENSITY
from mesm.data import atlas
from mesm.data.action_unit_files import units_of_clips
from mesm.data.store import Corpus


class TargetMaps:
    """Hold maps of the training clips' faces, and of their voices where the target has such.

    Stored at half of the input's resolution, which is finer than any attention map.

    Attributes:
        faces: clip id -> (S, R, 24, 24) uint8, coverage of each face by R regions in 0..255.
        voices: clip id -> (C, 1, 64, 16) uint8, the same of each mel chunk; empty: the loud cells are the target.
    """

    def __init__(self) -> None:
        self.faces: dict[str, Tensor] = {}
        self.voices: dict[str, Tensor] = {}

    def of(self, clip_ids: Sequence[str]) -> Tensor:
        """Return (S, R, 48, 48) coverage in [0, 1] of the clips' faces."""
        return _enlarged([self.faces[clip_id] for clip_id in clip_ids])

    def of_voices(self, clip_ids: Sequence[str]) -> Tensor | None:
        """Return (C, 1, 128, 32) coverage in [0, 1] of the clips' mel chunks, or None."""
        return _enlarged([self.voices[clip_id] for clip_id in clip_ids]) if self.voices else None

    def target_regions(self, regions_SRHW: Tensor, counts_B: Tensor, query_clip_ids: Sequence[str]) -> Tensor:
        """Select the target's regions: (S, 2, 48, 48), the faces' own, and the query's, which is empty here.

        Args:
            regions_SRHW: of `of`, after the augmentation.
            counts_B: faces of each clip.
            query_clip_ids: for each clip the one whose text is its query.
        """
        return torch.cat([regions_SRHW, torch.zeros_like(regions_SRHW)], 1)


def reduced(coverage_SRHW: Tensor) -> Tensor:
    """Reduce coverage in [0, 255] to half of its resolution, uint8."""
    return F.avg_pool2d(coverage_SRHW, 2).round().to(torch.uint8)


def _enlarged(parts: Sequence[Tensor]) -> Tensor:
    return F.interpolate(torch.cat(list(parts)).float() / 255, scale_factor=2)


class PointTargets(TargetMaps):
    """Lay the atlas by each crop's five points: a pixel weighs the more, the more action units move it.

    A crop without points gets the mean points of a crop.
    """

    def __init__(self, corpus: Corpus, clip_ids: Sequence[str]) -> None:
        super().__init__()
        for clip_id in clip_ids:
            laid = atlas.lay_by_known_points(corpus.read(clip_id, full=False))
            weight = laid.mean(1, keepdims=True)
            most = weight.max((2, 3), keepdims=True, initial=1e-6)
            self.faces[clip_id] = reduced(torch.from_numpy(weight / most * 255))


class UnitTargets(TargetMaps):
    """Lay the regions of the action units that a detector reads in each frame.

    Args:
        folder: with `<clip id>.csv`, see `mesm.data.action_unit_files`; a clip without a file has no target.
        active_from: intensity in (0, 1] from which a unit counts as active.

    Raises:
        DataError: no clip has a file.
    """

    def __init__(
        self, corpus: Corpus, clip_ids: Sequence[str], folder: str, active_from: float = ACTIVE_INTENSITY
    ) -> None:
        super().__init__()
        units = units_of_clips(folder, corpus, list(clip_ids))
        for clip_id in clip_ids:
            laid = atlas.lay_by_known_points(corpus.read(clip_id, full=False))
            read = units.get(clip_id, np.zeros(laid.shape[:2]))
            active = atlas.union(laid, np.nan_to_num(read) >= active_from)
            self.faces[clip_id] = reduced(torch.from_numpy(active[:, None] * 255))
