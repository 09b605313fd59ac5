"""Cache of values made from weights, such as folded or packed ones, that follows every change of the weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from torch import Tensor

T = TypeVar("T")


class VersionedCache(Generic[T]):
    """Hold a value made from tensors until one of them changes.

    The key is the identity, storage and version of the tensors, so an optimiser step, `load_state_dict` (also with
    assign=True), a copy or a move to another device all lead to a fresh value. Writing through `.data` leaves no such
    trace: call `clear`, which `train()` and `eval()` of the networks do. Inference tensors have no version: theirs is
    made at every use.
    """

    def __init__(self) -> None:
        self._kept: tuple[tuple[Tensor, ...], tuple[int, ...], T] | None = None

    def clear(self) -> None:
        """Drop the value; the next `get` makes it again."""
        self._kept = None

    def get(self, sources: tuple[Tensor, ...], make: Callable[[], T]) -> T:
        """Return the value for the tensors as they are now; `make` is called where it is not cached."""
        versions = tuple(-1 if t.is_inference() else t._version for t in sources)
        key = (*versions, *(t.data_ptr() for t in sources))
        if self._kept is not None and -1 not in versions:
            kept_sources, kept_key, value = self._kept
            if kept_key == key and all(a is b for a, b in zip(kept_sources, sources, strict=True)):
                return value
        value = make()
        self._kept = sources, key, value
        return value
