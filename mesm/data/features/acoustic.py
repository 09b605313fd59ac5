"""Compute acoustic features: a built-in set from the stored spectrogram, or openSMILE's; DisVoice's columns by name.

The paper's 142 are three families of DisVoice: 22 Bark-band energies, 12 mel-frequency cepstral coefficients and 18
phonological posteriors with 6 functionals each. The last need a recogniser's weights that may not be bundled, so the
built-in set has the first two and functionals of the same kind.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mesm.batch import MEL_BANDS, MEL_FLOOR, SAMPLE_RATE_HZ, Sample
from mesm.data.features.store import FeatureSet
from mesm.data.signal_settings import HOP
from mesm.errors import BackendUnavailable

#: Zwicker's critical bands, edges in Hz (Zwicker 1961), as far as half of 16 kHz reaches: 21 whole bands and a part.
BARK_EDGES_HZ = (
    0, 100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700, 3150, 3700, 4400, 5300, 6400,
    7700, 8000,
)  # fmt: skip
CEPSTRA = 12
#: Hops to a row: 100 ms.
_ROW_HOPS = 8
_PHONOLOGICAL = (
    "vocalic", "consonantal", "back", "anterior", "open", "close", "nasal", "stop", "continuant", "lateral", "flap",
    "trill", "voice", "strident", "labial", "dental", "velar", "pause",
)  # fmt: skip
_FUNCTIONALS = ("mean", "std", "skewness", "kurtosis", "max", "min")
#: Where the paper's 142 columns lie among the 763 of the authors' feature files.
DISVOICE_INDICES = (*range(34), *range(655, 763))


def disvoice_set() -> FeatureSet:
    """Return the paper's 142 columns.

    The order is the authors' index; the paper's text has BBE 12 and MFCC 22, the names in their code the reverse.
    """
    columns = (
        *(f"bbe{i:02d}" for i in range(1, 23)),
        *(f"mfcc{i:02d}" for i in range(1, 13)),
        *(f"{name}_{functional}" for name in _PHONOLOGICAL for functional in _FUNCTIONALS),
    )
    units = ("log energy",) * 22 + ("",) * 12 + ("of a posterior",) * 108
    return FeatureSet("acoustic", columns, units, "disvoice")


def mel_set() -> FeatureSet:
    """Return the built-in columns: mean and spread within 100 ms of 22 Bark energies and 12 cepstra, and the loudness."""
    names = (*(f"bbe{i:02d}" for i in range(1, 23)), *(f"mfcc{i:02d}" for i in range(1, CEPSTRA + 1)), "loudness")
    units = ("log10 power",) * 22 + ("",) * CEPSTRA + ("log10 power",)
    return FeatureSet(
        "acoustic",
        (*(f"{n}_mean" for n in names), *(f"{n}_std" for n in names)),
        units + units,
        "mel",
        1000 * _ROW_HOPS * HOP / SAMPLE_RATE_HZ,
    )


@lru_cache(maxsize=1)
def _bark_weights() -> np.ndarray:
    """Compute (22, 128): share of each mel band that lies in each Bark band, by the mel band's triangle."""
    edges_hz = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 8000 / 700), MEL_BANDS + 2) / 2595) - 1)
    fine_hz = np.arange(0.5, SAMPLE_RATE_HZ / 2)
    band = np.digitize(fine_hz, BARK_EDGES_HZ[1:-1])
    weights = np.zeros((len(BARK_EDGES_HZ) - 1, MEL_BANDS))
    for m in range(MEL_BANDS):
        triangle = np.interp(fine_hz, edges_hz[m : m + 3], [0, 1, 0])
        weights[:, m] = np.bincount(band, triangle, len(weights)) / triangle.sum()
    return weights


@lru_cache(maxsize=1)
def _cosines() -> np.ndarray:
    """Compute (12, 128): rows 1 to 12 of the orthonormal DCT-II; row 0, the loudness, has its own column."""
    k, m = np.arange(1, CEPSTRA + 1)[:, None], np.arange(MEL_BANDS)[None]
    return np.sqrt(2 / MEL_BANDS) * np.cos(np.pi * k * (2 * m + 1) / (2 * MEL_BANDS))


def cepstra(log_mel: np.ndarray) -> np.ndarray:
    """Compute (12, hops) mel-frequency cepstral coefficients of a (128, hops) log mel power, librosa's mfcc rows 1 to 12."""
    return _cosines() @ log_mel


def mel_features(sample: Sample) -> np.ndarray:
    """Compute (rows, 70) float32 of `mel_set`, a row every 100 ms of sound; no row for a clip without sound."""
    if not len(sample.mel):
        return np.zeros((0, 2 * (len(BARK_EDGES_HZ) + CEPSTRA)), np.float32)
    log_mel = sample.mel.astype(np.float64).transpose(1, 0, 2).reshape(MEL_BANDS, -1)
    hops = max(_ROW_HOPS, min(log_mel.shape[1], round(sample.duration_s * SAMPLE_RATE_HZ / HOP)))
    log_mel = log_mel[:, : hops - hops % _ROW_HOPS]
    power = 10**log_mel - MEL_FLOOR
    barks = np.log10(np.maximum(_bark_weights() @ power, 0) + MEL_FLOOR)
    loudness = np.log10(np.maximum(power.sum(0), 0) + MEL_FLOOR)
    frames = np.concatenate([barks, cepstra(log_mel), loudness[None]])
    rows = frames.reshape(len(frames), -1, _ROW_HOPS)
    return np.concatenate([rows.mean(2), rows.std(2)]).T.astype(np.float32)


def egemaps_set() -> FeatureSet:
    """Return eGeMAPS's 25 low-level descriptors (Eyben et al. 2016)."""
    columns = tuple(_smile().feature_names)
    return FeatureSet("acoustic", columns, ("see eGeMAPSv02",) * len(columns), "opensmile eGeMAPSv02", 10.0)


def egemaps(waveform: np.ndarray) -> np.ndarray:
    """Compute (rows, 25) float32 of `egemaps_set`, a row every 10 ms of a (samples,) waveform at 16 kHz.

    Raises:
        BackendUnavailable: openSMILE is not installed.
    """
    return np.nan_to_num(_smile().process_signal(waveform, SAMPLE_RATE_HZ).to_numpy(np.float32))


@lru_cache(maxsize=1)
def _smile():  # type: ignore[no-untyped-def]
    try:
        import opensmile
    except ImportError as error:
        raise BackendUnavailable(
            "eGeMAPS needs openSMILE; pip install 'mesm[opensmile]' (free for research, not for commercial use)"
        ) from error
    return opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.LowLevelDescriptors)
