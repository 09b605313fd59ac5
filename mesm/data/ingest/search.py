"""MTCNN's three networks over a pyramid that is searched from coarse to fine, and no finer than the face needs.

facenet-pytorch looks for faces of every size from 20 pixels on, which is where nearly all of its time goes, and then
keeps the largest. Here the coarse end of the same pyramid is searched first; a face that is large against the finest
scale searched so far is the largest there is, and the finer scales are left out. All pictures, of the pyramid and of
the proposals, are area averages read off one summed-area table of the frame. The networks see what facenet-pytorch
shows them, so that the boxes are its boxes.

Shape legend: B frames of one size, P proposals of all of them, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import batched_nms

from mesm.data.ingest.faces import FULL_SEARCH_PX, SECOND_FACE_PROBABILITY, Face, MtcnnDetector
from mesm.data.rules import MIN_FACE_PX

#: Step of the pyramid, and thresholds of the three networks: facenet-pytorch's.
_FACTOR, _THRESHOLDS = 0.709, (0.6, 0.7, 0.7)
#: Finest steps of the pyramid that the first, second and last search leave out: faces from about 79, 40 and 20 px on.
_LEFT_OUT = (4, 2, 0)
#: A face this much larger than the smallest searched for is taken; for a smaller one the search goes on.
_LARGE_ENOUGH = 1.2
#: Most proposals that go through a network together.
_TOGETHER = 512
SEARCH_RULE = (
    "coarse to fine: scales far below the size of the face that is found are not searched; several_faces counts "
    "faces of about the speaker's size"
)


class CoarseToFine(MtcnnDetector):
    """The boxes of `MtcnnDetector` in a fraction of its time; the larger the faces, the faster."""

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        for network in (self._mtcnn.pnet, self._mtcnn.rnet, self._mtcnn.onet):
            network.to(memory_format=torch.channels_last)  # pooling few channels is three times as fast

    def _detect_equal(self, frames: Sequence[np.ndarray]) -> list[Face | None]:
        height, width = frames[0].shape[:2]
        found: list[Face | None] = [None] * len(frames)
        if min(height, width) <= MIN_FACE_PX:
            return found
        finest = MIN_FACE_PX * max(1.0, max(height, width) / FULL_SEARCH_PX)
        tables = np.stack([_summed(frame) for frame in frames])
        left = list(range(len(frames)))
        for steps in _LEFT_OUT:
            smallest = finest / _FACTOR**steps
            scales = _scales(height, width, smallest)
            if not scales:
                continue
            with self._lock, torch.inference_mode():
                faces = _Search(self._mtcnn, tables[left], height, width).run(scales)
            again = []
            for frame, face in zip(left, faces, strict=True):
                found[frame] = face
                if face is None or min(face.box[2:] - face.box[:2]) < _LARGE_ENOUGH * smallest:
                    again.append(frame)
            left = again
            if not left:
                break
        return found


def _scales(height: int, width: int, smallest: float) -> list[float]:
    """facenet-pytorch's pyramid for faces of at least `smallest` pixels."""
    scale, scales = 12.0 / smallest, []
    while min(height, width) * scale >= 12:
        scales.append(scale)
        scale *= _FACTOR
    return scales


def _summed(frame: np.ndarray) -> np.ndarray:
    """Summed-area table. (H, W, 3) uint8 -> (H + 1, W + 1, 3) int32; it may wrap, differences of it do not."""
    table = np.zeros((frame.shape[0] + 1, frame.shape[1] + 1, 3), np.int32)
    np.cumsum(frame, axis=0, dtype=np.int32, out=table[1:, 1:])
    np.cumsum(table[1:, 1:], axis=1, dtype=np.int32, out=table[1:, 1:])
    return table


def _bins(start: np.ndarray, length: np.ndarray, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """First pixel of each part and the one after its last, as torch's `interpolate(mode="area")` divides.

    Args:
        start: (P,) first pixel; `length` (P,) pixels.

    Returns:
        Two (P, parts) arrays.
    """
    i = np.arange(parts)
    length = length[:, None]
    return start[:, None] + i * length // parts, start[:, None] - (-(i + 1) * length // parts)


def _area_means(tables: np.ndarray, frame: np.ndarray, rect: np.ndarray, rows: int, columns: int) -> Tensor:
    """Rectangles of frames, averaged down to one size and scaled as the networks expect.

    Args:
        tables: (B, H + 1, W + 1, 3) summed-area tables.
        frame: (P,) which of them.
        rect: (P, 4) x0, y0, x1, y1, whole pixels.

    Returns:
        (P, 3, rows, columns) float32 about [-1, 1].
    """
    y0, y1 = _bins(rect[:, 1], rect[:, 3] - rect[:, 1], rows)
    x0, x1 = _bins(rect[:, 0], rect[:, 2] - rect[:, 0], columns)
    f = frame[:, None, None]
    y0, y1, x0, x1 = y0[:, :, None], y1[:, :, None], x0[:, None, :], x1[:, None, :]
    sums = tables[f, y1, x1] - tables[f, y0, x1] - tables[f, y1, x0] + tables[f, y0, x0]
    means = sums / ((y1 - y0) * (x1 - x0))[..., None].astype(np.float32)
    return torch.from_numpy((means.astype(np.float32) - 127.5) * 0.0078125).permute(0, 3, 1, 2)


class _Search:
    """One pass of the three networks over B frames of one size. Boxes are x0, y0, x1, y1, score in pixels."""

    def __init__(self, networks: Any, tables: np.ndarray, height: int, width: int) -> None:
        self.networks, self.tables, self.height, self.width = networks, tables, height, width
        self.device = next(networks.pnet.parameters()).device

    def run(self, scales: Sequence[float]) -> list[Face | None]:
        """The largest face of each frame."""
        boxes_P5, frame_P = self._propose(scales)
        boxes_P5, frame_P, shifts_P4, _ = self._look(boxes_P5, frame_P, self.networks.rnet, 24, _THRESHOLDS[1])
        keep = batched_nms(boxes_P5[:, :4], boxes_P5[:, 4], frame_P, 0.7)
        boxes_P5, frame_P = _squared(_shifted(boxes_P5[keep], shifts_P4[keep])), frame_P[keep]
        boxes_P5, frame_P, shifts_P4, points_P10 = self._look(boxes_P5, frame_P, self.networks.onet, 48, _THRESHOLDS[2])
        width_P1, height_P1 = (boxes_P5[:, 2:4] - boxes_P5[:, :2] + 1).split(1, dim=1)
        x_P5 = width_P1 * points_P10[:, :5] + boxes_P5[:, :1] - 1
        y_P5 = height_P1 * points_P10[:, 5:] + boxes_P5[:, 1:2] - 1
        points_P52, boxes_P5 = torch.stack([x_P5, y_P5], dim=2), _shifted(boxes_P5, shifts_P4)
        return [_largest(boxes_P5[frame_P == b], points_P52[frame_P == b]) for b in range(len(self.tables))]

    def _propose(self, scales: Sequence[float]) -> tuple[Tensor, Tensor]:
        """The first network: square proposals (P, 5) and their frames (P,)."""
        frames_B = np.arange(len(self.tables))
        whole_B4 = np.tile([0, 0, self.width, self.height], (len(frames_B), 1))
        boxes, frames = [], []
        for scale in scales:
            rows, columns = int(self.height * scale + 1), int(self.width * scale + 1)
            shift_B4HW, score_B2HW = self.networks.pnet(self._pictures(frames_B, whole_B4, rows, columns))
            score_BHW = score_B2HW[:, 1].cpu()
            frame, y, x = (score_BHW >= _THRESHOLDS[0]).nonzero(as_tuple=True)
            corner = torch.stack([x, y], dim=1).float()
            near, far = ((2 * corner + 1) / scale).floor(), ((2 * corner + 12) / scale).floor()
            score = score_BHW[frame, y, x, None]
            box = torch.cat([near, far, score, shift_B4HW.cpu()[frame, :, y, x]], dim=1)
            keep = batched_nms(box[:, :4], box[:, 4], frame, 0.5)
            boxes.append(box[keep])
            frames.append(frame[keep])
        boxes_P9, frame_P = torch.cat(boxes), torch.cat(frames)
        keep = batched_nms(boxes_P9[:, :4], boxes_P9[:, 4], frame_P, 0.7)
        boxes_P9, frame_P = boxes_P9[keep], frame_P[keep]
        side_P2 = boxes_P9[:, 2:4] - boxes_P9[:, :2]
        moved_P4 = boxes_P9[:, :4] + boxes_P9[:, 5:] * side_P2.repeat(1, 2)
        return _squared(torch.cat([moved_P4, boxes_P9[:, 4:5]], dim=1)), frame_P

    def _look(
        self, boxes_P5: Tensor, frame_P: Tensor, network: Any, side: int, threshold: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The second or third network: proposals that pass, their frames, shifts (P, 4) and points (P, 10)."""
        limit = torch.tensor([self.width, self.height] * 2)
        rect_P4 = boxes_P5[:, :4].trunc().int()
        rect_P4 = torch.cat([rect_P4[:, :2].clamp(min=1) - 1, torch.minimum(rect_P4[:, 2:], limit[2:])], dim=1)
        inside = (rect_P4[:, 2:] > rect_P4[:, :2]).all(dim=1)
        boxes_P5, frame_P, rect_P4 = boxes_P5[inside], frame_P[inside], rect_P4[inside]
        if not len(boxes_P5):
            return boxes_P5, frame_P, torch.zeros(0, 4), torch.zeros(0, 10)
        outputs = []
        for some in torch.arange(len(boxes_P5)).split(_TOGETHER):
            pictures = self._pictures(frame_P[some].numpy(), rect_P4[some].numpy(), side, side)
            outputs.append([output.cpu() for output in network(pictures)])
        answers = [torch.cat(parts) for parts in zip(*outputs, strict=True)]
        score_P = answers[-1][:, 1]
        passed = score_P > threshold
        boxes_P5 = torch.cat([boxes_P5[:, :4], score_P[:, None]], dim=1)[passed]
        points_P10 = answers[1][passed] if len(answers) == 3 else torch.zeros(len(boxes_P5), 10)
        return boxes_P5, frame_P[passed], answers[0][passed], points_P10

    def _pictures(self, frame_P: np.ndarray, rect_P4: np.ndarray, rows: int, columns: int) -> Tensor:
        return _area_means(self.tables, frame_P, rect_P4, rows, columns).to(self.device)


def _shifted(boxes_P5: Tensor, shifts_P4: Tensor) -> Tensor:
    """Boxes moved by a network's answer, which is in units of their sides."""
    side_P2 = boxes_P5[:, 2:4] - boxes_P5[:, :2] + 1
    return torch.cat([boxes_P5[:, :4] + shifts_P4 * side_P2.repeat(1, 2), boxes_P5[:, 4:]], dim=1)


def _squared(boxes_P5: Tensor) -> Tensor:
    """Squares of the longer side around the same centres."""
    side_P2 = boxes_P5[:, 2:4] - boxes_P5[:, :2]
    longer_P1 = side_P2.max(dim=1, keepdim=True).values
    corner_P2 = boxes_P5[:, :2] + side_P2 * 0.5 - longer_P1 * 0.5
    return torch.cat([corner_P2, corner_P2 + longer_P1, boxes_P5[:, 4:]], dim=1)


def _largest(boxes_P5: Tensor, points_P52: Tensor) -> Face | None:
    """The largest of one frame's faces, after those that lie on a likelier one are taken out."""
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
    if not kept:
        return None
    best = max(kept, key=lambda i: float((boxes_P5[i, 2:4] - boxes_P5[i, :2]).prod()))
    others = sum(i != best and float(boxes_P5[i, 4]) >= SECOND_FACE_PROBABILITY for i in kept)
    return Face(boxes_P5[best, :4].numpy(), points_P52[best].numpy(), float(boxes_P5[best, 4]), others)
