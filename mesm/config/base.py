"""Define frozen settings: validated once, with dict, JSON and `key=value` forms."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Self

from mesm.errors import ConfigError
from mesm.json_form import Json


def check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Raise `ConfigError` if the value is not among the allowed ones."""
    if value not in allowed:
        raise ConfigError(f"{name} is {value!r}; it must be one of {', '.join(allowed)}")


def check_top_p(top_p: float) -> float:
    """Return `top_p` if 0 < top_p <= 1, else raise `ConfigError`."""
    if not 0 < top_p <= 1:
        raise ConfigError(f"top_p is {top_p}; it must lie in (0, 1], and 1 keeps every site")
    return float(top_p)


class JsonConfig:
    """Convert a frozen config to and from dicts, JSON and `key=value` strings.

    A config may hold others as fields (their defaults are configs). Unknown keys are errors; tuples survive the trip.
    """

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
            ConfigError: a setting that does not exist, or a value out of range.
        """
        kinds: dict[str, Any] = {f.name: f.default_factory for f in fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(data) - set(kinds))
        if unknown:
            raise ConfigError(f"{cls.__name__} has no setting {unknown[0]!r}; it has {', '.join(sorted(kinds))}")
        values: dict[str, object] = {}
        for key, value in data.items():
            kind, default = kinds[key], getattr(cls, key, None)
            if isinstance(default, tuple) and not isinstance(value, list | tuple):
                raise ConfigError(f"{key} is {value!r}; it must be a list, such as {list(default)}")
            if not (isinstance(kind, type) and issubclass(kind, JsonConfig)):
                values[key] = tuple(value) if isinstance(value, list) else value
            elif isinstance(value, Mapping):
                values[key] = kind.from_dict(value)
            else:
                raise ConfigError(f"{key} is {value!r}; it must hold {', '.join(kind().flat())}")
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


def parse_setting(key: str, text: str, current: Any) -> Any:
    """Parse one `key=value` string to the type of the current value.

    A list is JSON, or its items with commas between them: `["anger", "fear"]` or `anger,fear`.

    Raises:
        ConfigError: it has another type.
    """
    value = _parse_json(text)
    if isinstance(current, tuple):
        if isinstance(value, str):
            value = [_parse_json(item.strip()) for item in value.split(",") if item.strip()]
        items = tuple(value) if isinstance(value, list) else (value,)
        kinds = (str,) if current and isinstance(current[0], str) else (int, float) if current else (str, int, float)
        wrong = [item for item in items if not isinstance(item, kinds) or isinstance(item, bool)]
        if wrong:
            kind = " and ".join({str: "words", int: "numbers"}[k] for k in kinds if k is not float)
            raise ConfigError(f"{key} holds {kind}, not {wrong[0]!r}; write them with commas between, such as a,b,c")
        return items
    if isinstance(current, str):
        return value if isinstance(value, str) else text
    if isinstance(current, bool) != isinstance(value, bool):
        raise ConfigError(f"{key} must be {'true or false' if isinstance(current, bool) else 'a number'}, not {text!r}")
    if isinstance(current, (int, float)) and not isinstance(value, (int, float)):
        raise ConfigError(f"{key} must be a number, not {text!r}")
    return value


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # a plain word, or a number of thousands of digits
        return text
