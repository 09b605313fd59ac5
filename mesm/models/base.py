"""Compute the common part of FE2E and MESM: three branches and late fusion."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from mesm.batch import Batch
from mesm.config import EndToEndConfig, check_top_p
from mesm.errors import DataError
from mesm.layers.fusion import WeightedFusion
from mesm.layers.lexicon import minilm_tokenizer
from mesm.layers.padding import sound_columns
from mesm.layers.sparse_vgg import LayerTensors, SparseVGG
from mesm.layers.text import TextEncoder
from mesm.layers.versioned_cache import VersionedCache
from mesm.layers.vgg import VGGTrunk
from mesm.layers.voice_statistics import voice_statistics
from mesm.models.encoders import SegmentBranch, TextBranch
from mesm.models.inputs import FrozenText, Inputs, TokenText
from mesm.models.output import ModelOutput, Prepared
from mesm.models.scorer import Scorer


class EmotionModel(Scorer[Prepared]):
    """Compute text, visual and acoustic branches with weighted late fusion (paper, sections 4.2 and 4.3).

    A text encoder that is trained or adapted is part of the model; a frozen one stays outside and its vectors come with
    the batch.

    Args:
        config: shape and arithmetic; a `MESMConfig` gives the segment branches their cross-modal attention.
        text_encoder: needed when `config.has_text_encoder`; built from the config when not given.
    """

    config: EndToEndConfig

    def __init__(self, config: EndToEndConfig, text_encoder: TextEncoder | None = None) -> None:
        super().__init__()
        self.config = config
        self.text_encoder = (text_encoder or TextEncoder(config)) if config.has_text_encoder else None
        self.branches = nn.ModuleDict()
        for modality in config.modalities:
            self.branches[modality] = TextBranch(config) if modality == "text" else SegmentBranch(modality, config)
        self.fusion = WeightedFusion(len(config.modalities))

    @property
    def inputs(self) -> Inputs:
        """Return the kind of input: token ids for a text encoder inside the model, vectors of a frozen one."""
        if self.text_encoder is not None:
            return TokenText(self.text_encoder.tokenize)
        return FrozenText(minilm_tokenizer(self.config.text_max_tokens) if self._has_lexicon else None)

    @property
    def _has_lexicon(self) -> bool:
        return self.config.text_lexicon > 0 and "text" in self.config.modalities

    def forward(
        self,
        batch: Batch,
        top_p: float | None = None,
        trace: bool = False,
        query_index_B: Tensor | None = None,
        second_query_index_B: Tensor | None = None,
    ) -> ModelOutput:
        """Score a batch.

        Args:
            batch: raw faces and log mels; normalised here.
            top_p: nucleus mass in (0, 1], default the config's; without effect on FE2E.
            trace: also return every layer's attention, nucleus and active sites.
            query_index_B: (B,) int64, the utterance of the batch whose text is each clip's query; default its own.
            second_query_index_B: (B,) int64, the same for a second output from the same stem maps, `ModelOutput.second`.

        Raises:
            DataError: a clip without any modality.
            ConfigError: top_p out of range.
        """
        prepared = self.prepare(batch)
        text_BD = prepared.text_BD
        output = self.finish(prepared, top_p, trace, None if query_index_B is None else text_BD[query_index_B])
        if second_query_index_B is None:
            return output
        return replace(output, second=self.finish(prepared, top_p, query_BD=text_BD[second_query_index_B]))

    def prepare(self, batch: Batch) -> Prepared:
        """Compute everything that does not depend on top_p: text vectors, and stem maps or FE2E's final maps."""
        text_BD = self._text_vectors(batch)
        maps, counts, present = {}, {}, []
        for modality in self.config.modalities:
            if modality == "text":
                present.append(batch.has_text)
                continue
            values, counts[modality] = batch.segments(modality)
            present.append(counts[modality] > 0)
            if len(values):
                branch = self.branches[modality]
                assert isinstance(branch, SegmentBranch)
                maps[modality] = branch.prepare(values, counts[modality])
        present_BM = torch.stack(present, 1)
        self.check_present(batch, present_BM)
        heard = self.config.mel_statistics and "acoustic" in maps
        statistics_BF = voice_statistics(batch.mels, batch.chunk_counts) if heard else None
        attended = self.config.has_attention and "acoustic" in maps
        sound_SW = sound_columns(batch.mels, batch.chunk_counts) if attended else None
        return Prepared(text_BD, maps, counts, present_BM, self._tokens(batch), statistics_BF, sound_SW)

    def vary(self, prepared: Prepared, variants: Batch, has: dict[str, Tensor]) -> Prepared:
        """Compute `prepare`'s values of B variants of one clip from its own: new texts, the same maps.

        Args:
            prepared: of the one clip.
            variants: B texts, collated without faces and mels.
            has: modality -> (B,) bool, False where a variant lacks the clip's segments.

        Raises:
            DataError: a variant without any modality.
        """
        maps, counts, present = {}, {}, []
        for modality in self.config.modalities:
            if modality == "text":
                present.append(variants.has_text)
                continue
            counts[modality] = prepared.counts[modality] * has[modality]
            present.append(counts[modality] > 0)
            if copies := int(present[-1].sum()):
                maps[modality] = prepared.maps[modality].repeat(copies, 1, 1, 1)
        present_BM = torch.stack(present, 1)
        self.check_present(variants, present_BM)
        statistics_BF, sound_SW = prepared.statistics_BF, prepared.sound_SW
        if statistics_BF is not None:
            statistics_BF = statistics_BF.expand(len(variants), -1) if "acoustic" in maps else None
        if sound_SW is not None:
            sound_SW = sound_SW.repeat(int((counts["acoustic"] > 0).sum()), 1) if "acoustic" in maps else None
        text_BD, tokens = self._text_vectors(variants), self._tokens(variants)
        return Prepared(text_BD, maps, counts, present_BM, tokens, statistics_BF, sound_SW)

    def finish(
        self, prepared: Prepared, top_p: float | None = None, trace: bool = False, query_BD: Tensor | None = None
    ) -> ModelOutput:
        """Compute the scores from `prepare`'s values.

        Args:
            prepared: of this model.
            top_p: nucleus mass in (0, 1], the config's if None; without effect on FE2E.
            trace: also return every layer's attention, nucleus and active sites.
            query_BD: (B, D) queries of the attention, the clips' own text vectors if None.
        """
        top_p = check_top_p(self.config.top_p if top_p is None else top_p)
        layers: dict[str, tuple[LayerTensors, ...]] = {}
        segments: dict[str, Tensor] = {}
        summaries: dict[str, Tensor] = {}
        logits = []
        own_query = query_BD is None or query_BD is prepared.text_BD
        query_BD = prepared.text_BD if query_BD is None else query_BD
        for i, modality in enumerate(self.config.modalities):
            branch = self.branches[modality]
            if isinstance(branch, TextBranch):
                scores_BE, summaries[modality] = branch(prepared.text_BD, prepared.tokens)
            elif modality in prepared.maps:
                assert isinstance(branch, SegmentBranch)
                counts_B = prepared.counts[modality]
                query_SD = query_BD.repeat_interleave(counts_B, dim=0)
                cache: VersionedCache[Tensor] | None = None
                if own_query and not torch.is_grad_enabled():
                    cache = prepared.first_attention.setdefault(modality, VersionedCache())
                result = branch.finish(
                    prepared.maps[modality],
                    query_SD,
                    counts_B,
                    top_p,
                    trace,
                    cache,
                    prepared.statistics_BF if modality == "acoustic" else None,
                    prepared.sound_SW if modality == "acoustic" else None,
                )
                scores_BE, segments[modality] = result.logits_BE, result.segments_SD
                summaries[modality] = result.summary_BD
                if result.layers:
                    layers[modality] = result.layers
            else:
                scores_BE = prepared.text_BD.new_zeros(len(prepared.text_BD), len(self.config.labels))
            logits.append(scores_BE * prepared.present_BM[:, i, None])
        logits_BME = torch.stack(logits, 1)
        fused_BE, weights_BM = self.fusion(logits_BME, prepared.present_BM)
        return ModelOutput(
            fused_BE, logits_BME, prepared.present_BM, weights_BM, layers, segments=segments, summaries=summaries
        )

    def _tokens(self, batch: Batch) -> tuple[Tensor, Tensor] | None:
        if not self._has_lexicon:
            return None
        if batch.token_ids is None or batch.token_mask is None:
            raise DataError("this model has a lexicon; collate the batch with tokenize=")
        return batch.token_ids, batch.token_mask

    def _text_vectors(self, batch: Batch) -> Tensor:
        if self.text_encoder is not None:
            if batch.token_ids is None or batch.token_mask is None:
                raise DataError("this model has a text encoder inside; collate the batch with tokenize=")
            return self.text_encoder(batch.token_ids, batch.token_mask)
        if batch.text_vectors is None:
            raise DataError("this model has a frozen text encoder; collate the batch with text_vectors=")
        return batch.text_vectors

    def freeze_stem(self) -> None:
        """Keep the dense stem of each branch's CNN as it is in training; without effect on cnn=vgg11."""
        for branch in self.branches.values():
            if isinstance(branch, SegmentBranch) and isinstance(branch.cnn, VGGTrunk):
                branch.cnn.freeze_stem()

    def freeze_text(self) -> None:
        """Keep the text encoder, the text branch and the fusion weights as they are in training."""
        frozen = [self.fusion, *(branch for branch in self.branches.values() if isinstance(branch, TextBranch))]
        for module in frozen if self.text_encoder is None else [*frozen, self.text_encoder]:
            module.requires_grad_(False)

    def freeze_branches(self) -> None:
        """Keep all branches and the fusion weights as they are in training: the text encoder alone is trained."""
        self.branches.requires_grad_(False)
        self.fusion.requires_grad_(False)

    def attention_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the cross-modal attention; none for FE2E."""
        cnns = [branch.cnn for branch in self.branches.values() if isinstance(branch, SegmentBranch)]
        return [p for cnn in cnns if isinstance(cnn, SparseVGG) for p in cnn.attention_parameters()]
