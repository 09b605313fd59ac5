"""Does the mask show what the scores were made of? Leak tests, other sites, other attention, other p, loud sites.

The record `faithfulness_<checkpoint>_<corpus>.json` holds, beside `split`, `top_p`, `labels`, `seed` and `without_text`
(clips left out because they have no transcript):

- `shuffled_text`: see `shuffled.shuffled_texts`
- `neutral_text`: `texts` (how a text's emotion is known), `sources` (see `neutral.text_on_neutral`, those of people
  whom the checkpoint was not trained on first), or `left_out` with the reason
- `order`: see `sites.deletion_insertion`
- `keep_only`: see `sites.keep_only`
- `sufficient_p`: see `sufficiency.sufficient_p`
- `redrawn`: see `randomised.redraw_test`
- `sound`: see `sound.loud_sites`; None without a voice

Every section but `neutral_text` says on how many `clips` and `speakers` it was measured. An estimate is {"value", "low",
"high"} with a 95 % interval over speakers, all None where there is nothing to measure. Branches are named `visual` and
`acoustic`; scores are probabilities, accuracies percent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from mesm.analysis.predictor import Predictor
from mesm.config import check_top_p
from mesm.data.store import Corpus
from mesm.errors import ConfigError
from mesm.studies.faithfulness.evaluation_clips import Clips, open_clips
from mesm.studies.faithfulness.loudness_lift import loud_sites
from mesm.studies.faithfulness.neutral_faces import neutral_sources, text_on_neutral, texts_by_label
from mesm.studies.faithfulness.randomised import redraw_test
from mesm.studies.faithfulness.shuffled import shuffled_texts
from mesm.studies.faithfulness.sites import deletion_insertion, keep_only
from mesm.studies.faithfulness.sufficiency import sufficient_p

#: (test, clips done, clips in all).
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Extent:
    """How many clips each test takes at most, the speakers in turn; a few minutes in all on two cores."""

    shuffled: int | None = None
    """Clips of the shuffled-text test; None is all."""
    shuffles: int = 5
    """Other texts for each clip."""
    rendered_people: int = 24
    """People outside the training split whose neutral faces are rendered, where the corpus can be made."""
    order: int = 48
    """Clips whose sites are kept in order: 73 runs each."""
    keep_only: int = 160
    """Clips of which only some sites are kept: 7 runs each."""
    sufficient: int = 160
    """Clips over the grid of p: 20 runs each."""
    redrawn: int = 64
    """Clips asked with redrawn attention: 12 runs each."""
    redraws: int = 5
    """Redrawn attentions."""
    sound: int | None = 200
    """Clips whose loud sites are counted."""


def faithfulness(
    predictor: Predictor,
    corpus: Corpus,
    split: str = "test",
    top_p: float | None = None,
    *,
    clips: int | None = None,
    extent: Extent | None = None,
    seed: int = 0,
    progress: Tell | None = None,
) -> dict[str, Any]:
    """Every test, JSON-ready; see the top of this file.

    Args:
        clips: use no more than this many of the split in any test.

    Raises:
        ConfigError: the checkpoint has no attention.
        DataError: the split has no clip with a transcript.
    """
    if not predictor.has_attention:
        raise ConfigError(f"checkpoint {predictor.name!r} has no attention, so there is no mask to test; give a MESM")
    extent = extent or Extent()
    top_p = check_top_p(predictor.config.top_p if top_p is None else top_p)
    chosen = open_clips(predictor, corpus, split, top_p, clips)

    def tell(test: str) -> Callable[[int, int], None] | None:
        return partial(progress, test) if progress is not None else None

    with torch.no_grad():
        return {
            "split": split,
            "top_p": top_p,
            "labels": list(chosen.labels),
            "seed": seed,
            "without_text": chosen.without_text,
            "shuffled_text": shuffled_texts(
                chosen.some(extent.shuffled), extent.shuffles, seed=seed, progress=tell("shuffled text")
            ),
            "neutral_text": _neutral_text(chosen, extent, seed, tell("text on neutral faces")),
            "keep_only": keep_only(chosen.some(extent.keep_only), seed=seed, progress=tell("keep only")),
            "order": deletion_insertion(chosen.some(extent.order), seed=seed, progress=tell("order of sites")),
            "sufficient_p": sufficient_p(chosen.some(extent.sufficient), progress=tell("sufficient p")),
            "redrawn": redraw_test(
                chosen.some(extent.redrawn), draws=extent.redraws, seed=seed, progress=tell("redrawn attention")
            ),
            "sound": loud_sites(chosen.some(extent.sound), progress=tell("loud sites"))
            if "acoustic" in chosen.branches
            else None,
        }


def _neutral_text(
    clips: Clips, extent: Extent, seed: int, progress: Callable[[int, int], None] | None
) -> dict[str, Any]:
    if "visual" not in clips.branches:
        return {"sources": [], "left_out": "the checkpoint has no face branch"}
    texts, known = texts_by_label(clips)
    missing = [name for name, found in zip(clips.labels, texts, strict=True) if not found]
    if missing:
        return {"sources": [], "left_out": f"no text of these clips names {', '.join(missing)}"}
    found = [
        text_on_neutral(clips, faces, texts, seed=seed, progress=progress)
        for faces in neutral_sources(clips, render=extent.rendered_people)
    ]
    if not found:
        return {"sources": [], "left_out": "the corpus has no face that shows no emotion"}
    return {"texts": known, "sources": found}
