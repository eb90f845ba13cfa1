"""What serving the adapted recogniser costs, beside the untouched one."""

from __future__ import annotations

import statistics
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from wildstyle.recognisers import Recogniser
from wildstyle.recognisers.writing import Unwritable, onnx_bytes
from wildstyle.report import ServingCost

_WARM, _RUNS = 3, 25


def serving_cost(untouched: Recogniser, file: Path) -> ServingCost:
    """Time both, one face at a time on one thread, taking turns; a second or two.

    Args:
        untouched: the recogniser before.
        file: the exported ONNX file of the one after.
    """
    size = untouched.contract.input_size
    face = np.random.default_rng(0).standard_normal((1, 3, size, size), np.float32)
    sides: list[bytes | str] = [str(file)]
    with suppress(Unwritable):
        sides.append(onnx_bytes(untouched.network, size))
    sessions = [_session(side) for side in sides]
    spent: list[list[float]] = [[] for _ in sessions]
    for turn in range(_WARM + _RUNS):
        for session, seconds in zip(sessions, spent, strict=True):
            begun = time.perf_counter()
            session.run(None, {session.get_inputs()[0].name: face})
            if turn >= _WARM:
                seconds.append(time.perf_counter() - begun)
    medians = [1000 * statistics.median(seconds) for seconds in spent]
    return ServingCost(
        megabytes=file.stat().st_size / 1e6,
        milliseconds=medians[0],
        before_milliseconds=medians[1] if len(medians) > 1 else None,
    )


def _session(model: bytes | str):  # type: ignore[no-untyped-def]
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
