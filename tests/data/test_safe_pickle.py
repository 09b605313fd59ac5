"""Plain pickles come back equal; everything else is refused by name and runs nothing."""

from __future__ import annotations

import collections
import os
import pickle
import pickletools
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mesm.data.safe_pickle import load_plain_pickle
from mesm.errors import DataError

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


def written(folder: Path, value: Any, protocol: int = 4) -> Path:
    path = folder / "value.pkl"
    path.write_bytes(pickle.dumps(value, protocol))
    return path


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PLAIN, st.integers(0, 5))
def test_containers_come_back(tmp_path_factory: pytest.TempPathFactory, value: Any, protocol: int) -> None:
    assert load_plain_pickle(written(tmp_path_factory.mktemp("p"), value, protocol)) == value


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    hnp.arrays(
        st.sampled_from(["<f4", ">f8", "<i2", "|b1", "<U5", "|S3", "<c8"]), hnp.array_shapes(min_dims=0, min_side=0)
    ),
    st.integers(0, 5),
    st.booleans(),
)
def test_arrays_come_back(
    tmp_path_factory: pytest.TempPathFactory, array: np.ndarray, protocol: int, fortran: bool
) -> None:
    array = np.asfortranarray(array) if fortran and array.ndim else array
    result = load_plain_pickle(written(tmp_path_factory.mktemp("p"), {"a": array, "again": [array]}, protocol))
    assert result["a"].dtype == array.dtype and type(result["a"]) is np.ndarray
    np.testing.assert_array_equal(result["a"], array)
    np.testing.assert_array_equal(result["again"][0], array)


def test_scalars_sets_and_object_arrays(tmp_path: Path) -> None:
    value = {
        "scalar": np.float32(0.5),
        "set": {1, 2},
        "ordered": collections.OrderedDict(b=1, a=2),
        "objects": np.array(["one", np.arange(3), None], dtype=object),
    }
    result = load_plain_pickle(written(tmp_path, value))
    assert result["scalar"] == 0.5 and result["set"] == {1, 2} and result["ordered"] == {"b": 1, "a": 2}
    assert result["objects"][0] == "one" and result["objects"][1].tolist() == [0, 1, 2]


class Shout:
    """Writes a file when unpickled by the ordinary reader."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


def test_a_call_is_refused_by_name_and_not_made(tmp_path: Path) -> None:
    path = written(tmp_path, [Shout(str(tmp_path / "made"))])
    with pytest.raises(DataError, match=r"refers to posix\.mkdir"):
        load_plain_pickle(path)
    assert not (tmp_path / "made").exists()
    call, arguments = Shout(str(tmp_path / "made")).__reduce__()
    call(*arguments)
    assert (tmp_path / "made").exists(), "the test's own weapon must work"


@pytest.mark.parametrize(
    ("program", "named"),
    [
        (b"cbuiltins\neval\n(S'1+1'\ntR.", "builtins.eval"),
        (b"cnumpy\nload\n(S'x'\ntR.", "numpy.load"),
        (b"cnumpy\nndarray\n((I1000000000\nttR.", "a call of numpy.ndarray"),
        (b"cnumpy\ndtype\n(S'V8'\ntR.", r"numpy.dtype\('V8'\)"),
        (b"cnumpy\ndtype\n(S'f8'\ntR.", "DType as a value"),
        (b"cbuiltins\nbytearray\n(I99999999999\ntR.", "bytearray of something else"),
        (b"Px\n.", "an object outside the file"),
    ],
)
def test_programs_are_refused(tmp_path: Path, program: bytes, named: str) -> None:
    pickletools.dis(program, out=open(os.devnull, "w"))  # noqa: SIM115, PTH123 - a well-formed program
    (tmp_path / "p.pkl").write_bytes(program)
    with pytest.raises(DataError, match=f"refers to {named}"):
        load_plain_pickle(tmp_path / "p.pkl")


def test_an_array_cannot_claim_more_than_it_holds(tmp_path: Path) -> None:
    data = pickle.dumps(np.zeros(3, np.uint8), 2).replace(b"K\x03\x85", b"J\xff\xff\xff\x7f\x85")
    (tmp_path / "p.pkl").write_bytes(data)
    with pytest.raises(DataError, match="not a whole pickle"):
        load_plain_pickle(tmp_path / "p.pkl")


def test_missing_damaged_and_large_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        load_plain_pickle(tmp_path / "none.pkl")
    path = written(tmp_path, list(range(1000)))
    with pytest.raises(DataError, match="max_bytes"):
        load_plain_pickle(path, max_bytes=100)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="not a whole pickle"):
        load_plain_pickle(path)


def shared_lists(levels: int) -> bytes:
    """Lists of ten times the list before, by memo: thirty bytes a level."""
    return b"]q\x00" + b"".join(b"0]q%c(%se" % (n, b"h%c" % (n - 1) * 10) for n in range(1, levels + 1)) + b"."


def nested_tuples(levels: int) -> bytes:
    """A dict with one key whose hash takes 2 ** levels steps."""
    return b"}N" + b"2\x86" * levels + b"Ns."


def colliding(keys: int) -> bytes:
    """Dict keys of one hash."""
    step = 2**61 - 1
    return b"".join([b"\x80\x02}(", *(pickle.dumps(step * n, 2)[2:-1] + b"N" for n in range(1, keys)), b"u."])


HOSTILE = {
    "lists in lists by memo": (shared_lists(12), "million values"),
    "memo index of 2^28": (b"]r\x00\x00\x00\x10.", ""),
    "memo index of 2^31": (b"]r\xff\xff\xff\x7f.", ""),
    "memo index in text": (b"]p99999999999\n.", ""),
    "key that is never hashed": (nested_tuples(200), "tuple as a key"),
    "key in a set that is never hashed": (b"\x80\x04\x8f(N" + b"2\x86" * 200 + b"\x90.", "tuple as a key"),
    "frozen set of such": (b"\x80\x04(N" + b"2\x86" * 200 + b"\x91.", "tuple as a key"),
    "call of set with such": (b"c__builtin__\nset\n(]N" + b"2\x86" * 200 + b"atR.", "tuple as a key"),
    "colliding keys": (colliding(20_000), "takes more than"),
    "integer of a million bytes": (b"\x8b\x40\x42\x0f\x00" + b"\x7f" * 1_000_000 + b".", "integer of 79"),
    "integer of 5000 digits": (b"I" + b"9" * 5000 + b"\n.", "not a whole pickle"),
    "bytearray of 2^40 claimed bytes": (b"\x96" + (2**40).to_bytes(8, "little") + b".", "not a whole pickle"),
    "text encoded again and again": (
        b"c_codecs\nencode\nq\x00(X\xa0\x86\x01\x00"
        + b"a" * 100_000
        + b"q\x01t]0"
        + b"h\x00(h\x01tR0" * 50_000
        + b"N.",
        "unfolds",
    ),
    "list made a set again and again": (
        b"c__builtin__\nset\nq\x00(" + b"](" + b"N" * 10_000 + b"eq\x01" + b"h\x00(h\x01tR0" * 2000 + b"N.",
        "million values",
    ),
    "list inside itself": (b"]q\x00h\x00a.", "list inside itself"),
    "100 000 lists in lists": (b"]" * 100_000 + b"a" * 99_999 + b".", "nested too deep"),
    "a million marks": (b"(" * 1_000_000 + b".", "million values"),
    "state of a function": (b"c_codecs\nencode\n(N}S'__defaults__'\n(S'utf-8'\ntstb.", "state of function"),
    "state of a class": (b"cnumpy\nndarray\n(N}S'__init__'\nNstb.", "state of type"),
    "new object of a class": (b"c__builtin__\nset\n)\x81.", "object of a class"),
    "call of a list": (b"]N\x85R.", "call of list"),
    "members of a text": (b"S'a'\nNa.", "members of str"),
    "extension code": (b"\x82\x01.", "not a whole pickle"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_few_bytes_cannot_take_the_machine(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesm.data.safe_pickle.MAX_VALUES", 300_000)  # else some of them take ten seconds
    program, part = HOSTILE[name]
    (tmp_path / "p.pkl").write_bytes(program)
    tracemalloc.start()
    before = time.thread_time()
    seconds = 0.5 if name == "colliding keys" else 60.0
    try:
        load_plain_pickle(tmp_path / "p.pkl", max_bytes=10_000_000, max_seconds=seconds)
    except DataError as error:
        sentence = str(error)
        assert part and part in sentence and "\n" not in sentence and len(sentence) < 400, sentence
    else:
        assert not part, "it was read"
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert time.thread_time() - before < 20 and peak < 100_000_000


def test_shared_values_stay_shared(tmp_path: Path) -> None:
    row = ["a", 1.0]
    first, second = load_plain_pickle(written(tmp_path, [row, row]))
    assert first == row and first is second
