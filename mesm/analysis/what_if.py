"""Score a clip with other words, or without its face, voice or words; leave out one word at a time.

The CNN maps of faces and mel chunks do not depend on the text, so they are computed once and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mesm.analysis.predictor import Predictor, PreparedClip
from mesm.batch import Sample
from mesm.errors import ConfigError, DataError
from mesm.records.prediction import LayerTrace, Prediction
from mesm.vocabulary import MODALITIES

#: Words that are left out one by one; the encoder cuts longer texts anyway.
MOST_WORDS = 60


@dataclass(frozen=True)
class WhatIf:
    """Hold the predictions for a clip as it is and as it was changed.

    Attributes:
        before: of the clip.
        after: of the changed clip.
    """

    before: Prediction
    after: Prediction

    @property
    def score_change(self) -> np.ndarray:
        """Compute (E,) differences of the scores, after minus before, in [-1, 1]."""
        return self.after.scores - self.before.scores

    @property
    def mask_change(self) -> dict[str, tuple[float, ...]]:
        """Compute modality -> `differing_share` per layer; modalities that either lacks are missing."""
        return mask_change(self.before, self.after)


def what_if(
    predictor: Predictor,
    sample: Sample,
    *,
    text: str | None = None,
    without: Sequence[str] = (),
    top_p: float | None = None,
    clip: PreparedClip | None = None,
) -> WhatIf:
    """Score a clip as it is and with a change.

    Args:
        text: new transcript; None leaves it.
        without: modalities to leave out, see `change_clip`.
        top_p: nucleus mass in (0, 1]; the checkpoint's by default.
        clip: the clip prepared by this predictor, which saves computing its maps again.

    Raises:
        ConfigError: an unknown modality, or top-p outside (0, 1].
        DataError: nothing is left to score.
    """
    changed = change_clip(sample, text, without)
    clip = clip or predictor.prepare(sample)
    return WhatIf(predictor.run(clip, top_p), predictor.run_variants(clip, [changed], top_p)[0])


def change_clip(sample: Sample, text: str | None = None, without: Sequence[str] = ()) -> Sample:
    """Return a clip with another transcript, or without modalities.

    A modality that is left out is absent, as in a clip without sound, picture or words: its branch is dropped, the
    weights of the other branches grow in the fusion, and `NEUTRAL_QUERY` queries the attention where the words are out.

    Args:
        text: new transcript; None leaves it.
        without: modalities to leave out, of `MODALITIES`.

    Raises:
        ConfigError: an unknown modality.
    """
    if unknown := [modality for modality in without if modality not in MODALITIES]:
        raise ConfigError(f"the modality {unknown[0]!r} must be one of {', '.join(MODALITIES)}")
    sample = sample.with_text("" if "text" in without else text)
    if "visual" in without:
        names = ("faces", "faces_large", "face_times_s", "face_boxes", "face_points", "face_found")
        sample = replace(sample, truth=None, **{name: getattr(sample, name)[:0] for name in names})
    if "acoustic" in without:
        sample = replace(sample, mel=sample.mel[:0])
    return sample


def differing_share(first: LayerTrace, second: LayerTrace) -> float:
    """Compute the share of a layer's sites, without padding, that only one of two masks keeps, in [0, 1]; 0 without sites."""
    differs = first.kept != second.kept
    if first.padding is not None:
        differs = differs[~first.padding]
    return float(differs.mean()) if differs.size else 0.0


def mask_change(before: Prediction, after: Prediction) -> dict[str, tuple[float, ...]]:
    """Compute modality -> `differing_share` of each layer of two traces of one clip."""
    both = [modality for modality in before.layers if modality in after.layers]
    return {
        m: tuple(differing_share(a, b) for a, b in zip(before.layers[m], after.layers[m], strict=True)) for m in both
    }


@dataclass(frozen=True)
class WordEffects:
    """Hold the effect of each word of a clip: the clip without the word against the clip with all words.

    Attributes:
        words: N words in the order of the transcript.
        left_over: words after these, which were not left out.
        before: the prediction with all words.
        scores: (N, E) fused scores without each word.
        masks: modality -> (N, L) `differing_share` of each layer; empty without attention.
        text_share: (E,) share in [0, 1] of the summed absolute change of the fused logit that the text branch makes, the
            rest being made by face and voice through their masks; NaN where it is not defined.
    """

    words: tuple[str, ...]
    left_over: int
    before: Prediction
    scores: np.ndarray
    masks: dict[str, np.ndarray]
    text_share: np.ndarray

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the emotions, in the order of the scores."""
        return self.before.labels

    @property
    def score_change(self) -> np.ndarray:
        """Compute (N, E) scores without each word minus those with all words, in [-1, 1]."""
        return self.scores - self.before.scores

    @property
    def top_labels(self) -> tuple[str, ...]:
        """Return the top label without each word."""
        return tuple(self.labels[e] for e in self.scores.argmax(1))


def leave_one_word_out(text: str, run: Callable[[Sequence[str]], Sequence[Prediction]]) -> WordEffects:
    """Score a clip with all words, and without each of its first `MOST_WORDS` words.

    Args:
        text: the transcript; words are what stands between spaces.
        run: the predictions of one clip under several texts, with their traces.

    Raises:
        DataError: the transcript has no words.
    """
    every = text.split()
    if not every:
        raise DataError("the clip has no words, so none can be left out; type a transcript")
    words = every[:MOST_WORDS]
    before, *after = run([text, *(" ".join(every[:i] + every[i + 1 :]) for i in range(len(words)))])
    changes = [mask_change(before, one) for one in after]
    return WordEffects(
        tuple(words),
        len(every) - len(words),
        before,
        np.stack([one.scores for one in after]),
        {modality: np.array([change[modality] for change in changes]) for modality in before.layers},
        _text_share(before, after),
    )


def _text_share(before: Prediction, after: Sequence[Prediction]) -> np.ndarray:
    """Compute `WordEffects.text_share`; a clip of one word has no text branch without it, so its share is NaN."""
    undefined = np.full(len(before.labels), np.nan)
    if any("text" not in one.modality_scores for one in (before, *after)):
        return undefined
    fused = np.stack([_logit(one.scores) - _logit(before.scores) for one in after])
    own = np.stack([_logit(one.modality_scores["text"]) - _logit(before.modality_scores["text"]) for one in after])
    own *= before.fusion_weights["text"]
    whole = np.abs(own).sum(0) + np.abs(fused - own).sum(0)
    return np.divide(np.abs(own).sum(0), whole, out=undefined, where=whole > 0)


def _logit(scores: np.ndarray) -> np.ndarray:
    bounded = np.clip(scores.astype(float), 1e-6, 1 - 1e-6)
    return np.log(bounded / (1 - bounded))
