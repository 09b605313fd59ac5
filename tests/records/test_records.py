"""Records go to JSON and back by their types; the store finds them by what they are of, not by their file's name."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from mesm.errors import DataError
from mesm.estimate import Estimate, decimal_text
from mesm.json_form import Json, from_json, to_json
from mesm.records.base import CorpusId, Record, new_provenance, read_record, write_record
from mesm.records.evaluation import ClassScores, ClipScores, Evaluation, Interval, Scores
from mesm.records.store import RecordStore
from mesm.runtime import assets

SMALL = Evaluation(
    split="test",
    top_p=0.5,
    labels=("anger", "fear"),
    left_out=(),
    clips=2,
    speakers=2,
    thresholds=(0.5, 0.25),
    average=Scores(50.0, None, 25.0),
    per_class={label: ClassScores(50.0, None, 25.0, positives=1) for label in ("anger", "fear")},
    interval={"f1": Interval(1.0, 2.0)},
    branches={"text": {"anger": None}},
    trivial={"never": Scores(80.0, 50.0, 0.0)},
    macs_ratio=0.4,
    macs_ratio_range=(0.3, 0.4, 0.5),
    macs={"total": 10**12},
    per_clip=ClipScores(("a", "b"), ("s", "t"), np.array([[0.1, 0.2], [0.3, 0.4]]), np.eye(2, dtype=int), np.ones(2)),
)


def record(corpus: CorpusId, data: Evaluation = SMALL, sha: str = "aa") -> Record[Evaluation]:
    return Record("evaluate", new_provenance(corpus, "model", (sha,), "mesm evaluate model"), data)


@dataclass(frozen=True)
class Plain:
    name: str
    pair: tuple[int, float]
    free: dict[str, Json]
    estimate: Estimate | None = None


def test_a_dataclass_goes_to_json_and_back() -> None:
    value = Plain("x", (1, 2.0), {"a": [1, {"b": None}]}, Estimate(1.0, 0.5, None))
    assert from_json(Plain, to_json(value)) == value
    assert from_json(Plain, {"name": "x", "pair": [1, 2], "free": {}}) == Plain("x", (1, 2.0), {})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"name": "x", "pair": [1, 2]}, "no field 'free'"),
        ({"name": "x", "pair": [1, 2], "free": {}, "more": 1}, "unknown field 'more'"),
        ({"name": 1, "pair": [1, 2], "free": {}}, "Plain.name is 1; it must be str"),
        ({"name": "x", "pair": [1], "free": {}}, "1 entries; it must have 2"),
        ({"name": "x", "pair": [True, 2], "free": {}}, r"pair\[0\] is True"),
        ([], "it must be dict"),
    ],
)
def test_another_form_is_refused_with_the_place(content: Json, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        from_json(Plain, content)


def test_an_array_has_no_place_among_plain_values() -> None:
    with pytest.raises(TypeError, match="set does not belong"):
        to_json({"a": {1}})


def test_a_record_survives_the_disk(tmp_path: Path) -> None:
    path = write_record(tmp_path, record(CorpusId("noise", "0123456789abcdef")))
    assert path.name == "evaluate_model_noise-01234567.json"
    again = read_record(path)
    assert np.array_equal(again.data.per_clip.scores, SMALL.per_clip.scores)
    assert replace(again.data, per_clip=SMALL.per_clip) == SMALL


@pytest.mark.parametrize("digest", ["\0\0", "../../xx", "/etc/x"])
def test_a_record_stays_in_its_folder(tmp_path: Path, digest: str) -> None:
    assert write_record(tmp_path / "records", record(CorpusId("noise", digest))).parent == tmp_path / "records"
    assert [path.name for path in tmp_path.iterdir()] == ["records"]


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"schema": 3, "kind": "evaluate", "provenance": {}, "data": {}}',
                                  '{"schema": 2, "kind": "evaluate", "provenance": {}, "data": {}}', "[" * 100_000])  # fmt: skip
def test_a_damaged_file_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "evaluate_x_y.json"
    path.write_text(text)
    with pytest.raises(DataError, match="make it again with its command"):
        read_record(path)
    sentences: list[DataError] = []
    assert RecordStore([tmp_path], sentences.append).find("evaluate") == [] and len(sentences) == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("thresholds",), [0.5]), (("thresholds",), [0.5, "0.5"]), (("thresholds",), 5), (("labels",), ["anger"]),
        (("per_clip", "scores"), [[0.1, 0.2]]), (("per_clip", "scores"), [0.1, 0.2]), (("per_clip", "scores"), {}),
        (("per_clip", "scores"), [["a", "b"], ["c", "d"]]), (("per_clip", "ids"), ["a"]), (("per_clip", "speakers"), []),
        (("per_class",), {}), (("per_class",), []), (("average", "f1"), "many"), (("clips",), 2.5), (("clips",), True), ((), []),
    ],
)  # fmt: skip
def test_a_record_whose_parts_do_not_belong_together_is_one_sentence(
    tmp_path: Path, path: list[str], value: Json
) -> None:
    written = write_record(tmp_path, record(CorpusId("toy", "d" * 16)))
    content = json.loads(written.read_text())
    inside, keys = content, ["data", *path]
    for key in keys[:-1]:
        inside = inside[key]
    inside[keys[-1]] = value
    written.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"is damaged .* make it again with its command") as caught:
        read_record(written)
    assert "\n" not in str(caught.value)


def test_undefined_values_are_null_on_disk(tmp_path: Path) -> None:
    data = replace(SMALL, thresholds=(None, 0.25), average=Scores(float("nan"), None, None))
    written = write_record(tmp_path, record(CorpusId("toy", "d" * 16), data))
    content = json.loads(written.read_text(), parse_constant=pytest.fail)["data"]
    assert content["thresholds"] == [None, 0.25] and content["average"]["accuracy"] is None
    assert read_record(written).data.thresholds == (None, 0.25)


def test_another_corpus_of_the_same_name_hides_nothing(tmp_path: Path) -> None:
    own, other = CorpusId("noise", "1" * 16), CorpusId("noise", "2" * 16)
    write_record(tmp_path / "workspace", record(other))
    write_record(tmp_path / "bundled", record(own))
    store = RecordStore([tmp_path / "workspace", tmp_path / "bundled"])
    for corpus in (own, other):
        match = store.first("evaluate", corpus=corpus)
        assert match is not None and match.provenance.corpus == corpus
    assert store.first("evaluate", corpus=CorpusId("noise", "3" * 16)) is None
    assert len(store.find("evaluate", corpus=CorpusId("noise"))) == 2, "without a digest the name decides"


def test_a_record_is_found_by_its_weights_and_read_again_when_it_changes(tmp_path: Path) -> None:
    corpus = CorpusId("noise", "1" * 16)
    write_record(tmp_path, record(corpus, sha="aa"))
    store = RecordStore([tmp_path])
    assert store.first("evaluate", checkpoint_sha256="bb") is None
    write_record(tmp_path, record(corpus, sha="bb"))
    assert store.first("evaluate", checkpoint_sha256="bb") is not None
    assert store.first("evaluate", checkpoint="other") is None


def test_shipped_evaluations_are_read() -> None:
    found = RecordStore([assets() / "records"]).find("evaluate", checkpoint="marionette-mesm")
    assert len(found) == 1
    data = found[0].data
    assert isinstance(data, Evaluation) and data.per_clip.scores.shape == (data.clips, len(data.labels))
    assert data.average.wacc == pytest.approx(85.973) and data.per_class["anger"].positives > 0


def test_words_of_an_estimate() -> None:
    assert Estimate(1.234, 1.1, 1.4).words() == "1.23 (1.10 to 1.40)"
    assert Estimate(1.234).words(1, " %") == "1.2 %"
    assert Estimate(None).words() == "–"


def test_halves_are_rounded_up() -> None:
    shown = [decimal_text(value, 1) for value in (76.25, 76.35, -76.25, 0.05, -0.04, 1e-9, 100.0)]
    assert shown == ["76.3", "76.4", "-76.3", "0.1", "0.0", "0.0", "100.0"]
    assert decimal_text(0.125, 2, sign=True) == "+0.13" and decimal_text(2.5, 0) == "3"
    assert Estimate(76.25, 70.05, 80.15).words(1) == "76.3 (70.1 to 80.2)"
