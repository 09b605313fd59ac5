"""Define frozen settings: validated once, with dict, JSON and `key=value` forms."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import field, fields
from functools import cache
from typing import Any, Self

from mesm.errors import ConfigError, DataError
from mesm.json_form import Json, parse_json, short_repr

#: Longest text and tuple that a setting may hold.
_LONGEST = 4096


def bounded(default: object, low: float, high: float, *, above: bool = False) -> Any:
    """Define a setting that is a finite number from `low` to `high`, or a tuple of such.

    Args:
        above: whether the number must be larger than `low`.
    """
    return field(default=default, metadata={"low": low, "high": high, "above": above})


def chosen(default: object, choices: tuple[str, ...], item: str = "") -> Any:
    """Define a setting that is one of a few words, or a tuple of such.

    Args:
        item: name of one value of a tuple, for the error sentence.
    """
    return field(default=default, metadata={"choices": choices, "item": item})


def check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Raise `ConfigError` if the value is not among the allowed ones."""
    if value not in allowed:
        raise ConfigError(f"{name} is {short_repr(value)}; it must be one of {', '.join(allowed)}")


def check_top_p(top_p: float) -> float:
    """Return `top_p` if 0 < top_p <= 1, else raise `ConfigError`."""
    if not 0 < top_p <= 1:
        raise ConfigError(f"top_p is {top_p}; it must lie in (0, 1], and 1 keeps every site")
    return float(top_p)


class JsonConfig:
    """Check a frozen config, and convert it to and from dicts, JSON and `key=value` strings.

    Every value has the type of its annotation (a whole number is no truth value, and stands for a float) and lies within
    the bounds or choices of its field (`bounded`, `chosen`); else `ConfigError` names setting, value and range. A config
    may hold others as fields (their defaults are configs). Unknown keys are errors; tuples survive the trip.
    """

    #: Name of the settings as a part of others, with a dot, for error sentences.
    PREFIX = ""

    def __post_init__(self) -> None:
        kinds = _annotations(type(self))  # type: ignore[arg-type] # a type is hashable, whatever its instances are
        for one in fields(self):  # type: ignore[arg-type]
            value = _checked(one, self.PREFIX, kinds[one.name], getattr(self, one.name))
            object.__setattr__(self, one.name, value)

    def to_dict(self) -> dict[str, Json]:
        """Return the settings as a dict, nested configs as dicts inside it."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    def flat(self) -> dict[str, Json]:
        """Return every setting under its dotted name, as `with_settings` takes it: `attention.weight`."""
        values: dict[str, Json] = {}
        for name, value in self._values().items():
            nested = value.flat() if isinstance(value, JsonConfig) else None
            values |= {name: value} if nested is None else {f"{name}.{key}": v for key, v in nested.items()}
        return values

    @classmethod
    def from_dict(cls, data: Mapping[str, Json]) -> Self:
        """Build a config from `to_dict`'s dict; a setting that it lacks gets its default.

        Raises:
            ConfigError: a setting that does not exist, or a value of another type or out of range.
        """
        if not isinstance(data, Mapping):
            raise ConfigError(f"{cls.__name__} is {short_repr(data)}; it must hold settings by name")
        kinds: dict[str, Any] = {f.name: f.default_factory for f in fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(data) - set(kinds))
        if unknown:
            raise ConfigError(
                f"{cls.__name__} has no setting {short_repr(unknown[0])}; it has {', '.join(sorted(kinds))}"
            )
        values: dict[str, object] = {}
        for key, value in data.items():
            kind, default = kinds[key], getattr(cls, key, None)
            if isinstance(default, tuple) and not isinstance(value, list | tuple):
                raise ConfigError(
                    f"{key} is {short_repr(value)}; it must be a list, such as {short_repr(list(default))}"
                )
            if not (isinstance(kind, type) and issubclass(kind, JsonConfig)):
                values[key] = tuple(value) if isinstance(value, list) else value
            elif isinstance(value, Mapping):
                values[key] = kind.from_dict(value)
            else:
                raise ConfigError(f"{key} is {short_repr(value)}; it must hold {', '.join(kind().flat())}")
        return cls(**values)

    def with_settings(self, settings: Mapping[str, str]) -> Self:
        """Return a copy with `key=value` strings of a command line applied.

        Args:
            settings: name, dotted into a nested config (`attention.weight`) -> JSON, or a plain word.

        Raises:
            ConfigError: a setting that does not exist, or a value of another type or out of range.
        """
        values = self._values()
        changes: dict[str, Any] = {}
        nested: dict[str, dict[str, str]] = {}
        for key, text in settings.items():
            head, dot, rest = key.partition(".")
            if dot and isinstance(values.get(head), JsonConfig):
                nested.setdefault(head, {})[rest] = text
            elif dot or head not in values or isinstance(values[head], JsonConfig):
                raise ConfigError(f"no setting {key!r}; there are {', '.join(sorted(self.flat()))}")
            else:
                changes[key] = parse_setting(key, text, values[key])
        changes |= {head: values[head].with_settings(inner) for head, inner in nested.items()}
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]

    def _values(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]


@cache
def _annotations(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _checked(setting: dataclasses.Field[Any], prefix: str, kind: Any, value: object) -> object:
    """Return a setting's value in its type, a whole number as a float where that is the type.

    Raises:
        ConfigError: another type, not finite, or out of range.
    """
    if typing.get_origin(kind) is not tuple:
        if isinstance(kind, type) and issubclass(kind, JsonConfig) and isinstance(value, kind):
            return value
        return _checked_one(setting, prefix + setting.name, kind, value)
    if not isinstance(value, list | tuple) or len(value) > _LONGEST:
        raise ConfigError(f"{prefix}{setting.name} is {short_repr(value)}; it must be a list")
    item = setting.metadata.get("item") or prefix + setting.name
    return tuple(_checked_one(setting, item, typing.get_args(kind)[0], one) for one in value)


def _checked_one(setting: dataclasses.Field[Any], name: str, kind: Any, value: object) -> object:
    if kind is float and type(value) is int and abs(value) < 2**63:
        value = float(value)
    if kind is str and isinstance(value, str) and len(value) <= _LONGEST:
        if choices := setting.metadata.get("choices"):
            check_choice(name, value, choices)
        return value
    if kind is bool and isinstance(value, bool):
        return value
    bounds = setting.metadata
    if kind in (int, float) and type(value) is kind and "low" in bounds:
        above = value > bounds["low"] or (value == bounds["low"] and not bounds["above"])
        if above and value <= bounds["high"]:
            return value
    raise ConfigError(f"{name} is {short_repr(value)}; it must be {_range_words(kind, bounds)}")


def _range_words(kind: Any, bounds: Mapping[str, Any]) -> str:
    if kind is str:
        return f"one of {', '.join(bounds['choices'])}" if bounds.get("choices") else "a text"
    if kind is bool:
        return "true or false"
    if "low" not in bounds:
        return kind.__name__
    low = f"above {bounds['low']:g} and at most" if bounds["above"] else f"from {bounds['low']:g} to"
    return f"a {'whole ' if kind is int else ''}number {low} {bounds['high']:.10g}"


def parse_setting(key: str, text: str, current: Any) -> Any:
    """Parse one `key=value` string to the type of the current value.

    A list is JSON, or its values with commas between them.

    Raises:
        ConfigError: it is of another type.
    """
    value = _parse_word(text)
    if isinstance(current, tuple) and not isinstance(value, list):
        return tuple(_parse_word(part.strip()) for part in text.split(",") if part.strip())
    if isinstance(current, str):
        return value if isinstance(value, str) else text
    if isinstance(current, bool) and not isinstance(value, bool):
        raise ConfigError(f"{key} must be true or false, not {short_repr(text)}")
    if isinstance(current, (int, float)) and not isinstance(value, (int, float)):
        raise ConfigError(f"{key} must be a number, not {short_repr(text)}")
    return tuple(value) if isinstance(value, list) else value


def _parse_word(text: str) -> Any:
    """Return a JSON value, or the text itself where it is none."""
    try:
        return parse_json(text, "setting")
    except DataError:
        return text
