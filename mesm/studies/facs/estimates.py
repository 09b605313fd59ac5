"""Estimate lifts per layer, emotion, region group and codebook from collected attention maps.

Shape legend: F frames, E emotions, n cells of a layer's grid, R draws of other frames' units. Regions are formed one at a
time and measured under every map, so that memory does not grow with the number of codebooks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from mesm.data import atlas
from mesm.estimate import Estimate
from mesm.records.facs import (
    KINDS,
    Agreement,
    AttentionAgreement,
    ChanceEstimate,
    CodebookAgreement,
    Contrast,
    ReinitialisedControl,
    SiteAgreement,
    Specificity,
    VoiceAgreement,
    VoiceLayers,
    VoiceStudy,
)
from mesm.statistics import UNDEFINED, Speakers, auc, false_discovery, percentile_estimate, rounded, shuffled_label_test
from mesm.studies.facs import agreement
from mesm.studies.facs.attention_maps import AttentionMaps, Faces, LayerMaps, coverage_on_grids
from mesm.studies.facs.codebooks import CODEBOOKS

#: Attention, site kind.
_Sites = tuple[str, str]
#: Attention, site kind, layer from 0.
_Key = tuple[str, str, int]
#: Swaps of active units between frames of different emotions.
_SWAPS = 10


def agreements(study: AttentionMaps, speakers: Speakers) -> dict[str, AttentionAgreement]:
    """Estimate the agreement of every attention with every region."""
    active, groups = active_agreement(study, speakers), group_lifts(study, speakers)
    books, specific = codebook_agreement(study, speakers), specificity(study, speakers)

    def sites(key: _Sites) -> SiteAgreement:
        return SiteAgreement(
            active[key] if active is not None else None,
            specific[key] if specific is not None else None,
            groups[key],
            books[key],
        )

    return {name: AttentionAgreement(*(sites((name, kind)) for kind in KINDS)) for name in study.maps}


def _each(study: AttentionMaps) -> Iterator[tuple[_Key, LayerMaps]]:
    """Iterate over every attention, site kind and layer."""
    for name, layers in study.maps.items():
        for kind in KINDS:
            for number, layer in enumerate(layers):
                yield (name, kind, number), layer


def _group_coverage(faces: Faces, units: Sequence[int]) -> np.ndarray:
    return faces.regions[:, [atlas.COLUMN[n] for n in units]].max(1)


def _tested(values_F: np.ndarray, speakers: Speakers) -> ChanceEstimate:
    """Estimate the mean with its p against 1."""
    mean = speakers.mean(values_F)
    return ChanceEstimate(mean.value, mean.low, mean.high, p=rounded(speakers.sign_flip_p(values_F)))


def _agreement(
    kind: str, map_Fn: np.ndarray, region_Fn: np.ndarray, active_Fn: np.ndarray, head_Fn: np.ndarray, speakers: Speakers
) -> Agreement:
    values = agreement.measures(kind, map_Fn, region_Fn, active_Fn, head_Fn)
    lift = _tested(values.pop("lift"), speakers)
    return Agreement(lift=lift, **{measure: speakers.mean(v) for measure, v in values.items()})


def _q_values(p: Sequence[float | None]) -> list[float | None]:
    """Return q of one family of tests; None where p is."""
    return [rounded(q) for q in false_discovery(np.array([np.nan if value is None else value for value in p], float))]


def active_agreement(study: AttentionMaps, speakers: Speakers) -> dict[_Sites, tuple[Agreement, ...]] | None:
    """Estimate the agreement with the union of the truly active units' regions, layer by layer; None if unknown."""
    faces = study.faces
    if faces.active is None:
        return None
    grids = coverage_on_grids(atlas.union(faces.regions, faces.active), study.maps["checkpoint"])
    heads = coverage_on_grids(faces.head, study.maps["checkpoint"])
    rows: dict[_Sites, tuple[Agreement, ...]] = {}
    for (name, kind, i), layer in _each(study):
        cell = _agreement(kind, layer.of(kind), grids[i], layer.active, heads[i], speakers)
        rows[name, kind] = (*rows.get((name, kind), ()), cell)
    return rows


def group_lifts(
    study: AttentionMaps, speakers: Speakers
) -> dict[_Sites, dict[str, dict[str, tuple[ChanceEstimate, ...]]]]:
    """Estimate the lift over the crop per emotion, region group and layer, with p and q against chance."""
    faces = study.faces
    cells: dict[_Sites, dict[tuple[str, str, int], ChanceEstimate]] = {}
    for group in atlas.GROUPS:
        grids = coverage_on_grids(_group_coverage(faces, group), study.maps["checkpoint"])
        for (name, kind, i), layer in _each(study):
            lift = agreement.lift(layer.of(kind), grids[i])
            for e, emotion in enumerate(faces.emotions):
                values = np.where(faces.shown[:, e], lift, np.nan)
                cells.setdefault((name, kind), {})[emotion, atlas.group_name(group), i] = _tested(values, speakers)
    tables: dict[_Sites, dict[str, dict[str, tuple[ChanceEstimate, ...]]]] = {}
    for key, family in cells.items():
        table = tables[key] = {emotion: {} for emotion in faces.emotions}
        q_values = _q_values([cell.p for cell in family.values()])
        for ((emotion, group_name, _), cell), q in zip(family.items(), q_values, strict=True):
            table[emotion][group_name] = (*table[emotion].get(group_name, ()), replace(cell, q=q))
    return tables


def other_clips_mean(maps_Fn: np.ndarray, clip_F: np.ndarray) -> np.ndarray:
    """Return the centre-bias map (F, n): for each frame the mean map over the frames of all other clips; NaN with one clip.

    It covers brows, eyes and mouth without reading the face.
    """
    _, member = np.unique(clip_F, return_inverse=True)
    count = member.max(initial=-1) + 1
    sums = np.zeros((count, maps_Fn.shape[1]))
    np.add.at(sums, member, maps_Fn)
    frames = np.bincount(member, minlength=count)[:, None]
    others = len(maps_Fn) - frames
    means = np.divide(sums.sum(0) - sums, others, out=np.full(sums.shape, np.nan), where=others > 0)
    return means[member].astype(np.float32)


def codebook_agreement(
    study: AttentionMaps, speakers: Speakers
) -> dict[_Sites, dict[str, dict[str, tuple[CodebookAgreement, ...] | None]]]:
    """Estimate the agreement with every codebook's regions in the frames that show the emotion.

    Returns:
        codebook -> emotion -> one agreement per layer, or None where the codebook has no prototype.
    """
    faces = study.faces
    centre = {key: other_clips_mean(layer.of(key[1]), faces.clip) for key, layer in _each(study)}
    heads = coverage_on_grids(faces.head, study.maps["checkpoint"])
    tables: dict[_Sites, dict[str, dict[str, tuple[CodebookAgreement, ...] | None]]] = {
        (name, kind): {} for name in study.maps for kind in KINDS
    }
    for book, codebook in CODEBOOKS.items():
        emotions = [emotion for emotion in faces.emotions if emotion in codebook.units]
        cells: dict[_Key, dict[str, CodebookAgreement]] = {key: {} for key in centre}
        lifts: dict[_Key, dict[str, np.ndarray]] = {key: {} for key in centre}
        for emotion in emotions:
            rows = np.flatnonzero(faces.shown[:, faces.emotions.index(emotion)])
            speakers_here = Speakers(faces.speaker[rows], speakers.draws, speakers.seed)
            grids = coverage_on_grids(_group_coverage(faces, codebook.units[emotion]), study.maps["checkpoint"])
            for key, layer in _each(study):
                kind, i = key[1:]
                maps, region = layer.of(kind), grids[i]
                of_emotion = maps[rows], region[rows], layer.active[rows], heads[i][rows]
                bias = speakers_here.mean(agreement.lift(centre[key][rows], region[rows]))
                agreed = _agreement(kind, *of_emotion, speakers_here)
                cells[key][emotion] = CodebookAgreement(**vars(agreed), centre_bias=bias)
                lifts[key][emotion] = agreement.lift(maps, region)
        cells = _with_label_tests(cells, faces, lifts, speakers.draws)
        for (name, kind), table in tables.items():
            layers = [cells[name, kind, i] for i in range(len(study.maps[name]))]
            tested = _with_q_values(layers)
            table[book] = {e: tuple(layer[e] for layer in tested) if e in emotions else None for e in faces.emotions}
    return tables


def _with_q_values(layers: Sequence[Mapping[str, CodebookAgreement]]) -> list[dict[str, CodebookAgreement]]:
    """Return the agreements with their q: one family over layers and emotions for chance, one for shuffled labels."""
    cells = [cell for layer in layers for cell in layer.values()]
    chance, labels = _q_values([cell.lift.p for cell in cells]), _q_values([cell.p_labels for cell in cells])
    tested = iter(
        replace(cell, lift=replace(cell.lift, q=q), q_labels=q_labels)
        for cell, q, q_labels in zip(cells, chance, labels, strict=True)
    )
    return [{emotion: next(tested) for emotion in layer} for layer in layers]


def _with_label_tests(
    cells: dict[_Key, dict[str, CodebookAgreement]], faces: Faces, lifts: dict[_Key, dict[str, np.ndarray]], draws: int
) -> dict[_Key, dict[str, CodebookAgreement]]:
    """Return the agreements with the test that shuffles the emotions over clips, among the frames that show any."""
    emotions = list(next(iter(lifts.values())))
    columns = [faces.emotions.index(e) for e in emotions]
    rows = faces.shown.any(1)
    if not rows.any() or not emotions:
        return cells
    clips, member = np.unique(faces.clip[rows], return_inverse=True)
    shown = np.zeros((len(clips), len(emotions)), bool)
    np.logical_or.at(shown, member, faces.shown[rows][:, columns])
    sums, counts = np.zeros((len(lifts), *shown.shape)), np.zeros((len(lifts), *shown.shape))
    for k, by_emotion in enumerate(lifts.values()):
        for r, values in enumerate(by_emotion.values()):
            known = ~np.isnan(values[rows])
            sums[k, :, r] = np.bincount(member, np.where(known, values[rows], 0), len(clips))
            counts[k, :, r] = np.bincount(member, known, len(clips))
    _, null, p = shuffled_label_test(sums, counts, shown, draws)
    return {
        key: {
            emotion: replace(cells[key][emotion], p_labels=rounded(p[k, r]), shuffled_labels=rounded(null[k, r]))
            for r, emotion in enumerate(emotions)
        }
        for k, key in enumerate(lifts)
    }


def specificity(study: AttentionMaps, speakers: Speakers, seed: int = 0) -> dict[_Sites, Specificity] | None:
    """Estimate how much the attention depends on the shown emotion; None where the active units are not known.

    Frames that show exactly one emotion lend each other their active units: other units, but on the frame's own face.
    The emotions weigh the same, so a map that is equal for all frames has 1 in both pooled contrasts and in
    `own_over_other_faces`; in `own_over_other_units` of one emotion it has less where it misses the emotion's units.
    """
    faces = study.faces
    if faces.active is None:
        return None
    rows = np.flatnonzero((faces.shown.sum(1) == 1) & faces.active.any(1))
    emotion_F = faces.shown[rows].argmax(1)
    if len(np.unique(emotion_F)) < 2:
        return None
    rng = np.random.default_rng([seed, 3])
    lenders = [_partners(emotion_F, rng) for _ in range(_SWAPS)]
    lifts = _lifts_on_lent_units(study, rows, [np.arange(len(rows)), *lenders])
    speakers_here = Speakers(faces.speaker[rows], speakers.draws, speakers.seed)
    emotions = np.arange(len(faces.emotions))
    shown_FE = emotion_F[:, None] == emotions
    lent_RFE = np.stack([emotion_F[lender] for lender in lenders])[..., None] == emotions
    layers: dict[_Sites, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {}
    for (name, kind, _), (own_F, *lent) in lifts.items():
        other_RF = np.stack(lent)
        own_FE = np.where(shown_FE, own_F[:, None], np.nan)
        other_units_FE = np.where(shown_FE, _nanmean(other_RF)[:, None], np.nan)
        other_faces_FE = _nanmean(np.where(lent_RFE, other_RF[..., None], np.nan))
        layers.setdefault((name, kind), []).append((own_FE, other_units_FE, other_faces_FE))
    return {
        key: Specificity(
            _contrast([(own, units) for own, units, _ in rows], faces.emotions, speakers_here),
            _contrast([(own, others) for own, _, others in rows], faces.emotions, speakers_here),
        )
        for key, rows in layers.items()
    }


def _contrast(layers: Sequence[tuple[np.ndarray, np.ndarray]], emotions: Sequence[str], speakers: Speakers) -> Contrast:
    """Estimate own over other lifts (F, E) of every layer, over all emotions and of each."""
    return Contrast(
        tuple(speakers.class_balanced_ratio(own, other) for own, other in layers),
        {
            emotion: tuple(
                speakers.class_balanced_ratio(own[:, e : e + 1], other[:, e : e + 1]) for own, other in layers
            )
            for e, emotion in enumerate(emotions)
        },
    )


def _lifts_on_lent_units(
    study: AttentionMaps, rows: np.ndarray, lenders: Sequence[np.ndarray]
) -> dict[_Key, list[np.ndarray]]:
    """Compute, for every lender (F,), each frame's lift on the lender's active units laid on the frame's own face."""
    assert study.faces.active is not None
    regions, active = study.faces.regions[rows], study.faces.active[rows]
    lifts: dict[_Key, list[np.ndarray]] = {key: [] for key, _ in _each(study)}
    for lender in lenders:
        grids = coverage_on_grids(atlas.union(regions, active[lender]), study.maps["checkpoint"])
        for key, layer in _each(study):
            lifts[key].append(agreement.lift(layer.of(key[1])[rows], grids[key[2]]))
    return lifts


def _nanmean(values: np.ndarray) -> np.ndarray:
    """Return the mean over the first axis of the values that are not NaN."""
    known = ~np.isnan(values)
    count = known.sum(0)
    return np.divide(np.where(known, values, 0).sum(0), count, out=np.full(count.shape, np.nan), where=count > 0)


def _partners(emotion_F: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw (F,) for each frame one of a different emotion, every other emotion being equally likely."""
    partner = np.empty(len(emotion_F), int)
    kinds = np.unique(emotion_F)
    for e in kinds:
        mine = np.flatnonzero(emotion_F == e)
        lenders = rng.choice(kinds[kinds != e], len(mine))
        partner[mine] = [rng.choice(np.flatnonzero(emotion_F == k)) for k in lenders]
    return partner


def reinitialised_control(study: AttentionMaps, speakers: Speakers) -> ReinitialisedControl | None:
    """Estimate the kept sites' lift of re-initialised attentions on the active units; None where these are not known."""
    faces = study.faces
    if faces.active is None or not study.control or not len(study.control_frames):
        return None
    rows, layers = study.control_frames, study.control[0]
    grids = coverage_on_grids(atlas.union(faces.regions[rows], faces.active[rows]), layers)
    heads = coverage_on_grids(faces.head[rows], layers)
    speakers_here = Speakers(faces.speaker[rows], speakers.draws, speakers.seed)
    crop, head, each = [], [], []
    rng = np.random.default_rng([speakers.seed, 4])
    for i in range(len(layers)):
        maps = [init[i].of("kept") for init in study.control]
        crop_IF = np.stack([agreement.lift(m, grids[i]) for m in maps])
        head_IF = np.stack([agreement.lift_within(m, grids[i], heads[i]) for m in maps])
        crop.append(_over_initialisations(crop_IF, speakers_here, rng))
        head.append(_over_initialisations(head_IF, speakers_here, rng))
        each.append(tuple(rounded(v) for v in np.nanmean(crop_IF, axis=1)))
    return ReinitialisedControl(len(study.control), len(rows), tuple(crop), tuple(head), tuple(each))


def _over_initialisations(values_IF: np.ndarray, speakers: Speakers, rng: np.random.Generator) -> Estimate:
    """Estimate the mean over I initialisations and F frames; the interval resamples initialisations and speakers."""
    known_F = ~np.isnan(values_IF).any(0)
    if not known_F.any():
        return UNDEFINED
    count = len(values_IF)
    pairs = [speakers.sums(np.where(known_F, row, np.nan)) for row in values_IF]
    sums_IG, number_G = np.stack([total for total, _ in pairs]), pairs[0][1]
    inits = rng.multinomial(count, np.full(count, 1 / count), size=speakers.draws)
    below = count * (speakers.times @ number_G)
    above = ((speakers.times @ sums_IG.T) * inits).sum(1)
    drawn = np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)
    return percentile_estimate(sums_IG.sum() / (count * number_G.sum()), drawn, int((number_G > 0).sum()))


def voice_agreement(study: AttentionMaps, draws: int = 1000) -> VoiceStudy | None:
    """Estimate the lift of the voice's maps on the loud cells of the mel, per site kind and layer; None without a voice.

    The paper's Figure 4 draws only the highest tenth of a clip's mel values. Speech itself is loud, so `lift_spoken`
    compares within the columns in which a word is spoken: it separates finding the bands from finding the moments.
    """
    layers = study.voices["checkpoint"]
    if not layers:
        return None
    speakers = Speakers(study.voice_speaker, draws)
    loud, spoken = coverage_on_grids(study.loud, layers), coverage_on_grids(study.spoken, layers)

    def row(kind: str, layer: LayerMaps, loud_Cn: np.ndarray, spoken_Cn: np.ndarray) -> VoiceAgreement:
        map_Cn = layer.of(kind)
        values = {
            "lift": agreement.lift(map_Cn, loud_Cn),
            "lift_sites": agreement.lift_within(map_Cn, loud_Cn, layer.active.astype(np.float32)),
            "lift_spoken": agreement.lift_within(map_Cn, loud_Cn, spoken_Cn),
            "speech": agreement.lift(map_Cn, spoken_Cn),
        }
        if kind == "attention":
            values["auc"] = auc(map_Cn, loud_Cn)
        else:
            values["kept_sites"] = layer.kept.sum(1).astype(float)
        return VoiceAgreement(**{measure: speakers.mean(v) for measure, v in values.items()})

    maps = {
        name: VoiceLayers(*(tuple(map(row, [kind] * len(layers), of_map, loud, spoken)) for kind in KINDS))
        for name, of_map in study.voices.items()
    }
    return VoiceStudy(len(study.loud), maps)
