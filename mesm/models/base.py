"""What FE2E and MESM share: three branches, late fusion, and a forward in two halves around top_p."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from mesm.batch import Batch
from mesm.config import ModelConfig, check_top_p
from mesm.errors import DataError
from mesm.layers.fusion import WeightedFusion
from mesm.layers.sparse_vgg import LayerTensors
from mesm.layers.text import TextEncoder
from mesm.layers.versioned_cache import Derived
from mesm.layers.vgg import VGGTrunk
from mesm.models.encoders import SegmentBranch, TextBranch
from mesm.models.output import ModelOutput, Prepared


class EmotionModel(nn.Module):
    """Text, visual and acoustic branches with weighted late fusion (paper, sections 4.2 and 4.3).

    A trainable text encoder is part of the model; a frozen one stays outside and its vectors come with the batch.

    Args:
        config: shape and arithmetic.
        text_encoder: needed when `config.text_trainable`; built from the config when not given.
    """

    sparse: bool
    #: Whether each modality has scores and a fusion weight of its own.
    has_branches = True

    def __init__(self, config: ModelConfig, text_encoder: TextEncoder | None = None) -> None:
        super().__init__()
        self.config = config
        self.text_encoder = (text_encoder or TextEncoder(config)) if config.text_trainable else None
        self.branches = nn.ModuleDict()
        for modality in config.modalities:
            self.branches[modality] = (
                TextBranch(config) if modality == "text" else SegmentBranch(modality, config, sparse=self.sparse)
            )
        self.fusion = WeightedFusion(len(config.modalities))

    def forward(
        self,
        batch: Batch,
        top_p: float | None = None,
        trace: bool = False,
        asking_B: Tensor | None = None,
        again_B: Tensor | None = None,
    ) -> ModelOutput:
        """Score a batch.

        Args:
            batch: raw faces and log mels; normalised here.
            top_p: nucleus mass in (0, 1], default the config's; ignored by FE2E.
            trace: also return every layer's attention, nucleus and active sites.
            asking_B: (B,) the utterance whose text asks the attention about each; default its own.
            again_B: the same for a second answer, from the same stems.

        Raises:
            DataError: a clip without a transcript (MESM), or without any modality.
            ConfigError: top_p out of range.
        """
        prepared = self.prepare(batch)
        text_BD = prepared.text_BD
        output = self.finish(prepared, top_p, trace, None if asking_B is None else text_BD[asking_B])
        if again_B is None:
            return output
        return replace(output, second=self.finish(prepared, top_p, query_BD=text_BD[again_B]))

    def prepare(self, batch: Batch) -> Prepared:
        """The work that does not depend on top_p."""
        text_BD = self._text_vectors(batch)
        segments = {"visual": (batch.faces, batch.face_counts), "acoustic": (batch.mels, batch.chunk_counts)}
        maps, counts, present = {}, {}, []
        for modality in self.config.modalities:
            if modality == "text":
                present.append(batch.has_text)
                continue
            values, counts[modality] = segments[modality]
            present.append(counts[modality] > 0)
            if len(values):
                branch = self.branches[modality]
                assert isinstance(branch, SegmentBranch)
                maps[modality] = branch.prepare(values)
        present_BM = torch.stack(present, 1)
        self._check_present(batch, present_BM)
        return Prepared(text_BD, maps, counts, present_BM)

    def finish(
        self, prepared: Prepared, top_p: float | None = None, trace: bool = False, query_BD: Tensor | None = None
    ) -> ModelOutput:
        """From `prepare`'s values to scores; `query_BD` asks the attention with another text than the clip's."""
        top_p = check_top_p(self.config.top_p if top_p is None else top_p)
        layers: dict[str, tuple[LayerTensors, ...]] = {}
        segments: dict[str, Tensor] = {}
        summaries: dict[str, Tensor] = {}
        logits = []
        query_BD = prepared.text_BD if query_BD is None else query_BD
        for i, modality in enumerate(self.config.modalities):
            branch = self.branches[modality]
            if isinstance(branch, TextBranch):
                scores_BE, summaries[modality] = branch(prepared.text_BD)
            elif modality in prepared.maps:
                assert isinstance(branch, SegmentBranch)
                counts_B = prepared.counts[modality]
                query_SD = query_BD.repeat_interleave(counts_B, dim=0)
                again = query_BD is prepared.text_BD and not torch.is_grad_enabled()
                first: Derived[Tensor] | None = prepared.first.setdefault(modality, Derived()) if again else None
                answer = branch.finish(prepared.maps[modality], query_SD, counts_B, top_p, trace, first)
                scores_BE, segments[modality] = answer.logits_BE, answer.segments_SD
                summaries[modality] = answer.summary_BD
                if trace and self.sparse:
                    layers[modality] = answer.layers
            else:
                scores_BE = prepared.text_BD.new_zeros(len(prepared.text_BD), len(self.config.labels))
            logits.append(scores_BE * prepared.present_BM[:, i, None])
        logits_BME = torch.stack(logits, 1)
        fused_BE, weights_BM = self.fusion(logits_BME, prepared.present_BM)
        return ModelOutput(
            fused_BE, logits_BME, prepared.present_BM, weights_BM, layers, segments=segments, summaries=summaries
        )

    def _text_vectors(self, batch: Batch) -> Tensor:
        if self.text_encoder is not None:
            if batch.token_ids is None or batch.token_mask is None:
                raise DataError("this model has a trainable text encoder; collate the batch with tokenize=")
            return self.text_encoder(batch.token_ids, batch.token_mask)
        if batch.text_vectors is None:
            raise DataError("this model has a frozen text encoder; collate the batch with text_vectors=")
        return batch.text_vectors

    def _check_present(self, batch: Batch, present_BM: Tensor) -> None:
        if self.sparse and not bool(batch.has_text.all()):
            clip = batch.clip_ids[int((~batch.has_text).nonzero()[0])]
            raise DataError(
                f"clip {clip!r} has no transcript; MESM asks the face and the voice with the text: type or transcribe it"
            )
        if not bool(present_BM.any(1).all()):
            clip = batch.clip_ids[int((~present_BM.any(1)).nonzero()[0])]
            raise DataError(f"clip {clip!r} has none of {', '.join(self.config.modalities)}; nothing can be scored")

    def freeze_stem(self) -> None:
        """Train no further the dense stem of each branch's CNN; nothing to do for another network than the paper's."""
        for branch in self.branches.values():
            if isinstance(branch, SegmentBranch) and isinstance(branch.cnn, VGGTrunk):
                branch.cnn.freeze_stem()

    def freeze_text(self) -> None:
        """Train no further the text's scores and the fusion's weights."""
        frozen = [self.fusion, *(branch for branch in self.branches.values() if isinstance(branch, TextBranch))]
        for module in frozen:
            module.requires_grad_(False)

    def attention_parameters(self) -> list[nn.Parameter]:
        """Parameters of the cross-modal attention; empty for FE2E."""
        return [
            p
            for branch in self.branches.values()
            if isinstance(branch, SegmentBranch) and self.sparse
            for p in branch.cnn.attention_parameters()  # type: ignore[operator]
        ]
