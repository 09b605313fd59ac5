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
        self._kept: tuple[list[tuple[Tensor, int, int]], T] | None = None

    def clear(self) -> None:
        """Drop the value; the next `get` makes it again."""
        self._kept = None

    def get(self, sources: tuple[Tensor, ...], make: Callable[[], T]) -> T:
        """Return the value for the tensors as they are now; `make` is called where it is not cached."""
        if self._kept is not None and self._holds(sources):
            return self._kept[1]
        value = make()
        versioned = not any(t.is_inference() for t in sources)
        self._kept = ([(t, t._version, t.data_ptr()) for t in sources], value) if versioned else None
        return value

    def _holds(self, sources: tuple[Tensor, ...]) -> bool:
        assert self._kept is not None
        stamps = self._kept[0]
        if len(stamps) != len(sources):
            return False
        for tensor, (kept, version, pointer) in zip(sources, stamps, strict=True):
            # A loop, not `all`: sixty weights are looked at before each forward.
            if tensor is not kept or tensor._version != version or tensor.data_ptr() != pointer:
                return False
        return True
