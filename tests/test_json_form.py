"""Whatever a JSON file holds, reading it gives a value or one sentence."""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesm.errors import DataError
from mesm.json_form import Json, from_json, parse_json, read_json, to_json

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)

HOSTILE: dict[str, bytes] = {
    "nested lists": b"[" * 100_000,
    "closed nested lists": b"[" * 100_000 + b"]" * 100_000,
    "nested objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "somewhat nested": b"[" * 200 + b"]" * 200,
    "5000 digits": b'{"n": ' + b"9" * 5000 + b"}",
    "400 digits": b"9" * 400,
    "beyond 64 bits": b"9223372036854775808",
    "NaN": b'{"score": NaN}',
    "Infinity": b"[-Infinity]",
    "1e999": b"[1e999]",
    "half a character": b'{"name": "\\ud800"}',
    "half a character as a key": b'[[{"\\ud800": 1}]]',
    "cut short": b'{"epoch": 1, "loss": 3.2',
    "empty": b"",
    "zeros": b"\0" * 100,
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "Latin-1": '{"a": "déjà"}'.encode("latin-1"),
    "two values": b"{} {}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_one_sentence(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(DataError) as caught:
        read_json(path)
    text = str(caught.value)
    assert str(path) in text and "\n" not in text and len(text) < 300 + len(str(path))


def test_what_is_no_file_is_one_sentence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "loop", tmp_path / "none", "/dev/zero", tmp_path / "a\0b"):
        start = time.monotonic()
        with pytest.raises(DataError):
            read_json(path)
        assert time.monotonic() - start < 1


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("[" + "1," * 100 + "1]")
    assert len(read_json(path)) == 101  # type: ignore[arg-type]
    assert read_json(path, path.stat().st_size) == [1] * 101
    with pytest.raises(DataError, match="too large"):
        read_json(path, path.stat().st_size - 1)


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_any_value_comes_back(value: Json) -> None:
    text = json.dumps(value)
    try:
        read = parse_json(text, "x")
    except DataError:
        assert "\\ud" in text
        return
    assert read == value


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b'\xef\xbb\xbf{"a": "\xc3\xa9"}')
    assert read_json(tmp_path / "x.json") == {"a": "é"}


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | JSON.map(lambda v: json.dumps(v).encode()))
def test_any_bytes_are_a_value_or_one_sentence(data: bytes) -> None:
    try:
        parse_json(data, "x")
    except DataError as error:
        assert "\n" not in str(error)


@dataclass(frozen=True)
class _Part:
    name: str
    number: float | None
    pair: tuple[int, int]
    scores: np.ndarray
    more: dict[str, tuple[float, ...]]


@settings(max_examples=100, deadline=None)
@given(
    JSON
    | st.fixed_dictionaries({"name": st.just("a") | JSON, "number": JSON, "pair": JSON, "scores": JSON, "more": JSON})
)
def test_any_value_is_a_dataclass_or_one_sentence(value: Json) -> None:
    try:
        part = from_json(_Part, value)
    except DataError as error:
        assert len(str(error)) < 400
        return
    assert part.scores.dtype.kind in "biuf" and len(part.pair) == 2
    assert part.number is None or math.isfinite(part.number)


@pytest.mark.parametrize("rows", [["1"], [None, "1"], [[1], [2, 3]], [[1], 2], [{}], [[[]], 1]])
def test_an_array_holds_numbers_only(rows: Json) -> None:
    with pytest.raises(DataError, match="no array of numbers"):
        from_json(_Part, {"name": "", "number": 1, "pair": [1, 2], "scores": rows, "more": {}})


def test_undefined_entries_of_an_array_are_null() -> None:
    part = from_json(_Part, {"name": "", "number": None, "pair": [1, 2], "scores": [[0.5, None], [1, 0]], "more": {}})
    np.testing.assert_array_equal(part.scores, [[0.5, np.nan], [1, 0]])
    assert to_json(part.scores) == [[0.5, None], [1.0, 0.0]]
