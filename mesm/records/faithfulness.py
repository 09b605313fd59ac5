"""Hold the faithfulness tests of one checkpoint's attention: leak of the text, kept sites, controls, loudness.

Start with `Faithfulness`. Branches are named "visual" and "acoustic"; a branch that has nothing to measure is missing.
Scores are probabilities, accuracies percent. Every interval is a 95 % bootstrap over speakers. Shape legend: L attention
layers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mesm.estimate import Estimate
from mesm.json_form import Json, items, members
from mesm.records.supervision import Supervision

#: How a control's attention weights are drawn: as at the start of training, or normal with each tensor's trained mean
#: and spread.
ControlAttention = Literal["reinitialised", "moment_matched"]
#: The same in captions.
CONTROL_WORDS: dict[ControlAttention, str] = {
    "reinitialised": "re-initialised attention",
    "moment_matched": "attention weights redrawn with the trained mean and spread",
}
#: Sites that a run keeps: the nucleus; as many random ones; as many of the least attended; all but the nucleus.
SITE_SETS: tuple[str, ...] = ("nucleus", "random", "least", "complement")
#: Attention layers that a deletion or insertion run prunes: all three at once, or one.
PRUNED_LAYERS: tuple[str, ...] = ("all", "L1", "L2", "L3")


@dataclass(frozen=True)
class SampleSize:
    """Hold the number of clips that a test ran on, and of their speakers."""

    clips: int
    speakers: int


@dataclass(frozen=True)
class ShuffleCost:
    """Hold one metric of a branch in percent.

    Attributes:
        own: with each clip's own text.
        shuffled: mean over the shuffles.
        cost: own - shuffled in points; only the accuracy's has an interval.
    """

    own: float | None
    shuffled: float | None
    cost: Estimate


@dataclass(frozen=True)
class BranchShuffleCost:
    """Hold the cost of shuffled texts for one branch.

    Attributes:
        accuracy: share of the clips with a label whose strongest score is a true label.
        wacc: with the thresholds that are best for the own texts on these clips, so its cost is if anything too high.
        auc: mean over the emotions.
    """

    accuracy: ShuffleCost
    wacc: ShuffleCost
    auc: ShuffleCost


@dataclass(frozen=True)
class ShuffledTexts(SampleSize):
    """Hold the cost of giving the attention another clip's text.

    Attributes:
        shuffles: number of shuffles.
        branches: branch -> cost.
    """

    shuffles: int
    branches: dict[str, BranchShuffleCost]


@dataclass(frozen=True)
class TextOnNeutral:
    """Hold the effect of emotive texts on faces that show no emotion.

    Attributes:
        source: whose faces, in words.
        faces: number of faces.
        people: number of people.
        auc: of the text's emotion from the face branch's score of it over all faces and texts, mean over the emotions;
            0.5 is no leak. Interval over people.
        auc_per_label: emotion -> its AUC.
        auc_within_face: the same comparison within one face, which detects smaller leaks.
        text_lift: L ratios of the kept sites on a text's regions over the same under the other texts; 1 means that the
            text has no effect. None where the regions are not known.
    """

    source: str
    faces: int
    people: int
    auc: Estimate
    auc_per_label: dict[str, float | None]
    auc_within_face: Estimate
    text_lift: tuple[Estimate, ...] | None


@dataclass(frozen=True)
class NeutralTexts:
    """Hold the emotive texts beside neutral faces, a test per source of faces.

    Attributes:
        texts: how a text's emotion is known; "" without a test.
        sources: faces of people whom the checkpoint was not trained on first.
        left_out: the reason where nothing was tested, else "".
    """

    texts: str
    sources: tuple[TextOnNeutral, ...]
    left_out: str = ""


@dataclass(frozen=True)
class SiteSetScores:
    """Hold the scores when only one of `SITE_SETS` is kept.

    Attributes:
        share: of all sites of the three layers that is kept, in [0, 1].
        score: of the label that is first at the test's `label_at`.
        same: share of the clips whose first label is that one.
        accuracy: share of the clips with a label whose strongest score is a true label, percent.
    """

    share: float
    score: Estimate
    same: Estimate
    accuracy: Estimate


@dataclass(frozen=True)
class BranchKeepOnly:
    """Hold the scores of each site set of one branch.

    Attributes:
        nucleus_gain: the nucleus's score minus that of random sites.
        accuracy_gain: the same of the accuracy, in points, whichever label is followed; None in older records.
    """

    nucleus: SiteSetScores
    random: SiteSetScores
    least: SiteSetScores
    complement: SiteSetScores
    nucleus_gain: Estimate
    accuracy_gain: Estimate | None = None


@dataclass(frozen=True)
class KeepOnly(SampleSize):
    """Hold the scores when only some sites are kept; `draws` draws of the random ones, which are averaged.

    Attributes:
        label_at: top-p at which the label is first whose score is compared; 1 in older records.
    """

    draws: int
    top_p: float
    branches: dict[str, BranchKeepOnly]
    label_at: float = 1.0


@dataclass(frozen=True)
class SiteCurves:
    """Hold the first label's mean score at each share of kept sites: most attended first, least attended first, random."""

    attention: tuple[float, ...]
    reverse: tuple[float, ...]
    random: tuple[float, ...]


@dataclass(frozen=True)
class DeletionInsertion:
    """Hold the areas under the curves over the share of kept sites (RISE, Petsiuk et al. 2018), scaled by its range.

    Attributes:
        insertion_auc: most attended sites kept first.
        deletion_auc: least attended sites kept first, which is the most attended deleted first.
        random_auc: sites kept in random order.
        insertion_gain: insertion - random; above 0 the attended sites matter more than random ones.
        deletion_gain: random - deletion; above 0 the attended sites matter more than random ones.
    """

    curves: SiteCurves
    insertion_auc: float
    deletion_auc: float
    random_auc: float
    insertion_gain: Estimate
    deletion_gain: Estimate


@dataclass(frozen=True)
class SiteOrder(SampleSize):
    """Hold the deletion and insertion of sites in the order of the attention.

    Attributes:
        shares: of the active sites that are kept, rising to 1.
        branches: branch -> one of `PRUNED_LAYERS` -> areas.
        label_at: see `KeepOnly`.
    """

    shares: tuple[float, ...]
    branches: dict[str, dict[str, DeletionInsertion]]
    label_at: float = 1.0


@dataclass(frozen=True)
class ClipSufficientP:
    """Hold the smallest sufficient p of each clip.

    Attributes:
        ids: N clip ids.
        sufficient_p: from this p on the decided labels are those at p = 1.
        changes: the p at which the decided labels differ from those at the grid's p before.
    """

    ids: tuple[str, ...]
    sufficient_p: tuple[float, ...]
    changes: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class SufficientP(SampleSize):
    """Hold the fused decisions over a grid of top-p.

    Attributes:
        grid: top-p, rising to 1.
        same_as_all: at each p, share of the clips that decide as at p = 1.
        quartiles: of the smallest sufficient p over the clips.
        changes: of the decision per clip over the grid, mean.
    """

    grid: tuple[float, ...]
    same_as_all: tuple[Estimate, ...]
    quartiles: tuple[float, float, float]
    changes: Estimate
    per_clip: ClipSufficientP


@dataclass(frozen=True)
class ControlLayer:
    """Hold one layer's attention against a control attention.

    Attributes:
        rank_correlation: of the two maps at p = 1; 0 where they share nothing.
        iou: overlap of the kept sites at top-p.
        iou_chance: overlap of random sets of the same sizes on the whole map.
        iou_over_chance: ratio of the two.
    """

    rank_correlation: Estimate
    iou: Estimate
    iou_chance: Estimate
    iou_over_chance: Estimate


@dataclass(frozen=True)
class OwnAndControl:
    """Hold one quantity with the trained attention and with the control."""

    own: Estimate
    control: Estimate


@dataclass(frozen=True)
class BranchControl:
    """Hold one branch's results with the trained attention and with control attentions.

    Attributes:
        layers: L comparisons of maps and kept sites.
        score_change: mean absolute difference of the branch's scores.
        first_label_changes: share of the clips.
        accuracy: in percent.
    """

    layers: tuple[ControlLayer, ...]
    score_change: Estimate
    first_label_changes: Estimate
    accuracy: OwnAndControl


@dataclass(frozen=True)
class ControlTest(SampleSize):
    """Hold the trained attention against `draws` control attentions (Adebayo et al. 2018)."""

    draws: int
    top_p: float
    control: ControlAttention
    branches: dict[str, BranchControl]


@dataclass(frozen=True)
class LoudnessLayer:
    """Hold the kept sites of one layer of the voice against the loud mel values.

    Attributes:
        kept_lift: mean loud coverage of the kept sites over that of the active ones; chance 1.
        attention_lift: the same, sites weighted with the attention.
        lift_over_map: kept sites over the whole map, which includes the choices of earlier layers.
        kept_sites: per chunk.
        kept_share: of the layer's whole map.
        kept_of_active: of the layer's active sites.
    """

    kept_lift: Estimate
    attention_lift: Estimate
    lift_over_map: Estimate
    kept_sites: Estimate
    kept_share: Estimate
    kept_of_active: Estimate


@dataclass(frozen=True)
class LoudnessLift(SampleSize):
    """Hold the loudness of the voice's kept sites; `loudest` is the share of the mel values that counts as loud."""

    top_p: float
    loudest: float
    layers: tuple[LoudnessLayer, ...]


@dataclass(frozen=True)
class Faithfulness:
    """Hold the results of all tests of one checkpoint on one split.

    Attributes:
        labels: emotions that checkpoint and corpus share.
        without_text: clips left out because they have no transcript.
        loudness: None without a voice branch.
        supervision: of the attention in training; None in older records.
    """

    split: str
    top_p: float
    labels: tuple[str, ...]
    seed: int
    without_text: int
    shuffled_text: ShuffledTexts
    neutral_text: NeutralTexts
    keep_only: KeepOnly
    order: SiteOrder
    sufficient_p: SufficientP
    control: ControlTest
    loudness: LoudnessLift | None
    supervision: Supervision | None = None

    @property
    def clips(self) -> int:
        """Return the clips of the largest test."""
        return self.shuffled_text.clips


def from_schema_1(data: dict[str, Json]) -> dict[str, Json]:
    """Return a record of schema 1 in today's form."""
    same = ("split", "top_p", "labels", "seed", "without_text")
    neutral, sufficient = members(data["neutral_text"]), members(data["sufficient_p"])
    clips = members(sufficient["per_clip"])
    return {
        **{name: data[name] for name in same},
        "shuffled_text": shuffled_from_schema_1(members(data["shuffled_text"])),
        "neutral_text": {"texts": "", "left_out": "", **neutral},
        "keep_only": _branches_inside(members(data["keep_only"])),
        "order": _branches_inside(members(data["order"])),
        "sufficient_p": {
            **{name: sufficient[name] for name in ("clips", "speakers", "grid", "same_as_all")},
            "quartiles": sufficient["sufficient"],
            "changes": sufficient["flips"],
            "per_clip": {"ids": clips["id"], "sufficient_p": clips["sufficient_p"], "changes": clips["flips"]},
        },
        "control": _control_from_schema_1(members(data["redrawn"])),
        "loudness": data["sound"],
    }


def shuffled_from_schema_1(section: dict[str, Json]) -> dict[str, Json]:
    """Return schema 1's shuffled texts, which had the branches beside the counts and the interval beside the cost."""

    def cost_inside(row: dict[str, Json]) -> Json:
        low, high = items(row.get("interval") or [None, None])
        cost: Json = {"value": row["cost"], "low": low, "high": high}
        return {"own": row["own"], "shuffled": row["shuffled"], "cost": cost}

    return _branches_inside(section, lambda b: {metric: cost_inside(members(row)) for metric, row in b.items()})


def _control_from_schema_1(section: dict[str, Json]) -> dict[str, Json]:
    def renamed(branch: dict[str, Json]) -> dict[str, Json]:
        accuracy = members(branch["accuracy"])
        return {**branch, "accuracy": {"own": accuracy["own"], "control": accuracy["redrawn"]}}

    return {**_branches_inside(section, renamed), "control": "moment_matched"}


def _branches_inside(
    section: dict[str, Json], upgrade: Callable[[dict[str, Json]], dict[str, Json]] = dict
) -> dict[str, Json]:
    """Return a section whose branches lie in a field of their own; branches without a measurement are left out."""
    names = ("visual", "acoustic")
    branches: dict[str, Json] = {name: upgrade(members(section[name])) for name in names if section.get(name)}
    return {**{name: value for name, value in section.items() if name not in names}, "branches": branches}
