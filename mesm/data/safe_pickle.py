"""Read pickles of plain values and nothing else: containers, strings, numbers and numpy arrays.

A pickle is a program. This reader runs it with harmless functions of its own in place of every importable name:
numpy's classes never see the file's state, so a file cannot choose a dtype's flags, reserve memory that it does not
fill, or name anything else. What a program left behind is walked once more before it is returned.
"""

from __future__ import annotations

import collections
import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from mesm.errors import DataError

#: numpy kinds that are plain: bool, integers, floats, complex, bytes, text, and object arrays of plain values.
_KINDS = "biufcSUO"


class _DType:
    """Stands for `numpy.dtype` while a file is read."""

    def __init__(self, code: object, *_: object) -> None:
        if not isinstance(code, str) or np.dtype(code).kind not in _KINDS:
            raise DataError(f"numpy.dtype({code!r})")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        # (version, byte order, subarray, names, fields, ...): the order is all that a plain dtype needs.
        if any(part is not None for part in state[2:5]):
            raise DataError("numpy.dtype with fields")
        if state[1] in "<>":
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """Stands for an array that is being rebuilt; `array` is set when its state arrives."""

    array: np.ndarray | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, raw = state
        if dtype.dtype.kind == "O":
            flat = np.empty(len(raw), object)
            flat[:] = [*raw]
        else:
            flat = np.frombuffer(raw.encode("latin1") if isinstance(raw, str) else raw, dtype.dtype)
        self.array = _shaped(flat, shape, fortran)


class _NdArray:
    """Stands for the class `numpy.ndarray`; only a name, never called."""

    def __init__(self, *_: object) -> None:
        raise DataError("a call of numpy.ndarray")


def _shaped(flat: np.ndarray, shape: tuple[int, ...], fortran: object) -> np.ndarray:
    array = flat.reshape(tuple(shape), order="F" if fortran in (True, 1, "F") else "C")
    return np.ascontiguousarray(array).reshape(array.shape).copy()


def _reconstruct(*_: object) -> _Array:
    return _Array()


def _frombuffer(raw: Any, dtype: _DType, shape: tuple[int, ...], order: str) -> _Array:
    stub = _Array()
    stub.array = _shaped(np.frombuffer(raw, dtype.dtype), shape, order)
    return stub


def _scalar(dtype: _DType, raw: Any) -> Any:
    return np.frombuffer(raw.encode("latin1") if isinstance(raw, str) else raw, dtype.dtype)[0]


def _encode(text: str, encoding: str = "latin1") -> bytes:
    # Protocol 2 writes bytes as _codecs.encode(text, "latin1").
    if encoding not in ("latin1", "latin-1"):
        raise DataError(f"_codecs.encode to {encoding!r}")
    return text.encode("latin1")


def _bytearray(content: bytes = b"") -> bytearray:
    if not isinstance(content, bytes):
        raise DataError("bytearray of something else than bytes")
    return bytearray(content)


def _bytes(content: bytes = b"") -> bytes:
    # Protocol 2 writes empty bytes as a call without arguments; bytes(10**12) would reserve memory.
    return bytes(_bytearray(content))


def _names() -> dict[tuple[str, str], Any]:
    """Map (module, name) in a file -> its substitute; numpy renamed `core` to `_core`, Python 2 `builtins`."""
    names: dict[tuple[str, str], Any] = {
        ("numpy", "ndarray"): _NdArray,
        ("numpy", "dtype"): _DType,
        ("_codecs", "encode"): _encode,
        ("collections", "OrderedDict"): collections.OrderedDict,
    }
    for core in ("numpy.core", "numpy._core"):
        names[f"{core}.multiarray", "_reconstruct"] = _reconstruct
        names[f"{core}.multiarray", "scalar"] = _scalar
        names[f"{core}.numeric", "_frombuffer"] = _frombuffer
    for builtins in ("builtins", "__builtin__"):
        names |= {(builtins, c.__name__): c for c in (set, frozenset, complex)}
        names[builtins, "bytearray"] = _bytearray
        names[builtins, "bytes"] = _bytes
    return names


_NAMES = _names()


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _NAMES:
            raise DataError(f"{module}.{name}")
        return _NAMES[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise DataError("an object outside the file")


def _plain(value: Any) -> Any:
    """Return the value with its arrays in place; whatever is not plain raises."""
    if isinstance(value, _Array):
        if value.array is None:
            raise DataError("numpy.ndarray without content")
        if value.array.dtype.kind == "O":
            flat = value.array.reshape(-1)
            flat[:] = [_plain(item) for item in flat]
        return value.array
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes, bytearray, np.generic)):
        return value
    if isinstance(value, dict):
        return {_plain(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return type(value)(_plain(item) for item in value)
    raise DataError(f"{type(value).__name__.lstrip('_')} as a value")


def load_plain_pickle(path: str | os.PathLike[str], max_bytes: int = 1 << 30) -> Any:
    """Read the content of a pickle file, if it is made of containers, strings, numbers and numpy arrays.

    Args:
        path: file of any pickle protocol, from Python 2 or 3 (Python 2's text is read as latin-1).
        max_bytes: refuse larger files.

    Returns:
        the value; an `OrderedDict` becomes a dict, and arrays are writable copies in C order.

    Raises:
        DataError: the file is missing, too large or damaged, or refers to anything else, which the sentence names.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise DataError(
                f"{path} has {size / 1e6:.0f} MB and at most {max_bytes / 1e6:.0f} MB are read; raise max_bytes if it is right"
            )
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check the path") from error
    try:
        return _plain(_PlainUnpickler(io.BytesIO(data), encoding="latin1").load())
    except DataError as error:
        raise DataError(
            f"{path} refers to {error}, and only plain containers, strings, numbers and numpy arrays are read; "
            "have its maker write it as JSON, CSV or numpy arrays"
        ) from None
    except Exception as error:  # a damaged pickle can raise anything
        raise DataError(f"{path} is not a whole pickle ({type(error).__name__}: {error}); copy it again") from error
