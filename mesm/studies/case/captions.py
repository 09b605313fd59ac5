"""Captions and alternative texts: what a picture shows, in words, for everybody and for those who cannot see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mesm.figures.style import MODALITY_WORDS
from mesm.records.prediction import LayerTrace, Prediction
from mesm.studies.case.mosaic import Look, Strip

_OVERLAY_SENTENCES = {
    "mask": "What a layer left out is faded; later layers see only what is clear.",
    "heat map": "Yellow is more attention, blue is less, as a multiple of an even share; faded sites were already gone.",
    "contours": "The lines run round what a layer kept.",
    "points": "Every point is a site that the layer kept, as in the paper's Figures 3 and 4.",
}
_QUALITY_SENTENCES = {
    "no_face": "no face was found; the middle of the picture stands in",
    "some_faces_missing": "in some frames no face was found; the middle of the picture stands in",
    "several_faces": "there are several faces; the largest is used",
    "no_video": "there is no picture",
    "no_audio": "there is no sound",
    "silence": "the sound is silent",
    "clipping": "the sound is clipped",
    "cut_off": "the file ends early",
    "tiny_face": "the face is small and was enlarged",
    "turned_face": "the face is turned aside",
    "no_text": "there are no words",
    "text_cut": "the transcript is longer than what a model reads",
}


def kept_sentence(layers: Sequence[LayerTrace], shown: Sequence[int]) -> str:
    """How many sites each shown layer kept, of how many there are on its grids."""
    parts = []
    for number in shown:
        if number < len(layers):
            kept, sites = int(layers[number].kept.sum()), layers[number].kept.size
            parts.append(f"L{number + 1} keeps {kept:,} of {sites:,} sites ({100 * kept / max(sites, 1):.0f} %)")
    return "; ".join(parts) + "." if parts else ""


def mosaic_caption(layers: Sequence[LayerTrace], look: Look) -> str:
    """The caption under a mosaic."""
    if not layers:
        return "This model has no attention: it computes every site."
    loud = " Only the highest tenth of the mel values is drawn." if look.loudest_only else ""
    return f"{kept_sentence(layers, look.layers)} {_OVERLAY_SENTENCES[look.overlay]}{loud}"


def face_alt(text: str, faces: int, layers: Sequence[LayerTrace], strip: Strip, look: Look) -> str:
    """The face mosaic in words."""
    return (
        f"{faces} faces, one every half second from {strip.start_s:g} s on, under the words: {text or 'none'}. "
        f"{mosaic_caption(layers, look)}"
    )


def mel_alt(chunks: int, layers: Sequence[LayerTrace], look: Look) -> str:
    """The spectrogram mosaic in words."""
    return f"Mel spectrogram of {chunks} chunks of 400 ms, low notes at the bottom. {mosaic_caption(layers, look)}"


def scores_alt(prediction: Prediction) -> str:
    """The chart of the scores in words."""
    ranked = sorted(zip(prediction.labels, prediction.scores, strict=True), key=lambda pair: -pair[1])
    scores = ", ".join(f"{name} {score:.2f}" for name, score in ranked)
    parts = ", ".join(MODALITY_WORDS[m] for m in prediction.modality_scores)
    return f"Bar chart of the scores: {scores}. Signs mark the scores of {parts} alone, ticks the thresholds."


def truth_words(labels: Mapping[str, float] | None) -> str:
    """The labels of a clip with their intensities, strongest first."""
    if labels is None:
        return "no labels"
    present = sorted(((n, v) for n, v in labels.items() if v > 0), key=lambda pair: -pair[1])
    return ", ".join(f"{name} {value:g}" for name, value in present) or "none of the emotions"


def quality_words(flags: Sequence[str]) -> str:
    """Quality flags as one sentence, or "" when there are none."""
    said = "; ".join(_QUALITY_SENTENCES.get(flag, flag.replace("_", " ")) for flag in flags)
    return said[:1].upper() + said[1:] + "." if said else ""
