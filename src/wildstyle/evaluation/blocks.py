"""Work on blocks of rows in threads, each with a matrix library that keeps to one thread.

One product on all cores leaves them idle while its scores are searched by one; blocks that are multiplied and
searched by one core each keep all busy, and few scores are held at a time.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from threadpoolctl import threadpool_limits

Result = TypeVar("Result")

BLOCK_SCORES = 32_000_000
"""Scores that all threads together hold at a time: 128 MB."""


def thread_count() -> int:
    """Threads to use: what ``OMP_NUM_THREADS`` says, at most the cores this process may use."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    said = os.environ.get("OMP_NUM_THREADS", "")
    return min(allowed, int(said)) if said.isdecimal() and int(said) > 0 else allowed


def block_scores() -> int:
    """Scores one thread may hold at a time."""
    return max(1_000_000, BLOCK_SCORES // thread_count())


def row_blocks(rows: int, width: int, scores: int) -> list[slice]:
    """Slices over ``range(rows)`` of as many rows as give ``scores`` scores against ``width`` columns."""
    step = max(1, scores // max(1, width))
    return [slice(start, min(rows, start + step)) for start in range(0, rows, step)]


def in_threads(work: Callable[[slice], Result], blocks: Sequence[slice]) -> Iterator[Result]:
    """``work(block)`` for each block, in their order; as many at once as there are threads.

    numpy lets go of the interpreter inside its loops, so threads suffice.
    """
    threads = thread_count()
    if threads == 1 or len(blocks) == 1:
        yield from map(work, blocks)
        return
    with _single_threaded_products(), ThreadPoolExecutor(threads) as pool:
        ahead = 2 * threads
        waiting = deque(pool.submit(work, block) for block in blocks[:ahead])
        for block in blocks[ahead:]:
            yield waiting.popleft().result()
            waiting.append(pool.submit(work, block))
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def _single_threaded_products() -> Iterator[None]:
    with threadpool_limits(limits=1, user_api="blas"):
        yield
