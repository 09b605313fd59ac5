"""Encode each modality by its branch: segments in, class logits out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mesm.config import EndToEndConfig, MESMConfig
from mesm.errors import ConfigError
from mesm.layers.lexicon import Lexicon
from mesm.layers.sparse_vgg import LayerTensors, SparseVGG
from mesm.layers.standardise import remove_level, standardise_crops
from mesm.layers.transformer import SequenceTransformer
from mesm.layers.versioned_cache import VersionedCache
from mesm.layers.vgg import DenseVGG
from mesm.layers.vgg11 import VGG11, vgg11_weights
from mesm.layers.voice_statistics import VoiceStatistics

#: Modality -> (input channels, height and width of the CNN's last map) (paper, section 4.2).
SEGMENT_SHAPES: dict[str, tuple[int, tuple[int, int]]] = {"visual": (3, (3, 3)), "acoustic": (1, (8, 2))}


class TextBranch(nn.Module):
    """Compute the logits of the transcript's embedding: one linear layer (the paper), or one hidden layer before it."""

    def __init__(self, config: EndToEndConfig) -> None:
        super().__init__()
        classes, hidden = len(config.labels), config.text_hidden
        self.lexicon = Lexicon(config.text_lexicon, classes) if config.text_lexicon else None
        if hidden:
            self.out: nn.Module = nn.Sequential(
                nn.Linear(config.text_dim, hidden), nn.ReLU(), nn.Dropout(config.dropout), nn.Linear(hidden, classes)
            )
        else:
            self.out = nn.Linear(config.text_dim, classes)

    def forward(self, text_BD: Tensor, tokens: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Compute (B, E) logits from (B, D), and the (B, hidden) vectors before the last layer.

        Args:
            tokens: (B, T) ids and mask of the word pieces; needed with a lexicon.
        """
        hidden = self.out[:-1](text_BD) if isinstance(self.out, nn.Sequential) else text_BD
        logits_BE = self.out[-1](hidden) if isinstance(self.out, nn.Sequential) else self.out(text_BD)
        if self.lexicon is not None:
            assert tokens is not None
            logits_BE = logits_BE + self.lexicon(*tokens)
        return logits_BE, hidden


@dataclass(frozen=True)
class BranchOutput:
    """Hold the output of a segment branch.

    Attributes:
        logits_BE: (B, E).
        segments_SD: (S, D) vector of each segment, before the Transformer.
        summary_BD: (B, D) vector of each utterance, before the dropout.
        layers: attention layers; empty without a trace.
    """

    logits_BE: Tensor
    segments_SD: Tensor
    summary_BD: Tensor
    layers: tuple[LayerTensors, ...]


class SegmentBranch(nn.Module):
    """Compute a CNN per face or mel chunk, a linear layer, a Transformer over the sequence, and logits.

    Args:
        modality: visual or acoustic.
        config: the model's; a `MESMConfig` gives the cross-modal sparse CNN instead of the dense one.
    """

    def __init__(self, modality: str, config: EndToEndConfig) -> None:
        super().__init__()
        self.modality = modality
        in_channels, (height, width) = SEGMENT_SHAPES[modality]
        self.cnn: DenseVGG | SparseVGG | VGG11
        if isinstance(config, MESMConfig):
            self.cnn = SparseVGG(in_channels, config, config.text_dim)
        else:
            self.cnn = VGG11(in_channels) if config.cnn == "vgg11" else DenseVGG(in_channels, config)
        self.flatten = nn.Sequential(
            nn.Linear(config.channels(512) * height * width, config.head_dim),
            nn.ReLU(),
            nn.Linear(config.head_dim, config.transformer_dim),
        )
        self.transformer = SequenceTransformer(config)
        self.dropout = nn.Dropout(config.dropout)
        self.out = nn.Linear(config.transformer_dim, len(config.labels))
        self.statistics: VoiceStatistics | None = None
        if modality == "acoustic" and config.mel_statistics:
            self.statistics = VoiceStatistics(len(config.labels), config.dropout, config.mel_statistics_hidden)
        self.config = config
        shape = (1, in_channels, 1, 1)
        mean, std = (
            (config.face_mean, config.face_std) if modality == "visual" else ((config.mel_mean,), (config.mel_std,))
        )
        self.register_buffer("mean", torch.tensor(mean).view(shape), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(shape), persistent=False)

    def normalise(self, segments_SCHW: Tensor, counts_B: Tensor) -> Tensor:
        """Normalise raw faces (0..255) or log10 mel power to the CNN's input; float32, or float64 in a model of that type.

        Args:
            segments_SCHW: faces or mel chunks, one clip's after the other.
            counts_B: (B,) segments of each clip.
        """
        x = segments_SCHW.to(torch.promote_types(self.mean.dtype, torch.float32))  # type: ignore[arg-type]
        if self.modality == "visual" and self.config.face_scaling != "corpus":
            return standardise_crops(x, grey=self.config.face_scaling == "grey")
        if self.modality == "acoustic" and self.config.mel_scaling == "power":
            x = torch.pow(10.0, x)
        elif self.modality == "acoustic" and self.config.mel_level == "removed":
            x = remove_level(x, counts_B)
        return (x - self.mean) / self.std  # type: ignore[operator]

    def prepare(self, segments_SCHW: Tensor, counts_B: Tensor) -> Tensor:
        """Compute the part that does not depend on top_p: MESM's stem, or FE2E's whole CNN."""
        x = self.normalise(segments_SCHW, counts_B)
        return self.cnn.stem(x) if isinstance(self.cnn, SparseVGG) else self.cnn(x)

    def finish(
        self,
        maps_SCHW: Tensor,
        query_SD: Tensor,
        counts_B: Tensor,
        top_p: float,
        trace: bool,
        first_attention: VersionedCache[Tensor] | None = None,
        statistics_BF: Tensor | None = None,
        sound_SW: Tensor | None = None,
    ) -> BranchOutput:
        """Compute the logits from `prepare`'s maps.

        Args:
            maps_SCHW: of `prepare`.
            query_SD: (S, D) query of each segment.
            counts_B: (B,) segments of each utterance.
            top_p: nucleus mass in (0, 1].
            trace: also return the attention layers.
            first_attention: see `SparseVGG.sparse_part`.
            statistics_BF: `voice_statistics` of each utterance; needed where the config has them.
            sound_SW: see `SparseVGG.sparse_part`.
        """
        layers: tuple[LayerTensors, ...] = ()
        if isinstance(self.cnn, SparseVGG):
            result = self.cnn.sparse_part(
                maps_SCHW, query_SD, top_p, trace=trace, first_attention=first_attention, sound_SW=sound_SW
            )
            maps_SCHW, layers = result.features_SCHW, result.layers
        segments_SD = self.flatten(maps_SCHW.flatten(1))
        summary_BD = self.transformer(segments_SD, counts_B)
        logits_BE = self.out(self.dropout(summary_BD))
        if self.statistics is not None:
            assert statistics_BF is not None
            # In a batch of which some clips have no sound, these would count as silence in the batch's statistics.
            heard_B = counts_B > 0
            logits_BE = logits_BE.index_add(0, heard_B.nonzero()[:, 0], self.statistics(statistics_BF[heard_B]))
        return BranchOutput(logits_BE, segments_SD, summary_BD, layers)


def load_cnn(model: nn.Module, source: str) -> None:
    """Load torchvision's weights into the CNNs of a model with cnn=vgg11; see `vgg11_weights`.

    Raises:
        ConfigError: the model has no such CNN.
    """
    cnns = [module for module in model.modules() if isinstance(module, VGG11)]
    if not cnns:
        raise ConfigError("cnn_weights are those of cnn=vgg11; set model.cnn=vgg11, or cnn_weights to nothing")
    weights = vgg11_weights(source)
    for cnn in cnns:
        cnn.load_weights(weights)
