"""Divisions of a corpus."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesm.data.splits import assign_splits, disjoint_split, random_split
from mesm.errors import ConfigError, DataError


def clips(sessions: int = 5, each: int = 20) -> list[dict[str, str]]:
    return [
        {"id": f"s{s}c{c}", "session": f"Ses{s:02d}", "speaker": f"s{s}{'FM'[c % 2]}", "dialogue": f"s{s}d{c // 5}"}
        for s in range(1, sessions + 1)
        for c in range(each)
    ]


@given(st.integers(0, 400), st.integers(0, 5))
def test_random_shares(count: int, seed: int) -> None:
    ids = [f"c{i}" for i in range(count)]
    result = random_split(ids, seed)
    assert result == random_split(ids[::-1], seed) and set(result) == set(ids)
    parts = [list(result.values()).count(split) for split in ("train", "valid", "test")]
    if count >= 3:
        assert min(parts) >= 1
    if count >= 20:
        assert abs(parts[0] - 0.7 * count) <= 1.5 and abs(parts[2] - 0.2 * count) <= 1


def test_the_papers_sizes() -> None:
    result = list(random_split([str(i) for i in range(7380)], 0).values())
    assert [result.count(s) for s in ("train", "valid", "test")] == [5166, 738, 1476]


@given(st.dictionaries(st.integers(0, 300).map(str), st.sampled_from("abcdefghij"), min_size=1), st.integers(0, 3))
def test_groups_stay_together(groups: dict[str, str], seed: int) -> None:
    if len(set(groups.values())) < 3:
        with pytest.raises(DataError, match="3 splits need as many speakers, dialogues or sessions, and there are"):
            disjoint_split(groups, seed)
        return
    result = disjoint_split(groups, seed)
    assert len({(groups[clip], split) for clip, split in result.items()}) == len(set(groups.values()))
    assert set(result.values()) == {"train", "valid", "test"} and result.keys() == groups.keys()


def test_many_small_groups_come_near_the_shares() -> None:
    result = list(disjoint_split({str(i): str(i // 4) for i in range(2000)}, 1).values())
    assert result.count("train") == pytest.approx(1400, abs=8) and result.count("valid") == pytest.approx(200, abs=8)


@pytest.mark.parametrize("kind", ["speaker", "dialogue", "session"])
def test_the_rule_names_what_stays_together(kind: str) -> None:
    split_of = assign_splits(clips(), kind, seed=1)
    groups = {clip["id"]: clip[kind] for clip in clips()}
    assert len({(groups[clip], split) for clip, split in split_of.items()}) == len(set(groups.values()))
    assert split_of != assign_splits(clips(), kind, seed=2)


def test_one_session_left_out() -> None:
    for name in ("session:Ses05", "session:5", "session:05"):
        result = assign_splits(clips(), name)
        assert {clip["session"]: result[clip["id"]] for clip in clips()} == {
            "Ses01": "valid", "Ses02": "train", "Ses03": "train", "Ses04": "train", "Ses05": "test",
        }  # fmt: skip
    with pytest.raises(DataError, match="no '9' to test on; there are Ses01"):
        assign_splits(clips(), "session:9")


def test_lists(tmp_path: Path) -> None:
    for split, names in (("train", "a\nb\r\n\n"), ("valid", "c"), ("test", "d\n")):
        (tmp_path / f"{split}_split.txt").write_text(names)
    known = [{"id": name} for name in "abcdx"]
    assert assign_splits(known, f"lists:{tmp_path}") == {"a": "train", "b": "train", "c": "valid", "d": "test", "x": ""}
    (tmp_path / "test_split.txt").write_text("a\n")
    with pytest.raises(DataError, match="'a' is in both the train and the test list"):
        assign_splits(known, f"lists:{tmp_path}")
    (tmp_path / "valid_split.txt").unlink()
    with pytest.raises(DataError, match=r"valid_split\.txt is missing"):
        assign_splits(known, f"lists:{tmp_path}")


def test_rules_that_cannot_be_followed() -> None:
    with pytest.raises(ConfigError, match="no split rule 'stratified'"):
        assign_splits(clips(), "stratified")
    with pytest.raises(DataError, match="1 of 101 clips have no speaker"):
        assign_splits([*clips(), {"id": "new"}], "speaker")
    assert set(assign_splits([{"id": "a", "split": "dev"}], "own").values()) == {"dev"}
