"""Hand-crafted features: columns, units, the store, other people's files."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mesm.batch import MEL_FLOOR, Sample
from mesm.data.features import FeatureSet, FeatureStore, write_features
from mesm.data.features.acoustic import (
    BARK_EDGES_HZ,
    DISVOICE_INDICES,
    _bark_weights,
    cepstra,
    disvoice_set,
    mel_features,
    mel_set,
)
from mesm.data.features.action_units import (
    OPENFACE_COLUMNS,
    PYFEAT_COLUMNS,
    read_action_units,
    rendered_action_units,
    rendered_set,
)
from mesm.data.features.authors import import_features
from mesm.data.features.extract import sample_features, write_acoustic, write_action_units, write_words
from mesm.data.features.words import file_vectors, split_words, word_features, word_set
from mesm.data.ingest.audio import mel_chunks, mel_filters
from mesm.data.loading import SplitLoader, collate
from mesm.data.store import Corpus, CorpusWriter
from mesm.errors import DataError
from mesm.runtime import assets


def quiet(*_: int) -> None:
    """No bar."""


def tone(hz: float, seconds: float = 1.0) -> Sample:
    wave = 0.5 * np.sin(2 * np.pi * hz * np.arange(int(16000 * seconds)) / 16000)
    return Sample("tone", "", np.zeros((0, 48, 48, 3), np.uint8), mel_chunks(wave.astype(np.float32)), seconds)


@pytest.fixture(scope="module")
def rendered() -> Sample:
    corpus = Corpus(assets() / "marionette")
    return corpus[corpus.ids()[0]]


def clip(name: str, split: str, text: str = "so glad you came") -> Sample:
    sample = replace(tone(300, 0.6), clip_id=name, text=text, split=split, labels={"anger": 1.0})
    return replace(sample, faces=np.zeros((2, 48, 48, 3), np.uint8), face_times_s=np.array([0, 0.5], np.float32),
                   face_boxes=np.zeros((2, 4), np.float32), face_found=np.ones(2, bool))  # fmt: skip


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    with CorpusWriter(tmp_path / "corpus", "made", ("anger",)) as writer:
        for i, split in enumerate(("train", "train", "valid", "test")):
            writer.add(clip(f"Ses01F_impro0{i}_F00{i}", split))
    return Corpus(tmp_path / "corpus")


def test_a_tone_lies_in_its_bark_band() -> None:
    for hz in (350, 1000, 3000):
        rows = mel_features(tone(hz))
        energies = rows[2:-2, :22].mean(0)
        band = int(np.digitize(hz, BARK_EDGES_HZ)) - 1
        assert energies.argmax() == band
        assert energies[band] - np.delete(energies, [band - 1, band, band + 1]).max() > 1.5


def test_bark_bands_share_out_every_mel_band() -> None:
    np.testing.assert_allclose(_bark_weights().sum(0), 1)


def test_cepstra_are_librosas() -> None:
    import librosa

    log_mel = np.random.default_rng(0).normal(size=(128, 7))
    np.testing.assert_allclose(cepstra(log_mel), librosa.feature.mfcc(S=log_mel, n_mfcc=13)[1:], atol=1e-10)


def test_rows_are_100_ms_of_sound_and_louder_is_louder() -> None:
    rows, kind = mel_features(tone(440, 1.25)), mel_set()
    assert rows.shape == (12, 70) == (12, len(kind.columns)) and kind.row_ms == 100
    quiet_rows = mel_features(replace(tone(440, 1.25), mel=tone(440, 1.25).mel - np.float16(2)))
    loud = kind.columns.index("loudness_mean")
    assert (rows[:, loud] - quiet_rows[:, loud]).mean() == pytest.approx(2, abs=0.1)
    assert mel_features(replace(tone(440), mel=np.zeros((0, 128, 32), np.float16))).shape == (0, 70)
    silent = mel_features(replace(tone(440), mel=np.full((3, 128, 32), np.log10(MEL_FLOOR), np.float16)))
    assert np.isfinite(silent).all() and not mel_filters().min() < 0


def test_the_papers_columns_have_names() -> None:
    kind = disvoice_set()
    assert len(kind.columns) == 142 == len(DISVOICE_INDICES)
    assert kind.columns[0] == "bbe01" and kind.columns[22] == "mfcc01" and kind.columns[34] == "vocalic_mean"
    assert kind.columns[-1] == "pause_min" and DISVOICE_INDICES[34] == 655 and DISVOICE_INDICES[-1] == 762


def test_rendered_units_are_the_known_ones_with_noise(rendered: Sample) -> None:
    assert rendered.truth is not None
    result = rendered_action_units(rendered)
    assert result.shape == (len(rendered.faces), 35) and np.array_equal(result, rendered_action_units(rendered))
    other = rendered_action_units(replace(rendered, clip_id="another"))
    assert not np.array_equal(result, other), "the noise belongs to the clip"
    corpus = Corpus(assets() / "marionette")
    measured, known = [], []
    for clip_id in corpus.ids()[:12]:
        sample = corpus[clip_id]
        assert sample.truth is not None
        measured.append(rendered_action_units(sample)[:, OPENFACE_COLUMNS.index("AU12_r")])
        known.append(5 * sample.truth.au_intensity[:, sample.truth.au_numbers.index(12)])
    assert 0.6 < np.corrcoef(np.concatenate(measured), np.concatenate(known))[0, 1] < 0.999
    with pytest.raises(DataError, match="--action-units"):
        rendered_action_units(replace(rendered, truth=None))


def test_openface_and_pyfeat_files(tmp_path: Path) -> None:
    head = ["frame", " success", *(f" {c}" for c in OPENFACE_COLUMNS)]
    lines = [head, ["0", "1", *(["0.5"] * 35)], ["1", "0", *(["9"] * 35)], ["2", "1", *(["1.5"] * 35)]]
    (tmp_path / "a.csv").write_text("\n".join(",".join(line) for line in lines))
    units = read_action_units(tmp_path / "a.csv")
    assert units.kind.source == "openface" and units.values[:, 0].tolist() == [0.5, 1.5] and units.without_face == 1
    lines = [["frame", *PYFEAT_COLUMNS], ["0", *(["0.25"] * 20)], ["1", *([""] * 20)]]
    (tmp_path / "b.csv").write_text("\n".join(",".join(line) for line in lines))
    units = read_action_units(tmp_path / "b.csv")
    assert units.kind.source == "pyfeat" and units.values.shape == (1, 20) and units.without_face == 1
    lines = [
        ["frame", *PYFEAT_COLUMNS],
        *([str(i), cell, *(["0.25"] * 19)] for i, cell in enumerate(["1", "inf", "1e300"])),
    ]
    (tmp_path / "b.csv").write_text("\n".join(",".join(line) for line in lines))
    units = read_action_units(tmp_path / "b.csv")
    assert units.values[:, 0].tolist() == [1] and units.without_face == 2, "what float32 cannot hold was not measured"
    (tmp_path / "c.csv").write_text("frame,AU01\n0,1\n")
    with pytest.raises(DataError, match="neither OpenFace's"):
        read_action_units(tmp_path / "c.csv")


@pytest.mark.parametrize(
    ("names", "rows", "series"),
    [
        ("frame,face_id", ["1,0", "1,1", "2,0", "2,1", "3,0", "3,1"], [0, 2, 4]),  # equal: the first
        ("frame,face_id", ["1,0", "1,1", "2,1", "3,1"], [1, 2, 3]),  # the one with the most frames
        ("frame,face_id,confidence", ["1,0,.7", "1,1,.9", "2,0,.7", "2,1,.9"], [1, 3]),  # equal: the most confident
        ("frame,face_id,confidence,x_0,x_1,y_0,y_1", ["1,0,.7,0,9,0,9", "1,1,.9,0,2,0,2"], [0]),  # equal: the largest
        ("frame", ["1", "2", "2", "3"], [0, 1, 3]),  # no names: one row a frame
        ("frame,FaceRectWidth,FaceRectHeight", ["1,5,5", "1,8,8", "2,8,8", "2,5,5"], [1, 2]),  # no names: by size
        ("Frame , Identity", ["1,Person_0", "1,Person_1", "2,Person_1"], [1, 2]),
        ("timestamp,face_id,success", ["0,0,1", "0,1,1", "1,0,0", "1,1,1", "2,0,0"], [1, 3]),  # a lost face is no frame
    ],
)
def test_one_face_of_several_makes_the_series(names: str, rows: list[str], series: list[int], tmp_path: Path) -> None:
    lines = [f"{row}," + ",".join([str(i / 8)] * 20) for i, row in enumerate(rows)]
    (tmp_path / "a.csv").write_text("\n".join([f"{names},{','.join(PYFEAT_COLUMNS)}", *lines]))
    units = read_action_units(tmp_path / "a.csv")
    assert (units.values[:, 0] * 8).tolist() == series
    assert units.other_faces == len(rows) - len(series)


def test_word_vectors_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text("3 2\nglad 1 2\n. . . 5 6\nanger 0.5 -1\nyou 3 4\n")
    read, source = file_vectors(path)
    result = read(["Glad", "you", "zebra", "anger"])
    assert result["Glad"].tolist() == [1, 2] and result["you"].tolist() == [3, 4] and "zebra" not in result
    kind = word_set(result, source)
    assert kind.emotions == {"anger": [0.5, -1.0]} and kind.source.startswith("vectors.txt (")
    rows, unknown = word_features("Glad, you zebra!", result, 2)
    assert rows.tolist() == [[1, 2], [3, 4], [0, 0]] and unknown == 1
    assert word_features("", result, 2)[0].shape == (0, 2)
    path.write_text("glad 1 2\nyou 3 x\n")
    with pytest.raises(DataError, match="line 2"):
        read(["you"])
    assert split_words("Don't — co-operate, 'now'!") == ["Don't", "co-operate", "now"]


def test_the_store_gives_back_what_was_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = {"a": rng.normal(3, 2, (4, 3)), "b": np.zeros((0, 3)), "c": rng.normal(3, 2, (7, 3))}
    kind = FeatureSet("acoustic", ("x", "y", "z"), ("", "Hz", "dB"), "test")
    write_features(tmp_path, kind, rows.items(), {"left_out": 2})
    store = FeatureStore(tmp_path, ["acoustic"])
    assert store.kinds == {"acoustic": kind} and store.notes == {"acoustic": {"left_out": 2}}
    for name, values in rows.items():
        result = store(replace(tone(100), clip_id=name))["acoustic"]
        np.testing.assert_allclose(result, values.astype(np.float32))
    mean, spread = store.statistics(["a", "b", "c"])["acoustic"]
    both = np.concatenate([rows["a"], rows["c"]])
    np.testing.assert_allclose(mean, both.mean(0), rtol=1e-5)
    np.testing.assert_allclose(spread, both.std(0), rtol=1e-4)
    with pytest.raises(DataError, match="no acoustic features; run mesm corpus features"):
        store(replace(tone(100), clip_id="d"))
    with pytest.raises(DataError, match="no text"):
        FeatureStore(tmp_path)
    with pytest.raises(DataError, match="2 bad values"):
        write_features(tmp_path, kind, [("a", np.array([[1, np.nan, np.inf]]))])
    assert FeatureStore(tmp_path, ["acoustic"]).kinds == {"acoustic": kind}, "the old ones stay"
    (tmp_path / "acoustic" / "values.f32").write_bytes(b"1234")
    with pytest.raises(DataError, match="not as long as in its index"):
        FeatureStore(tmp_path, ["acoustic"])


def test_features_of_a_corpus_reach_a_batch(corpus: Corpus, tmp_path: Path) -> None:
    units = tmp_path / "units"
    units.mkdir()
    lines = [PYFEAT_COLUMNS, *[("0.5",) * 20] * 3]
    (units / f"{corpus.ids()[0]}.csv").write_text("\n".join(",".join(line) for line in lines))
    (tmp_path / "v.txt").write_text("so 1 0 0\nglad 0 1 0\nyou 0 0 1\n")
    reader, source = file_vectors(tmp_path / "v.txt")
    folder = tmp_path / "features"
    write_words(corpus, folder, reader, source, quiet)
    write_acoustic(corpus, folder, quiet)
    write_action_units(corpus, folder, quiet, units)
    store = FeatureStore(folder)
    assert store.notes["visual"]["clips_without_csv"] == 3 and store.notes["text"] == {"words": 16, "unknown": 4}
    loader = SplitLoader(corpus, "train", ("anger",), batch_size=2, features=store)
    batch = next(loader.epoch(0))
    assert batch.features is not None and batch.labels is not None and len(batch.faces) == 0
    assert batch.features.counts["visual"].tolist() == [3, 0] and batch.features.counts["text"].tolist() == [4, 4]
    assert batch.features.values["acoustic"].shape == (12, 70) and bool(batch.has_text.all())
    alone = collate([corpus[corpus.ids()[1]]], ("anger",), features=store)
    assert alone.features is not None
    assert torch.equal(alone.features.values["acoustic"], batch.features.values["acoustic"][6:])
    with pytest.raises(DataError, match="for any clip"):
        write_action_units(corpus, folder, quiet, tmp_path)


def test_a_clip_without_a_store(rendered: Sample) -> None:
    kinds = {"visual": (rendered_set().source, 35), "acoustic": (mel_set().source, 70)}
    result = sample_features(rendered, kinds, lambda words: {})
    assert result["visual"].shape[1] == 35 and result["acoustic"].shape[1] == 70
    with pytest.raises(DataError, match="come from disvoice"):
        sample_features(rendered, {"acoustic": ("disvoice", 142)}, lambda words: {})


def test_the_authors_iemocap_files(corpus: Corpus, tmp_path: Path) -> None:
    place = tmp_path / "IEMOCAP_HCF_FEATURES"
    place.mkdir()
    names = dict(zip(("train", "valid", "test"), (corpus.ids()[:2], corpus.ids()[2:3], corpus.ids()[3:]), strict=True))
    for phase, ids in names.items():
        units = {f"image_{side}_{i}": [99.0] * 2 + [float(i)] * 35 for i in (0, 10, 2) for side in "LR"}
        voice = {"L": np.tile(np.arange(763.0)[:, None], 4), "R": np.zeros((763, 5))}
        files = {
            "text": {i: np.ones((3, 300)) for i in ids},
            "video": {i: {k: v for k, v in units.items() if "_R_" in k or i} for i in ids},
            "audio": dict.fromkeys(ids, voice),
        }
        for name, content in files.items():
            (place / f"{phase}_{name}_features.pt").write_bytes(pickle.dumps(content))
    import_features(corpus, place, tmp_path / "f")
    store = FeatureStore(tmp_path / "f")
    # Ses01F_..._F00x: the last letter of the session and the first of the suffix agree: the speaker is on the left.
    result = store(corpus[corpus.ids()[3]])
    assert result["visual"][:, 0].tolist() == [0, 2, 10] and result["visual"].shape == (3, 35)
    assert result["acoustic"].shape == (4, 142) and result["acoustic"][0].tolist() == [
        float(i) for i in DISVOICE_INDICES
    ]
    assert store.kinds["acoustic"] == disvoice_set() and result["text"].shape == (3, 300)


def test_the_authors_mosei_files(corpus: Corpus, tmp_path: Path) -> None:
    ids = np.array(corpus.ids())
    vision, audio, text = np.zeros((4, 9, 35)), np.full((4, 9, 74), -np.inf), np.zeros((4, 5, 300))
    vision[:, 3:, 0], text[:, :2] = 1, 1
    audio[:, :, 0] = 2
    for phase in ("train", "valid", "test"):
        content = {"id": ids, "vision": vision, "audio": audio, "text": text, "label": ids}
        (tmp_path / f"mosei_senti_hcf_{phase}.pkl").write_bytes(pickle.dumps(content, 4))
    import_features(corpus, tmp_path, tmp_path / "f")
    result = FeatureStore(tmp_path / "f")(corpus[str(ids[0])])
    assert (
        result["visual"].shape == (6, 35) and result["text"].shape == (2, 300) and result["acoustic"].shape == (9, 74)
    )
    assert result["acoustic"][0].tolist() == [2.0] + [0.0] * 73
    with pytest.raises(DataError, match="give that folder"):
        import_features(corpus, tmp_path / "f", tmp_path / "g")
