"""Read pickles of plain values and nothing else: containers, strings, numbers and numpy arrays.

A pickle is a program. This reader runs it with harmless functions of its own in place of every importable name:
numpy's classes never see the file's state, so a file cannot choose a dtype's flags, reserve memory that it does not
fill, or name anything else. The program runs in Python's own interpreter of pickles, not in the one written in C, since
each operation has to be paid from a budget of values, bytes and time: a few bytes can cost gigabytes or hours. What a
program left behind is walked once more before it is returned.
"""

from __future__ import annotations

import collections
import io
import os
import pickle
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mesm.errors import DataError

#: numpy kinds that are plain: bool, integers, floats, complex, bytes, text, and object arrays of plain values.
_KINDS = "biufcSUO"
#: Values of a file, counted again wherever one is shared; the largest releases hold some hundred thousand.
MAX_VALUES = 10_000_000
#: Bytes of all strings and arrays, counted in the same way, as a multiple of the largest file.
_GROWTH = 4
#: Processor time: ten times that of the largest permitted file.
MAX_SECONDS = 120.0
#: A longer integer is no measured value, and Python refuses to print it.
_INTEGER_BITS = 1024
#: Operations between two looks at the clock.
_CLOCK_EVERY = 64


class _TooMuch(DataError):  # noqa: N818 - the name states the condition
    """Signal a file that needs more than its budget."""


class _Budget:
    """Count values, bytes and processor time; raise `_TooMuch` where one is used up."""

    def __init__(self, max_bytes: int, max_seconds: float) -> None:
        self.values, self.bytes, self.operations = MAX_VALUES, max_bytes, 0
        self.max_seconds, self.until = max_seconds, time.thread_time() + max_seconds

    def spend(self, values: int = 1, size: int = 0) -> None:
        self.values -= values
        self.bytes -= size
        self.operations += 1
        if self.values < 0:
            raise _TooMuch(f"holds more than {MAX_VALUES / 1e6:g} million values")
        if self.bytes < 0:
            raise _TooMuch("unfolds to far more bytes than it has")
        if self.operations % _CLOCK_EVERY == 0 and time.thread_time() > self.until:
            raise _TooMuch(f"takes more than {self.max_seconds:g} s to read")


def _entries(value: object) -> int:
    """Return the number of values that a container holds itself; 0 for any other value."""
    return len(value) if isinstance(value, (list, tuple, set, frozenset, dict)) else 0


def _size(value: object) -> int:
    """Return the bytes of a string or an array; 0 for any other value."""
    if isinstance(value, (str, bytes, bytearray)):
        return len(value)
    return value.nbytes if isinstance(value, np.ndarray) else 0


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


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, (bool, int, float, complex, str, bytes, np.generic))


def _check_key(key: object) -> None:
    """Refuse a key whose hash could take for ever: tuples in tuples, each twice in the next."""
    if not (_is_scalar(key) or (isinstance(key, tuple) and all(map(_is_scalar, key)))):
        raise DataError(f"{type(key).__name__.lstrip('_')} as a key")


#: The interpreter that the standard library keeps beside the one in C; its functions can be replaced one by one.
_PythonUnpickler: Any = vars(pickle)["_Unpickler"]


class _Operations(dict[int, Callable[..., None]]):
    """Map opcode -> its function; each look-up is one operation of the program and is paid for."""

    def __init__(self, operations: dict[int, Callable[..., None]], budget: _Budget) -> None:
        super().__init__(operations)
        self.budget = budget

    def __getitem__(self, code: int) -> Callable[..., None]:
        self.budget.spend()
        return super().__getitem__(code)


class _PlainUnpickler(_PythonUnpickler):
    """Run a program within a budget. Only its own functions are called, and only lists, dicts and sets are filled."""

    def __init__(self, data: bytes, budget: _Budget) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self.budget = budget
        self.__dict__["dispatch"] = _Operations(type(self).dispatch, budget)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _NAMES:
            raise DataError(f"{module}.{name}")
        return _NAMES[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise DataError("an object outside the file")

    def _integer(self, read: Callable[..., None]) -> None:
        read(self)
        if self.stack[-1].bit_length() > _INTEGER_BITS:
            raise _TooMuch(f"holds an integer of {self.stack[-1].bit_length()} bits")

    def _bytearray8(self) -> None:
        # The base class reserves the length that the file claims.
        self.append(bytearray(self.read(int.from_bytes(self.read(8), "little"))))

    def _call(self, function: Any, arguments: Sequence[Any]) -> Any:
        if not any(function is one for one in _NAMES.values()):
            raise DataError(f"a call of {type(function).__name__.lstrip('_')}")
        self.budget.spend(sum(map(_entries, arguments)), sum(map(_size, arguments)))
        if function in (set, frozenset) and arguments:
            return function(self._set_of(*arguments))
        return function(*arguments)

    def _reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self._call(self.stack[-1], arguments)

    def _instantiate(self, klass: Any, args: list[Any]) -> None:
        self.append(self._call(klass, args))

    def _new_object(self) -> None:
        raise DataError("an object of a class")

    def _build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], (_Array, _DType)):
            raise DataError(f"the state of {type(self.stack[-1]).__name__.lstrip('_')}")
        self.budget.spend(sum(map(_entries, state)), sum(map(_size, state)))
        self.stack[-1].__setstate__(state)

    def _fill(self, target: Any, entries: list[Any]) -> None:
        """Add keys and values, which follow each other in `entries`, to a dict."""
        if not isinstance(target, dict):
            raise DataError(f"keys of {type(target).__name__.lstrip('_')}")
        for key, value in zip(entries[::2], entries[1::2], strict=True):
            _check_key(key)
            self.budget.spend(0)
            target[key] = value

    def _set_of(self, entries: Iterable[Any]) -> set[Any]:
        result = set()
        for entry in entries:
            _check_key(entry)
            self.budget.spend(0)
            result.add(entry)
        return result

    def _dict(self) -> None:
        entries, new = self.pop_mark(), dict[Any, Any]()
        self._fill(new, entries)
        self.append(new)

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._fill(self.stack[-1], [key, value])

    def _set_items(self) -> None:
        entries = self.pop_mark()
        self._fill(self.stack[-1], entries)

    def _add_items(self) -> None:
        entries = self.pop_mark()
        if not isinstance(self.stack[-1], set):
            raise DataError(f"members of {type(self.stack[-1]).__name__.lstrip('_')}")
        for entry in entries:  # one by one, since each may be compared with all before it
            _check_key(entry)
            self.budget.spend(0)
            self.stack[-1].add(entry)

    def _frozenset(self) -> None:
        self.append(frozenset(self._set_of(self.pop_mark())))

    def _append_all(self, entries: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise DataError(f"members of {type(self.stack[-1]).__name__.lstrip('_')}")
        self.stack[-1].extend(entries)

    def _append(self) -> None:
        self._append_all([self.stack.pop()])

    def _appends(self) -> None:
        self._append_all(self.pop_mark())

    dispatch: ClassVar[dict[int, Callable[..., None]]] = {
        **_PythonUnpickler.dispatch,
        **{
            code[0]: lambda self, read=_PythonUnpickler.dispatch[code[0]]: self._integer(read)
            for code in (pickle.INT, pickle.LONG, pickle.LONG1, pickle.LONG4)
        },
        pickle.BYTEARRAY8[0]: _bytearray8,
        pickle.REDUCE[0]: _reduce,
        pickle.NEWOBJ[0]: _new_object,
        pickle.NEWOBJ_EX[0]: _new_object,
        pickle.BUILD[0]: _build,
        pickle.DICT[0]: _dict,
        pickle.SETITEM[0]: _set_item,
        pickle.SETITEMS[0]: _set_items,
        pickle.ADDITEMS[0]: _add_items,
        pickle.FROZENSET[0]: _frozenset,
        pickle.APPEND[0]: _append,
        pickle.APPENDS[0]: _appends,
    }


class _Walk:
    """Put the arrays into a value and refuse what is not plain.

    A shared container is converted once, but counted wherever it stands: whoever prints or copies the value meets it as
    often.
    """

    def __init__(self, budget: _Budget) -> None:
        self.budget = budget
        #: id of a container -> its plain form, values and bytes; None while it is being converted.
        self.known: dict[int, tuple[Any, int, int] | None] = {}

    def plain(self, value: Any) -> Any:
        """Return the value with its arrays in place."""
        return self._convert(value)[0]

    def _convert(self, value: Any) -> tuple[Any, int, int]:
        """Return a value's plain form, the number of values in it, and their bytes."""
        if _is_scalar(value) or isinstance(value, bytearray):
            return value, 1, _size(value)
        if id(value) in self.known:
            known = self.known[id(value)]
            if known is None:
                raise DataError(f"{type(value).__name__} inside itself")
            self._check(known[1], known[2])
            return known
        self.known[id(value)] = None
        result = self.known[id(value)] = self._container(value)
        self._check(result[1], result[2])
        return result

    def _check(self, values: int, size: int) -> None:
        """Check that what one container unfolds to is within the whole budget, and check the time."""
        if values > MAX_VALUES or size > self.budget.bytes:
            self.budget.spend(values, size)
        self.budget.spend(0)

    def _container(self, value: Any) -> tuple[Any, int, int]:
        if isinstance(value, _Array):
            if value.array is None:
                raise DataError("numpy.ndarray without content")
            if value.array.dtype.kind != "O":
                return value.array, 1, value.array.nbytes
            flat = value.array.reshape(-1)
            flat[:], values, size = self._each(flat)
            return value.array, values, size
        if isinstance(value, dict):
            contents, values, size = self._each(value.values())
            # Keys are scalars already (`_check_key`).
            return dict(zip(value, contents, strict=True)), values + len(value), size + sum(map(_size, value))
        if isinstance(value, (list, tuple, set, frozenset)):
            contents, values, size = self._each(value)
            return type(value)(contents), values, size
        raise DataError(f"{type(value).__name__.lstrip('_')} as a value")

    def _each(self, values: Iterable[Any]) -> tuple[list[Any], int, int]:
        converted, count, size = [], 1, 0
        for value in values:
            one, more, its_size = self._convert(value)
            converted.append(one)
            count, size = count + more, size + its_size
        return converted, count, size


def load_plain_pickle(path: str | os.PathLike[str], max_bytes: int = 1 << 30, max_seconds: float = MAX_SECONDS) -> Any:
    """Read the content of a pickle file, if it is made of containers, strings, numbers and numpy arrays.

    Args:
        path: file of any pickle protocol, from Python 2 or 3 (Python 2's text is read as latin-1).
        max_bytes: refuse larger files.
        max_seconds: processor time that reading may take.

    Returns:
        the value; an `OrderedDict` becomes a dict, and arrays are writable copies in C order.

    Raises:
        DataError: the file is missing, too large or damaged, or refers to anything else, which the sentence names; or it needs
            more than `MAX_VALUES`, a multiple of `max_bytes`, or `max_seconds`.
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
        budget = _Budget(_GROWTH * max_bytes, max_seconds)
        return _Walk(budget).plain(_PlainUnpickler(data, budget).load())
    except _TooMuch as error:
        raise DataError(
            f"{path} {error}, so it is not read; have its maker write it as JSON, CSV or numpy arrays"
        ) from None
    except DataError as error:
        raise DataError(
            f"{path} refers to {error}, and only plain containers, strings, numbers and numpy arrays are read; "
            "have its maker write it as JSON, CSV or numpy arrays"
        ) from None
    except RecursionError:
        raise DataError(f"{path} is nested too deep; have its maker write it as JSON, CSV or numpy arrays") from None
    except Exception as error:  # a damaged pickle can raise anything
        raise DataError(f"{path} is not a whole pickle ({type(error).__name__}: {error}); copy it again") from error
