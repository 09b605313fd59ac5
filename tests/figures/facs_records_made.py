"""Make small records of the FACS kinds from their classes, with numbers that a test can tell apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from mesm.estimate import Estimate
from mesm.records.base import CorpusId, Record, new_provenance, write_record
from mesm.records.canonical import ALL, CanonicalFaces, CanonicalMaps, EmotionFrames, MapDifference
from mesm.records.facs import (
    MAPS,
    Agreement,
    AttentionAgreement,
    ChanceEstimate,
    CodebookAgreement,
    Contrast,
    EmotionCounts,
    FacsCounts,
    FacsStudy,
    RegionGroup,
    ReinitialisedControl,
    SiteAgreement,
    Specificity,
    Supervision,
    VoiceAgreement,
    VoiceLayers,
    VoiceStudy,
)
from mesm.records.faithfulness import (
    PRUNED_LAYERS,
    BranchControl,
    BranchKeepOnly,
    BranchShuffleCost,
    ClipSufficientP,
    ControlLayer,
    ControlTest,
    DeletionInsertion,
    Faithfulness,
    KeepOnly,
    LoudnessLayer,
    LoudnessLift,
    NeutralTexts,
    OwnAndControl,
    ShuffleCost,
    ShuffledTexts,
    SiteCurves,
    SiteOrder,
    SiteSetScores,
    SufficientP,
    TextOnNeutral,
)
from mesm.studies.facs.codebooks import CODEBOOKS
from mesm.vocabulary import CORPUS_LABELS

T = TypeVar("T")
LABELS = CORPUS_LABELS["marionette"]
GROUPS = {"AU 1": (1,), "AU 2": (2,), "AU 4": (4,), "AU 5": (5,), "AU 9": (9,), "AU 10": (10,), "AU 12/15": (12, 15),
          "AU 17/26": (17, 26), "AU 20": (20,), "AU 23/24/25": (23, 24, 25), "AU 45": (45,)}  # fmt: skip
LAYERS = 3


def estimate(value: float | None, spread: float = 0.1) -> Estimate:
    """Return an estimate with an interval of `spread` to both sides."""
    if value is None:
        return Estimate(None)
    return Estimate(value, round(value - spread, 4), round(value + spread, 4))


def chance_estimate(value: float | None, spread: float = 0.1) -> ChanceEstimate:
    """Return an estimate that is significant where it is not 1."""
    q = None if value is None else 0.001 if abs(value - 1) > 0.1 else 0.6
    return ChanceEstimate(**vars(estimate(value, spread)), p=q, q=q)


def _agreement(lift: float | None) -> Agreement:
    half = estimate(0.5)
    return Agreement(chance_estimate(lift), estimate(lift), estimate(lift and 0.9 * lift), half, half, half)


def _codebook_agreement(lift: float | None) -> CodebookAgreement:
    bias = estimate(lift and 0.8 * lift)
    return CodebookAgreement(
        **vars(_agreement(lift)), centre_bias=bias, shuffled_labels=lift and 0.95 * lift, p_labels=0.2, q_labels=0.3
    )


def _sites(lift: float, *, unmeasured: tuple[str, ...]) -> SiteAgreement:
    def layers(emotion: str) -> tuple[ChanceEstimate, ...]:
        return (chance_estimate(None if emotion in unmeasured else lift),) * LAYERS

    contrast = Contrast((estimate(lift / 2),) * LAYERS, {label: (estimate(lift / 2),) * LAYERS for label in LABELS})
    return SiteAgreement(
        (_agreement(lift),) * LAYERS,
        Specificity(contrast, contrast),
        {label: dict.fromkeys(GROUPS, layers(label)) for label in LABELS},
        {
            name: {
                label: (_codebook_agreement(None if label in unmeasured else lift),) * LAYERS
                if label in book.units
                else None
                for label in LABELS
            }
            for name, book in CODEBOOKS.items()
        },
    )


def _attention(lift: float, unmeasured: tuple[str, ...] = ()) -> AttentionAgreement:
    sites = _sites(lift, unmeasured=unmeasured)
    return AttentionAgreement(sites, sites)


def facs_study() -> FacsStudy:
    """Return a checkpoint at twice chance, both controls at chance; nothing measured of fear."""
    voice = VoiceAgreement(estimate(2.0), estimate(1.5), estimate(1.8), estimate(1.1))
    return FacsStudy(
        split="test",
        top_p=0.5,
        regions="truth",
        units_from="truth",
        active_from=0.2,
        emotions=LABELS,
        supervision=Supervision(regions=True, text_regions=True),
        codebook="emfacs",
        codebooks=dict(CODEBOOKS),
        groups=tuple(RegionGroup(name, units) for name, units in GROUPS.items()),
        counts=FacsCounts(30, 0, 3, 94, 4, 90, 80, {label: EmotionCounts(15, 5, 3) for label in LABELS}),
        maps={
            "checkpoint": _attention(2.0, ("fear",)),
            "hard": _attention(1.0),
            "random": _attention(1.0),
        },
        control=ReinitialisedControl(
            2, 30, (estimate(1.0),) * LAYERS, (estimate(1.0),) * LAYERS, ((0.9, 1.1),) * LAYERS
        ),
        voice=VoiceStudy(60, dict.fromkeys(MAPS, VoiceLayers((voice,) * LAYERS, (voice,) * LAYERS))),
        neutral_text=NeutralTexts(
            "texts that name the emotion",
            (
                TextOnNeutral(
                    "rendered faces",
                    30,
                    3,
                    estimate(0.52, 0.01),
                    dict.fromkeys(LABELS, 0.52),
                    estimate(0.51, 0.01),
                    (estimate(1.0, 0.01),) * LAYERS,
                ),
            ),
        ),
        shuffled_text=ShuffledTexts(
            30, 3, 3, {"visual": BranchShuffleCost(*[ShuffleCost(60.0, 59.0, Estimate(1.0, 0.2, 1.8))] * 3)}
        ),
    )


def without_active_units(study: FacsStudy) -> FacsStudy:
    """Return the study of faces whose active units are not known."""

    def bare(sites: SiteAgreement) -> SiteAgreement:
        return replace(sites, active=None, specificity=None)

    maps = {name: AttentionAgreement(bare(a.kept), bare(a.attention)) for name, a in study.maps.items()}
    return replace(study, units_from=None, maps=maps, control=None)


def canonical_faces(size: int = 4) -> CanonicalFaces:
    """Return maps of `size` cells: kept 0.5 but for one unseen corner; one significant cell in the difference to others."""
    kept = (" ".join(["-", *["50"] * (size - 1)]), *[" ".join(["50"] * size)] * (size - 1))
    map_ = (" ".join(["-", *["0"] * (size - 1)]), *[" ".join(["25"] + ["-10"] * (size - 1))] * (size - 1))
    mask = ("0" * size, "1" + "0" * (size - 1), *["0" * size] * (size - 2))
    some = (MapDifference(map_, mask, 3),) * LAYERS
    maps = dict.fromkeys((ALL, *LABELS), (kept,) * LAYERS)
    return CanonicalFaces(
        split="test",
        top_p=0.5,
        labels=LABELS,
        layers=LAYERS,
        clips=30,
        speakers=3,
        frames=90,
        without_face=4,
        emotion_from="the clip's labels",
        window=(-1.4, 1.4, -1.05, 1.75),
        outline={"face": (((0.0, -1.0), (1.0, 0.0), (0.0, 1.7), (-1.0, 0.0), (0.0, -1.0)),),
                 "mouth": (((-0.4, 1.1), (0.4, 1.1)),)},
        draws=2000,
        alpha=0.05,
        maps={name: CanonicalMaps(maps, maps) for name in ("checkpoint", "random")},
        frames_per_emotion={label: EmotionFrames(15, 3) for label in LABELS},
        differences={"others": dict.fromkeys(LABELS, some), "wrong": dict.fromkeys(LABELS, (None,) * LAYERS),
                     "random": dict.fromkeys(LABELS, some)},
    )  # fmt: skip


def record_of(
    kind: str, data: Any, checkpoint: str = "tiny-mesm", corpus: str = "noise", sha256: str = ""
) -> Record[Any]:
    """Return the record of a study."""
    command = f"mesm {kind} {checkpoint} --corpus {corpus}"
    return Record(kind, new_provenance(CorpusId(corpus), checkpoint, (sha256,) if sha256 else (), command), data)


def write_records(folder: Path, checkpoint: str, corpus: str, sha256: str) -> None:
    """Write the records of the FACS page into a folder."""
    studies = {"facs": facs_study(), "faithfulness": faithfulness_record(), "canonical": canonical_faces()}
    for kind, data in studies.items():
        write_record(folder, record_of(kind, data, checkpoint, corpus, sha256))


def faithfulness_record() -> Faithfulness:
    """Every faithfulness test with both branches, in numbers that a test can tell apart."""

    e = estimate

    def both(measurement: T) -> dict[str, T]:
        return {"visual": measurement, "acoustic": measurement}

    sets = SiteSetScores(0.4, e(0.6), e(0.9), e(70.0))
    areas = DeletionInsertion(
        SiteCurves((0.3, 0.6), (0.2, 0.6), (0.25, 0.6)), 0.45, 0.4, 0.42, e(0.03, 0.01), e(0.02, 0.01)
    )
    control = BranchControl(
        (ControlLayer(e(0.1), e(0.1), e(0.1), e(0.1)),) * 3, e(0.2), e(0.3), OwnAndControl(e(70), e(40))
    )
    neutral = TextOnNeutral(
        "clips of this split whose face shows no emotion", 30, 3, e(0.531, 0.02), dict.fromkeys(LABELS, 0.5), e(0.5),
        (e(1.06, 0.02),) * 3,
    )  # fmt: skip
    cost = ShuffleCost(60.0, 58.5, Estimate(1.5))
    branch_cost = BranchShuffleCost(ShuffleCost(60.0, 58.5, e(1.5, 1.0)), cost, cost)
    layers = tuple(
        LoudnessLayer(e(lift), e(lift), e(lift), e(40.0), e(share, 0.01), e(share, 0.01))
        for lift, share in ((1.5, 0.45), (1.2, 0.30), (1.0, 0.20))
    )
    ids = ClipSufficientP(("a", "b"), (0.5, 1.0), ((0.5,), ()))
    return Faithfulness(
        split="test",
        top_p=0.5,
        labels=LABELS,
        seed=0,
        without_text=0,
        shuffled_text=ShuffledTexts(20, 3, 5, both(branch_cost)),
        neutral_text=NeutralTexts("texts that name the emotion", (neutral,)),
        keep_only=KeepOnly(20, 3, 3, 0.5, both(BranchKeepOnly(sets, sets, sets, sets, e(0.05, 0.02)))),
        order=SiteOrder(20, 3, (0.5, 1.0), both(dict.fromkeys(PRUNED_LAYERS, areas))),
        sufficient_p=SufficientP(20, 3, (0.5, 1.0), (e(0.9), e(1.0)), (0.3, 0.5, 0.8), e(1.2), ids),
        control=ControlTest(20, 3, 5, 0.5, "moment_matched", both(control)),
        loudness=LoudnessLift(20, 3, 0.5, 0.1, layers),
    )
