"""Score a voice by statistics of its mel spectrogram over time: a term beside the CNN and the Transformer.

Statistics of bands, cepstral coefficients, loudness contour and modulation over a whole utterance are what acoustic
emotion features have long been made of (Eyben et al. 2016, doi:10.1109/TAFFC.2015.2457417); a linear or shallow model on
them needs few recordings, a CNN many.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mesm.batch import MEL_BANDS
from mesm.layers.standardise import remove_level

#: log10 power below the loudest hop from which a hop counts as silence.
_SILENCE = 3.5
#: Bands of a narrow group (for quantiles) and of a broad one (for contour and modulation).
_NARROW, _BROAD = 4, 8
_QUANTILES, _CEPSTRAL_QUANTILES = (0.1, 0.9), (0.1, 0.5, 0.9)
#: Cepstral coefficients: the shape of the spectrum, whose spread and change say how lively an articulation is.
_CEPSTRA = 24
#: Hz at which the envelope of a broad group varies: phrases and syllables lie below 8 Hz, tremor above.
_MODULATION_HZ = ((0.5, 1.5), (1.5, 3.0), (3.0, 5.0), (5.0, 8.0), (8.0, 14.0), (14.0, 25.0))
#: Hops of the modulation's window, 12.8 s: longer clips are cut, shorter ones padded.
_MODULATION_HOPS = 1024
_HOPS_PER_S = 80
_QUARTERS, _THIRDS = 4, 3
#: Columns of `voice_statistics`.
COLUMNS = (
    3 * MEL_BANDS
    + len(_QUANTILES) * MEL_BANDS // _NARROW
    + 2
    + (3 + len(_CEPSTRAL_QUANTILES)) * _CEPSTRA
    + 4
    + _QUARTERS
    + (_THIRDS + len(_MODULATION_HZ)) * MEL_BANDS // _BROAD
)


def voice_statistics(mels_SCHW: Tensor, counts_B: Tensor) -> Tensor:
    """Compute (B, 746) statistics of each clip's speech, without its level; 0 for a clip without sound.

    Per band: mean, spread and mean absolute change from hop to hop; per group of four bands the 10th and 90th percentile;
    seconds of speech, and its share of the clip; then cepstrum, contour and modulation.

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
        groups_TG = speech_TF.unflatten(1, (-1, _NARROW)).mean(2)
        length = speech_TF.new_tensor([len(speech_TF) / _HOPS_PER_S, len(speech_TF) / len(hops_TF)])
        rows.append(
            torch.cat(
                [
                    speech_TF.mean(0), speech_TF.std(0, correction=0), _changes(speech_TF).abs().mean(0),
                    _quantiles(groups_TG, _QUANTILES), length, _cepstrum(speech_TF), _contour(speech_TF),
                    _modulation(hops_TF),
                ]
            )
        )  # fmt: skip
    return torch.stack(rows)


def _changes(rows_TX: Tensor) -> Tensor:
    """Return the changes from hop to hop, (T - 1, X); one row of zeros for a single hop."""
    return rows_TX.diff(dim=0) if len(rows_TX) > 1 else torch.zeros_like(rows_TX)


def _quantiles(rows_TX: Tensor, quantiles: tuple[float, ...]) -> Tensor:
    return torch.quantile(rows_TX, rows_TX.new_tensor(quantiles), dim=0).flatten()


def _cepstrum(speech_TF: Tensor) -> Tensor:
    """Return spread, mean absolute change, spread of the change, and quantiles of the cepstral coefficients."""
    band, order = torch.arange(MEL_BANDS) + 0.5, torch.arange(_CEPSTRA)
    basis_FK = torch.cos(math.pi / MEL_BANDS * band[:, None] * order).to(speech_TF) * (2 / MEL_BANDS) ** 0.5
    cepstra_TK = speech_TF @ basis_FK
    change_TK = _changes(cepstra_TK)
    spread = cepstra_TK.std(0, correction=0), change_TK.abs().mean(0), change_TK.std(0, correction=0)
    return torch.cat([*spread, _quantiles(cepstra_TK, _CEPSTRAL_QUANTILES)])


def _contour(speech_TF: Tensor) -> Tensor:
    """Return how loudness varies, its mean in each quarter, and each broad group's in each third, less the clip's mean."""
    loudness_T = torch.pow(10.0, speech_TF).sum(1).log10()
    change_T = _changes(loudness_T)
    low, high = torch.quantile(loudness_T, loudness_T.new_tensor(_QUANTILES))
    spread = torch.stack([loudness_T.std(correction=0), change_T.abs().mean(), change_T.std(correction=0), high - low])
    groups_TG = speech_TF.unflatten(1, (-1, _BROAD)).mean(2)
    return torch.cat([spread, _parts(loudness_T[:, None], _QUARTERS), _parts(groups_TG, _THIRDS)])


def _parts(rows_TX: Tensor, parts: int) -> Tensor:
    """Return the means of equal parts in time, less the mean of all; 0 for a part without a hop."""
    mean_X = rows_TX.mean(0)
    return torch.cat([part.mean(0) - mean_X if len(part) else 0 * mean_X for part in rows_TX.tensor_split(parts)])


def _modulation(hops_TF: Tensor) -> Tensor:
    """Return log10 power of each broad group's envelope in each range of `_MODULATION_HZ`."""
    groups_TG = hops_TF[:_MODULATION_HOPS].unflatten(1, (-1, _BROAD)).mean(2)
    power_FG = torch.fft.rfft(groups_TG - groups_TG.mean(0), n=_MODULATION_HOPS, dim=0).abs().square()
    hz_F = torch.fft.rfftfreq(_MODULATION_HOPS, 1 / _HOPS_PER_S, device=hops_TF.device)
    bands = [power_FG[(hz_F >= low) & (hz_F < high)].mean(0) for low, high in _MODULATION_HZ]
    return (torch.cat(bands) + 1e-3).log10()


class VoiceStatistics(nn.Module):
    """Compute (B, E) logits from `voice_statistics`, standardised over the training clips.

    Args:
        hidden: units of a hidden layer; 0 for a linear score.
    """

    def __init__(self, classes: int, dropout: float, hidden: int = 0) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(COLUMNS, affine=False)
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Sequential(nn.Linear(COLUMNS, hidden), nn.ReLU(), nn.Dropout(dropout)) if hidden else None
        self.linear = nn.Linear(hidden or COLUMNS, classes)
        nn.init.zeros_(self.linear.weight)

    def forward(self, statistics_BF: Tensor) -> Tensor:
        """Map (B, 746) to (B, E)."""
        # One clip has no spread over the batch: its statistics are scaled as in inference.
        norm = self.norm
        if self.training and len(statistics_BF) < 2:
            scaled_BF = F.batch_norm(statistics_BF, norm.running_mean, norm.running_var, eps=norm.eps)
        else:
            scaled_BF = norm(statistics_BF)
        shown_BF = self.dropout(scaled_BF)
        return self.linear(shown_BF if self.hidden is None else self.hidden(shown_BF))
