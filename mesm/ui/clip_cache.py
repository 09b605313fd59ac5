"""Keep results about clips: of a corpus's for all visitors, of a visitor's own for the visit only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from mesm.ui.corpora import Case

P = ParamSpec("P")
R = TypeVar("R")
#: Results about an own clip, per visit and function.
_OWN_ENTRIES = 8
_own_caches: list[Any] = []


def clip_cache(
    keep: Any, max_entries: int, show_spinner: str | bool = False, is_own: bool = False
) -> Callable[[Callable[Concatenate[Case, str, P], R]], Callable[Concatenate[Case, P], R]]:
    """Cache a function of a case, of the case's key and of more arguments; those that begin with _ are no part of the key.

    Args:
        keep: `st.cache_data` or `st.cache_resource`.
        max_entries: results about clips of corpora, of all visitors together.
        is_own: keep those for the visit only, too: their key holds what the visitor typed.
    """

    def decorate(function: Callable[Concatenate[Case, str, P], R]) -> Callable[Concatenate[Case, P], R]:
        shared = keep(max_entries=max_entries, show_spinner=show_spinner)(function)
        own = keep(max_entries=_OWN_ENTRIES, show_spinner=show_spinner, scope="session")(function)
        _own_caches.append(own)

        def call(case: Case, *args: P.args, **kwargs: P.kwargs) -> R:
            result: R = (own if is_own or case.corpus is None else shared)(case, case.key, *args, **kwargs)
            return result

        return call

    return decorate


def forget_own_clip() -> None:
    """Remove everything that was kept about the clip of this visit."""
    for cache in _own_caches:
        cache.clear()
