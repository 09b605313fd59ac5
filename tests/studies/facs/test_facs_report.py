"""From planted attention to tables, and from a checkpoint to the record."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mesm.analysis.attention_controls import control_attention
from mesm.analysis.predictor import Predictor
from mesm.cli import facs as command
from mesm.cli import main
from mesm.data.corpora import open_corpus
from mesm.errors import ConfigError, DataError
from mesm.models import build_model, load_checkpoint, save_checkpoint
from mesm.records.checkpoint import CheckpointMetrics
from mesm.records.legacy import read_record
from mesm.runtime import assets
from mesm.studies.facs import atlas
from mesm.studies.facs import estimates as tables
from mesm.studies.facs.attention_maps import MAPS, Faces, LayerMaps, Study, look, on_grids
from mesm.studies.facs.measure import best_layer_lift, taught
from mesm.studies.facs.region_geometry import FIVE_POINTS
from mesm.studies.facs.statistics import Speakers
from mesm.studies.facs.targets import targets, unsteered
from mesm.studies.facs.voice import voice_tables
from mesm.studies.faithfulness.evaluation_clips import open_clips
from mesm.vocabulary import CORPUS_LABELS
from tests.analysis.small_model import CONFIG as PLAIN

LABELS = CORPUS_LABELS["marionette"]
UNITS = {"anger": (4, 23), "happiness": (6, 12), "sadness": (1, 15), "surprise": (2, 26)}
CONFIG = replace(PLAIN, score="additive_bilinear")


def planted(frames: int = 96, *, follow: bool = True, seed: int = 0) -> Study:
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
        grid = on_grids(wanted, empty)[0]
        attention = grid + 0.05 * rng.random(grid.shape).astype(np.float32) + 0.02
        attention /= attention.sum(1, keepdims=True)
        kept = attention >= np.quantile(attention, 0.85, axis=1, keepdims=True)
        layers.append(LayerMaps(attention, kept, np.ones_like(kept), (side, side)))
    flat = [replace(x, attention=np.full_like(x.attention, 1 / x.kept.shape[1]), kept=x.active) for x in layers]
    speaker = np.array([f"s{f % 8}" for f in range(frames)])
    rows = np.arange(0, frames, 3)
    few = [LayerMaps(x.attention[rows], x.kept[rows], x.active[rows], x.side) for x in flat]
    faces = Faces(np.arange(frames) // 3, speaker, LABELS, shown, active, regions, head, 0)
    loud = np.zeros((16, 128, 32), bool)
    loud[:, :16] = True
    mel = np.full((16, 32, 8), 0.01, np.float32)
    mel[:, :4] = 1.0
    spoken = np.broadcast_to(np.arange(32) < 16, loud.shape)
    voice = [LayerMaps(mel.reshape(16, -1), mel.reshape(16, -1) > 0.5, np.ones((16, 256), bool), (32, 8))]
    maps = {"checkpoint": layers, "hard": flat, "random": flat}
    return Study(faces, maps, [few, few], rows, dict.fromkeys(MAPS, voice), loud, spoken, speaker[:16])


def test_attention_that_follows_the_units_is_found() -> None:
    study = planted()
    speakers = Speakers(study.faces.speaker, 200)
    active = tables.active_tables(study, speakers)
    assert active is not None
    for row in active["checkpoint"]["kept"]:
        assert row["lift"]["low"] > 2 and row["lift"]["p"] < 0.05 and row["iou"]["value"] > row["iou_chance"]["value"]
        assert row["lift"]["value"] > row["lift_head"]["value"] > 1.2
    assert all(row["auc"]["value"] > 0.9 for row in active["checkpoint"]["attention"])
    for kind in tables.KINDS:
        assert all(abs(row["lift"]["value"] - 1) < 1e-3 for row in active["hard"][kind])
    best = best_layer_lift(active["checkpoint"]["kept"])
    assert best is not None and best["value"] == max(r["lift"]["value"] for r in active["checkpoint"]["kept"])


def test_own_regions_against_others() -> None:
    table = tables.own_other_tables(planted(), Speakers(planted().faces.speaker, 200))
    assert table is not None
    found = table["checkpoint"]["kept"]
    assert all(e["low"] > 1.25 for e in (*found["layers"], *found["same_layers"]))
    assert all(found["by_emotion"][name][0]["value"] > 1 for name in UNITS)
    assert found["by_emotion"]["fear"][0]["value"] is None  # nobody shows it


def test_a_map_that_is_always_the_same_has_no_specificity() -> None:
    """Although the mouth is a unit of three of the four emotions, and one emotion is half of the frames."""
    study = planted(120, follow=False)
    table = tables.own_other_tables(study, Speakers(study.faces.speaker, 200))
    assert table is not None
    found = table["checkpoint"]["kept"]
    for way in ("layers", "same_layers"):
        assert all(e["value"] == pytest.approx(1, abs=0.12) for e in found[way])
    assert all(found["same_units"][name][0]["value"] == pytest.approx(1, abs=0.12) for name in UNITS)
    values = [found["by_emotion"][name][0]["value"] for name in UNITS]
    assert min(values) < 0.8 < 1.2 < max(values)  # which is why it is shown beside the others


def test_codebooks_and_groups_of_planted_attention() -> None:
    study = planted()
    speakers = Speakers(study.faces.speaker, 200)
    books = tables.codebook_tables(study, speakers)["checkpoint"]["kept"]
    happy = books["emfacs"]["happiness"][0]
    assert happy["lift"]["value"] > 2 and happy["lift"]["q"] < 0.05 and happy["lift"]["q_labels"] < 0.05
    assert happy["null_labels"] < happy["lift"]["value"] and happy["null_centre"]["value"] < happy["lift"]["value"]
    assert books["emfacs"]["fear"][0]["lift"] == {
        **dict.fromkeys(("value", "low", "high", "p", "p_labels", "q", "q_labels"), None)
    }
    groups = tables.group_tables(study, speakers)["checkpoint"]["kept"]
    assert groups["happiness"]["AU 12/15"][0]["value"] > 2 > 1 > groups["happiness"]["AU 2"][0]["value"]
    assert groups["happiness"]["AU 12/15"][0]["q"] < 0.05
    odd = replace(study, faces=replace(study.faces, emotions=("excited", *LABELS[1:])))
    assert tables.codebook_tables(odd, speakers)["hard"]["kept"]["paper"]["excited"] is None


def test_without_known_units_only_codebooks_are_left() -> None:
    study = planted()
    bare = replace(study, faces=replace(study.faces, active=None))
    speakers = Speakers(study.faces.speaker, 50)
    assert tables.active_tables(bare, speakers) is None and tables.own_other_tables(bare, speakers) is None
    assert tables.control_table(bare, speakers) is None and best_layer_lift(None) is None


def test_the_control_of_flat_maps_is_one() -> None:
    study = planted()
    found = tables.control_table(study, Speakers(study.faces.speaker, 200))
    assert found is not None and found["inits"] == 2 and found["frames"] == len(study.control_frames)
    assert all(e["low"] <= 1.001 and e["high"] >= 0.999 for e in found["crop"])


def test_loud_cells_of_the_voice() -> None:
    found = voice_tables(planted(), 100)
    assert found is not None
    row = found["maps"]["checkpoint"]["kept"][0]
    assert row["lift"]["value"] == pytest.approx(8) and row["lift_spoken"]["value"] == pytest.approx(8)
    assert row["speech"]["value"] == pytest.approx(1) and row["kept_sites"]["value"] == 32
    assert found["maps"]["checkpoint"]["attention"][0]["auc"]["value"] == 1
    assert voice_tables(replace(planted(), voices={"checkpoint": []})) is None


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


def test_a_record_says_what_the_attention_was_told() -> None:
    assert taught({"attention": {"weight": 0.0, "target_shares": (0.3, 0.1, 0.2)}}) == taught({}) == []
    both = taught({"attention": {"weight": 4.0, "target_shares": (0.3, 0.1, 0.2)}})
    assert len(both) == 2 and "was shown" in both[0] and "text's emotion" in both[1]
    assert taught({"attention": {"weight": 4.0, "target_shares": (0.3, 0.0, 0.2)}}) == both[:1]


@pytest.mark.parametrize(("lifts", "said"), [((1.0, 1.02, 1.04), True), ((1.0, 1.0, 1.06), False), ((), False)])
def test_words_that_hardly_move_the_masks_are_named(lifts: tuple[float, ...], said: bool) -> None:
    source = {"source": "rendered faces", "text_lift": [{"value": v, "low": v, "high": v} for v in lifts]}
    found = unsteered({"text_lift": [source]})
    assert (found is not None) == said and unsteered({"text_lift": []}) is None
    assert not said or "1.00 / 1.02 / 1.04 times" in str(found)


def test_looking_keeps_every_face_once(predictor: Predictor) -> None:
    corpus = open_corpus(assets() / "marionette")
    clips = open_clips(predictor, corpus, "test", 0.5, 3)
    study = look(clips, "truth", inits=2)
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
            look(blind, "points", inits=1)
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
    record = read_record(home / "records" / "facs_small-mesm.json")
    said, data = capsys.readouterr().out, record["data"]
    assert record["kind"] == "facs" and "--codebook paper" in record["provenance"]["command"]
    assert "The paper's own words" in said and "12 clips" in said and len(targets(data)) == len(data["targets"]) >= 9
    assert data["counts"]["clips"] == 12 and data["regions"] == "truth" and set(data["maps"]) == set(MAPS)
    assert data["best_layer_lift"]["layer"] in (1, 2, 3)
    kept = data["maps"]["checkpoint"]["kept"]
    assert set(kept) == {"active", "own_other", "groups", "codebooks"} and len(kept["active"]) == 3
    assert kept["groups"]["anger"].keys() == {g["name"] for g in data["groups"]}
    assert data["shuffled_text"]["visual"]["accuracy"]["cost"] is not None and data["voice"]["chunks"] > 12
    assert json.dumps(data, allow_nan=False) and command.text(data) in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["small-fe2e", "--corpus", "marionette"], "has no attention to look at"),
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
    from mesm.studies.facs.measure import facs

    with pytest.raises(ConfigError, match="regions is 'guessed'"):
        facs(predictor, open_corpus(assets() / "marionette"), regions="guessed")
