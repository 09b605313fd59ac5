"""Compute EmoEmbs: the score of an emotion is the similarity of utterance and emotion word.

Dai, Liu, Yu and Fung 2020, "Modality-Transferable Emotion Embeddings for Low-Resource Multimodal Emotion Recognition"
(AACL). Each modality's LSTM ends in a vector; the emotion words' embeddings are mapped to its space by a linear layer,
but for the text, whose space is theirs; the score is the inner product, and late fusion sums the modalities'.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mesm.config import FeatureModelConfig
from mesm.errors import ConfigError, DataError
from mesm.layers.text import TextEncoder
from mesm.models.baselines.base import LateFusion
from mesm.models.baselines.lf_lstm import run_lstm

#: At width 1; the text's is that of the word vectors.
_WIDTHS = {"visual": 100, "acoustic": 200}


def similarity_width(modality: str, words_dim: int, config: FeatureModelConfig) -> int:
    """Return the width of the space in which a modality is compared with the emotion words."""
    return words_dim if modality == "text" else config.channels(_WIDTHS[modality])


class SimilarityBranch(nn.Module):
    """Compute the similarity of an LSTM's last states, summed over directions, to the mapped emotion words."""

    def __init__(self, modality: str, dim: int, config: FeatureModelConfig) -> None:
        super().__init__()
        words_dim = config.feature_dims[config.modalities.index("text")]
        width = similarity_width(modality, words_dim, config)
        self.lstm = nn.LSTM(dim, width, bidirectional=True, batch_first=True)
        self.dropout = nn.Dropout(config.dropout)
        self.map = None if modality == "text" else nn.Linear(words_dim, width)

    def forward(self, rows_RF: Tensor, counts_B: Tensor, words_EW: Tensor) -> Tensor:
        """Compute (B, E) logits from (R, F) features, (B,) counts and the (E, W) emotion words."""
        _, states = run_lstm(self.lstm, rows_RF, counts_B)
        forward, backward = states.chunk(2, 1)
        emotions_EH = words_EW if self.map is None else self.map(words_EW)
        return self.dropout(forward + backward) @ emotions_EH.T


class EmoEmbs(LateFusion):
    """Score emotions by embeddings taken from the word vectors of the text, which must be among the modalities."""

    network = SimilarityBranch

    def __init__(self, config: FeatureModelConfig, text_encoder: TextEncoder | None = None) -> None:
        if "text" not in config.modalities:
            raise ConfigError("emo_embs compares with emotion words in the space of the text; add text to modalities")
        super().__init__(config, text_encoder)
        # Frozen, as in the paper; at random until `set_emotions`.
        self.register_buffer("emotions", torch.randn(len(config.labels), self.dims["text"]))

    def scores(self, modality: str, rows_RF: Tensor, counts_B: Tensor) -> Tensor:
        """Compute (B, E) logits of one modality: the similarity to the emotions' vectors."""
        return self.branches[modality](rows_RF, counts_B, self.get_buffer("emotions"))

    @torch.no_grad()
    def set_emotions(self, vectors: Mapping[str, list[float]]) -> None:
        """Store the emotion words' vectors, emotion name -> (W,).

        Raises:
            DataError: a label has none.
        """
        missing = [label for label in self.config.labels if label not in vectors]
        if missing:
            raise DataError(f"the word vectors have none for {', '.join(missing)}; use vectors with these words")
        self.get_buffer("emotions").copy_(torch.tensor([vectors[label] for label in self.config.labels]))
