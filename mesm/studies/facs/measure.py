"""The whole analysis of one checkpoint on one split, as the data of the record described in the package."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import torch

from mesm.analysis.predictor import Predictor
from mesm.batch import ACTIVE_INTENSITY
from mesm.config import check_top_p
from mesm.data.store import Corpus
from mesm.errors import ConfigError
from mesm.studies.facs import atlas
from mesm.studies.facs import estimates as tables
from mesm.studies.facs.action_unit_files import units_of_clips
from mesm.studies.facs.attention_maps import Study, default_regions, look
from mesm.studies.facs.codebooks import CODEBOOKS, COUNTER_VIEW, COUNTER_VIEW_SOURCE, codebook
from mesm.studies.facs.statistics import Speakers
from mesm.studies.facs.targets import targets
from mesm.studies.facs.voice import voice_tables
from mesm.studies.faithfulness.evaluation_clips import EvaluationClips, open_clips
from mesm.studies.faithfulness.neutral_faces import texts_on_neutral
from mesm.studies.faithfulness.shuffled import shuffled_texts

#: (what is done, done, in all)
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
) -> dict[str, Any]:
    """Everything that `mesm facs` writes.

    Args:
        clips: at most so many, the speakers in turn.
        book: the codebook that is printed; the record holds all.
        regions: one of `atlas.SOURCES`; default the truth where there is one.
        active_from: intensity from which a unit counts as active.
        units_folder: CSV files of action units, see `own_units`, instead of the truth's.
        inits: fresh attentions of the control.
        people: people outside the training split whose neutral faces are rendered, where that can be done.
        draws: bootstrap samples and permutations.

    Raises:
        ConfigError: the checkpoint has no attention, or a setting is unknown.
        DataError: nothing to look at in this split.
    """
    _check(predictor, book, regions, active_from)
    top_p = check_top_p(predictor.config.top_p if top_p is None else top_p)
    chosen = open_clips(predictor, corpus, split, top_p, clips)
    units = _units(chosen, units_folder, units_fps)
    where = regions or default_regions(chosen)
    looking = partial(progress, "looking")
    study = look(chosen, where, active_from=active_from, units=units, inits=inits, progress=looking)
    faces, speakers = study.faces, Speakers(study.faces.speaker, draws)
    maps = _maps(study, speakers)
    data: dict[str, Any] = {
        "corpus": corpus.name,
        "split": split,
        "top_p": chosen.top_p,
        "regions": where,
        "units_from": "file" if units is not None else "truth" if faces.active is not None else None,
        "active_from": active_from,
        "emotions": list(faces.emotions),
        "taught": taught(predictor.metrics.train),
        **_known_before(book),
        "counts": _counts(study, chosen),
        "best_layer_lift": best_layer_lift(maps["checkpoint"]["kept"]["active"]),
        "maps": maps,
        "random_control": tables.control_table(study, speakers),
        "voice": voice_tables(study, draws),
        **_text(chosen, people, progress),
    }
    return data | {"targets": targets(data)}


def taught(train: Mapping[str, Any]) -> list[str]:
    """What the training told the attention of where to look; who reads its agreement must know it."""
    told = []
    attention = train.get("attention", {})
    if attention.get("weight"):
        told.append(
            "In training it was shown, on other people's faces, where the emotion's action units move, and in the voice "
            "the highest mel values: agreement says how well that carries over, not what labels alone would find."
        )
        if attention["target_shares"][1]:
            told.append("It was also shown which regions the asking text's emotion would move.")
    return told


def _units(clips: EvaluationClips, folder: str | None, fps: float | None) -> dict[str, np.ndarray] | None:
    if folder is None:
        return None
    return units_of_clips(folder, clips.corpus, [row.clip_id for row in clips.rows], fps)


def _known_before(book: str) -> dict[str, Any]:
    """What the record repeats of the tables of this package, so that it can be read without it."""
    return {
        "codebook": book,
        "codebooks": {
            name: {"title": b.title, "citation": b.citation, "note": b.note, "units": b.units}
            for name, b in CODEBOOKS.items()
        },
        "counter_view": {"text": COUNTER_VIEW, "source": COUNTER_VIEW_SOURCE},
        "groups": [{"name": atlas.group_name(group), "units": list(group)} for group in atlas.GROUPS],
    }


def _check(predictor: Predictor, book: str, regions: str | None, active_from: float) -> None:
    codebook(book)
    if not predictor.has_attention:
        raise ConfigError(f"checkpoint {predictor.name!r} has no attention to look at; give a MESM")
    if "visual" not in predictor.config.modalities:
        raise ConfigError(f"checkpoint {predictor.name!r} has no face branch, and action units are of the face")
    if regions is not None and regions not in atlas.SOURCES:
        raise ConfigError(f"regions is {regions!r}; it must be one of {', '.join(atlas.SOURCES)}")
    if not 0 < active_from <= 1:
        raise ConfigError(f"active_from is {active_from}; it must lie in (0, 1]")


def _maps(study: Study, speakers: Speakers) -> dict[str, Any]:
    active, groups = tables.active_tables(study, speakers), tables.group_tables(study, speakers)
    books, own_other = tables.codebook_tables(study, speakers), tables.own_other_tables(study, speakers)
    return {
        name: {
            kind: {
                "active": active[name][kind] if active else None,
                "own_other": own_other[name][kind] if own_other else None,
                "groups": groups[name][kind],
                "codebooks": books[name][kind],
            }
            for kind in tables.KINDS
        }
        for name in study.maps
    }


def _counts(study: Study, clips: EvaluationClips) -> dict[str, Any]:
    faces = study.faces
    return {
        "clips": len(clips.rows),
        "clips_without_text": clips.without_text,
        "speakers": len(set(clips.groups.tolist())),
        "frames": len(faces.clip) + faces.without_face,
        "frames_without_face": faces.without_face,
        "frames_used": len(faces.clip),
        "frames_with_active_units": None if faces.active is None else int(faces.active.any(1).sum()),
        "by_emotion": {
            emotion: {
                "frames": int(faces.shown[:, e].sum()),
                "clips": len(np.unique(faces.clip[faces.shown[:, e]])),
                "speakers": len(np.unique(faces.speaker[faces.shown[:, e]])),
            }
            for e, emotion in enumerate(faces.emotions)
        },
    }


def best_layer_lift(active: Sequence[dict[str, Any]] | None) -> dict[str, Any] | None:
    """The layer whose kept sites lie most on the active units, counted from 1."""
    if not active or all(row["lift"]["value"] is None for row in active):
        return None
    best = max(range(len(active)), key=lambda i: active[i]["lift"]["value"] or 0.0)
    return {"layer": best + 1, **{k: active[best]["lift"][k] for k in ("value", "low", "high")}}


@torch.no_grad()
def _text(clips: EvaluationClips, people: int, progress: Progress) -> dict[str, Any]:
    neutral = texts_on_neutral(clips, people, progress=partial(progress, "neutral faces"))
    shuffled = shuffled_texts(clips, shuffles=3, progress=partial(progress, "shuffled texts"))
    costs: dict[str, Any] = {"clips": shuffled.clips, "speakers": shuffled.speakers, "shuffles": shuffled.shuffles}
    for name, branch in shuffled.branches.items():
        metrics = {"accuracy": branch.accuracy, "wacc": branch.wacc, "auc": branch.auc}
        costs[name] = {
            metric: {"own": x.own, "shuffled": x.shuffled, "cost": x.cost.value} for metric, x in metrics.items()
        }
        costs[name]["accuracy"]["interval"] = [branch.accuracy.cost.low, branch.accuracy.cost.high]
    return {
        "text_lift": [asdict(source) for source in neutral.sources],
        "text_lift_missing": neutral.left_out,
        "texts": neutral.texts,
        "shuffled_text": costs,
    }
