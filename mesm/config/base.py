"""Frozen settings: validated once, with dict, JSON and `key=value` forms."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import fields
from typing import Any, Self

from mesm.errors import ConfigError


def check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{name} is {value!r}; it must be one of {', '.join(allowed)}")


def check_top_p(top_p: float) -> float:
    """Return `top_p` if 0 < top_p <= 1, else raise `ConfigError`."""
    if not 0 < top_p <= 1:
        raise ConfigError(f"top_p is {top_p}; it must lie in (0, 1], and 1 keeps every site")
    return float(top_p)


class JsonConfig:
    """Dict and JSON forms of a frozen config; unknown keys are errors, tuples survive the trip."""

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        names = {f.name for f in fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(data) - names)
        if unknown:
            raise ConfigError(f"{cls.__name__} has no setting {unknown[0]!r}; it has {', '.join(sorted(names))}")
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in data.items()})

    def with_settings(self, settings: dict[str, str]) -> Self:
        """A copy with `key=value` strings from a command line applied; values are JSON, or plain words."""
        known = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        changes: dict[str, Any] = {}
        for key, text in settings.items():
            if key not in known:
                raise ConfigError(f"no setting {key!r}; there are {', '.join(sorted(known))}")
            try:
                value = json.loads(text)
            except json.JSONDecodeError:
                value = text
            if isinstance(known[key], bool) and not isinstance(value, bool):
                raise ConfigError(f"{key} must be true or false, not {text!r}")
            if isinstance(known[key], (int, float)) and not isinstance(value, (int, float)):
                raise ConfigError(f"{key} must be a number, not {text!r}")
            changes[key] = tuple(value) if isinstance(value, list) else value
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]
