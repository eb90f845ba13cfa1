"""Read the pickles that ``.bin`` pair files are, without running anything they ask for.

A pickle is a program. Here it may only build tuples, lists, dicts, numbers, text, bytes and flat numpy
arrays of bytes or booleans; and even for those no function named in the file is called, but a harmless
stand-in. The opcodes are read through once before, so that sizes are believed only if the bytes exist.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from collections.abc import Callable
from typing import Any

from wildstyle.errors import CorruptArchive, HostileFile

_ADVICE = "don't use this file unless you know who made it; convert it to a folder or a tar where it was made"
_OPCODES = frozenset(
    """PROTO FRAME STOP MARK POP POP_MARK DUP NONE NEWTRUE NEWFALSE INT LONG BININT BININT1 BININT2 LONG1 LONG4
    FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8 UNICODE BINUNICODE
    SHORT_BINUNICODE BINUNICODE8 EMPTY_LIST LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_DICT
    DICT SETITEM SETITEMS GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE GLOBAL STACK_GLOBAL REDUCE
    BUILD""".split()  # noqa: SIM905 - fifty quoted words are harder to read
)
_PUTS = frozenset(("PUT", "BINPUT", "LONG_BINPUT"))
_ITEM_TYPES = {"u1": "u1", "|u1": "u1", "i1": "i1", "|i1": "i1", "b1": "b1", "|b1": "b1", "?": "b1"}


def load_pickle(data: bytes, *, where: str) -> Any:
    """Plain values of a pickle, protocol 0 to 5, Python 2 or 3; arrays come as ``FlatArray``.

    Raises:
        CorruptArchive: it is no pickle or is cut off.
        HostileFile: it asks for any function or class but those that rebuild byte arrays, or for more
            memory than it can mean.
    """
    _check_opcodes(data, where)
    try:
        return _Restricted(io.BytesIO(data), encoding="bytes").load()
    except HostileFile as error:
        raise HostileFile(error.what, where=where, remedy=_ADVICE) from None
    except MemoryError as error:
        raise HostileFile("file asks for more memory than there is", where=where, remedy=_ADVICE) from error
    except Exception as error:  # a damaged pickle can fail in any way
        raise CorruptArchive(f"pickle is damaged ({error})", where=where, remedy="copy the file again") from error


def _check_opcodes(data: bytes, where: str) -> None:
    count = 0
    try:
        for opcode, argument, _ in pickletools.genops(data):
            count += 1
            if opcode.name not in _OPCODES:
                raise HostileFile(f"pickle uses {opcode.name}, which no pair file needs", where=where, remedy=_ADVICE)
            if opcode.name in _PUTS and isinstance(argument, int) and argument > count:
                # The unpickler would make a table of that many places.
                raise HostileFile(f"pickle stores into place {argument}", where=where, remedy=_ADVICE)
    except HostileFile:
        raise
    except Exception as error:
        raise CorruptArchive(
            f"not a pickle, or cut off ({error})", where=where, remedy="copy the file again, or check the path"
        ) from error


class FlatArray:
    """A numpy array as a pickle describes it: shape, item type (``u1``, ``i1``, ``b1``) and raw bytes."""

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = ()
        self.kind = "u1"
        self.data = b""

    def __setstate__(self, state: Any) -> None:
        if not (isinstance(state, tuple) and len(state) == 5):
            raise HostileFile("array is described in an unknown way")
        _, shape, kind, _, data = state
        self.fill(shape, kind, data)

    def fill(self, shape: Any, kind: Any, data: Any) -> FlatArray:
        """Take the description; the bytes must be as many as the shape says."""
        if isinstance(data, str):
            data = data.encode("latin-1")
        known = isinstance(kind, _ItemType) and isinstance(data, bytes | bytearray) and isinstance(shape, tuple)
        if not known or not all(isinstance(n, int) and n >= 0 for n in shape) or math.prod(shape) != len(data):
            raise HostileFile("array holds something else than bytes or booleans of its shape")
        self.shape, self.kind, self.data = shape, kind.name, bytes(data)
        return self

    def tolist(self) -> list[Any]:
        """All items in storage order: integers, or booleans."""
        if self.kind == "b1":
            return [value != 0 for value in self.data]
        return list(memoryview(self.data).cast("b" if self.kind == "i1" else "B"))


class _ItemType:
    """Stands in for ``numpy.dtype``."""

    def __init__(self, name: Any, *_: Any) -> None:
        text = name.decode("latin-1") if isinstance(name, bytes) else name
        if text not in _ITEM_TYPES:
            raise HostileFile(f"array has items of type {text!r}, only bytes and booleans are allowed")
        self.name = _ITEM_TYPES[text]

    def __setstate__(self, state: Any) -> None:
        """Byte order and alignment mean nothing for single bytes."""


def _empty_array(*_: Any) -> FlatArray:
    return FlatArray()


def _array_of_buffer(data: Any, kind: Any, shape: Any, *_: Any) -> FlatArray:
    return FlatArray().fill(shape, kind, data)


def _scalar(kind: Any, data: Any) -> Any:
    return FlatArray().fill((1,), kind, data).tolist()[0]


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """How protocols 0 to 2 write bytes."""
    if encoding not in ("latin1", b"latin1", "latin-1"):
        raise HostileFile(f"bytes are written in {encoding!r}")
    return text if isinstance(text, bytes) else str(text).encode("latin-1")


def _empty_bytes(*arguments: Any) -> bytes:
    if arguments:
        raise HostileFile("pickle calls bytes with an argument")
    return b""


class _Nothing:
    """Stands in for ``numpy.ndarray``, which is only ever passed on."""


_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("_codecs", "encode"): _encode,
    ("builtins", "bytes"): _empty_bytes,
    ("__builtin__", "bytes"): _empty_bytes,
    ("numpy", "dtype"): _ItemType,
    ("numpy", "ndarray"): _Nothing,
    **{
        (f"numpy.{core}.{module}", name): stand_in
        for core in ("core", "_core")
        for module, name, stand_in in (
            ("multiarray", "_reconstruct", _empty_array),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _array_of_buffer),
        )
    },
}


class _Restricted(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        found = _ALLOWED.get((module, name))
        if found is None:
            raise HostileFile(f"pickle asks for {module}.{name}")
        return found

    def persistent_load(self, pid: Any) -> Any:
        raise HostileFile("pickle asks for an outside object")
