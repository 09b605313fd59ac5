"""Distil the dense model's saliency into the attention: targets for corpora that know the labels only.

For each face and mel chunk of the training clips, once before the training: activation x gradient of the true labels'
logits of its branch, absolute values summed over the channels, on the map that the first attention is computed from
(Simonyan et al. 2014, arXiv:1312.6034; Selvaraju et al. 2017, Grad-CAM, without its averaging of the gradients over the
map, after which the maps of so small faces are flat).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.data.loading import collate
from mesm.data.store import Corpus
from mesm.errors import ConfigError
from mesm.layers.vgg import POOLED_BLOCKS, DenseVGG
from mesm.layers.voice_statistics import voice_statistics
from mesm.models import EmotionModel, load_checkpoint
from mesm.models.encoders import SegmentBranch
from mesm.training.objectives.target_maps import TargetMaps

_CLIPS = 16


class SaliencyTargets(TargetMaps):
    """Compute the saliency of a checkpoint of FE2E on the training clips; a clip without labels has no target.

    Args:
        corpus: its clips must have the checkpoint's labels.
        clip_ids: of the training clips.
        checkpoint: folder of the trained dense model.
        device: to compute on.
        prior: maps of faces that their saliency is multiplied with. A dense model whose score hangs on the background
            has its saliency there (benchmarks/README.md).

    Raises:
        ConfigError: there is no checkpoint, or it is no FE2E with the small CNN.
        CheckpointError: it cannot be read.
    """

    def __init__(
        self,
        corpus: Corpus,
        clip_ids: Sequence[str],
        checkpoint: str,
        device: torch.device | str = "cpu",
        prior: TargetMaps | None = None,
    ) -> None:
        super().__init__()
        model = load_checkpoint(checkpoint).model.to(device).eval() if checkpoint else None
        branches = {}
        if isinstance(model, EmotionModel):
            branches = {name: part for name, part in model.branches.items() if isinstance(part, SegmentBranch)}
        if model is None or not branches or not all(isinstance(part.cnn, DenseVGG) for part in branches.values()):
            raise ConfigError(
                "attention.target=saliency needs a trained FE2E: name its checkpoint with --init, or set "
                "attention.target=points"
            )
        for start in range(0, len(clip_ids), _CLIPS):
            samples = [corpus.read(clip_id, full=False) for clip_id in clip_ids[start : start + _CLIPS]]
            samples = [replace(sample, labels=sample.labels or {}) for sample in samples]
            none = {sample.clip_id: torch.zeros(1) for sample in samples}
            batch = collate(samples, model.config.labels, text_vectors=none).to(device)
            assert batch.labels is not None
            for modality, store in (("visual", self.faces), ("acoustic", self.voices)):
                if modality in branches:
                    segments, counts = batch.segments(modality)
                    maps = saliency(branches[modality], segments, counts, batch.labels).cpu()
                    parts = maps.split(counts.tolist())
                    store.update(zip(batch.clip_ids, parts, strict=True))
        if prior is not None:
            self.faces = {clip_id: _product(maps, prior.faces[clip_id]) for clip_id, maps in self.faces.items()}


def _product(one_S1HW: Tensor, other_S1HW: Tensor) -> Tensor:
    """Return the product of two maps in 0..255, 255 at its highest in each face."""
    product = one_S1HW.float() * other_S1HW.float()
    most = product.amax((2, 3), keepdim=True).clamp(min=1)
    return (255 * product / most).round().to(torch.uint8)


def dense_logits(branch: SegmentBranch, maps_SCHW: Tensor, segments_SCHW: Tensor, counts_B: Tensor) -> Tensor:
    """Compute (B, E) logits of a dense branch from its CNN's maps; those of a clip without segments mean nothing."""
    # The linear score of the voice's statistics depends on no place, but the branch expects its input.
    statistics_BF = None if branch.statistics is None else voice_statistics(segments_SCHW, counts_B)
    return branch.finish(maps_SCHW, maps_SCHW.new_zeros(0), counts_B, 1.0, False, statistics_BF=statistics_BF).logits_BE


def saliency(branch: SegmentBranch, segments_SCHW: Tensor, counts_B: Tensor, labels_BE: Tensor) -> Tensor:
    """Compute how much the true labels' logits depend on each place of a branch's segments.

    Args:
        branch: with the dense CNN, in evaluation mode.
        segments_SCHW: raw faces or mel chunks, one clip's after the other.
        counts_B: (B,) segments of each clip.
        labels_BE: 0 or 1.

    Returns:
        (S, 1, H / 2, W / 2) uint8: 0 up to the segment's mean saliency, 255 at its highest.
    """
    assert isinstance(branch.cnn, DenseVGG)
    if not len(segments_SCHW):
        return segments_SCHW.new_zeros((0, 1, *(n // 2 for n in segments_SCHW.shape[2:])), dtype=torch.uint8)
    with torch.no_grad():
        stem = branch.cnn.stem(branch.normalise(segments_SCHW, counts_B), blocks=POOLED_BLOCKS[0])
    with torch.enable_grad():
        stem.requires_grad_()
        logits_BE = dense_logits(branch, branch.cnn.after_stem(stem), segments_SCHW, counts_B)
        (gradient,) = torch.autograd.grad((logits_BE * labels_BE).sum(), stem)
    depends = F.avg_pool2d((stem.detach() * gradient).abs().sum(1, keepdim=True), 3, 1, 1, count_include_pad=False)
    above = (depends - depends.mean((2, 3), keepdim=True)).clamp(min=0)
    most = above.amax((2, 3), keepdim=True)
    return (255 * above / most.clamp(min=torch.finfo(most.dtype).tiny)).round().to(torch.uint8)
