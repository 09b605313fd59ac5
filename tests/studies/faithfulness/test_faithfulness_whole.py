"""The records of faithfulness and canonical maps, made whole on a small corpus whose truth is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mesm.analysis.predictor import Predictor
from mesm.batch import Sample, Truth
from mesm.cli import main
from mesm.data import atlas
from mesm.data.store import Corpus, CorpusWriter
from mesm.errors import ConfigError
from mesm.json_form import from_json, to_json
from mesm.models import build_model, load_checkpoint, save_checkpoint
from mesm.records.base import read_record
from mesm.records.canonical import unpack
from mesm.records.checkpoint import CheckpointMetrics
from mesm.records.faithfulness import Faithfulness
from mesm.studies.facs.canonical import SIZE, canonical_faces, difference, template_points, warp
from mesm.studies.faithfulness.evaluation_clips import open_clips
from mesm.studies.faithfulness.measure import SampleSizes, measure_faithfulness
from mesm.studies.faithfulness.sites import deletion_insertion, keep_only
from mesm.vocabulary import CORPUS_LABELS
from tests.analysis.small_model import CONFIG

LABELS = CORPUS_LABELS["marionette"]
POINTS = np.array([[16, 18], [32, 18], [24, 27], [18, 36], [30, 36]], np.float32)
SMALL = SampleSizes(
    shuffles=2, rendered_people=0, order=2, keep_only=4, sufficient=3, control=3, control_draws=2, loudness=4
)
CLIPS = 16


def make_clip(number: int) -> Sample:
    """Emotion by number; every fourth clip's face shows none; the words name the clip's emotion."""
    rng = np.random.default_rng(number)
    emotion, shown = LABELS[number % 6], number % 4 != 0
    intensity = np.full((2, 18), 0.5 if shown else 0.0, np.float32)
    units = (1, 2, 4, 5, 6, 7, 9, 10, 12, 15, 16, 17, 20, 23, 24, 25, 26, 45)
    truth = Truth(
        units, intensity, intensity, (atlas.lay_by_points(np.stack([POINTS] * 2))[:, : len(units)] * 255).astype(np.uint8),
        np.full((2, 48, 48), 255, np.uint8), np.zeros((2, 68, 2), np.float32), np.zeros((2, 3), np.float32),
        {"text": True, "visual": shown, "acoustic": False},
        {"text": {emotion: 1.0}, "visual": {emotion: 1.0} if shown else {}, "acoustic": {}},
    )  # fmt: skip
    return Sample(
        f"clip{number:02d}",
        f"line {number} of {emotion}",
        rng.integers(0, 256, (2, 48, 48, 3), dtype=np.uint8),
        rng.normal(-3, 1, (0 if number == 5 else 3, 128, 32)).astype(np.float16),
        1.0,
        face_times_s=np.array([0, 0.5], np.float32),
        face_boxes=np.zeros((2, 4), np.float32),
        face_points=np.stack([POINTS, POINTS + 1]),
        face_found=np.array([True, number != 3]),
        labels={name: float(name == emotion) for name in LABELS},
        speaker=f"s{number % 5}",
        split="test",
        truth=truth,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    with CorpusWriter(home / "corpora" / "small", "small", LABELS, capabilities=("action_units", "regions")) as writer:
        for number in range(CLIPS):
            writer.add(make_clip(number))
    for name in ("mesm", "fe2e"):
        torch.manual_seed(0)
        config = CONFIG.as_model(name)
        save_checkpoint(home / "checkpoints" / name, build_model(config), CheckpointMetrics(thresholds=(0.5,) * 6), "")
    return home


@pytest.fixture(scope="module")
def predictor(home: Path) -> Predictor:
    return Predictor(load_checkpoint(home / "checkpoints" / "mesm"), device="cpu")


def test_the_faithfulness_record_has_every_section(home: Path, predictor: Predictor) -> None:
    before = {name: value.clone() for name, value in predictor.model.state_dict().items()}
    record = measure_faithfulness(predictor, Corpus(home / "corpora" / "small"), sizes=SMALL)
    assert from_json(Faithfulness, json.loads(json.dumps(to_json(record), allow_nan=False))) == record
    assert record.shuffled_text.clips == CLIPS and record.order.clips == 2
    (source,) = record.neutral_text.sources
    assert source.people == 4 and source.faces == 8  # clips 0, 4, 8 and 12, two faces each
    assert source.text_lift is not None and len(source.text_lift) == 3
    assert source.auc.value is not None and 0 <= source.auc.value <= 1
    only = record.keep_only.branches["visual"]
    assert only.random.share == pytest.approx(only.least.share) and only.nucleus.share < only.complement.share
    curves = record.order.branches["visual"]["all"].curves
    assert curves.attention[-1] == curves.random[-1] == curves.reverse[-1]
    assert set(record.sufficient_p.per_clip.sufficient_p) <= set(record.sufficient_p.grid)
    assert record.loudness is not None and len(record.loudness.layers) == 3
    iou = record.control.branches["visual"].layers[0].iou
    assert iou.value is not None and iou.value < 1 and iou.low is None  # five speakers
    assert all(torch.equal(before[name], value) for name, value in predictor.model.state_dict().items())


def test_the_followed_label_is_the_one_at_the_models_own_p(home: Path, tmp_path: Path) -> None:
    """Under the hard gate the nucleus alone gives the free model's scores, so its first label is the followed one."""
    torch.manual_seed(2)
    model = build_model(replace(CONFIG, gate="hard", top_p=0.2)).eval()
    hard = Predictor(load_checkpoint(save_checkpoint(tmp_path / "hard", model, CheckpointMetrics(), "")), device="cpu")
    clips = open_clips(hard, Corpus(home / "corpora" / "small"), "test", 0.2)
    only, order = keep_only(clips), deletion_insertion(clips, shares=(0.3,))
    assert only.label_at == order.label_at == 0.2
    for sets in only.branches.values():
        assert sets.nucleus.same.value == 1.0
        gain = sets.nucleus.accuracy.value - sets.random.accuracy.value
        assert sets.accuracy_gain is not None and sets.accuracy_gain.value == pytest.approx(gain, abs=0.02)


def test_the_canonical_record_has_every_map(home: Path, predictor: Predictor) -> None:
    data = canonical_faces(predictor, Corpus(home / "corpora" / "small"), against=predictor)
    json.dumps(to_json(data), allow_nan=False)
    assert data.without_face == 1 and data.frames == 2 * CLIPS - 1
    assert set(data.maps) == {"checkpoint", "random", predictor.name}
    kept = unpack(data.maps["checkpoint"].kept["all"][0])
    assert (
        kept.shape == (SIZE, SIZE) and np.nanmin(kept) >= 0 and np.nanmax(kept) <= 1 and np.isfinite(kept).mean() > 0.5
    )
    attention = unpack(data.maps["checkpoint"].attention["all"][0])
    assert np.nanmean(attention) == pytest.approx(1, abs=0.3)
    same = [d for d in data.differences[predictor.name]["anger"] if d is not None]
    assert all(np.nansum(np.abs(unpack(d.map))) == 0 and "1" not in "".join(d.significant) for d in same)
    with pytest.raises(ConfigError, match="no attention"):
        canonical_faces(
            Predictor(load_checkpoint(home / "checkpoints" / "fe2e"), device="cpu"), Corpus(home / "corpora" / "small")
        )


def test_a_warped_map_lies_where_the_atlas_says() -> None:
    coverage = atlas.lay_by_points(POINTS[None])[:, atlas.COLUMN[25]]
    seen = warp(coverage, POINTS[None])[0]
    x, y = template_points()[..., 0], template_points()[..., 1]
    truth = np.any([atlas.inside(p, x, y) for p in atlas.outline(25)], axis=0)
    known = np.isfinite(seen)
    assert ((seen[known] > 0.5) == truth[known]).mean() > 0.95
    assert np.isnan(warp(coverage, np.full((1, 5, 2), np.nan))).all()


def test_a_difference_is_found_where_it_is_and_nowhere_else() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 0.1, (2, 20, 6, 6))
    first[:, 2, 3] += 1
    found = difference(first, second)
    assert found is not None and found.speakers == 20
    assert found.significant[2][3] == "1" and sum(row.count("1") for row in found.significant) <= 3
    first[5:] = np.nan
    assert difference(first[:2], second[:2]) is None


def test_the_commands_write_their_records(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MESM_HOME", str(home))
    assert main(["canonical", "mesm", "--corpus", "small", "--clips", "6"]) == 0
    record = read_record(capsys.readouterr().out.strip().splitlines()[-1])
    assert record.kind == "canonical" and record.data.clips == 6
    assert main(["faithfulness", "fe2e", "--corpus", "small"]) == 2
    assert "no attention" in capsys.readouterr().err
    assert main(["faithfulness", "mesm", "--corpus", "small", "--clips", "0"]) == 2
