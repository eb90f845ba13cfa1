"""Random numbers that depend on what is drawn for, never on who draws or when.

A draw is named by integers, usually (seed, epoch, index). So batch size, number of workers,
number of processes and resuming change nothing.
"""

from __future__ import annotations

import zlib

import numpy as np


def item_rng(seed: int, *names: int | str) -> np.random.Generator:
    """A generator for one item.

    Args:
        seed: the run's seed, >= 0.
        names: what the numbers are for, e.g. ``("style", epoch, index)``; integers >= 0 or text.

    Returns:
        A numpy generator whose stream is a function of the arguments alone.
    """
    key = [seed, *(zlib.crc32(n.encode()) if isinstance(n, str) else int(n) for n in names)]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))


def epoch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    """A permutation of ``range(count)`` for one epoch, (count,) int64."""
    return item_rng(seed, "order", epoch).permutation(count)
