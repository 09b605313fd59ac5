"""Estimates from planted attention, and the record from a checkpoint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mesm.analysis.attention_controls import control_attention
from mesm.analysis.predictor import Predictor
from mesm.analysis.supervision import supervision_of
from mesm.cli import main
from mesm.data import atlas
from mesm.data.corpora import open_corpus
from mesm.data.region_geometry import FIVE_POINTS
from mesm.errors import ConfigError, DataError
from mesm.models import build_model, load_checkpoint, save_checkpoint
from mesm.records.base import read_record
from mesm.records.checkpoint import CheckpointMetrics
from mesm.records.facs import KINDS, MAPS, ChanceEstimate, FacsStudy
from mesm.records.faithfulness import NeutralTexts
from mesm.records.supervision import Supervision
from mesm.runtime import assets
from mesm.statistics import Speakers
from mesm.studies.facs import estimates
from mesm.studies.facs.attention_maps import (
    AttentionMaps,
    Faces,
    LayerMaps,
    collect_attention_maps,
    coverage_on_grids,
)
from mesm.studies.facs.estimates import voice_agreement
from mesm.studies.facs.measure import facs
from mesm.studies.facs.tables import summary
from mesm.studies.facs.targets import missing_text_effect, targets
from mesm.studies.faithfulness.evaluation_clips import open_clips
from mesm.vocabulary import CORPUS_LABELS
from tests.analysis.small_model import CONFIG as PLAIN
from tests.figures.facs_records_made import estimate, facs_study

LABELS = CORPUS_LABELS["marionette"]
UNITS = {"anger": (4, 23), "happiness": (6, 12), "sadness": (1, 15), "surprise": (2, 26)}
CONFIG = replace(PLAIN, score="additive_bilinear")


def planted(frames: int = 96, *, follow: bool = True, seed: int = 0) -> AttentionMaps:
    """Faces of 8 speakers whose attention lies on the active units, or on the mouth whatever is shown."""
    rng = np.random.default_rng(seed)
    names = list(UNITS)
    which = rng.choice(4, frames, p=[0.1, 0.5, 0.2, 0.2])
    shown = np.array([[name == names[k] for name in LABELS] for k in which])
    active = np.zeros((frames, len(atlas.UNITS)), bool)
    for f, k in enumerate(which):
        active[f, [atlas.COLUMN[n] for n in UNITS[names[k]]]] = True
    points = FIVE_POINTS[None] * 15 + [24, 18] + rng.normal(0, 1.5, (frames, 1, 2))
    laid = (atlas.lay_by_points(points) * 255).astype(np.uint8)
    regions, head = laid[:, : atlas.OVAL], laid[:, atlas.OVAL]
    wanted = atlas.union(regions, active) if follow else regions[:, atlas.COLUMN[25]]
    layers = []
    for side in (24, 12, 6):
        empty = [LayerMaps(np.zeros(0), np.zeros(0), np.zeros(0), (side, side))]
        grid = coverage_on_grids(wanted, empty)[0]
        attention = grid + 0.05 * rng.random(grid.shape).astype(np.float32) + 0.02
        attention /= attention.sum(1, keepdims=True)
        kept = attention >= np.quantile(attention, 0.85, axis=1, keepdims=True)
        layers.append(LayerMaps(attention, kept, np.ones_like(kept), (side, side)))
    flat = [replace(x, attention=np.full_like(x.attention, 1 / x.kept.shape[1]), kept=x.active) for x in layers]
    speaker = np.array([f"s{f % 8}" for f in range(frames)])
    rows = np.arange(0, frames, 3)
    few = [LayerMaps(x.attention[rows], x.kept[rows], x.active[rows], x.side) for x in flat]
    faces = Faces(np.arange(frames) // 3, speaker, shown, active, regions, head, LABELS, 0)
    loud = np.zeros((16, 128, 32), bool)
    loud[:, :16] = True
    mel = np.full((16, 32, 8), 0.01, np.float32)
    mel[:, :4] = 1.0
    spoken = np.broadcast_to(np.arange(32) < 16, loud.shape)
    voice = [LayerMaps(mel.reshape(16, -1), mel.reshape(16, -1) > 0.5, np.ones((16, 256), bool), (32, 8))]
    maps = {"checkpoint": layers, "hard": flat, "random": flat}
    return AttentionMaps(faces, maps, [few, few], rows, dict.fromkeys(MAPS, voice), loud, spoken, speaker[:16])


def test_attention_that_follows_the_units_is_above_chance() -> None:
    study = planted()
    speakers = Speakers(study.faces.speaker, 200)
    active = estimates.active_agreement(study, speakers)
    assert active is not None
    for row in active["checkpoint", "kept"]:
        assert row.lift.low > 2 and row.lift.p < 0.05 and row.iou.value > row.iou_chance.value
        assert row.lift.value > row.lift_head.value > 1.2
        assert row.lift.value == pytest.approx(row.mass.value / row.area.value, rel=0.1)
    assert all(row.auc.value > 0.9 and row.iou is None for row in active["checkpoint", "attention"])
    for kind in KINDS:
        assert all(abs(row.lift.value - 1) < 1e-3 for row in active["hard", kind])


def test_layers_keep_their_order() -> None:
    """The first layer of the checkpoint's maps is uniform, the other two follow the units."""
    study = planted()
    own = study.maps["checkpoint"]
    uneven = replace(study, maps=study.maps | {"checkpoint": [study.maps["hard"][0], *own[1:]]})
    speakers = Speakers(study.faces.speaker, 50)
    agreement = estimates.agreements(uneven, speakers)["checkpoint"].kept
    assert agreement.active is not None and agreement.specificity is not None
    rows = (
        [layer.lift.value for layer in agreement.active],
        [e.value for e in agreement.specificity.own_over_other_units.pooled],
        [e.value for e in agreement.specificity.own_over_other_faces.by_emotion["happiness"]],
        [e.value for e in agreement.groups["happiness"]["AU 12/15"]],
        [layer.lift.value for layer in agreement.codebooks["emfacs"]["happiness"] or ()],
    )
    for first, *others in rows:
        assert first == pytest.approx(1, abs=0.15) and min(others) > 1.3


def test_own_regions_against_others() -> None:
    study = planted(240)
    table = estimates.specificity(study, Speakers(study.faces.speaker, 200))
    assert table is not None
    kept = table["checkpoint", "kept"]
    assert all(e.low > 1.25 for e in (*kept.own_over_other_units.pooled, *kept.own_over_other_faces.pooled))
    assert all(kept.own_over_other_units.by_emotion[name][0].low > 1 for name in UNITS)
    assert kept.own_over_other_units.by_emotion["fear"][0].value is None  # no frame shows it


def test_a_map_that_is_always_the_same_has_no_specificity() -> None:
    """Although the mouth is a unit of three of the four emotions, and one emotion is half of the frames."""
    study = planted(120, follow=False)
    table = estimates.specificity(study, Speakers(study.faces.speaker, 200))
    assert table is not None
    kept = table["checkpoint", "kept"]
    for contrast in (kept.own_over_other_units, kept.own_over_other_faces):
        assert all(e.value == pytest.approx(1, abs=0.12) for e in contrast.pooled)
    faces, units = kept.own_over_other_faces.by_emotion, kept.own_over_other_units.by_emotion
    assert all(faces[name][0].value == pytest.approx(1, abs=0.12) for name in UNITS)
    values = [units[name][0].value for name in UNITS]
    assert min(values) < 0.8 < 1.2 < max(values)  # the reason for two contrasts


def test_codebooks_and_groups_of_planted_attention() -> None:
    study = planted()
    speakers = Speakers(study.faces.speaker, 200)
    books = estimates.codebook_agreement(study, speakers)["checkpoint", "kept"]
    row = books["emfacs"]["happiness"]
    assert row is not None
    happy = row[0]
    assert happy.lift.value > 2 and happy.lift.q < 0.05 and happy.q_labels < 0.05
    assert happy.shuffled_labels < happy.lift.value and happy.centre_bias.value < happy.lift.value
    fear = books["emfacs"]["fear"]
    assert fear is not None and fear[0].lift == ChanceEstimate(None) and fear[0].q_labels is None
    groups = estimates.group_lifts(study, speakers)["checkpoint", "kept"]
    assert groups["happiness"]["AU 12/15"][0].value > 2 > 1 > groups["happiness"]["AU 2"][0].value
    assert groups["happiness"]["AU 12/15"][0].q < 0.05
    odd = replace(study, faces=replace(study.faces, emotions=("excited", *LABELS[1:])))
    assert estimates.codebook_agreement(odd, speakers)["hard", "kept"]["paper"]["excited"] is None


def test_labels_are_shuffled_over_clips_of_all_speakers() -> None:
    """Each speaker shows one emotion alone: within a speaker there is nothing to shuffle, over all clips there is."""
    study = planted()
    names = np.array([f"of {study.faces.shown[f].argmax()}" for f in range(len(study.faces.clip))])
    # A clip shows one emotion: its frames are those of its first.
    faces = replace(study.faces, speaker=names, clip=np.arange(len(names)))
    row = estimates.codebook_agreement(replace(study, faces=faces), Speakers(names, 100))["checkpoint", "kept"]
    happy = row["emfacs"]["happiness"]
    assert happy is not None and happy[0].p_labels < 0.05 and happy[0].shuffled_labels < happy[0].lift.value - 0.2


def test_without_known_units_only_codebooks_are_left() -> None:
    study = planted()
    bare = replace(study, faces=replace(study.faces, active=None))
    speakers = Speakers(study.faces.speaker, 50)
    assert estimates.active_agreement(bare, speakers) is None and estimates.specificity(bare, speakers) is None
    assert estimates.reinitialised_control(bare, speakers) is None
    kept = estimates.agreements(bare, speakers)["checkpoint"].kept
    assert kept.active is None and kept.specificity is None and kept.codebooks["paper"]["anger"] is not None


def test_the_control_of_flat_maps_is_one() -> None:
    study = planted()
    control = estimates.reinitialised_control(study, Speakers(study.faces.speaker, 200))
    assert control is not None and control.inits == 2 and control.frames == len(study.control_frames)
    assert all(e.low <= 1.001 and e.high >= 0.999 for e in control.crop) and len(control.each[0]) == 2


def test_loud_cells_of_the_voice() -> None:
    study = planted()
    names = np.array([f"s{i % 8}" for i in range(16)])
    voice = voice_agreement(replace(study, voice_speaker=names), 100)
    assert voice is not None
    row = voice.maps["checkpoint"].kept[0]
    assert row.lift.value == pytest.approx(8) and row.lift_spoken.value == pytest.approx(8) and row.auc is None
    assert row.speech.value == pytest.approx(1) and row.kept_sites.value == 32
    assert voice.maps["checkpoint"].attention[0].auc.value == 1
    assert voice_agreement(replace(study, voices={"checkpoint": []})) is None


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    torch.manual_seed(0)
    for name in ("mesm", "fe2e"):
        metrics = CheckpointMetrics(thresholds=(0.5,) * 6, trained_on="marionette")
        save_checkpoint(home / "checkpoints" / f"small-{name}", build_model(CONFIG.as_model(name)), metrics, "")
    return home


@pytest.fixture(scope="module")
def predictor(home: Path) -> Predictor:
    return Predictor(load_checkpoint(home / "checkpoints" / "small-mesm"), device="cpu")


def test_fresh_attention_comes_and_goes(predictor: Predictor) -> None:
    model = predictor.model
    before = {k: v.clone() for k, v in model.state_dict().items()}
    cnn = model.branches["visual"].cnn
    drawn = []
    for seed in (1, 1, 2):
        state = torch.random.get_rng_state()
        with pytest.raises(RuntimeError), control_attention(model, seed, gate="hard"):
            assert cnn.config.gate == "hard"
            drawn.append(cnn.attention[0].score.weight.clone())
            assert not cnn.attention[0].bilinear.weight.any()
            raise RuntimeError
        assert torch.equal(state, torch.random.get_rng_state())
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    assert cnn.config.gate == CONFIG.gate
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_supervision_is_read_from_the_training_settings() -> None:
    shares = (0.3, 0.1, 0.2)
    assert (
        supervision_of({"attention": {"weight": 0.0, "target_shares": shares}}) == supervision_of({}) == Supervision()
    )
    assert supervision_of({"attention": {"weight": 4.0, "target_shares": shares}}) == Supervision(True, True)
    assert supervision_of({"look": 4.0, "look_shares": shares}) == Supervision(True, True), "the oldest checkpoints"
    assert supervision_of({"attention": {"weight": 4.0, "target_shares": (0.3, 0.0, 0.2)}}) == Supervision(True, False)


@pytest.mark.parametrize(("lifts", "missing"), [((1.0, 1.02, 1.04), True), ((1.0, 1.0, 1.06), False), ((), False)])
def test_a_text_that_hardly_moves_the_masks_is_named(lifts: tuple[float, ...], missing: bool) -> None:
    study = facs_study()
    (source,) = study.neutral_text.sources
    sources = (replace(source, text_lift=tuple(estimate(v, 0) for v in lifts)),)
    sentence = missing_text_effect(replace(study, neutral_text=NeutralTexts("", sources)))
    assert (sentence is not None) == missing
    assert missing_text_effect(replace(study, neutral_text=NeutralTexts("", ()))) is None
    if missing:
        assert "1.00 / 1.02 / 1.04 times" in str(sentence)


def test_every_face_is_collected_once(predictor: Predictor) -> None:
    corpus = open_corpus(assets() / "marionette")
    clips = open_clips(predictor, corpus, "test", 0.5, 3)
    study = collect_attention_maps(clips, "truth", inits=2)
    samples = [corpus[row.clip_id] for row in clips.rows]
    frames = sum(int(s.face_found.sum()) for s in samples)
    assert len(study.faces.clip) == frames and study.faces.without_face == sum(len(s.faces) for s in samples) - frames
    sides = [layer.side for layer in study.maps["checkpoint"]]
    assert sides == [(24, 24), (12, 12), (6, 6)] and [x.side for x in study.voices["hard"]] == [
        (64, 16),
        (32, 8),
        (16, 4),
    ]
    for layers in study.maps.values():
        assert all(len(x.kept) == frames and np.allclose(x.attention.sum(1), 1, atol=1e-4) for x in layers)
        assert all((x.active | ~x.kept).all() for x in layers)
    first = predictor.run(predictor.prepare(samples[0]), 0.5).trace
    assert first is not None
    own = first.layers["visual"][0].kept[samples[0].face_found].reshape(-1, 576)
    assert (study.maps["checkpoint"][0].kept[: len(own)] == own).mean() > 0.99
    assert len(study.control) == 2 and len(study.control[0][0].kept) == len(study.control_frames) <= 3
    assert study.faces.active is not None and study.faces.active[study.control_frames].any(1).all()
    with pytest.raises(DataError, match="no face was found"):
        blind = open_clips(predictor, corpus, "test", 0.5, 1)
        found = corpus.read
        try:
            corpus.read = lambda c, full=True: replace(found(c, full=full), face_found=np.zeros(99, bool))  # type: ignore[method-assign]
            collect_attention_maps(blind, "points", inits=1)
        finally:
            corpus.read = found  # type: ignore[method-assign]


def test_the_command_writes_the_record(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MESM_HOME", str(home))
    arguments = [
        "small-mesm",
        "--corpus",
        str(assets() / "marionette"),
        "--clips",
        "12",
        "--inits",
        "2",
        "--people",
        "0",
    ]
    assert main(["facs", *arguments, "--codebook", "paper"]) == 0
    (path,) = (home / "records").glob("facs_small-mesm_*.json")
    record = read_record(path)
    printed, study = capsys.readouterr().out, record.data
    assert isinstance(study, FacsStudy) and "--codebook paper" in record.provenance.command
    assert record.provenance.corpus.name == "marionette" and "--inits 2 --people 0" in record.provenance.command
    assert "The paper's own words" in printed and "12 clips" in printed and len(targets(study)) >= 9
    assert study.counts.clips == 12 and study.regions == "truth" and set(study.maps) == set(MAPS)
    assert study.best_layer is not None and study.best_layer[0] in (1, 2, 3) and study.layers == 3
    kept = study.maps["checkpoint"].kept
    assert kept.active is not None and len(kept.active) == 3
    assert kept.groups["anger"].keys() == {group.name for group in study.groups}
    assert study.shuffled_text.branches["visual"].accuracy.cost.value is not None
    assert study.voice is not None and study.voice.chunks > 12
    assert summary(study) in printed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["small-fe2e", "--corpus", "marionette"], "has no attention to compare"),
        (["small-mesm", "--corpus", "marionette", "--clips", "0"], "--clips is 0"),
        (["small-mesm", "--corpus", "marionette", "--active-from", "2"], "active_from is 2.0"),
    ],
)
def test_what_cannot_be_done_is_said(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    monkeypatch.setenv("MESM_HOME", str(home))
    assert main(["facs", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_unknown_regions_are_refused(predictor: Predictor) -> None:
    with pytest.raises(ConfigError, match="regions is 'guessed'"):
        facs(predictor, open_corpus(assets() / "marionette"), regions="guessed")
