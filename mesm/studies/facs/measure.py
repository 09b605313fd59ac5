"""Measure one checkpoint's attention against action units on one split: the record that `mesm facs` writes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from mesm.analysis.predictor import Predictor
from mesm.analysis.supervision import supervision_of
from mesm.batch import ACTIVE_INTENSITY
from mesm.config import check_top_p
from mesm.data import atlas
from mesm.data.action_unit_files import units_of_clips
from mesm.data.store import Corpus
from mesm.errors import ConfigError
from mesm.records.facs import EmotionCounts, FacsCounts, FacsStudy, RegionGroup
from mesm.statistics import Speakers
from mesm.studies.facs.attention_maps import Faces, collect_attention_maps, default_regions
from mesm.studies.facs.codebooks import CODEBOOKS, codebook
from mesm.studies.facs.estimates import agreements, reinitialised_control, voice_agreement
from mesm.studies.faithfulness.evaluation_clips import EvaluationClips, open_clips
from mesm.studies.faithfulness.neutral_faces import texts_on_neutral
from mesm.studies.faithfulness.shuffled import shuffled_texts

#: (step, clips done, clips in all)
Progress = Callable[[str, int, int], None]


def facs(
    predictor: Predictor,
    corpus: Corpus,
    split: str = "test",
    top_p: float | None = None,
    *,
    clips: int | None = None,
    book: str = "emfacs",
    regions: str | None = None,
    active_from: float = ACTIVE_INTENSITY,
    units_folder: str | None = None,
    units_fps: float | None = None,
    inits: int = 20,
    people: int = 24,
    draws: int = 1000,
    progress: Progress = lambda *_: None,
) -> FacsStudy:
    """Measure the agreement of a checkpoint's attention with regions of the face, with chance and controls.

    Args:
        clips: use at most so many clips, the speakers in turn.
        book: codebook that is printed; the record holds all.
        regions: one of `atlas.SOURCES`; the truth where there is one by default.
        active_from: intensity in (0, 1] from which a unit counts as active.
        units_folder: CSV files of action units instead of the truth's, see `action_unit_files`.
        units_fps: their frame rate in Hz, for files without timestamps.
        inits: re-initialised attentions of the control.
        people: people whose neutral faces are rendered at most, where the corpus can be rendered.
        draws: bootstrap resamples and permutations.

    Raises:
        ConfigError: the checkpoint has no attention, or a setting is unknown.
        DataError: the split has no clip with a text and a face.
    """
    _check(predictor, book, regions, active_from)
    top_p = check_top_p(predictor.config.top_p if top_p is None else top_p)
    chosen = open_clips(predictor, corpus, split, top_p, clips)
    units = None
    if units_folder is not None:
        units = units_of_clips(units_folder, corpus, [row.clip_id for row in chosen.rows], units_fps)
    source = regions or default_regions(chosen)
    study = collect_attention_maps(
        chosen, source, active_from=active_from, units=units, inits=inits, progress=partial(progress, "attention maps")
    )
    faces, speakers = study.faces, Speakers(study.faces.speaker, draws)
    with torch.no_grad():
        neutral = texts_on_neutral(chosen, people, progress=partial(progress, "neutral faces"))
        shuffled = shuffled_texts(chosen, shuffles=3, progress=partial(progress, "shuffled texts"))
    return FacsStudy(
        split=split,
        top_p=chosen.top_p,
        regions=source,
        units_from="file" if units is not None else "truth" if faces.active is not None else None,
        active_from=active_from,
        emotions=faces.emotions,
        supervision=supervision_of(predictor.metrics.train),
        codebook=book,
        codebooks=dict(CODEBOOKS),
        groups=tuple(RegionGroup(atlas.group_name(group), group) for group in atlas.GROUPS),
        counts=_counts(faces, chosen),
        maps=agreements(study, speakers),
        control=reinitialised_control(study, speakers),
        voice=voice_agreement(study, draws),
        neutral_text=neutral,
        shuffled_text=shuffled,
    )


def _check(predictor: Predictor, book: str, regions: str | None, active_from: float) -> None:
    codebook(book)
    if not predictor.has_attention:
        raise ConfigError(f"checkpoint {predictor.name!r} has no attention to compare with regions; give a MESM")
    if "visual" not in predictor.config.modalities:
        raise ConfigError(f"checkpoint {predictor.name!r} has no face branch, and action units are of the face")
    if regions is not None and regions not in atlas.SOURCES:
        raise ConfigError(f"regions is {regions!r}; it must be one of {', '.join(atlas.SOURCES)}")
    if not 0 < active_from <= 1:
        raise ConfigError(f"active_from is {active_from}; it must lie in (0, 1]")


def _counts(faces: Faces, clips: EvaluationClips) -> FacsCounts:
    return FacsCounts(
        clips=len(clips.rows),
        clips_without_text=clips.without_text,
        speakers=len(set(clips.groups.tolist())),
        frames=len(faces.clip) + faces.without_face,
        frames_without_face=faces.without_face,
        frames_used=len(faces.clip),
        frames_with_active_units=None if faces.active is None else int(faces.active.any(1).sum()),
        by_emotion={
            emotion: EmotionCounts(
                int(shown.sum()), len(np.unique(faces.clip[shown])), len(np.unique(faces.speaker[shown]))
            )
            for emotion, shown in zip(faces.emotions, faces.shown.T, strict=True)
        },
    )
