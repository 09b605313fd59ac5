"""Announce the one wait of a new machine: the first inference on a CPU compiles loops, which numba then keeps on disk."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

SENTENCE = "Compiling the convolution loops once for this machine, about half a minute"
_log = logging.getLogger(__name__)


def must_compile(*, sparse: bool) -> bool:
    """Return whether inference begins with a compilation: neither this process nor numba's cache has the loops.

    Args:
        sparse: whether MESM's blocks are computed, beside a dense CNN.
    """
    from mesm.sparse import compiled_block, compiled_maps  # numba takes a second to load

    entries = [compiled_maps.convolve_maps, *([compiled_block.run_block] if sparse else [])]
    return not all(entry.signatures or _is_cached(entry) for entry in entries)  # type: ignore[attr-defined]


def announce(*, sparse: bool) -> None:
    """Log the sentence before the first compilation of this process; the command line prints it."""
    if must_compile(sparse=sparse):
        _announce_once()


@cache
def _announce_once() -> None:
    _log.info("%s.", SENTENCE)


def _is_cached(function: Any) -> bool:
    """Return whether numba's cache holds machine code of a function's present source for this processor."""
    index = getattr(function._cache, "_cache_file", None)  # none where no folder can be written
    processor = function.targetctx.codegen().magic_tuple()
    return index is not None and any(key[1] == processor for key in index._load_index())
