"""Define one clip (`Sample`), a batch of clips (`Batch`), and the shape legend that the whole library uses.

Shape legend (suffixes of local names):
    B utterances   S segments: frames or chunks of the whole batch   N active sites   C channels
    H W map        T tokens   K attention width   D transformer or text width   E emotions   P pairs of a rulebook

One coordinate order everywhere: a site is (segment, y, x). Segments of a batch lie one utterance after the other;
`face_counts` and `chunk_counts` hold the number of each clip.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from mesm.errors import DataError
from mesm.vocabulary import NEUTRAL_QUERY

if TYPE_CHECKING:
    import torch

    from mesm.json_form import Json

FACE_SIZE_PX = 48
FRAME_INTERVAL_MS = 500
SAMPLE_RATE_HZ = 16_000
MEL_BANDS = 128
CHUNK_HOPS = 32
CHUNK_MS = 400
#: Added to the mel power before the logarithm, so that digital silence is -10.
MEL_FLOOR = 1e-10
#: Share of a clip's mel values that counts as loud: the paper's Figure 4 draws only the highest tenth.
LOUD_FRACTION = 0.1
#: Intensity from which an action unit counts as active: FACS's trace to slight, above stray movements.
ACTIVE_INTENSITY = 0.2


def query_text(text: str) -> str:
    """Return the text that queries face and voice: a clip's transcript, or `NEUTRAL_QUERY` for a clip without words."""
    return text if text.strip() else NEUTRAL_QUERY


@dataclass(frozen=True)
class Word:
    """Hold one word and its start and end, in seconds from the start of the clip; `approximate` where not measured."""

    text: str
    start_s: float
    end_s: float
    approximate: bool = False


@dataclass(frozen=True)
class Truth:
    """Hold the truth of a rendered clip beyond its labels, per kept face frame (S first); recorded clips have none.

    Attributes:
        au_numbers: the A action units that the columns of `au_intensity` and `au_region` stand for.
        au_intensity: (S, A) in [0, about 1.3]; all causes together (emotion, speech, blink).
        au_emotion_intensity: (S, A) the part that the emotion caused.
        au_region: (S, A, 48, 48) uint8, 255 = the whole pixel is moved by this unit, in the crop given to the model.
        head: (S, 48, 48) uint8, share of the pixel covered by the head.
        landmarks: (S, 68, 2) pixels of the 48-px crop, dlib numbering.
        pose: (S, 3) yaw, pitch, roll in radians.
        informative: which modality showed the emotion in this clip.
        displays: modality -> emotion -> level in [0, about 1] that it displays, whatever the clip's labels; empty
            where the corpus lacks it.
        prosody: parameter of the voice -> value; empty where the corpus lacks it.
        extra: anything else, JSON-serialisable (voice, room, the transcript's template).
    """

    au_numbers: tuple[int, ...]
    au_intensity: np.ndarray
    au_emotion_intensity: np.ndarray
    au_region: np.ndarray
    head: np.ndarray
    landmarks: np.ndarray
    pose: np.ndarray
    informative: dict[str, bool]
    displays: dict[str, dict[str, float]] = field(default_factory=dict)
    prosody: dict[str, float] = field(default_factory=dict)
    extra: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """Hold one utterance, restructured: the arrays that models read, and the text, times and pictures that pages show.

    Attributes:
        clip_id: unique in its corpus.
        text: the transcript.
        faces: (S, 48, 48, 3) uint8 RGB, one crop every `FRAME_INTERVAL_MS`; zero rows when there is no picture.
        faces_large: (S, L, L, 3) uint8, a larger crop of the same boxes, for display; may be empty.
        face_times_s: (S,) seconds.
        face_boxes: (S, 4) x0, y0, x1, y1 in pixels of the source frame: the rectangle that was cut out.
        face_points: (S, 5, 2) x, y in pixels of the 48-px crop: left and right eye, nose, left and right mouth
            corner, as seen in the picture; NaN where no face was found; may be empty.
        face_found: (S,) bool; False where the crop is the centred fallback.
        mel: (chunks, 128, 32) float16, log10(mel power + `MEL_FLOOR`); chunk i starts at i * 400 ms; zero rows when
            there is no sound. Rounded to float16 once, at ingestion, so that a stored and a fresh clip are equal.
        duration_s: length of the clip.
        labels: emotion name -> intensity in [0, 3] (0 or 1 where the corpus has no intensities); None if unlabelled.
        words: word times; empty when unknown.
        quality: codes of `mesm.vocabulary.FLAGS`, as ingestion set them.
        media: file name of the preview within the corpus folder, or "".
    """

    clip_id: str
    text: str
    faces: np.ndarray
    mel: np.ndarray
    duration_s: float
    faces_large: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1, 3), np.uint8))
    face_times_s: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    face_boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    face_points: np.ndarray = field(default_factory=lambda: np.zeros((0, 5, 2), np.float32))
    face_found: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    labels: dict[str, float] | None = None
    words: tuple[Word, ...] = ()
    speaker: str = ""
    split: str = ""
    quality: tuple[str, ...] = ()
    media: str = ""
    truth: Truth | None = None

    def __post_init__(self) -> None:
        if self.faces.ndim != 4 or self.faces.shape[1:] != (FACE_SIZE_PX, FACE_SIZE_PX, 3):
            raise DataError(f"clip {self.clip_id!r}: faces must be (S, 48, 48, 3) uint8, not {self.faces.shape}")
        if self.mel.ndim != 3 or self.mel.shape[1:] != (MEL_BANDS, CHUNK_HOPS):
            raise DataError(f"clip {self.clip_id!r}: mel must be (chunks, 128, 32), not {self.mel.shape}")

    @property
    def group(self) -> str:
        """Return the unit that splits and intervals keep together: the speaker, or the clip of an unknown one."""
        return self.speaker or self.clip_id

    def with_text(self, text: str | None) -> Sample:
        """Return the clip with another transcript, whose words have no times; itself with its own text or None."""
        return self if text is None or text == self.text else replace(self, text=text, words=())


@dataclass(frozen=True)
class FeatureRows:
    """Hold hand-crafted features of a batch, for the two-phase baselines; normalisation is the model's.

    Attributes:
        values: modality -> (rows, columns) float32, one utterance after the other.
        counts: modality -> (B,) int64 rows of each utterance; 0 = it lacks the modality.
    """

    values: dict[str, torch.Tensor]
    counts: dict[str, torch.Tensor]

    def to(self, device: torch.device | str) -> FeatureRows:
        """Return the same rows on another device."""
        return FeatureRows(*({m: v.to(device) for m, v in part.items()} for part in (self.values, self.counts)))


@dataclass(frozen=True)
class Batch:
    """Hold a batch as plain tensors. The model normalises them, so that a checkpoint carries the normalisation.

    Attributes:
        clip_ids: B names.
        token_ids: (B, T) int64, and `token_mask` (B, T) bool, True where a token is; None when vectors are given.
        text_vectors: (B, D) float32 from a frozen text encoder; saves running it again.
        has_text: (B,) bool, False for an empty transcript; tokens or vectors are then `NEUTRAL_QUERY`'s.
        faces: (S, 3, 48, 48) uint8; `face_counts` (B,) int64, its sum is S; 0 = this clip has no picture.
        mels: (chunks, 1, 128, 32) float32 log10 mel power; `chunk_counts` (B,) int64.
        labels: (B, E) float32 0/1 in the order of the checkpoint's labels, or None.
        features: what a two-phase baseline reads in place of faces, mels and tokens.
    """

    clip_ids: tuple[str, ...]
    has_text: torch.Tensor
    faces: torch.Tensor
    face_counts: torch.Tensor
    mels: torch.Tensor
    chunk_counts: torch.Tensor
    token_ids: torch.Tensor | None = None
    token_mask: torch.Tensor | None = None
    text_vectors: torch.Tensor | None = None
    labels: torch.Tensor | None = None
    features: FeatureRows | None = None

    def __len__(self) -> int:
        return len(self.clip_ids)

    def segments(self, modality: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the faces or mel chunks, one clip's after the other, and their (B,) number in each clip."""
        return (self.faces, self.face_counts) if modality == "visual" else (self.mels, self.chunk_counts)

    def to(self, device: torch.device | str) -> Batch:
        """Return the same batch on another device."""
        tensors = {k: v.to(device) for k, v in vars(self).items() if hasattr(v, "to")}
        return replace(self, **tensors)
