"""From a study to the tables of the record: estimates per layer, emotion, group of units and codebook.

Legend: F frames, E emotions, L layers. Regions are formed one at a time and measured under every map, so that memory
does not grow with the number of codebooks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from mesm.studies.facs import agreement, atlas
from mesm.studies.facs.attention_maps import Faces, LayerMaps, Study, on_grids
from mesm.studies.facs.chance_controls import other_clips_mean
from mesm.studies.facs.codebooks import CODEBOOKS
from mesm.studies.facs.statistics import Speakers, estimate, false_discovery, number, shuffled_labels

KINDS = ("kept", "attention")
Estimate = dict[str, float | None]
#: Map, kind, layer.
_Key = tuple[str, str, int]
#: Swaps of active units between frames of different emotions.
_SWAPS = 10


def _each(study: Study) -> Iterable[tuple[str, str, int, LayerMaps]]:
    """Every map, kind and layer."""
    for name, layers in study.maps.items():
        for kind in KINDS:
            for number_, layer in enumerate(layers):
                yield name, kind, number_, layer


def _regions(faces: Faces, units: Sequence[int], rows: np.ndarray | slice = slice(None)) -> np.ndarray:
    return faces.regions[rows][:, [atlas.COLUMN[n] for n in units]].max(1)


def active_tables(study: Study, speakers: Speakers) -> dict[str, dict[str, Any]] | None:
    """Map -> kind -> [L of {measure: estimate}] on the regions of the units that are really active; None if unknown."""
    faces = study.faces
    if faces.active is None:
        return None
    grids = on_grids(atlas.union(faces.regions, faces.active), study.maps["checkpoint"])
    heads = on_grids(faces.head, study.maps["checkpoint"])
    found: dict[str, dict[str, Any]] = {name: {kind: [] for kind in KINDS} for name in study.maps}
    for name, kind, i, layer in _each(study):
        values = agreement.measures(kind, layer.of(kind), grids[i], layer.active, heads[i])
        row = {measure: speakers.mean(v) for measure, v in values.items()}
        row["lift"]["p"] = number(speakers.p_above(values["lift"]))
        found[name][kind].append(row)
    return found


def group_tables(study: Study, speakers: Speakers) -> dict[str, dict[str, Any]]:
    """Map -> kind -> emotion -> group -> [L of lift over the crop with p and q against chance]."""
    faces = study.faces
    cells: dict[tuple[str, str], dict[str, dict[str, list[Any]]]] = {
        (name, kind): {e: {} for e in faces.emotions} for name in study.maps for kind in KINDS
    }
    for group in atlas.GROUPS:
        grids = on_grids(_regions(faces, group), study.maps["checkpoint"])
        for name, kind, i, layer in _each(study):
            lift = agreement.lift(layer.of(kind), grids[i])
            for e, emotion in enumerate(faces.emotions):
                values = np.where(faces.shown[:, e], lift, np.nan)
                row = cells[name, kind][emotion].setdefault(atlas.group_name(group), [])
                row.append(speakers.mean(values) | {"p": number(speakers.p_above(values))})
    found: dict[str, dict[str, Any]] = {}
    for (name, kind), table in cells.items():
        _discoveries([cell for by_group in table.values() for row in by_group.values() for cell in row], "p", "q")
        found.setdefault(name, {})[kind] = table
    return found


def _discoveries(cells: Sequence[Estimate], p: str, q: str) -> None:
    """Write q beside p, over all the cells together."""
    tested = [np.nan if cell[p] is None else float(cell[p]) for cell in cells]  # type: ignore[arg-type]
    for cell, value in zip(cells, false_discovery(np.array(tested)), strict=True):
        cell[q] = number(value)


def codebook_tables(
    study: Study, speakers: Speakers, tick: Callable[[], None] = lambda: None
) -> dict[str, dict[str, Any]]:
    """Map -> kind -> codebook -> emotion -> None (no prototype) or [L of {measure: estimate}]; see the package."""
    faces = study.faces
    centre = {(name, kind, i): other_clips_mean(layer.of(kind), faces.clip) for name, kind, i, layer in _each(study)}
    heads = on_grids(faces.head, study.maps["checkpoint"])
    found: dict[str, dict[str, Any]] = {name: {kind: {} for kind in KINDS} for name in study.maps}
    for book, table in CODEBOOKS.items():
        lifts: dict[_Key, dict[str, np.ndarray]] = {key: {} for key in centre}
        for e, emotion in enumerate(faces.emotions):
            for name in study.maps:
                for kind in KINDS:
                    found[name][kind].setdefault(book, {})[emotion] = [] if emotion in table.units else None
            if emotion not in table.units:
                continue
            rows = np.flatnonzero(faces.shown[:, e])
            few = Speakers(faces.speaker[rows], speakers.draws, speakers.seed)
            grids = on_grids(_regions(faces, table.units[emotion]), study.maps["checkpoint"])
            for name, kind, i, layer in _each(study):
                values = agreement.measures(
                    kind, layer.of(kind)[rows], grids[i][rows], layer.active[rows], heads[i][rows]
                )
                cell: dict[str, Any] = {measure: few.mean(v) for measure, v in values.items()}
                cell["lift"] |= {"p": number(few.p_above(values["lift"])), "p_labels": None}
                cell["null_labels"] = None
                cell["null_centre"] = few.mean(agreement.lift(centre[name, kind, i][rows], grids[i][rows]))
                found[name][kind][book][emotion].append(cell)
                lifts[name, kind, i][emotion] = agreement.lift(layer.of(kind), grids[i])
            tick()
        _label_tests(faces, lifts, {key: found[key[0]][key[1]][book] for key in lifts}, speakers.draws)
        for name in study.maps:
            for kind in KINDS:
                cells = [c["lift"] for by_layer in found[name][kind][book].values() for c in by_layer or ()]
                _discoveries(cells, "p", "q")
                _discoveries(cells, "p_labels", "q_labels")
    return found


def _label_tests(
    faces: Faces, lifts: dict[_Key, dict[str, np.ndarray]], cells: dict[_Key, dict[str, Any]], draws: int
) -> None:
    """Emotions shuffled over clips, among the frames that show any; written into the cells."""
    emotions = list(next(iter(lifts.values())))
    columns = [faces.emotions.index(e) for e in emotions]
    rows = faces.shown.any(1)
    if not rows.any():
        return
    clips, member = np.unique(faces.clip[rows], return_inverse=True)
    shown = np.zeros((len(clips), len(emotions)), bool)
    np.logical_or.at(shown, member, faces.shown[rows][:, columns])
    sums, counts = np.zeros((len(lifts), *shown.shape)), np.zeros((len(lifts), *shown.shape))
    for k, by_emotion in enumerate(lifts.values()):
        for r, values in enumerate(by_emotion.values()):
            known = ~np.isnan(values[rows])
            sums[k, :, r] = np.bincount(member, np.where(known, values[rows], 0), len(clips))
            counts[k, :, r] = np.bincount(member, known, len(clips))
    _, null, p = shuffled_labels(sums, counts, shown, draws)
    for k, key in enumerate(lifts):
        for r, emotion in enumerate(emotions):
            cell = cells[key][emotion][key[2]]
            cell["lift"]["p_labels"], cell["null_labels"] = number(p[k, r]), number(null[k, r])


def own_other_tables(study: Study, speakers: Speakers, seed: int = 0) -> dict[str, dict[str, Any]] | None:
    """Map -> kind -> the regions of what a face shows against those of what other faces show; None if unknown.

    Frames that show exactly one emotion lend each other their active units: other units, but on the frame's own face.

    `layers`, `by_emotion`: lift on the frame's own active units over the lift on those of frames of other emotions, both
    under the frame's own map. `same_layers`, `same_units`: lift on the active units of frames of an emotion, under maps
    of frames of that emotion over maps of the others. The emotions weigh the same, so a map that is the same for all
    frames has 1 in `layers`, `same_layers` and `same_units`; in `by_emotion` it has less where it misses the emotion.
    """
    faces = study.faces
    if faces.active is None:
        return None
    rows = np.flatnonzero((faces.shown.sum(1) == 1) & faces.active.any(1))
    emotion = faces.shown[rows].argmax(1)
    if len(np.unique(emotion)) < 2:
        return None
    regions, active = faces.regions[rows], faces.active[rows]
    rng = np.random.default_rng([seed, 3])
    lenders = [np.arange(len(rows)), *(_partners(emotion, rng) for _ in range(_SWAPS))]
    lifts: dict[_Key, list[np.ndarray]] = {key[:3]: [] for key in _each(study)}
    for lender in lenders:
        grids = on_grids(atlas.union(regions, active[lender]), study.maps["checkpoint"])
        for name, kind, i, layer in _each(study):
            lifts[name, kind, i].append(agreement.lift(layer.of(kind)[rows], grids[i]))
    some = Speakers(faces.speaker[rows], speakers.draws, speakers.seed)
    hot = emotion[:, None] == np.arange(len(faces.emotions))
    lent = np.stack([emotion[lender] for lender in lenders[1:]])[..., None] == np.arange(len(faces.emotions))
    found: dict[str, dict[str, Any]] = {
        name: {kind: {"layers": [], "by_emotion": {}, "same_layers": [], "same_units": {}} for kind in KINDS}
        for name in study.maps
    }
    for (name, kind, _), (mine, *rest) in lifts.items():
        table, theirs = found[name][kind], np.stack(rest)
        own, other = np.where(hot, mine[:, None], np.nan), np.where(hot, _mean(theirs)[:, None], np.nan)
        lent_to = _mean(np.where(lent, theirs[..., None], np.nan))
        table["layers"].append(some.balanced_quotient(own, other))
        table["same_layers"].append(some.balanced_quotient(own, lent_to))
        for e, word in enumerate(faces.emotions):
            one = slice(e, e + 1)
            table["by_emotion"].setdefault(word, []).append(some.balanced_quotient(own[:, one], other[:, one]))
            table["same_units"].setdefault(word, []).append(some.balanced_quotient(own[:, one], lent_to[:, one]))
    return found


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is not NaN."""
    known = ~np.isnan(values)
    count = known.sum(0)
    return np.divide(np.where(known, values, 0).sum(0), count, out=np.full(count.shape, np.nan), where=count > 0)


def _partners(emotion: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(F,) for each frame another one of a different emotion, every other emotion being equally likely."""
    partner = np.empty(len(emotion), int)
    kinds = np.unique(emotion)
    for e in kinds:
        mine = np.flatnonzero(emotion == e)
        lenders = rng.choice(kinds[kinds != e], len(mine))
        partner[mine] = [rng.choice(np.flatnonzero(emotion == k)) for k in lenders]
    return partner


def control_table(study: Study, speakers: Speakers) -> dict[str, Any] | None:
    """Kept sites of fresh attentions on the active units: mean over the initialisations; None if unknown.

    Both the initialisations and the speakers are drawn again for the interval.
    """
    faces = study.faces
    if faces.active is None or not study.control or not len(study.control_frames):
        return None
    rows = study.control_frames
    layers = study.control[0]
    grids = on_grids(atlas.union(faces.regions[rows], faces.active[rows]), layers)
    heads = on_grids(faces.head[rows], layers)
    some = Speakers(faces.speaker[rows], speakers.draws, speakers.seed)
    found: dict[str, Any] = {"inits": len(study.control), "frames": len(rows), "crop": [], "head": [], "each": []}
    rng = np.random.default_rng([speakers.seed, 4])
    for i in range(len(layers)):
        maps = [init[i].of("kept") for init in study.control]
        crop = np.stack([agreement.lift(m, grids[i]) for m in maps])
        head = np.stack([agreement.lift_within(m, grids[i], heads[i]) for m in maps])
        found["crop"].append(_nested(crop, some, rng))
        found["head"].append(_nested(head, some, rng))
        found["each"].append([number(v) for v in np.nanmean(crop, axis=1)])
    return found


def _nested(values_IF: np.ndarray, speakers: Speakers, rng: np.random.Generator) -> Estimate:
    """Mean over initialisations and frames; the interval draws both initialisations and speakers."""
    known = ~np.isnan(values_IF).any(0)
    if not known.any():
        return estimate(np.nan)
    count = len(values_IF)
    pairs = [speakers.sums(np.where(known, row, np.nan)) for row in values_IF]
    sums_IS, number_S = np.stack([total for total, _ in pairs]), pairs[0][1]
    value = sums_IS.sum() / (count * number_S.sum())
    if (number_S > 0).sum() < 2:
        return estimate(value)
    inits = rng.multinomial(count, np.full(count, 1 / count), size=speakers.draws)
    below = speakers.times @ number_S
    usable = below > 0
    drawn = ((speakers.times @ sums_IS.T) * inits).sum(1)[usable] / (count * below[usable])
    return estimate(value, *np.percentile(drawn, [2.5, 97.5]))
