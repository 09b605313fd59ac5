"""Write the captions and alternative texts of a clip's pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mesm.batch import Sample
from mesm.estimate import counted, decimal_text
from mesm.figures.style import MODALITY_WORDS
from mesm.records.prediction import LayerTrace, Prediction
from mesm.studies.case.mosaic import MosaicStyle, TimeWindow
from mesm.vocabulary import flag_sentences

_OVERLAY_SENTENCES = {
    "mask": "Faded: dropped here. Later layers see only what is in full colour.",
    "heat map": "Colour: attention relative to uniform (1×: the tick). Faded: dropped by an earlier layer.",
    "red tint": "Red: sites that the layer keeps.",
    "contours": "Lines: borders of the sites that the layer keeps.",
    "points": "Points: sites that the layer keeps, as in the paper's Figures 3 and 4.",
}
_NO_MASK = "No mask: every site is computed."
_LOUDEST = " Only the highest 10 % of the mel values are drawn."


def kept_sentence(layers: Sequence[LayerTrace], shown: Sequence[int]) -> str:
    """Return the number and share of sites that each shown layer keeps."""
    parts = []
    for number in shown:
        if number < len(layers):
            kept, sites = layers[number].counts
            parts.append(
                f"L{number + 1} keeps {kept:,} of {sites:,} sites ({decimal_text(100 * layers[number].share, 0)} %)"
            )
    return "; ".join(parts) + "." if parts else ""


def mosaic_caption(layers: Sequence[LayerTrace], style: MosaicStyle) -> str:
    """Return the caption under a mosaic: the share of sites that each layer keeps, and how they are drawn."""
    if not layers:
        return _NO_MASK
    return f"{kept_sentence(layers, style.layers)} {_OVERLAY_SENTENCES[style.overlay]}{padding_note(layers)}"


def padding_note(layers: Sequence[LayerTrace]) -> str:
    """Return the sentence on the hatching, after a space; "" without padding."""
    is_padded = any(layer.has_padding for layer in layers)
    return " Hatched: padding after the end of the sound, not counted." if is_padded else ""


def printed_caption(traces: Mapping[str, Sequence[LayerTrace]], style: MosaicStyle, has_sound: bool) -> str:
    """Return the sentences on both modalities under a printed mosaic; what they share stands once."""
    shown = [modality for modality in ("visual", "acoustic") if traces.get(modality)]
    kept = [f"{MODALITY_WORDS[m].capitalize()}: {kept_sentence(traces[m], style.layers)}" for m in shown]
    drawn = _OVERLAY_SENTENCES[style.overlay] if shown else _NO_MASK
    loud = _LOUDEST if style.loudest_only and has_sound else ""
    return f"{' '.join([*kept, drawn])}{padding_note(traces.get('acoustic', ()))}{loud}"


def modality_caption(modality: str, sample: Sample, prediction: Prediction, style: MosaicStyle) -> str:
    """Return the caption of the mosaic of the face or the voice, beginning with its name."""
    name = MODALITY_WORDS[modality].capitalize()
    segments, kind = (sample.faces, "picture") if modality == "visual" else (sample.mel, "sound")
    if not len(segments):
        return f"{name}: no {kind} in this clip."
    if modality not in prediction.modality_scores:
        return f"{name}: this checkpoint scores without it."
    loud = _LOUDEST if modality == "acoustic" and style.loudest_only else ""
    return f"{name}: {mosaic_caption(prediction.layers.get(modality, ()), style)}{loud}"


def face_alt(text: str, faces: int, window: TimeWindow, caption: str) -> str:
    """Return the alternative text of the face mosaic; `caption` is the one under it."""
    start = f"{counted(faces, 'face')}, one every half second from {window.start_s:g} s on"
    return f"{start}, under the words: {text or 'none'}. {caption}"


def mel_alt(chunks: int, caption: str) -> str:
    """Return the alternative text of the spectrogram mosaic; `caption` is the one under it."""
    return f"Mel spectrogram of {counted(chunks, 'chunk')} of 400 ms, low frequencies at the bottom. {caption}"


def scores_alt(prediction: Prediction) -> str:
    """Return the alternative text of the chart of the scores."""
    ranked = sorted(zip(prediction.labels, prediction.scores, strict=True), key=lambda pair: -pair[1])
    scores = ", ".join(f"{name} {decimal_text(score, 2)}" for name, score in ranked)
    parts = ", ".join(MODALITY_WORDS[m] for m in prediction.modality_scores)
    return f"Bar chart of the scores: {scores}. Markers: scores of {parts} alone. Ticks: thresholds."


def carrier_words(informative: Mapping[str, bool]) -> str:
    """Return the modalities in which a rendered clip expresses its labels."""
    carriers = [word for modality, word in MODALITY_WORDS.items() if informative.get(modality)]
    if not carriers:
        return "label expressed in no modality (deliberate label noise)"
    return f"label expressed in {', '.join(carriers)}"


def truth_words(labels: Mapping[str, float] | None) -> str:
    """Return the labels of a clip with their intensities, strongest first."""
    if labels is None:
        return "no labels"
    present = sorted(((n, v) for n, v in labels.items() if v > 0), key=lambda pair: -pair[1])
    return ", ".join(f"{name} {value:g}" for name, value in present) or "none of the emotions"


def quality_words(flags: Sequence[str]) -> str:
    """Return the quality flags as one sentence, or "" without any."""
    sentence = "; ".join(flag_sentences(flags))
    return sentence[:1].upper() + sentence[1:] + "." if sentence else ""
