"""Score a voice by statistics of its mel spectrogram over time: a linear term beside the CNN and the Transformer.

Mean, spread and change per band over a whole utterance are what acoustic emotion features have long been made of
(Eyben et al. 2016, doi:10.1109/TAFFC.2015.2457417); a linear model on them needs few recordings, a CNN many.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mesm.batch import MEL_BANDS
from mesm.layers.standardise import remove_level

#: log10 power below the loudest hop from which a hop counts as silence.
_SILENCE = 3.5
#: Bands whose mean makes up one of the groups that have quantiles, and the quantiles.
_GROUP, _QUANTILES = 4, (0.1, 0.9)
#: Columns of `voice_statistics`.
COLUMNS = 3 * MEL_BANDS + len(_QUANTILES) * MEL_BANDS // _GROUP + 2


def voice_statistics(mels_SCHW: Tensor, counts_B: Tensor) -> Tensor:
    """Compute (B, 450) statistics of each clip's speech, without its level; 0 for a clip without sound.

    Per band: mean, spread and mean absolute change from hop to hop; per group of four bands the 10th and 90th percentile;
    seconds of speech, and its share of the clip.

    Args:
        mels_SCHW: (S, 1, 128, hops) log10 mel power, one clip's chunks after the other.
        counts_B: (B,) chunks of each clip.
    """
    rows = []
    for clip in remove_level(mels_SCHW, counts_B).float().split(counts_B.tolist()):
        if not len(clip):
            rows.append(mels_SCHW.new_zeros(COLUMNS, dtype=torch.float32))
            continue
        hops_TF = clip[:, 0].permute(0, 2, 1).flatten(0, 1)
        loudest_T = hops_TF.amax(1)
        speech_TF = hops_TF[loudest_T > loudest_T.max() - _SILENCE]
        change_TF = speech_TF.diff(dim=0).abs() if len(speech_TF) > 1 else torch.zeros_like(speech_TF)
        groups_TG = speech_TF.unflatten(1, (-1, _GROUP)).mean(2)
        quantiles = torch.quantile(groups_TG, groups_TG.new_tensor(_QUANTILES), dim=0).flatten()
        length = speech_TF.new_tensor([len(speech_TF) / 100, len(speech_TF) / len(hops_TF)])
        rows.append(
            torch.cat([speech_TF.mean(0), speech_TF.std(0, correction=0), change_TF.mean(0), quantiles, length])
        )
    return torch.stack(rows)


class VoiceStatistics(nn.Module):
    """Compute (B, E) logits from `voice_statistics`, standardised over the training clips."""

    def __init__(self, classes: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(COLUMNS, affine=False)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(COLUMNS, classes)
        nn.init.zeros_(self.linear.weight)

    def forward(self, statistics_BF: Tensor) -> Tensor:
        """Map (B, 450) to (B, E)."""
        # One clip has no spread over the batch: its statistics are scaled as in inference.
        norm = self.norm
        if self.training and len(statistics_BF) < 2:
            scaled_BF = F.batch_norm(statistics_BF, norm.running_mean, norm.running_var, eps=norm.eps)
        else:
            scaled_BF = norm(statistics_BF)
        return self.linear(self.dropout(scaled_BF))
