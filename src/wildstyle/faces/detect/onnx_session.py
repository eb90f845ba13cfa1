"""ONNX Runtime sessions, quiet and with a stated number of threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError


class Session(Protocol):
    """The part of an ONNX Runtime session that is used here; ``run`` is thread-safe."""

    def run(self, names: Sequence[str] | None, feed: Mapping[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Outputs by name."""
        ...

    def get_inputs(self) -> list[Any]:
        """Inputs with ``name`` and ``shape``."""
        ...

    def get_outputs(self) -> list[Any]:
        """Outputs with ``name`` and ``shape``."""
        ...


def open_session(model: Path | bytes, *, threads: int = 0) -> Session:
    """A CPU session for a model file or serialised model.

    Raises:
        InputError: the file is no ONNX model or holds what the runtime can't run.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    given = str(model) if isinstance(model, Path) else model
    try:
        session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's exceptions share no base class
        where = model if isinstance(model, Path) else None
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise InputError(f"not a model ONNX Runtime can open ({reason})", where=where) from error
    return cast(Session, session)
