"""Hold the comparison of one checkpoint's attention with the regions of action units, with chance and controls.

Start with `FacsStudy`. Shape legend: L attention layers, E emotions, G region groups. Every interval is a 95 % bootstrap
over speakers; an estimate of what was not measured has the value None.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mesm.estimate import Estimate
from mesm.json_form import Json, items, members
from mesm.records.faithfulness import NeutralTexts, ShuffledTexts, shuffled_from_schema_1
from mesm.records.supervision import Supervision

#: Site kinds that are compared with a region: the nucleus, as 0 or 1, and the attention itself.
SiteKind = Literal["kept", "attention"]
KINDS: tuple[SiteKind, ...] = ("kept", "attention")
#: Attentions side by side: the checkpoint's own; re-initialised with the paper's hard gate; re-initialised.
MAPS: tuple[str, ...] = ("checkpoint", "hard", "random")


@dataclass(frozen=True)
class ChanceEstimate(Estimate):
    """Hold an estimate tested against chance.

    Attributes:
        p: two-sided, by flipping the signs of whole speakers.
        q: p after Benjamini-Hochberg over the family of tests that the holder names.
    """

    p: float | None = None
    q: float | None = None


@dataclass(frozen=True)
class Agreement:
    """Hold the agreement of one map with one region in one layer; `mesm.studies.facs.agreement` has the formulas.

    Attributes:
        lift: mass of the map on the region over the region's share of the crop; 1 is chance.
        lift_sites: the same with chance over the layer's own active sites.
        lift_head: the same with map and chance restricted to the head.
        mass: share of the map's mass on the region, in [0, 1].
        area: share of the crop that the region covers, in [0, 1].
        iou: intersection over union with the kept sites; `iou_chance` that of as many random sites. Kept sites only.
        rank_accuracy: with `pointing`, `auc` and `nss` for attention only.
    """

    lift: ChanceEstimate
    lift_sites: Estimate
    lift_head: Estimate
    mass: Estimate
    area: Estimate
    cosine: Estimate
    iou: Estimate | None = None
    iou_chance: Estimate | None = None
    rank_accuracy: Estimate | None = None
    pointing: Estimate | None = None
    auc: Estimate | None = None
    nss: Estimate | None = None


@dataclass(frozen=True, kw_only=True)
class CodebookAgreement(Agreement):
    """Hold the agreement with the regions that a codebook lists for an emotion, in frames that show it.

    The family of q is layers x emotions of one codebook, map and site kind.

    Attributes:
        centre_bias: lift of the mean map of the other clips.
        shuffled_labels: mean lift when the emotions are shuffled over clips.
        p_labels: one-sided p of the lift under that shuffling; `q_labels` after Benjamini-Hochberg.
    """

    centre_bias: Estimate
    shuffled_labels: float | None = None
    p_labels: float | None = None
    q_labels: float | None = None


@dataclass(frozen=True)
class Contrast:
    """Hold a ratio of lifts between emotions; 1 means that the attention does not depend on the emotion.

    Attributes:
        pooled: L estimates over all emotions, each with the same weight.
        by_emotion: emotion -> L estimates.
    """

    pooled: tuple[Estimate, ...]
    by_emotion: dict[str, tuple[Estimate, ...]]


@dataclass(frozen=True)
class Specificity:
    """Hold the emotion specificity of a map, from frames that show exactly one emotion.

    Attributes:
        own_over_other_units: lift on a frame's active units over the lift on units of frames of other emotions.
        own_over_other_faces: lift on an emotion's units in its frames over the lift on them in other emotions' frames.
    """

    own_over_other_units: Contrast
    own_over_other_faces: Contrast


@dataclass(frozen=True)
class SiteAgreement:
    """Hold the agreement of one site kind of one attention with every region.

    Attributes:
        active: L agreements with the union of the truly active units' regions; None where these are not known.
        specificity: None where the active units are not known.
        groups: emotion -> region group -> L lifts over the crop; the family of q is all of them.
        codebooks: codebook -> emotion -> L agreements, or None where the codebook has no prototype.
    """

    active: tuple[Agreement, ...] | None
    specificity: Specificity | None
    groups: dict[str, dict[str, tuple[ChanceEstimate, ...]]]
    codebooks: dict[str, dict[str, tuple[CodebookAgreement, ...] | None]]


@dataclass(frozen=True)
class AttentionAgreement:
    """Hold the agreement of one attention: of its kept sites and of the attention itself."""

    kept: SiteAgreement
    attention: SiteAgreement

    def of(self, kind: str) -> SiteAgreement:
        """Return the agreement of one of `KINDS`."""
        return self.kept if kind == "kept" else self.attention


@dataclass(frozen=True)
class ReinitialisedControl:
    """Hold the lift of re-initialised attentions on the active units; intervals over initialisations and speakers.

    Attributes:
        inits: number I of initialisations.
        frames: frames that were measured, one of each clip.
        crop: L estimates, chance over the crop; `head` over the head.
        each: L tuples of the I initialisations' means.
    """

    inits: int
    frames: int
    crop: tuple[Estimate, ...]
    head: tuple[Estimate, ...]
    each: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True)
class VoiceAgreement:
    """Hold the agreement of one map with the loud mel values in one layer.

    Attributes:
        lift: on loud cells, chance over the chunk.
        lift_sites: the same with chance over the layer's active sites.
        lift_spoken: the same with map and chance restricted to the columns in which a word is spoken.
        speech: lift on the spoken columns.
        auc: of the loud cells; attention only.
        kept_sites: per chunk; kept sites only.
    """

    lift: Estimate
    lift_sites: Estimate
    lift_spoken: Estimate
    speech: Estimate
    auc: Estimate | None = None
    kept_sites: Estimate | None = None


@dataclass(frozen=True)
class VoiceLayers:
    """Hold L agreements of each site kind of one attention."""

    kept: tuple[VoiceAgreement, ...]
    attention: tuple[VoiceAgreement, ...]


@dataclass(frozen=True)
class VoiceStudy:
    """Hold the voice's maps against loudness: mel chunks, and one of `MAPS` -> agreements."""

    chunks: int
    maps: dict[str, VoiceLayers]


@dataclass(frozen=True)
class Codebook:
    """Hold one author's table of emotions and action units.

    Attributes:
        name: on the command line and in records.
        title: on screens.
        units: emotion -> action units.
        citation: where the table is printed.
        note: what to know before using it.
    """

    name: str
    title: str
    units: dict[str, tuple[int, ...]]
    citation: str
    note: str = ""


@dataclass(frozen=True)
class RegionGroup:
    """Hold the action units that share a region, such as "AU 12/15"."""

    name: str
    units: tuple[int, ...]


@dataclass(frozen=True)
class EmotionCounts:
    """Count the frames, clips and speakers that show an emotion."""

    frames: int
    clips: int
    speakers: int


@dataclass(frozen=True)
class FacsCounts:
    """Hold the sizes of the sample.

    Attributes:
        clips_without_text: clips left out because they have no transcript.
        frames_without_face: frames left out because the detector found no face.
        frames_with_active_units: None where the active units are not known.
    """

    clips: int
    clips_without_text: int
    speakers: int
    frames: int
    frames_without_face: int
    frames_used: int
    frames_with_active_units: int | None
    by_emotion: dict[str, EmotionCounts]


@dataclass(frozen=True)
class FacsStudy:
    """Hold the FACS measurements of one checkpoint on one split.

    Attributes:
        regions: source of the regions, "truth", "points" or "landmarks".
        units_from: source of the active units, "truth" or "file"; None where they are not known.
        active_from: intensity from which a unit counts as active, in (0, 1].
        emotions: E names.
        codebook: name of the codebook that is printed; `codebooks` has all.
        groups: G region groups.
        maps: one of `MAPS` -> its agreement.
        control: None where the active units are not known.
        voice: None without a voice branch.
        neutral_text: effect of emotive texts on neutral faces.
        shuffled_text: cost of shuffled transcripts.
    """

    split: str
    top_p: float
    regions: str
    units_from: str | None
    active_from: float
    emotions: tuple[str, ...]
    supervision: Supervision
    codebook: str
    codebooks: dict[str, Codebook]
    groups: tuple[RegionGroup, ...]
    counts: FacsCounts
    maps: dict[str, AttentionAgreement]
    control: ReinitialisedControl | None
    voice: VoiceStudy | None
    neutral_text: NeutralTexts
    shuffled_text: ShuffledTexts

    @property
    def clips(self) -> int:
        """Return the clips that were measured."""
        return self.counts.clips

    @property
    def layers(self) -> int:
        """Return the number L of attention layers."""
        return max(len(row) for by_group in self.maps["checkpoint"].kept.groups.values() for row in by_group.values())

    @property
    def best_layer(self) -> tuple[int, Estimate] | None:
        """Return the layer from 1 with the highest lift of kept sites on active units, and that lift; None if unknown."""
        active = self.maps["checkpoint"].kept.active or ()
        if all(layer.lift.value is None for layer in active):
            return None
        best = max(range(len(active)), key=lambda i: active[i].lift.value or 0.0)
        return best + 1, active[best].lift


def from_schema_1(data: dict[str, Json]) -> dict[str, Json]:
    """Return a study of schema 1 in today's form."""
    same = ("split", "top_p", "regions", "units_from", "active_from", "emotions", "codebook", "groups", "counts")
    sentences = items(data.get("taught", []))
    return {
        **{name: data[name] for name in (*same, "voice")},
        "supervision": {"regions": len(sentences) > 0, "text_regions": len(sentences) > 1},
        "codebooks": {name: {"name": name, **members(book)} for name, book in members(data["codebooks"]).items()},
        "maps": {
            name: {kind: _sites_from_schema_1(members(sites)) for kind, sites in members(by_kind).items()}
            for name, by_kind in members(data["maps"]).items()
        },
        "control": data["random_control"],
        "neutral_text": {"texts": data["texts"], "sources": data["text_lift"], "left_out": data["text_lift_missing"]},
        "shuffled_text": shuffled_from_schema_1(members(data["shuffled_text"])),
    }


def _sites_from_schema_1(sites: dict[str, Json]) -> dict[str, Json]:
    return {
        "active": sites["active"],
        "specificity": _specificity(members(sites["own_other"])) if sites["own_other"] else sites["own_other"],
        "groups": sites["groups"],
        "codebooks": {
            book: {emotion: _codebook_row(row) for emotion, row in members(table).items()}
            for book, table in members(sites["codebooks"]).items()
        },
    }


def _specificity(own_other: dict[str, Json]) -> dict[str, Json]:
    pairs = (("own_over_other_units", "layers", "by_emotion"), ("own_over_other_faces", "same_layers", "same_units"))
    return {name: {"pooled": own_other[pooled], "by_emotion": own_other[each]} for name, pooled, each in pairs}


def _codebook_row(row: Json) -> Json:
    return [_codebook_cell(members(cell)) for cell in items(row)] if row else row


def _codebook_cell(cell: dict[str, Json]) -> dict[str, Json]:
    measures = {name: value for name, value in cell.items() if name not in ("lift", "null_labels", "null_centre")}
    lift = members(cell["lift"])
    tests = {name: lift.pop(name) for name in ("p_labels", "q_labels")}
    return measures | tests | {
        "lift": lift, "shuffled_labels": cell["null_labels"], "centre_bias": cell["null_centre"],
    }  # fmt: skip
