"""Traces as files: every array of the layout, the same numbers as the prediction, nothing of the person."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mesm.analysis.predictor import load
from mesm.cli import main
from mesm.data.store import Corpus
from mesm.errors import DataError
from mesm.figures.export import render
from mesm.models import build_model, save_checkpoint
from mesm.records.checkpoint import CheckpointMetrics
from mesm.studies.case.exports import export_case
from mesm.studies.case.mosaic import MosaicStyle, fit_window
from mesm.studies.case.trace_layout import LAYOUT
from mesm.studies.case.traces import CSV_COLUMNS, read_traces, trace_npz
from tests.analysis.small_model import CONFIG
from tests.figures.exhibit_records import made_prediction, made_sample
from tests.studies.case.test_exports import ORIGIN
from tests.training.corpora import tinted_corpus


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    tinted_corpus(home / "corpora" / "tinted", train=2, valid=2, test=6)
    for name in ("mesm", "fe2e"):
        torch.manual_seed(0)
        metrics = CheckpointMetrics(thresholds=(0.5,) * 6, trained_on="tinted")
        save_checkpoint(home / "checkpoints" / f"small-{name}", build_model(CONFIG.as_model(name)), metrics, "")
    return home


@pytest.fixture
def home(shared_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MESM_HOME", str(shared_home))
    return shared_home


def test_a_case_is_exported_as_arrays_and_as_lines() -> None:
    sample = made_sample()
    prediction = made_prediction(sample)
    export = export_case(sample, prediction, fit_window(sample.duration_s), MosaicStyle(), ORIGIN, "none")
    assert {"npz", "csv"} <= set(export.formats)
    npz = render(export, "npz")
    assert npz == render(export, "npz"), "the same bytes again"
    with np.load(io.BytesIO(npz)) as arrays:
        assert json.loads(str(arrays["provenance"]))["checkpoint"] == "made"
        assert arrays["clip_ids"].tolist() == [sample.clip_id] and arrays["labels"].tolist() == list(prediction.labels)
        for modality, layers in prediction.layers.items():
            assert arrays[f"00000/{modality}/times_s"].shape == (len(layers[0].kept),)
            for number, layer in enumerate(layers, 1):
                assert np.array_equal(arrays[f"00000/{modality}/L{number}/attention"], layer.attention)
                assert np.array_equal(arrays[f"00000/{modality}/L{number}/kept"], layer.kept)
                assert np.array_equal(arrays[f"00000/{modality}/L{number}/active"], layer.active)
        for modality, scores in prediction.modality_scores.items():
            np.testing.assert_allclose(arrays[f"00000/{modality}/scores"], scores, rtol=1e-6)
    lines = list(csv.DictReader(io.StringIO(render(export, "csv").decode())))
    assert tuple(lines[0]) == CSV_COLUMNS
    layers = [layer for of_one in prediction.layers.values() for layer in of_one]
    assert len(lines) == sum(int(layer.active.sum()) for layer in layers)
    assert sum(line["kept"] == "1" for line in lines) == sum(int((layer.kept & layer.active).sum()) for layer in layers)
    line = next(line for line in lines if (line["modality"], line["layer"], line["segment"]) == ("visual", "2", "1"))
    layer, place = prediction.layers["visual"][1], (1, int(line["y"]), int(line["x"]))
    assert float(line["attention"]) == pytest.approx(float(layer.attention[place]), rel=1e-6)
    assert float(line["time_s"]) == pytest.approx(float(sample.face_times_s[1]), abs=1e-3)


def test_the_traces_of_a_corpus(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "all.npz"
    assert (
        main(["traces", "small-mesm", "--corpus", "tinted", "--split", "test", "--top-p", "0.4", "--out", str(out)])
        == 0
    )
    assert "6 clips" in capsys.readouterr().out
    corpus, predictor = Corpus(home / "corpora" / "tinted"), load("small-mesm", "cpu")
    with np.load(out) as arrays:
        ids = arrays["clip_ids"].tolist()
        assert ids == list(corpus.ids("test")) and set(arrays["splits"]) == {"test"}
        assert json.loads(str(arrays["provenance"]))["top_p"] == 0.4
        for number in (0, 5):
            sample = corpus[ids[number]]
            prediction = predictor.run(predictor.prepare(sample), 0.4)
            assert np.array_equal(arrays["scores"][number], prediction.scores)
            truth = [(sample.labels or {})[label] for label in predictor.labels]
            assert arrays["truth"][number].tolist() == truth
            for modality, layers in prediction.layers.items():
                assert np.array_equal(arrays[f"{number:05d}/{modality}/L3/kept"], layers[2].kept)
        named = {name.partition("/")[2] or name for name in arrays.files}
        for name in sorted(named):
            last = name if name.endswith("padding") else name.replace("acoustic", "visual").replace("text", "visual")
            last = last.replace("L2", "L1").replace("L3", "L1")
            assert last in LAYOUT, f"{name} is in the file and not in its layout"
        assert not {"faces", "mel", "text", "words"} & {name.rpartition("/")[2] for name in arrays.files}


def test_filters_of_the_traces(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "some.npz"
    corpus = Corpus(home / "corpora" / "tinted")
    emotion = next(label for label in corpus.labels if any(label in row.present for row in corpus.index))
    assert main(["traces", "small-fe2e", "--corpus", "tinted", "--emotion", emotion, "--out", str(out)]) == 0
    with np.load(out) as arrays:
        assert arrays["clip_ids"].tolist() == [row.clip_id for row in corpus.index if emotion in row.present]
        assert "00000/visual/scores" in arrays and "00000/visual/L1/kept" not in arrays
    assert (
        main(["traces", "small-mesm", "--corpus", "tinted", "--clip", "test03", "--clip=test01", "--out", str(out)])
        == 0
    )
    with np.load(out) as arrays:
        assert arrays["clip_ids"].tolist() == ["test03", "test01"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--emotion", "joyful"], "'joyful' is no label of corpus 'tinted'"),
        (["--split", "dev"], "no clip of corpus 'tinted' passes"),
        (["--out", "traces.zarr"], "must end in .npz"),
        (["--top-p", "1.5"], "top_p"),
    ],
)
def test_bad_options_are_one_sentence_and_write_nothing(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    out = ["--out", str(tmp_path / "x.npz")]
    assert main(["traces", "small-mesm", "--corpus", "tinted", *out, *options]) == 2
    assert sentence in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_stopped_run_leaves_the_earlier_file(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "x.npz"
    out.write_bytes(b"earlier")
    read = Corpus.read

    def stop(self: Corpus, clip_id: str, *, full: bool = True) -> object:
        if clip_id == "test04":
            raise KeyboardInterrupt
        return read(self, clip_id, full=full)

    monkeypatch.setattr(Corpus, "read", stop)
    assert main(["traces", "small-mesm", "--corpus", "tinted", "--split", "test", "--out", str(out)]) == 130
    assert out.read_bytes() == b"earlier" and [path.name for path in tmp_path.iterdir()] == ["x.npz"]


@pytest.mark.parametrize("top_p", [0.4, None])
def test_a_trace_file_is_read_again_as_it_was_written(tmp_path: Path, top_p: float | None) -> None:
    sample = made_sample()
    made = replace(made_prediction(sample), flags=("no_audio",), macs={"conv_stack": 12, "text_encoder": 2**40})
    if top_p is None:
        made = replace(made, trace=None)
    path = tmp_path / "traces.npz"
    path.write_bytes(trace_npz(sample, made, {"checkpoint": "made", "top_p": top_p and made.top_p}))
    origin, predictions = read_traces(path)
    again = predictions[sample.clip_id]
    assert origin["checkpoint"] == "made" and list(predictions) == [sample.clip_id]
    assert (again.labels, again.flags, again.macs, again.top_p) == (made.labels, made.flags, made.macs, made.top_p)
    assert again.fusion_weights == made.fusion_weights
    np.testing.assert_array_equal(again.scores, np.float32(made.scores))
    for modality, layers in made.layers.items():
        for layer, read in zip(layers, again.layers[modality], strict=True):
            for name in ("attention", "kept", "active"):
                np.testing.assert_array_equal(getattr(read, name), getattr(layer, name))
            assert read.counts == layer.counts


def test_no_trace_file_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "traces.npz"
    np.savez(path, scores=np.zeros(3))
    for content in (path.read_bytes(), b"", b"PK\x03\x04 cut"):
        path.write_bytes(content)
        with pytest.raises(DataError, match="is no file of traces"):
            read_traces(path)
