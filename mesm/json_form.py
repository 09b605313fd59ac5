"""Convert frozen dataclasses to JSON values and back, by their type annotations alone.

Understood: dataclasses, str, int, float, bool, None, `X | None`, Literal, tuple[X, ...], tuple[X, Y], dict[str, X],
numpy arrays (as nested lists) and `Json` (kept as it is). NaN has no JSON form: a field that may be undefined is
`float | None`.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from functools import cache
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
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, str | int | float | bool):
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


def _read(kind: Any, value: Json, where: str) -> object:
    if kind is Json or kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(typing.cast(type, kind), value, where)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _read_union(arguments, value, where)
    if origin is Literal:
        if value not in arguments:
            raise DataError(f"{where} is {value!r}; it must be one of {', '.join(map(repr, arguments))}")
        return value
    if origin is tuple:
        return _read_tuple(arguments, value, where)
    if origin is dict:
        content = _expect(dict, value, where)
        return {key: _read(arguments[1], item, f"{where}.{key}") for key, item in content.items()}
    if kind is np.ndarray or origin is np.ndarray:
        try:
            return np.asarray(_expect(list, value, where))
        except ValueError as error:
            raise DataError(f"{where} is no array of numbers ({error})") from error
    return _read_plain(kind, value, where)


def _expect(kind: type, value: Json, where: str) -> Any:
    if not isinstance(value, kind):
        raise DataError(f"{where} is {type(value).__name__}; it must be {kind.__name__}")
    return value


def _read_dataclass(kind: type, value: Json, where: str) -> object:
    content, known = _expect(dict, value, where), _fields(kind)
    unknown = sorted(set(content) - set(known))
    missing = [name for name, (_, optional) in known.items() if not optional and name not in content]
    if unknown or missing:
        raise DataError(f"{where} has {'no' if missing else 'an unknown'} field {(missing or unknown)[0]!r}")
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
    raise error or DataError(f"{where} is {value!r}")


def _read_tuple(arguments: tuple[Any, ...], value: Json, where: str) -> tuple[object, ...]:
    entries = _expect(list, value, where)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_read(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(entries))
    if len(entries) != len(arguments):
        raise DataError(f"{where} has {len(entries)} entries; it must have {len(arguments)}")
    return tuple(_read(a, item, f"{where}[{i}]") for i, (a, item) in enumerate(zip(arguments, entries, strict=True)))


def _read_plain(kind: Any, value: Json, where: str) -> object:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind in (int, float, str, bool) and type(value) is kind:
        return value
    raise DataError(f"{where} is {value!r}; it must be {getattr(kind, '__name__', kind)}")
