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
            kind = kinds[key]
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
    """Parse one `key=value` string to the type of the current value."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = text
    if isinstance(current, bool) and not isinstance(value, bool):
        raise ConfigError(f"{key} must be true or false, not {text!r}")
    if isinstance(current, (int, float)) and not isinstance(value, (int, float)):
        raise ConfigError(f"{key} must be a number, not {text!r}")
    return tuple(value) if isinstance(value, list) else value
