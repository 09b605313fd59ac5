"""Releases of one modality: sounds, pictures and sentences are stored, not quarantined for what they lack."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mesm.data.importers import find_release
from mesm.data.importers.emotion_names import emotion_name
from mesm.data.importers.engine import import_release
from mesm.data.store import Corpus
from mesm.errors import DataError


def tone(path: Path, seconds: float = 1.0, volume: float = 0.3) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    wave_form = volume * np.sin(np.arange(int(16_000 * seconds)) * 0.2)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((wave_form * 32_000).astype("<i2").tobytes())


def picture(seed: int, size: tuple[int, int] = (48, 48)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (*size, 3), np.uint8))


def stored(importer: str, source: Path, out: Path) -> Corpus:
    release = find_release(importer, source)
    import_release(release, source, out, workers=0, progress=False)
    return Corpus(out)


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("Happy", "happiness"),
        ("3_fear", "fear"),
        ("pleasant_surprise", "surprise"),
        ("01-angry", "anger"),
        ("calm", ""),
    ],
)
def test_names_of_emotions(word: str, name: str) -> None:
    assert emotion_name(word) == name


def test_a_folder_of_sounds(tmp_path: Path) -> None:
    for split, label in (("train", "Angry"), ("train", "sad"), ("dev", "joy")):
        tone(tmp_path / "in" / split / label / "take 1.wav")
    (tmp_path / "in/train/Angry/take 1.txt").write_text("Go away.")
    tone(tmp_path / "in/train/bored/x.wav")
    corpus = stored("voices", tmp_path / "in", tmp_path / "out")
    assert corpus.labels == ("anger", "happiness", "sadness")
    assert corpus.manifest.splits == {"train": 2, "valid": 1}
    clip = corpus["train_Angry_take 1"]
    assert clip.text == "Go away." and clip.labels == {"anger": 1.0, "happiness": 0.0, "sadness": 0.0}
    assert len(clip.faces) == 0 and len(clip.mel) == 3 and clip.duration_s == pytest.approx(1)
    quarantined = (tmp_path / "out/quarantine.jsonl").read_text()
    assert "label_not_used" in quarantined and "bored" in quarantined and quarantined.count("\n") == 1


@pytest.mark.parametrize(
    ("files", "speaker", "label", "text"),
    [
        (["03a01Fa", "08b02Wc", "10a07Ad"], "03", "happiness", ""),
        (["OAF_back_angry", "YAF_bar_ps"], "OAF", "anger", "Say the word back"),
        (["DC_su03", "KL_a01"], "DC", "surprise", ""),
    ],
)
def test_known_file_names(tmp_path: Path, files: list[str], speaker: str, label: str, text: str) -> None:
    for name in files:
        tone(tmp_path / "in" / f"{name}.wav", 0.5)
    release = find_release("voices", tmp_path / "in")
    first = release.utterances[0]
    assert (first.speaker, first.text) == (speaker, text) and first.labels is not None and first.labels[label] == 1
    assert release.splits == "speaker" and all(u.problem is None for u in release.utterances)


def test_the_sound_only_release_of_ravdess_is_stored(tmp_path: Path) -> None:
    for actor in ("01", "02", "03"):
        tone(tmp_path / f"in/Actor_{actor}/03-01-05-02-01-01-{actor}.wav")
        tone(tmp_path / f"in/Actor_{actor}/03-01-02-01-01-01-{actor}.wav")
    corpus = stored("ravdess", tmp_path / "in", tmp_path / "out")
    assert corpus.ids() == tuple(f"03-01-05-02-01-01-{actor}" for actor in ("01", "02", "03"))
    clip = corpus["03-01-05-02-01-01-02"]
    assert clip.text == "Kids are talking by the door" and clip.labels is not None and clip.labels["anger"] == 2
    assert len(clip.mel) == 3 and not len(clip.faces)


def test_beside_full_takes_the_sounds_are_copies(tmp_path: Path) -> None:
    tone(tmp_path / "in/Actor_01/03-01-05-02-01-01-01.wav")
    (tmp_path / "in/Actor_01/01-01-05-02-01-01-01.mp4").write_bytes(b"\0" * 64)
    reasons = {u.id: u.problem and u.problem.reason for u in find_release("ravdess", tmp_path / "in").utterances}
    assert reasons == {"01-01-05-02-01-01-01": None, "03-01-05-02-01-01-01": "no_frames"}


def test_the_sounds_of_crema_d_alone(tmp_path: Path) -> None:
    for actor in (1001, 1002, 1003):
        tone(tmp_path / f"in/AudioWAV/{actor}_DFA_ANG_XX.wav")
    corpus = stored("crema-d", tmp_path / "in", tmp_path / "out")
    assert corpus["1001_DFA_ANG_XX"].text == "Don't forget a jacket."


def test_a_folder_of_crops_is_taken_whole(tmp_path: Path) -> None:
    for number, label in enumerate(("happy", "neutral")):
        folder = tmp_path / "in" / label
        folder.mkdir(parents=True)
        picture(number).save(folder / "1.png")
    corpus = stored("faces", tmp_path / "in", tmp_path / "out")
    clip = corpus["happy_1"]
    assert np.array_equal(clip.faces[0], np.asarray(picture(0))) and clip.face_found.all()
    assert np.isnan(clip.face_points).all() and clip.face_boxes.tolist() == [[0, 0, 48, 48]]
    assert not len(clip.mel) and clip.text == ""


def test_pictures_in_a_parquet_file(tmp_path: Path) -> None:
    def png(seed: int) -> bytes:
        out = io.BytesIO()
        picture(seed).save(out, "PNG")
        return out.getvalue()

    table = pa.table(
        {"id": ["a", "b", "c"], "label": ["fear", "Anger", "bored"], "image": [{"bytes": png(n)} for n in range(3)]}
    )
    pq.write_table(table, tmp_path / "faces_valid.parquet", row_group_size=2)
    corpus = stored("faces", tmp_path / "faces_valid.parquet", tmp_path / "out")
    assert corpus.ids("valid") == ("a", "b") and corpus.labels == ("anger", "fear")
    assert np.array_equal(corpus["b"].faces[0], np.asarray(picture(1)))


def test_a_broken_cell_costs_its_row(tmp_path: Path) -> None:
    out = io.BytesIO()
    picture(0).save(out, "PNG")
    pq.write_table(
        pa.table({"label": ["fear", "fear"], "image": [b"no picture", out.getvalue()]}), tmp_path / "x.parquet"
    )
    corpus = stored("faces", tmp_path / "x.parquet", tmp_path / "out")
    assert len(corpus) == 1 and "broken_video" in (tmp_path / "out/quarantine.jsonl").read_text()


def test_a_table_of_sentences(tmp_path: Path) -> None:
    (tmp_path / "dev_sent.csv").write_text(
        'Sr No.,Utterance,Speaker,Emotion\n1,"Well, hello",Ann,joy\n2,Go away,Bob,anger\n3,So it goes,Bob,boredom\n'
    )
    corpus = stored("sentences", tmp_path / "dev_sent.csv", tmp_path / "out")
    assert [corpus[name].text for name in corpus.ids("valid")] == ["Well, hello", "Go away"]
    assert corpus.index[0].labels == {"anger": 0.0, "happiness": 1.0} and corpus.index[0].speaker == "Ann"


def test_numbered_labels_with_their_list(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "labels.txt").write_text("anger\njoy\nneutral")
    (folder / "train.tsv").write_text("So glad, and yet cross\t0,1\tx1\nFine\t2\tx2\nbroken line\n")
    (folder / "test.tsv").write_text("Great\t1\tx3\n")
    corpus = stored("sentences", folder, tmp_path / "out")
    assert corpus.ids("train") == ("x1", "x2") and corpus.ids("test") == ("x3",)
    assert corpus.row("x1").present == ("anger", "happiness") and corpus.row("x2").present == ("neutral",)
    assert "line 3" in (tmp_path / "out/quarantine.jsonl").read_text()


@pytest.mark.parametrize(("importer", "name"), [("voices", "a.wav"), ("faces", "a.png")])
def test_nothing_labelled_is_one_sentence(tmp_path: Path, importer: str, name: str) -> None:
    folder = tmp_path / "stuff"
    folder.mkdir()
    if importer == "voices":
        tone(folder / name)
    else:
        picture(0).save(folder / name)
    with pytest.raises(DataError, match=r"nothing in the release 'stuff' names an emotion; expected folders such as"):
        find_release(importer, folder)
    with pytest.raises(DataError, match="does not exist"):
        find_release(importer, tmp_path / "nowhere")
