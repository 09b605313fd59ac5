"""A raw CMU-MOSEI-like copy, and the authors' processed copies of both corpora."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from mesm.cli import main
from mesm.data.importers import find_release
from mesm.data.importers.engine import assign_release_splits, import_release
from mesm.data.importers.mesm_processed import every_500_ms
from mesm.data.sources import read_sources
from mesm.data.store import Corpus
from mesm.errors import DataError
from mesm.vocabulary import CORPUS_LABELS
from tests.data.importers.test_import_iemocap import loudest_hz
from tests.data.importers.trees import LEFT_HZ, RIGHT_HZ, lists, processed

SIX = CORPUS_LABELS["mosei"]


@pytest.fixture(scope="module")
def corpus(mosei_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    out = tmp_path_factory.mktemp("corpora") / "mosei"
    split_lists = lists(out.parent / "lists", train=["-a_b_0", "-a_b_10"], valid=["v2_0"])
    release = find_release("mosei", mosei_tree)
    report = import_release(release, mosei_tree, out, rule=f"lists:{split_lists}", workers=0, progress=False)
    assert report.utterances == 11 == report.stored + sum(report.quarantined.values())
    return Corpus(out)


def test_what_is_stored(corpus: Corpus) -> None:
    assert corpus.ids() == ("-a_b_0", "v2_0") and corpus.labels == SIX
    first, segment = corpus["-a_b_0"], corpus["v2_0"]
    assert first.labels == dict(zip(SIX, (1.0, 0.0, 1.0, 1.0, 0.0, 0.0), strict=True)), (
        "present where any rater said so"
    )
    assert segment.labels == dict.fromkeys(SIX, 0.0), "no emotion is an answer too"
    assert first.text == "It’s a ___ gap", "the separator may stand in the text"
    assert (first.split, segment.split) == ("train", "valid")
    assert first.duration_s == pytest.approx(1.2, abs=0.1) == segment.duration_s
    assert first.face_found.all() and len(first.faces) == 3 == len(first.mel)
    assert loudest_hz(first.mel) == pytest.approx(LEFT_HZ, rel=0.1)
    sources = read_sources(corpus.folder)
    assert sources["-a_b_0"].dialogue == "-a_b" and sources["-a_b_0"].sample_rate_hz == 44_100
    assert sources["v2_0"].sound is None, "a segment without a wav has its own sound"
    assert corpus.manifest.sources["sample_rates_hz"] == {"44100": 2}
    assert corpus.manifest.meta["splits"]["rule"] == "lists", "where the lists lie on this machine is not told"


@pytest.mark.parametrize(
    "header",
    [
        "video,segment,start,end,sentiment,happy,sad,anger,surprise,disgust,fear",
        "Video_ID;Clip;Start_Time;End_Time;Sentiment;Happiness;Sadness;Angry;Surprised;Disgusted;Fearful",
    ],
)
def test_averaged_ratings_label_as_the_raters_do(header: str, mosei_tree: Path, tmp_path: Path) -> None:
    raters = find_release("mosei", mosei_tree)
    for part in ("Videos", "Audio", "Transcript"):
        (tmp_path / part).symlink_to(mosei_tree / part)
    mark = header[header.index(";") if ";" in header else header.index(",")]
    rows = [
        "-a_b,0,0.5,1.7,0.33,0.44,0,1.0,0,0,0.11",
        "v2,0,10.0,11.2,-1,0,0,0.0,0,0,0",
        "-a_b,12,4.5,5.5,0,,0,1,0,0,0",
    ]
    (tmp_path / "labels.csv").write_text("\n".join([header, *(row.replace(",", mark) for row in rows)]))
    averaged = {u.id: u for u in find_release("mosei", tmp_path).utterances}
    for utterance in raters.utterances:
        if utterance.id in ("-a_b_0", "v2_0", "-a_b_12"):
            other = averaged[utterance.id]
            assert (other.labels, other.text, other.problem) == (utterance.labels, utterance.text, utterance.problem)


def test_averaged_tables_may_hold_times_and_words(tmp_path: Path) -> None:
    table = "video,segment,start,end,text,happy,sad,anger,surprise,disgust,fear\n"
    (tmp_path / "l.csv").write_text(table + 'v,3,1.5,4,"Well, so",0.2,0,0,0,0,0\nv,4,x,9,Hm,0,0,0,0,0,0\n')
    first, second = find_release("mosei", tmp_path).utterances
    assert (first.text, first.problem) == ("Well, so", None) and first.labels is not None
    assert first.labels["happiness"] == 1 and sum(first.labels.values()) == 1
    assert second.problem is not None and second.problem.reason == "misaligned"


def test_what_is_not_stored_and_why(corpus: Corpus) -> None:
    rows = [json.loads(line) for line in (corpus.folder / "quarantine.jsonl").read_text().splitlines()]
    assert {row["id"]: row["reason"] for row in rows} == {
        "-a_b_1": "misaligned",
        "-a_b_2": "no_split",
        "-a_b_10": "misaligned",
        "-a_b_11": "no_label",
        "-a_b_12": "no_split",
        "-a_b_13": "empty_text",
        "v2_1": "no_split",
        "v3_0": "no_split",
        "v3_1": "no_split",
    }


def test_misaligned_and_missing(mosei_tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["corpus", "import", "mosei", str(mosei_tree), "nowhere", "--dry-run", "--json", "--splits", "random"]
    assert main(command) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["quarantined"] == {
        "misaligned": 4, "empty_text": 2, "no_label": 1, "broken_video": 1, "missing_video": 1,
    }  # fmt: skip
    assert (report["utterances"], report["usable"], report["missing"], report["unreadable"]) == (11, 2, 1, 1)
    assert report["tried"] == 2 and report["estimated_mb"] > 0 and not Path("nowhere").exists()
    assert report["hours"] == pytest.approx(2.4 / 3600, abs=1e-3)


def test_no_video_is_in_two_splits_by_default(mosei_tree: Path) -> None:
    release = find_release("mosei", mosei_tree)
    where: dict[str, set[str]] = {}
    for utterance in assign_release_splits(release):
        if utterance.problem is None:
            where.setdefault(utterance.dialogue, set()).add(utterance.split)
    assert sorted(map(len, where.values())) == [1, 1, 1]


def meta_of_mosei() -> dict[str, dict[str, object]]:
    return {
        "-a_b_0": {"text": "one", "label": np.array([0, 1, 0, 0, 0, 1])},
        "-a_b_10": {"text": "two", "label": [1, 0, 0, 0, 0, 0]},
        "v_1": {"text": "odd", "label": "happy"},
    }


def test_the_authors_processed_mosei(left_half: np.ndarray, tmp_path: Path) -> None:
    root = processed(tmp_path / "copy", left_half, meta_of_mosei(), "mosei")
    lists(root / "MOSEI_SPLIT", train=["-a_b_0"], test=["-a_b_10", "v_1"])
    report = import_release(find_release("mesm-processed", root), root, tmp_path / "out", workers=0, progress=False)
    assert (report.stored, report.quarantined, report.name) == (2, {"no_label": 1}, "mosei")
    corpus = Corpus(tmp_path / "out")
    sample = corpus["-a_b_0"]
    assert sample.labels == dict(zip(SIX, (0, 1, 0, 0, 0, 1), strict=True)) and sample.split == "train"
    np.testing.assert_allclose(sample.face_times_s, [0, 0.5, 1.0])
    levels = sample.faces.mean(axis=(1, 2, 3)) / sample.faces[0].mean()
    np.testing.assert_allclose(levels, [1, 0.98, 0.96], atol=0.01)
    assert read_sources(corpus.folder)["-a_b_10"].pictures == 3


def test_the_authors_processed_iemocap(left_half: np.ndarray, tmp_path: Path) -> None:
    meta: dict[str, dict[str, object]] = {
        "Ses01F_impro01_F000": {"text": "left", "label": "ang"},
        "Ses01F_impro01_M000": {"text": "right", "label": "frustrated"},
        "Ses01F_impro01_M001": {"text": "other", "label": "oth"},
    }
    root = processed(tmp_path / "copy", left_half, meta, "iemocap")
    report = import_release(
        find_release("mesm-processed", root / "IEMOCAP_RAW_PROCESSED"),
        root,
        tmp_path / "out",
        workers=0,
        progress=False,
    )
    assert (report.stored, report.quarantined) == (2, {"label_not_used": 1})
    corpus = Corpus(tmp_path / "out")
    left, right = corpus["Ses01F_impro01_F000"], corpus["Ses01F_impro01_M000"]
    assert left.labels is not None and right.labels is not None
    assert left.labels["anger"] == 1 == right.labels["frustrated"] and right.speaker == "Ses01M"
    assert loudest_hz(left.mel) == pytest.approx(LEFT_HZ, rel=0.1)
    assert loudest_hz(right.mel) == pytest.approx(RIGHT_HZ, rel=0.1)
    # 36 pictures at 30 a second: numbers 0, 15 and 30, in numerical order.
    np.testing.assert_allclose(left.faces.mean(axis=(1, 2, 3)) / left.faces[0].mean(), [1, 0.7, 0.4], atol=0.02)
    assert left.face_boxes[0, 0] != right.face_boxes[0, 0], "the right picture is the mirrored one"


def test_rates_of_pictures() -> None:
    paths = [Path(str(i)) for i in range(40)]
    assert every_500_ms(paths, 20.3) == tuple(paths)
    assert every_500_ms(paths, 1.33) == tuple(paths[::15])
    assert every_500_ms(paths[:1], 0.4) == tuple(paths[:1]) and every_500_ms([], 3) == ()


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, ("touch pwned",)


def test_a_pickle_that_runs_code_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "MOSEI_RAW_PROCESSED"
    folder.mkdir()
    (folder / "meta.pkl").write_bytes(pickle.dumps({"a": {"text": _Evil(), "label": []}}))
    with pytest.raises(DataError, match=r"meta\.pkl.*system"):
        find_release("mesm-processed", tmp_path)
    assert not (tmp_path / "pwned").exists()


def test_both_copies_need_a_choice(left_half: np.ndarray, tmp_path: Path) -> None:
    processed(tmp_path, left_half, meta_of_mosei(), "mosei")
    processed(tmp_path, left_half, {"Ses01F_impro01_F000": {"text": "x", "label": "ang"}}, "iemocap")
    with pytest.raises(DataError, match="choose one with --part"):
        find_release("mesm-processed", tmp_path)
    assert find_release("mesm-processed", tmp_path, part="iemocap").name == "iemocap"
    with pytest.raises(DataError, match="holds nothing of"):
        find_release("mesm-processed", tmp_path / "MOSEI_RAW_PROCESSED" / "v_1")


def test_a_processed_copy_without_sounds_and_with_paths_as_names(left_half: np.ndarray, tmp_path: Path) -> None:
    meta: dict[str, dict[str, object]] = {"v_1": {"text": "x", "label": [1, 0, 0, 0, 0, 0]}}
    root = processed(tmp_path / "copy", left_half, meta, "mosei")
    next(root.rglob("audio.wav")).unlink()
    (utterance,) = find_release("mesm-processed", root).utterances
    assert utterance.id == "v_1" and utterance.pictures, "the missing sound is reported when it is read"
    for name in ("../v_1", "/etc/v_1", "..", "a\0b", "x" * 300):
        (root / "MOSEI_RAW_PROCESSED" / "meta.pkl").write_bytes(pickle.dumps({name: meta["v_1"]}))
        with pytest.raises(DataError, match="utterance"):
            find_release("mesm-processed", root)
