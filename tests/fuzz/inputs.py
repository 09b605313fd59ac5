"""Strategies for files: valid ones that are changed in a few places, and random ones of the right form."""

from __future__ import annotations

import dataclasses
import json
import pickletools
import struct
import types
import typing
from collections.abc import Sequence
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np
from hypothesis import strategies as st

from mesm.json_form import Json

Draw = Any
_EDGES = (
    b"\0",
    b"\xff",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\0\0\0\1",
    b"\n",
    b'"',
)
#: Texts that files, commands, tables, terminals and Markdown might take for something else.
TEXTS = st.sampled_from(
    ["", " ", "x" * 5000, "line\nbreak", "\0", "\x1b[31m", "../../etc/passwd", "/dev/zero", "=1+1", "..", "é\u202e"]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_FINITE = st.sampled_from([0, -1, 1, 2, 2**31, 2**63 - 1, -(2**63), 1e308, -1e-308, 0.5]) | st.floats(0, 1)
#: Not JSON, strictly, or not of this project.
_DEEP: list[Json] = []
for _ in range(100):
    _DEEP = [_DEEP]
_IMPOSSIBLE = st.sampled_from([float("nan"), float("-inf"), 10**30, 10**400, "\ud800", _DEEP])
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | _FINITE | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=6,
)


@st.composite
def changed_bytes(draw: Draw, seeds: Sequence[bytes], least: int = 0) -> bytes:
    """One of the seeds after at least so many, at most six, changes of its bytes."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(least, 6))):
        at = draw(st.integers(0, len(data)))
        end = min(at + draw(st.sampled_from([1, 2, 4, 8, 64, 1024])), len(data))
        match draw(st.integers(0, 7)):
            case 0 if at < len(data):
                data[at] ^= 1 << draw(st.integers(0, 7))
            case 1:
                data[at:end] = draw(st.binary(min_size=end - at, max_size=min(end - at, 8) + end - at))
            case 2:
                edge = draw(st.sampled_from(_EDGES))
                data[at : at + len(edge)] = edge
            case 3:
                del data[at:]
            case 4:
                del data[at:end]
            case 5:
                data[at:at] = data[at:end] * draw(st.sampled_from([1, 1, 2, 500]))
            case 6:
                data[at:at] = draw(st.sampled_from(_EDGES))
            case 7:
                other = draw(st.sampled_from(seeds))
                data[at:end] = other[at : end + draw(st.integers(0, 64))]
    return bytes(data[:2_000_000])


@st.composite
def changed_json(draw: Draw, seeds: Sequence[Json]) -> bytes:
    """One of the seeds with one to four parts replaced, removed, renamed or doubled; sometimes its text damaged too."""
    value = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 3))):
        value = _changed(draw, value)
    text = json.dumps(value).encode()
    return draw(changed_bytes([text])) if draw(st.integers(0, 4)) == 4 else text


def _changed(draw: Draw, value: Json, level: int = 0) -> Json:
    """Walk into the value by chance, and change it where the walk ends; the value itself stays as it is."""
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 40 if level == 0 else 5)) == 5:
        return _other(draw, value)
    keys: Sequence[Any] = list(value) if isinstance(value, dict) else range(len(value))
    key = keys[draw(st.integers(0, len(keys) - 1))]
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    match draw(st.integers(0, 40 if level == 0 else 11)):
        case 0:
            del copy[key]
        case 1 if isinstance(copy, dict):
            copy[draw(TEXTS)] = copy.pop(key)
        case 2 if isinstance(copy, list):
            copy.insert(key, draw(JSON))
        case _:
            copy[key] = _changed(draw, copy[key], level + 1)
    return copy


def _other(draw: Draw, value: Json) -> Json:
    chance = draw(st.integers(0, 19))
    if chance == 19:
        return draw(_IMPOSSIBLE)
    if chance < 10 and isinstance(value, bool):
        return not value
    if chance < 10 and isinstance(value, int | float):
        return draw(_FINITE | st.sampled_from([-value, value * 1000, value + 1, value // 2]))
    if chance < 10 and isinstance(value, str):
        return draw(TEXTS)
    return draw(JSON | st.just([value]) | st.just({"a": value}))


def of_type(kind: Any, depth: int = 3, **known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """JSON of the right types, and within the bounds of settings, for a dataclass or one of its fields' annotations.

    Args:
        known: strategies for some fields of the dataclass.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        values = {f.name: _of_field(f, hints[f.name], depth - 1) for f in dataclasses.fields(kind) if f.init}
        return st.fixed_dictionaries(values | known) if depth > -6 else st.just({})
    if origin in (Union, types.UnionType):
        return st.one_of(*(of_type(one, depth) for one in arguments))
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return st.just([]) if depth < 0 else st.lists(of_type(arguments[0], depth - 1), max_size=3)
    if origin is tuple:
        return st.tuples(*(of_type(one, depth) for one in arguments)).map(list)
    if origin is dict:
        return st.just({}) if depth < 0 else st.dictionaries(TEXTS, of_type(arguments[1], depth - 1), max_size=3)
    if kind is np.ndarray or origin is np.ndarray:
        row = st.lists(st.none() | st.floats(0, 1) | st.booleans(), max_size=3)
        return row | st.lists(row, max_size=3)
    plain = {str: TEXTS, int: st.integers(-2, 5) | st.just(2**62), float: _FINITE, bool: st.booleans()}
    return plain.get(kind, st.none() if kind is type(None) else JSON)


def _of_field(field: dataclasses.Field[Any], kind: Any, depth: int) -> st.SearchStrategy[Any]:
    """Values of a field; of a setting mostly its default or one within its bounds."""
    default = field.default if field.default is not dataclasses.MISSING else None
    low, high = field.metadata.get("low"), field.metadata.get("high")
    usual = [] if default is None else [st.just(default)] * 6
    if low is not None and kind in (int, float):
        usual += [st.integers(low, high) if kind is int else st.floats(low, high)] * 3
    if field.metadata.get("choices") and kind is str:
        usual += [st.sampled_from(field.metadata["choices"])] * 3
    return st.one_of(*usual, of_type(kind, depth))


#: Names that a program may want: what plain pickles refer to, and what hostile ones do.
_GLOBALS = (
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.numeric", "_frombuffer"),
    ("_codecs", "encode"),
    ("collections", "OrderedDict"),
    ("builtins", "set"),
    ("builtins", "frozenset"),
    ("builtins", "bytearray"),
    ("builtins", "bytes"),
    ("builtins", "complex"),
    ("builtins", "eval"),
    ("os", "system"),
    ("posix", "mkdir"),
    ("numpy", "load"),
    ("pickle", "loads"),
    ("builtins", "getattr"),
    ("builtins", "list"),
)
_WORDS = st.sampled_from(["latin1", "f8", "<f4", "O", "U5", "<", "C", "", "x", "M8", "V8", "(2,)f8"])


def _argument(name: str) -> st.SearchStrategy[bytes]:
    """The argument of an operation, in the form that `pickletools` names."""
    small, large = st.integers(0, 20), st.sampled_from([0, 1, 255, 2**16, 2**28, 2**31 - 1, 2**32 - 1])
    body = _WORDS.map(str.encode) | st.binary(max_size=40)
    lines = _WORDS | small.map(str) | st.sampled_from(["99999999999999999999", "-1", "1e400", "0" * 5000, "True"])
    match name:
        case "uint1" | "uint2" | "int4" | "uint4" | "uint8":
            form = {"uint1": "<B", "uint2": "<H", "int4": "<i", "uint4": "<I", "uint8": "<Q"}[name]
            top = 2 ** (8 * struct.calcsize(form) - (form == "<i")) - 1
            return (small | large).map(lambda n: struct.pack(form, min(n, top)))
        case "stringnl_noescape_pair":
            return st.sampled_from(_GLOBALS).map(lambda pair: "\n".join(pair).encode() + b"\n")
        case "stringnl":
            return lines.map(lambda text: repr(text).encode() + b"\n")
        case "float8":
            return st.floats().map(lambda x: struct.pack(">d", x))
        case _ if name.endswith(("1", "4", "8")):
            form = {"1": "<B", "4": "<I", "8": "<Q"}[name[-1]]
            right = body.map(lambda data: struct.pack(form, len(data)) + data)
            wrong = st.tuples(large, body).map(lambda p: struct.pack(form, p[0] & 255 if form == "<B" else p[0]) + p[1])
            return st.one_of(right, right, right, wrong)
        case _:
            return lines.map(lambda text: text.encode() + b"\n")


def _operation(code: Any) -> st.SearchStrategy[bytes]:
    head = code.code.encode("latin1")
    return st.just(head) if code.arg is None else _argument(code.arg.name).map(lambda argument: head + argument)


_OPERATIONS = [_operation(code) for code in pickletools.opcodes if code.name != "STOP"]
_CALLS = st.tuples(st.sampled_from(_GLOBALS), st.lists(st.sampled_from(_OPERATIONS), max_size=4)).flatmap(
    lambda pair: st.tuples(*pair[1]).map(
        lambda arguments: b"c" + "\n".join(pair[0]).encode() + b"\n(" + b"".join(arguments) + b"tR"
    )
)


def programs() -> st.SearchStrategy[bytes]:
    """Random pickle programs: operations with well-formed arguments, calls of known and of hostile names."""
    step = st.one_of(st.one_of(_OPERATIONS), _CALLS, st.just(b"}"), st.just(b"]"), st.just(b"("), st.just(b"\x94"))
    return st.lists(step, max_size=25).map(lambda steps: b"".join(steps) + b".")
