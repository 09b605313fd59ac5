"""Compute LF-LSTM: a bidirectional LSTM per modality and late fusion (paper, section 5.1; the authors' LF_RNN)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from mesm.config import LFLSTMConfig
from mesm.layers.transformer import segments_to_sequences
from mesm.models.baselines.base import LateFusion, affine


def run_lstm(lstm: nn.LSTM, rows_RF: Tensor, counts_B: Tensor) -> tuple[Tensor, Tensor]:
    """Run an LSTM over each utterance on its own, independent of the batch's longest.

    Returns:
        (B, L, 2 H) outputs of both directions, zeros behind each end, and (B, 2 H) last states of both; an utterance
        without rows is read as one row of zeros.
    """
    sequences_BLF, _ = segments_to_sequences(rows_RF, counts_B)
    packed = pack_padded_sequence(sequences_BLF, counts_B.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
    packed_out, (states, _) = lstm(packed)
    outputs, _ = pad_packed_sequence(packed_out, batch_first=True)
    return outputs, states.transpose(0, 1).flatten(1)


class LSTMBranch(nn.Module):
    """Compute an LSTM as wide as the features, then two linear layers on the last states of both directions."""

    def __init__(self, modality: str, dim: int, config: LFLSTMConfig) -> None:
        super().__init__()
        self.at_last_word = modality == "text" and config.text_at_last_word
        self.lstm = nn.LSTM(dim, dim, bidirectional=True, batch_first=True)
        self.dropout = nn.Dropout(config.dropout)
        self.affine = affine(dim, config, out_of=2)

    def forward(self, rows_RF: Tensor, counts_B: Tensor) -> Tensor:
        """Compute (B, E) logits from (R, F) features and (B,) counts."""
        outputs, states = run_lstm(self.lstm, rows_RF, counts_B)
        if self.at_last_word:
            states = outputs[torch.arange(len(counts_B), device=outputs.device), counts_B.clamp(min=1) - 1]
        return self.affine(self.dropout(states))


class LFLSTM(LateFusion):
    """Compute the late-fusion LSTM on hand-crafted features."""

    network = LSTMBranch
