"""Hold the attention supervision that a checkpoint had in training, and name it in sentences for captions."""

from __future__ import annotations

from dataclasses import dataclass

_REGIONS = (
    "The attention was supervised with true AU regions and loud mel bins of the training speakers; this measures "
    "generalisation to new speakers, not emergent attention."
)
_OTHER_TARGETS: dict[str, str] = {
    "units": "The attention was supervised with the regions of action units that a detector read on the training speakers.",
    "points": "The attention was supervised with a general map of the action units, laid by the five points of each face.",
    "face_saliency": "The attention was supervised with the saliency of the dense model that it started from, times a general "
    "map of the action units, laid by the five points of each face.",
    "saliency": "The attention was supervised with the saliency of the dense model that it started from; no region was used.",
}
_TEXT_REGIONS = "It was also supervised with the AU regions of the emotion named in the text."
_NONE = "The attention was not supervised: it was trained by the labels' loss alone."


@dataclass(frozen=True)
class Supervision:
    """Hold the attention supervision in training.

    Attributes:
        regions: with the true action units' regions and the loud mel bins of the training speakers.
        text_regions: also with the regions of the emotion that the text names.
        target: map that stood for the true regions where these were not used (`train.attention.target`): units, points,
            saliency or face_saliency; else "".
    """

    regions: bool = False
    text_regions: bool = False
    target: str = ""

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return the sentences that belong under a figure of this attention; never empty."""
        if self.regions:
            return (_REGIONS, _TEXT_REGIONS) if self.text_regions else (_REGIONS,)
        return (_OTHER_TARGETS.get(self.target, _NONE),)


def supervision_text(supervision: Supervision | None) -> str:
    """Return the sentences with a space before each, to end a caption with; "" where the supervision is not known."""
    return "" if supervision is None else "".join(f" {sentence}" for sentence in supervision.sentences)
