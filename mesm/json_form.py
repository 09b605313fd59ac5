"""Read JSON that anyone may have written, and convert frozen dataclasses to JSON values and back by their annotations.

Start with `read_json` (a file) and `parse_json` (a text), then `from_json`: whatever the file holds, the caller gets a
value of the annotated types or one `DataError`.

Understood: dataclasses, str, int, float, bool, None, `X | None`, Literal, tuple[X, ...], tuple[X, Y], dict[str, X],
numpy arrays (as nested lists) and `Json` (kept as it is). NaN and infinities have no JSON form and become null: a field
that may be undefined is `float | None`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import reprlib
import stat
import types
import typing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin

import numpy as np

from mesm.errors import DataError

if TYPE_CHECKING:
    #: Any JSON value.
    Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
else:

    class Json:
        """Hold any JSON value as it was read."""


T = TypeVar("T")

#: Largest JSON file that is read, in bytes; the largest record of 10 000 clips has some 10 MB.
JSON_BYTES = 64 * 2**20
#: Lists and objects inside each other; no file of this project has more than 10.
_DEPTH = 64
#: Half of a UTF-16 pair, which cannot be printed or written.
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def read_json(path: str | Path, limit: int = JSON_BYTES) -> Json:
    """Read a JSON file from disk; whatever it is and holds, the caller gets a value or one `DataError`.

    The one way to read a JSON file that a user, a disk or a stranger may have changed. `from_json` then checks its form.

    Args:
        path: of a regular file; a pipe or a device is refused unread. A remote path is opened by its own `open`.
        limit: largest size in bytes.

    Raises:
        DataError: one sentence with the path: it is missing, unreadable, no regular file, too large, no UTF-8, or no JSON
            value (see `parse_json`).
    """
    place = Path(path) if isinstance(path, str) else path
    try:
        # Not opened: a pipe without a writer would block.
        if isinstance(place, Path) and not stat.S_ISREG(place.stat().st_mode):
            raise DataError(f"{path} is no regular file; restore it or remove it")
        with place.open("rb") as file:
            data = file.read(limit + 1)
    except DataError:
        raise
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if len(data) > limit:
        raise DataError(f"{path} has more than {limit} bytes, which is too large for what it should hold")
    return parse_json(data, str(path))


def parse_json(text: str | bytes, where: str) -> Json:
    """Parse a JSON text; whatever it holds, the caller gets a value or one `DataError`.

    Args:
        text: bytes are UTF-8, with or without a byte order mark.
        where: name of the text in the error sentence, such as its file.

    Returns:
        a value whose numbers are finite (whole ones within 64 bits) and which is at most 64 levels deep, so that every
        later step over it, such as `from_json` or printing, is safe.

    Raises:
        DataError: one sentence: it is no UTF-8, no JSON, too deep, or holds NaN, an infinity or a number too large.
    """
    try:
        value: Json = json.loads(
            text.decode("utf-8-sig") if isinstance(text, bytes) else text,
            parse_int=_whole_number,
            parse_float=_number,
            parse_constant=_number,
        )
        _check_values(value)
    except RecursionError:
        reason = f"it is nested more than {_DEPTH} deep"
    except json.JSONDecodeError as error:
        reason = f"line {error.lineno}, column {error.colno}: {error.msg}"
    except UnicodeDecodeError:
        reason = "it is not UTF-8"
    except ValueError as error:
        reason = str(error)
    else:
        return value
    raise DataError(f"{where} is not readable JSON ({reason})")


def _number(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{short_repr(digits)} is no finite number")
    return number


def _whole_number(digits: str) -> int:
    number = int(digits) if len(digits) < 21 else 2**63
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"the number {short_repr(digits)} is too large")
    return number


def _check_values(value: Json) -> None:
    """Raise `RecursionError` for too deep a value, `ValueError` for a text that cannot be written again."""
    level: list[Json] = [value]
    for _ in range(_DEPTH):
        texts = [item for item in level if isinstance(item, str)]
        texts += [key for item in level if isinstance(item, dict) for key in item]
        if any(_LONE_SURROGATE.search(text) for text in texts):
            raise ValueError("a text holds half a character")
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return
    raise RecursionError


def short_repr(value: object) -> str:
    """Return a value's repr, cut where it is long or nested, for an error sentence."""
    try:
        text = reprlib.repr(value)
    except ValueError:  # of a number with thousands of digits
        text = f"{type(value).__name__} that is too long to print"
    return text if len(text) <= 60 else f"{text[:57]}..."


def to_json(value: object) -> Json:
    """Return the JSON form of a dataclass or of one of its fields' values.

    Raises:
        TypeError: a value of a type that has no JSON form, which is a programming error.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, np.ndarray):
        known = value.dtype.kind != "f" or np.isfinite(value).all()
        return value.tolist() if known else to_json(value.tolist())
    if isinstance(value, np.generic):
        return to_json(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    raise TypeError(f"{type(value).__name__} does not belong in a record")


def members(value: Json) -> dict[str, Json]:
    """Return a JSON object as a dict of its own.

    Raises:
        DataError: it is no object.
    """
    return dict(_expect(dict, value, "a part"))


def items(value: Json) -> list[Json]:
    """Return a JSON list, or the tuple of settings that were never written.

    Raises:
        DataError: it is no list.
    """
    return list(value) if isinstance(value, tuple) else list(_expect(list, value, "a part"))


def from_json(kind: type[T], value: Json, where: str = "") -> T:
    """Return the dataclass `kind` that a JSON value describes.

    Args:
        where: path of the value in its file, for the error sentence.

    Raises:
        DataError: a field is missing, unknown, or of another type; the sentence names its path.
    """
    return typing.cast(T, _read(kind, value, where or kind.__name__))


@cache
def _fields(kind: type) -> dict[str, tuple[Any, bool]]:
    """Name -> (annotation, has a default)."""
    hints = typing.get_type_hints(kind)
    missing = dataclasses.MISSING
    return {
        f.name: (hints[f.name], f.default is not missing or f.default_factory is not missing)
        for f in dataclasses.fields(kind)
        if f.init
    }


#: Kinds that are themselves in JSON.
_PLAIN = frozenset((int, float, str, bool))


def _read(kind: Any, value: Json, where: str) -> object:
    if kind in _PLAIN:  # most values of a record
        return _read_plain(kind, value, where)
    if kind is Json or kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(typing.cast(type, kind), value, where)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _read_union(arguments, value, where)
    if origin is Literal:
        if value not in arguments:
            raise DataError(f"{where} is {short_repr(value)}; it must be one of {', '.join(map(repr, arguments))}")
        return value
    if origin is tuple:
        return _read_tuple(arguments, value, where)
    if origin is dict:
        content = _expect(dict, value, where)
        return {key: _read(arguments[1], item, f"{where}.{key}") for key, item in content.items()}
    if kind is np.ndarray or origin is np.ndarray:
        return _read_array(_expect(list, value, where), where)
    raise TypeError(f"{where} is declared as {kind}, which JSON does not hold")


def _expect(kind: type, value: Json, where: str) -> Any:
    if not isinstance(value, kind):
        raise DataError(f"{where} is {type(value).__name__}; it must be {kind.__name__}")
    return value


def _read_dataclass(kind: type, value: Json, where: str) -> object:
    content, known = _expect(dict, value, where), _fields(kind)
    unknown = sorted(set(content) - set(known))
    missing = [name for name, (_, optional) in known.items() if not optional and name not in content]
    if unknown or missing:
        raise DataError(f"{where} has {'no' if missing else 'an unknown'} field {short_repr((missing or unknown)[0])}")
    return kind(**{name: _read(known[name][0], item, f"{where}.{name}") for name, item in content.items()})


def _read_union(arguments: tuple[Any, ...], value: Json, where: str) -> object:
    if value is None and type(None) in arguments:
        return None
    error: DataError | None = None
    for one in arguments:
        if one is not type(None):
            try:
                return _read(one, value, where)
            except DataError as reason:
                error = error or reason
    raise error or DataError(f"{where} is {short_repr(value)}")


def _read_tuple(arguments: tuple[Any, ...], value: Json, where: str) -> tuple[object, ...]:
    entries = _expect(list, value, where)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_read(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(entries))
    if len(entries) != len(arguments):
        raise DataError(f"{where} has {len(entries)} entries; it must have {len(arguments)}")
    return tuple(_read(a, item, f"{where}[{i}]") for i, (a, item) in enumerate(zip(arguments, entries, strict=True)))


def _read_array(value: list[Json], where: str) -> np.ndarray:
    """Return an array of whole numbers, numbers or truth values; None becomes NaN."""
    try:
        array = np.asarray(value)
        if array.dtype.kind == "O" and all(item is None or type(item) in (int, float) for item in array.flat):
            array = array.astype(float)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is no array of numbers (its rows differ in length)") from error
    if array.dtype.kind not in "biuf":
        raise DataError(f"{where} is no array of numbers")
    return array


def _read_plain(kind: type, value: Json, where: str) -> object:
    if type(value) is kind:
        return value
    if kind is float and type(value) is int:
        return float(value)
    raise DataError(f"{where} is {short_repr(value)}; it must be {kind.__name__}")
