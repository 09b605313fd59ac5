"""Search MTCNN's pyramid from coarse to fine, and no finer than the size of the face needs.

facenet-pytorch searches faces of every size from 20 pixels on, which is where nearly all of its time goes, and then
keeps the largest. Here the coarse end of the same pyramid is searched first; a face that is large against the finest
scale searched so far is the largest there is, and the finer scales are left out. All pictures, of the pyramid and of
the proposals, are area averages read off one summed-area table of the frame. The networks see what facenet-pytorch
shows them, so that the boxes are its boxes.

Shape legend: B frames of one size, P proposals of all of them, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import batched_nms

from mesm.data.ingest.faces import FULL_SEARCH_PX, DetectedFace, MtcnnDetector, choose_face
from mesm.data.signal_settings import MIN_FACE_PX

#: Step of the pyramid, and thresholds of the three networks: facenet-pytorch's.
_FACTOR, _THRESHOLDS = 0.709, (0.6, 0.7, 0.7)
#: How many of the finest scales each round leaves out: faces from about 79, 56, 40, 28 and 20 pixels on.
_LEFT_OUT = (4, 3, 2, 1, 0)
#: A face this much larger than the smallest searched for is taken; for a smaller one the search goes on.
_LARGE_ENOUGH = 1.2
#: Most proposals that go through a network together.
_TOGETHER = 512
SEARCH_RULE = (
    "coarse to fine: scales far below the size of the face that is found are not searched; several_faces counts "
    "faces of about the speaker's size"
)


class CoarseToFine(MtcnnDetector):
    """Find the boxes of `MtcnnDetector` in a fraction of its time; the larger the faces, the faster."""

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        for network in (self._mtcnn.pnet, self._mtcnn.rnet, self._mtcnn.onet):
            network.to(memory_format=torch.channels_last)  # pooling few channels is three times as fast

    def _detect_equal(self, frames: Sequence[np.ndarray]) -> list[list[DetectedFace]]:
        height, width = frames[0].shape[:2]
        faces: list[list[DetectedFace]] = [[] for _ in frames]
        if min(height, width) <= MIN_FACE_PX:
            return faces
        finest = MIN_FACE_PX * max(1.0, max(height, width) / FULL_SEARCH_PX)
        left, scales = list(range(len(frames))), _scales(height, width, finest)
        with self._lock, torch.inference_mode():
            search = _Search(self._mtcnn, np.stack([_summed(frame) for frame in frames]))
            for steps in _LEFT_OUT:
                scales, new = scales[:steps], scales[steps:]
                search.propose(left, new)
                for frame, some in zip(left, search.faces(left), strict=True):
                    faces[frame] = some
                left = [f for f in left if _shorter_side(faces[f]) < _LARGE_ENOUGH * finest / _FACTOR**steps]
                if not left:
                    break
        return faces


@lru_cache(maxsize=1)
def shared_search() -> CoarseToFine:
    """Return the one detector of this kind per process, built at its first use."""
    return CoarseToFine()


def _shorter_side(faces: Sequence[DetectedFace]) -> float:
    """Return the shorter side of the chosen face, 0 where none is sure: a surer one may be smaller."""
    face = choose_face(faces)
    return float(min(face.box[2:] - face.box[:2])) if face is not None and face.is_sure else 0.0


def _scales(height: int, width: int, smallest: float) -> list[float]:
    """Return facenet-pytorch's pyramid for faces of at least `smallest` pixels."""
    scale, scales = 12.0 / smallest, []
    while min(height, width) * scale >= 12:
        scales.append(scale)
        scale *= _FACTOR
    return scales


def _summed(frame: np.ndarray) -> np.ndarray:
    """Compute a summed-area table. (H, W, 3) uint8 -> (H + 1, W + 1, 3) int32; it may wrap, differences of it do not."""
    table = np.zeros((frame.shape[0] + 1, frame.shape[1] + 1, 3), np.int32)
    np.cumsum(frame, axis=0, dtype=np.int32, out=table[1:, 1:])
    np.cumsum(table[1:, 1:], axis=1, dtype=np.int32, out=table[1:, 1:])
    return table


def _bins(start: np.ndarray, length: np.ndarray, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first pixel of each part and the one after its last, as torch's `interpolate(mode="area")` divides.

    Args:
        start: (P,) first pixel; `length` (P,) pixels.

    Returns:
        Two (P, parts) arrays.
    """
    i = np.arange(parts)
    length = length[:, None]
    return start[:, None] + i * length // parts, start[:, None] - (-(i + 1) * length // parts)


def _area_means(tables: np.ndarray, frame: np.ndarray, rect: np.ndarray, rows: int, columns: int) -> Tensor:
    """Average rectangles of frames down to one size, scaled to the networks' input.

    Args:
        tables: (B, H + 1, W + 1, 3) summed-area tables.
        frame: (P,) which of them.
        rect: (P, 4) x0, y0, x1, y1, whole pixels.

    Returns:
        (P, 3, rows, columns) float32 about [-1, 1].
    """
    y0, y1 = _bins(rect[:, 1], rect[:, 3] - rect[:, 1], rows)
    x0, x1 = _bins(rect[:, 0], rect[:, 2] - rect[:, 0], columns)
    # One index per value: numpy's `take` is three times as fast as indexing by frame, row and column.
    flat, (height, width) = tables.reshape(-1, tables.shape[-1]), tables.shape[1:3]
    above, below = (((frame[:, None] * height + y) * width)[:, :, None] for y in (y0, y1))
    y0, y1, x0, x1 = y0[:, :, None], y1[:, :, None], x0[:, None, :], x1[:, None, :]
    sums = flat.take(below + x1, axis=0)
    sums -= flat.take(above + x1, axis=0)
    sums -= flat.take(below + x0, axis=0)
    sums += flat.take(above + x0, axis=0)
    means = sums / ((y1 - y0) * (x1 - x0))[..., None].astype(np.float32)
    return torch.from_numpy((means.astype(np.float32) - 127.5) * 0.0078125).permute(0, 3, 1, 2)


class _Search:
    """Keep proposals for B frames of one size, scale by scale. Boxes are x0, y0, x1, y1, score in pixels.

    The first two networks judge every scale by itself, so that their proposals stay when finer scales are added.
    """

    def __init__(self, networks: Any, tables: np.ndarray) -> None:
        self.networks, self.tables = networks, tables
        self.height, self.width = tables.shape[1] - 1, tables.shape[2] - 1
        self.device = next(networks.pnet.parameters()).device
        self.boxes_P5, self.shifts_P4 = torch.zeros(0, 5), torch.zeros(0, 4)
        self.frame_P = torch.zeros(0, dtype=torch.int64)
        self.answers_P15 = torch.zeros(0, 15)  # the third network's, NaN where it was not asked yet

    def propose(self, frames: Sequence[int], scales: Sequence[float]) -> None:
        """Apply the first two networks to further scales of some of the frames."""
        if not scales:
            return
        parts = [self._at_scale(np.array(frames), scale) for scale in scales]
        boxes_P5, frame_P = (torch.cat(part) for part in zip(*parts, strict=True))
        answers_P15 = self._apply(self.networks.rnet, 24, boxes_P5, frame_P)
        passed = answers_P15[:, 14] > _THRESHOLDS[1]
        answers_P15 = answers_P15[passed]
        boxes_P5 = torch.cat([boxes_P5[passed, :4], answers_P15[:, 14:]], dim=1)
        self.boxes_P5 = torch.cat([self.boxes_P5, boxes_P5])
        self.shifts_P4 = torch.cat([self.shifts_P4, answers_P15[:, :4]])
        self.frame_P = torch.cat([self.frame_P, frame_P[passed]])
        self.answers_P15 = torch.cat([self.answers_P15, torch.full((len(boxes_P5), 15), torch.nan)])

    def faces(self, frames: Sequence[int]) -> list[list[DetectedFace]]:
        """Return the faces of each of the frames, by the third network, among the proposals so far."""
        mine = torch.isin(self.frame_P, torch.tensor(frames)).nonzero()[:, 0]
        mine = mine[batched_nms(self.boxes_P5[mine, :4], self.boxes_P5[mine, 4], self.frame_P[mine], 0.7)]
        squares_P5 = _squared(_shifted(self.boxes_P5, self.shifts_P4))
        new = mine[self.answers_P15[mine, 14].isnan()]
        self.answers_P15[new] = self._apply(self.networks.onet, 48, squares_P5[new], self.frame_P[new])
        mine = mine[self.answers_P15[mine, 14] > _THRESHOLDS[2]]
        answers_P15, frame_P = self.answers_P15[mine], self.frame_P[mine]
        boxes_P5 = torch.cat([squares_P5[mine, :4], answers_P15[:, 14:]], dim=1)
        width_P1, height_P1 = (boxes_P5[:, 2:4] - boxes_P5[:, :2] + 1).split(1, dim=1)
        x_P5 = width_P1 * answers_P15[:, 4:9] + boxes_P5[:, :1] - 1
        y_P5 = height_P1 * answers_P15[:, 9:14] + boxes_P5[:, 1:2] - 1
        points_P52, boxes_P5 = torch.stack([x_P5, y_P5], dim=2), _shifted(boxes_P5, answers_P15[:, :4])
        return [_distinct(boxes_P5[frame_P == frame], points_P52[frame_P == frame]) for frame in frames]

    def _at_scale(self, frames: np.ndarray, scale: float) -> tuple[Tensor, Tensor]:
        """Apply the first network at one scale: square proposals (P, 5) and their frames (P,)."""
        whole_B4 = np.tile([0, 0, self.width, self.height], (len(frames), 1))
        rows, columns = int(self.height * scale + 1), int(self.width * scale + 1)
        shift_B4HW, score_B2HW = self.networks.pnet(self._pictures(frames, whole_B4, rows, columns))
        score_BHW = score_B2HW[:, 1].cpu()
        which, y, x = (score_BHW >= _THRESHOLDS[0]).nonzero(as_tuple=True)
        corner_P2 = torch.stack([x, y], dim=1).float()
        box_P4 = torch.cat([((2 * corner_P2 + 1) / scale).floor(), ((2 * corner_P2 + 12) / scale).floor()], dim=1)
        keep = batched_nms(box_P4, score_BHW[which, y, x], which, 0.5)
        box_P4, which, y, x = box_P4[keep], which[keep], y[keep], x[keep]
        side_P2 = box_P4[:, 2:] - box_P4[:, :2]
        moved_P4 = box_P4 + shift_B4HW.cpu()[which, :, y, x] * side_P2.repeat(1, 2)
        boxes_P5 = _squared(torch.cat([moved_P4, score_BHW[which, y, x, None]], dim=1))
        return boxes_P5, torch.from_numpy(frames)[which]

    def _apply(self, network: Any, side: int, boxes_P5: Tensor, frame_P: Tensor) -> Tensor:
        """Apply the second or third network to proposals: (P, 15) shifts, points (x first), score; 0 outside the frame."""
        rect_P4 = boxes_P5[:, :4].trunc().int()
        far_P2 = torch.minimum(rect_P4[:, 2:], torch.tensor([self.width, self.height]))
        rect_P4 = torch.cat([rect_P4[:, :2].clamp(min=1) - 1, far_P2], dim=1)
        answers_P15 = torch.zeros(len(boxes_P5), 15)
        inside = (rect_P4[:, 2:] > rect_P4[:, :2]).all(dim=1).nonzero()[:, 0]
        for start in range(0, len(inside), _TOGETHER):
            some = inside[start : start + _TOGETHER]
            outputs = network(self._pictures(frame_P[some].numpy(), rect_P4[some].numpy(), side, side))
            answers_P15[some, :4], answers_P15[some, 14] = outputs[0].cpu(), outputs[-1][:, 1].cpu()
            if len(outputs) == 3:
                answers_P15[some, 4:14] = outputs[1].cpu()
        return answers_P15

    def _pictures(self, frame_P: np.ndarray, rect_P4: np.ndarray, rows: int, columns: int) -> Tensor:
        return _area_means(self.tables, frame_P, rect_P4, rows, columns).to(self.device)


def _shifted(boxes_P5: Tensor, shifts_P4: Tensor) -> Tensor:
    """Return boxes moved by a network's output, which is in units of their sides."""
    side_P2 = boxes_P5[:, 2:4] - boxes_P5[:, :2] + 1
    return torch.cat([boxes_P5[:, :4] + shifts_P4 * side_P2.repeat(1, 2), boxes_P5[:, 4:]], dim=1)


def _squared(boxes_P5: Tensor) -> Tensor:
    """Return squares of the longer side around the same centres."""
    side_P2 = boxes_P5[:, 2:4] - boxes_P5[:, :2]
    longer_P1 = side_P2.max(dim=1, keepdim=True).values
    corner_P2 = boxes_P5[:, :2] + side_P2 * 0.5 - longer_P1 * 0.5
    return torch.cat([corner_P2, corner_P2 + longer_P1, boxes_P5[:, 4:]], dim=1)


def _distinct(boxes_P5: Tensor, points_P52: Tensor) -> list[DetectedFace]:
    """Return one frame's faces without those that lie on a likelier one."""
    order = boxes_P5[:, 4].argsort(descending=True).tolist()
    area_P = (boxes_P5[:, 2:4] - boxes_P5[:, :2] + 1).prod(dim=1)
    kept: list[int] = []
    for i in order:
        shared = [
            (torch.minimum(boxes_P5[i, 2:4], boxes_P5[j, 2:4]) - torch.maximum(boxes_P5[i, :2], boxes_P5[j, :2]) + 1)
            .clamp(min=0)
            .prod()
            / torch.minimum(area_P[i], area_P[j])
            for j in kept
        ]
        if all(share <= 0.7 for share in shared):
            kept.append(i)
    return [DetectedFace(boxes_P5[i, :4].numpy(), points_P52[i].numpy(), float(boxes_P5[i, 4])) for i in kept]
