"""Measure the faithfulness of a checkpoint's masks: text leak, site order, kept sites, sufficient p, controls, loudness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from mesm.analysis.predictor import Predictor
from mesm.analysis.supervision import supervision_of
from mesm.config import check_top_p
from mesm.data.store import Corpus
from mesm.errors import ConfigError, DataError
from mesm.records.faithfulness import Faithfulness
from mesm.studies.faithfulness.control_test import control_test
from mesm.studies.faithfulness.evaluation_clips import Progress, open_clips
from mesm.studies.faithfulness.loudness_lift import loudness_lift
from mesm.studies.faithfulness.neutral_faces import texts_on_neutral
from mesm.studies.faithfulness.shuffled import shuffled_texts
from mesm.studies.faithfulness.sites import deletion_insertion, keep_only
from mesm.studies.faithfulness.sufficiency import sufficient_p

#: (test, clips done, clips in all).
TestProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class SampleSizes:
    """Hold the number of clips that each test uses at most, the speakers in turn; a few minutes in all on two cores.

    Attributes:
        shuffled: of the shuffled-text test, with `shuffles` other texts for each clip; None is all.
        rendered_people: people outside the training split whose neutral faces are rendered, where possible.
        order: of deletion and insertion, 73 runs each.
        keep_only: 7 runs each.
        sufficient: over the grid of p, 20 runs each.
        control: with control attention, 12 runs each; `control_draws` control attentions.
        loudness: of the loudness of kept sites.
    """

    shuffled: int | None = None
    shuffles: int = 5
    rendered_people: int = 24
    order: int = 48
    keep_only: int = 160
    sufficient: int = 160
    control: int = 64
    control_draws: int = 5
    loudness: int | None = 200


def measure_faithfulness(
    predictor: Predictor,
    corpus: Corpus,
    split: str = "test",
    top_p: float | None = None,
    *,
    clips: int | None = None,
    sizes: SampleSizes | None = None,
    seed: int = 0,
    progress: TestProgress | None = None,
) -> Faithfulness:
    """Run every test.

    Args:
        clips: use at most this many clips of the split in any test.

    Raises:
        ConfigError: the checkpoint has no attention.
        DataError: the split has no clip with a transcript, or the checkpoint no decision.
    """
    if not predictor.has_attention:
        raise ConfigError(f"checkpoint {predictor.name!r} has no attention, so there is no mask to test; give a MESM")
    sizes = sizes or SampleSizes()
    top_p = check_top_p(predictor.config.top_p if top_p is None else top_p)
    chosen = open_clips(predictor, corpus, split, top_p, clips)
    if np.isnan(predictor.thresholds[list(chosen.columns)]).all():
        raise DataError(
            f"checkpoint {predictor.name!r} has a decision for none of {', '.join(chosen.labels)}, so none can change; train it "
            "with validation clips that show them and others that do not"
        )

    def of(test: str) -> Progress | None:
        return partial(progress, test) if progress is not None else None

    with torch.no_grad():
        return Faithfulness(
            split=split,
            top_p=top_p,
            labels=tuple(chosen.labels),
            seed=seed,
            without_text=chosen.without_text,
            shuffled_text=shuffled_texts(
                chosen.subset(sizes.shuffled), sizes.shuffles, seed=seed, progress=of("shuffled texts")
            ),
            neutral_text=texts_on_neutral(
                chosen, sizes.rendered_people, seed=seed, progress=of("texts on neutral faces")
            ),
            keep_only=keep_only(chosen.subset(sizes.keep_only), seed=seed, progress=of("keep only")),
            order=deletion_insertion(chosen.subset(sizes.order), seed=seed, progress=of("deletion and insertion")),
            sufficient_p=sufficient_p(chosen.subset(sizes.sufficient), progress=of("sufficient p")),
            control=control_test(
                chosen.subset(sizes.control), draws=sizes.control_draws, seed=seed, progress=of("control attention")
            ),
            loudness=loudness_lift(chosen.subset(sizes.loudness), progress=of("loudness"))
            if "acoustic" in chosen.branches
            else None,
            supervision=supervision_of(predictor.metrics.train),
        )
