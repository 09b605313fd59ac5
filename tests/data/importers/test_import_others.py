"""MELD, RAVDESS, CREMA-D and manifests of anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mesm.cli import main
from mesm.data.importers import find_release
from mesm.data.importers.engine import assign_release_splits, import_release
from mesm.data.importers.headers import examine
from mesm.data.importers.plan import Release
from mesm.data.store import Corpus
from mesm.data.text_files import read_text
from mesm.errors import DataError
from tests.data.importers import trees


def reasons(release: Release) -> dict[str, str]:
    """Id -> why it cannot be stored, "" where it can."""
    result = ((u.id, examine(u)[1]) for u in assign_release_splits(release, "own"))
    return {name: "" if problem is None else problem.reason for name, problem in result}


def test_meld(left_half: np.ndarray, tmp_path: Path) -> None:
    release = find_release("meld", trees.meld(tmp_path, left_half))
    assert release.splits == "own"
    assert reasons(release) == {
        "train_dia0_utt0": "",
        "train_dia125_utt3": "broken_video",
        "train_dia9_utt9": "missing_video",
        "dev_dia0_utt0": "",
        "test_dia0_utt0": "",
        "test_dia0_utt1": "empty_text",
    }
    first, *_, dev, test, _ = release.utterances
    assert first.text == "I’m fine, “really”" and first.speaker == "Joey" and first.dialogue == "train_dia0"
    assert first.labels is not None and first.labels["happiness"] == 1 and sum(first.labels.values()) == 1
    assert (first.split, dev.split, test.split) == ("train", "valid", "test")
    assert [u.video.path.parent.name for u in (first, dev, test) if u.video] == [
        "train_splits", "dev_splits_complete", "output_repeated_splits_test",
    ]  # fmt: skip


def test_ravdess(left_half: np.ndarray, tmp_path: Path) -> None:
    release = find_release("ravdess", trees.ravdess(tmp_path, left_half))
    assert reasons(release) == {
        "01-01-02-01-01-01-01": "label_not_used",
        "01-01-05-02-01-01-01": "",
        "02-01-05-02-01-01-01": "no_audio",
        "03-01-05-02-01-01-01": "no_frames",
        "01-02-01-01-02-01-02": "",
        "01-01-08-01-02-02-03": "",
    }
    by_id = {u.id: u for u in release.utterances}
    angry = by_id["01-01-05-02-01-01-01"]
    assert angry.labels is not None and angry.labels["anger"] == 2 and sum(angry.labels.values()) == 2, "strong"
    assert angry.text == "Kids are talking by the door" and angry.speaker == "Actor_01"
    assert by_id["01-01-08-01-02-02-03"].text == "Dogs are sitting by the door"
    assert by_id["01-01-08-01-02-02-03"].labels == {name: float(name == "surprise") for name in release.labels}


def test_a_release_without_what_it_should_have_can_be_kept(tmp_path: Path) -> None:
    trees.write_wav(tmp_path / "a.wav", 1.0)
    (tmp_path / "m.csv").write_text("path,text,anger\na.wav,Go away,1\n")
    release = find_release("manifest", tmp_path / "m.csv")
    (utterance,) = release.utterances
    assert examine(utterance, keep_incomplete=True)[1] is None
    with pytest.raises(DataError, match="--keep-incomplete stores clips without"):
        import_release(release, tmp_path, tmp_path / "out", rule="random", workers=0)


def test_a_clip_without_a_label_can_be_kept_in_no_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trees.write_wav(tmp_path / "a.wav", 1.0)
    (tmp_path / "m.csv").write_text("path,text,anger\na.wav,Go away,1\na.wav,Who knows,\na.wav,Still here,0\n")
    command = ["corpus", "import", "manifest", str(tmp_path / "m.csv"), str(tmp_path / "out"), "--splits", "random"]
    assert main([*command, "--keep-incomplete", "--workers", "0", "--large-px", "0"]) == 0
    assert "3 utterances found, 3 stored" in capsys.readouterr().out
    labelled, unlabelled, calm = Corpus(tmp_path / "out").index
    assert labelled.present == ("anger",) and calm.labels == {"anger": 0.0} and labelled.split and calm.split
    assert unlabelled.labels is None and unlabelled.split == "", "neither trained nor scored"
    assert main([*command, "--dry-run"]) == 0
    assert "no_label" in (printed := capsys.readouterr().out) and "words, picture, sound or label too" in printed
    assert main([*command, "--dry-run", "--keep-incomplete"]) == 0
    assert "no_label" not in capsys.readouterr().out
    assert main(["corpus", "card", str(tmp_path / "out")]) == 0
    card = capsys.readouterr().out
    assert "imported; licence not stated; citation not stated" in card and "informative" not in card
    assert "anger" in card and "disgust" not in card, "of a recorded corpus its own labels"
    speakers = next(line for line in card.splitlines() if line.startswith("speakers"))
    assert set(speakers.split()[1:]) == {"0"}, "a clip without a speaker has none"


def test_crema_d(left_half: np.ndarray, tmp_path: Path) -> None:
    root = trees.crema_d(tmp_path / "tree", left_half)
    release = find_release("crema-d", root)
    assert reasons(release) == {
        "1001_DFA_ANG_XX": "",
        "1002_IEO_HAP_HI": "",
        "1003_TSI_NEU_XX": "no_audio",
        "1004_WSI_FEA_LO": "missing_video",
        "1076_MTI_SAD_XX": "known_bad",
    }
    report = import_release(release, root, tmp_path / "out", rule="own", workers=0, progress=False)
    assert report.stored == 2 and report.quarantined == {"no_audio": 1, "missing_video": 1, "known_bad": 1}
    sample = Corpus(tmp_path / "out")["1002_IEO_HAP_HI"]
    assert sample.labels is not None and sample.labels["happiness"] == 3 and sample.text == "It's eleven o'clock."
    assert sample.speaker == "1002" and sample.face_found.all() and len(sample.faces) == 3


def test_manifest(left_half: np.ndarray, tmp_path: Path) -> None:
    trees.face_video(tmp_path / "my clips" / "ü a.mp4", left_half, 2.0)
    table = tmp_path / "mine.csv"
    table.write_bytes(
        b"id;path;start_s;end_s;text;speaker;split;fear;anger\n"
        b"a;my clips/\xfc a.mp4;;;caf\xe9;X;train;2.5;\n"
        b"b;my clips/\xfc a.mp4;0.5;1.5;part;Y;dev;0;0\n"
        b"b;my clips/\xfc a.mp4;0.5;1.5;again;Y;test;0;0\n"
        b"c;my clips/\xfc a.mp4;1.5;1.0;backwards;Y;test;0;1\n"
        b"d;my clips/\xfc a.mp4;;;unrated;Y;test;;\n"
        b"e;;;;no file;Y;test;1;\n"
    )
    release = find_release("manifest", table)
    assert release.labels == ("anger", "fear"), "the project's order, not the table's"
    report = import_release(release, table.parent, tmp_path / "out", workers=0, progress=False)
    assert report.stored == 2
    assert report.quarantined == {"duplicate_id": 1, "misaligned": 1, "no_label": 1, "missing_video": 1}
    corpus = Corpus(tmp_path / "out")
    assert corpus["a"].labels == {"anger": 0.0, "fear": 2.5} and corpus["a"].text == "café"
    assert corpus["b"].duration_s == pytest.approx(1.0) and corpus["b"].split == "valid"


def test_cut_turns_with_a_table(left_half: np.ndarray, tmp_path: Path) -> None:
    names = (
        "Ses01F_impro01_F000",
        "Ses01F_impro01_M001",
        "Ses02M_script01_1b_M000",
        "Ses05F_impro02_F003",
        "Ses03F_impro01_F001",
    )
    for name in names:
        trees.face_video(tmp_path / "turns" / name[:5] / f"{name}.mp4", left_half, 1.0)
    table = tmp_path / "turns.csv"
    rows = [
        f"{name},{label},Well,{name[-4]}"
        for name, label in zip(names, ("ang", "Neutral", "sad", "hap", "xxx"), strict=True)
    ]
    table.write_text("\n".join(["Turn,Label,Text,Speaker", *rows]))
    release = find_release("manifest", table)
    assert release.labels == ("anger", "happiness", "sadness", "neutral") and release.splits == "speaker"
    assert reasons(release) == dict(zip(names, ("", "", "", "", "label_not_used"), strict=True))
    first, second, _, last, _ = release.utterances
    assert first.labels == {"anger": 1.0, "happiness": 0.0, "sadness": 0.0, "neutral": 0.0}
    assert (first.session, first.dialogue, first.speaker) == ("Ses01", "Ses01F_impro01", "Ses01F")
    assert second.speaker == "Ses01M" and first.video is not None
    assert first.video.path == tmp_path / "turns" / "Ses01" / f"{names[0]}.mp4"
    for rule in ("dialogue", "session:Ses05"):
        splits = {u.id: u.split for u in assign_release_splits(release, rule)}
        assert splits[names[0]] == splits[names[1]] and (rule == "dialogue" or splits[last.id] == "test")


def test_manifest_in_json_lines(left_half: np.ndarray, tmp_path: Path) -> None:
    table = tmp_path / "mine.jsonl"
    table.write_text(
        '{"path": "a.mp4", "text": "x", "happiness": 1}\n{"path": "b.mp4", "text": "y", "audio": "b.wav"}\n'
    )
    first, second = find_release("manifest", table).utterances
    assert first.id == "a_1" and first.labels == {"happiness": 1.0} and first.problem is None
    assert second.sound is not None and second.sound.path == tmp_path / "b.wav" and second.problem is not None


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("speaker,text\n1,2\n", "no column 'path'"),
        ("path,label,fear\na,fear,1\n", "column 'label' and a column 'fear'"),
        ("path,side\na,middle\n", "has side 'middle'"),
        ("path,joy\na,1\n", "column 'joy', which is neither an emotion"),
        ("path,fear\na,4\n", r"row 1 of .* has fear 4.0; give an intensity from 0 to 3"),
        ("path,fear,start_s\na,1,soon\n", "start_s 'soon'; give a number"),
        ("path,split\na,dev\nb,exam\n", "row 2 of .* has split 'exam'"),
        ('{"path": "a"}\n{"path"\n', "line 2 of .* is not JSON"),
        ('{"path": "a"}\n[1]\n', "line 2 of .* is not an object"),
        ("", "is empty"),
        ("path,text\n", "has no row"),
        ("path,text\na,b\nc,Well, no\n", r"row 2 \(line 3\) has 3 cells, the header 2: quote the text"),
        ("path,text\na\n", "row 1 .* has 1 cell, the header 2"),
        ("path,text,Text\na,b,c\n", "2 columns 'text'"),
        ("path,transcript,utterance\na,b,c\n", "2 columns for 'text'"),
        ('path,id\na,"b\nc"\n', "the id in row 1 of .* holds a control character"),
        ('{"path": "a", "text": ["b"]}\n', "line 1 of .* has a list"),
        ('{"path": ' + "[" * 100_000, "line 1 of .* is not JSON"),
    ],
)
def test_manifests_that_cannot_be_read(content: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "m").write_text(content)
    with pytest.raises(DataError, match=sentence):
        find_release("manifest", tmp_path / "m")


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    for name in ("mosei", "meld", "ravdess", "crema-d"):
        with pytest.raises(DataError, match="holds nothing of"):
            find_release(name, tmp_path)


def test_text_in_any_encoding(tmp_path: Path) -> None:
    path = tmp_path / "t"
    for data in ("\ufeffa “b” é".encode(), "a “b” é".encode("cp1252"), "a \x93b\x94 é".encode()):
        path.write_bytes(data)
        assert read_text(path) == "a “b” é"
