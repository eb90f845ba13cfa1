"""Speed of reading: our stream against bare JPEG decoding of the same bytes with as many threads.

    WILDSTYLE_DATA=... python benchmarks/reading.py [--threads 2] [--repeats 9]

Both give RGB. The rival gets its bytes in memory, in one list, and hands out plain arrays; ours reads
the tar, checks every header and makes records. The index is built before, its time is a figure apart.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from record import record
from wildstyle.faces import FaceSource, open_faces, stream

RUN = 16


def bare(encoded: Sequence[bytes], threads: int) -> int:
    """Decode all with ``threads`` threads, sixteen images a task; the fewer tasks, the harder to beat."""

    def decode(start: int) -> int:
        return sum(
            cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB) is not None
            for data in encoded[start : start + RUN]
        )

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(decode, range(0, len(encoded), RUN)))


def ours(source: FaceSource, threads: int) -> int:
    """Read all faces in order."""
    return sum(1 for _ in stream(source, workers=threads))


def seconds(act: Callable[[], int], expected: int) -> float:
    """Wall time of one pass."""
    start = time.perf_counter()
    if act() != expected:
        raise SystemExit("a pass did not read all faces")
    return time.perf_counter() - start


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    folder = os.environ.get("WILDSTYLE_DATA")
    if not folder:
        raise SystemExit("WILDSTYLE_DATA is not set: this benchmark needs source112.tar")
    cv2.setNumThreads(1)
    path = Path(folder) / "source112.tar"
    path.read_bytes()  # into the page cache, for both
    start = time.perf_counter()
    source = open_faces(path)
    index_s = time.perf_counter() - start
    encoded = [source.encoded(i) for i in range(len(source))]
    count = len(encoded)

    times: list[tuple[float, float]] = []
    for repeat in range(options.repeats + 1):
        acts = [lambda: ours(source, options.threads), lambda: bare(encoded, options.threads)]
        order = (0, 1) if repeat % 2 else (1, 0)
        spent = [0.0, 0.0]
        for which in order:
            spent[which] = seconds(acts[which], count)
        times.append((spent[0], spent[1]))
    times = times[1:]  # the first pass warms up
    ratios = sorted(rival / own for own, rival in times)
    own_rate, rival_rate = (count / statistics.median(t[k] for t in times) for k in (0, 1))
    command = f"python benchmarks/reading.py --threads {options.threads} --repeats {options.repeats}"
    facts = {"command": command, "threads": options.threads, "repeats": options.repeats, "images": count}
    record(
        "faces",
        "reading-vs-decode",
        round(statistics.median(ratios), 3),
        "ratio",
        "higher",
        rival=f"cv2.imdecode {cv2.__version__} of the same bytes in memory",
        rival_value=1.0,
        interval=(round(ratios[0], 3), round(ratios[-1], 3)),
        interval_is="lowest and highest of the repeats",
        wanted=0.9,
        **facts,
    )
    record(
        "faces",
        "reading-images-per-s",
        round(own_rate),
        "images/s",
        "higher",
        rival=f"cv2.imdecode {cv2.__version__}",
        rival_value=round(rival_rate),
        **facts,
    )
    record("faces", "index-s", round(index_s, 3), "s", "lower", **facts)
    print(f"reading {own_rate:.0f} images/s, bare decoding {rival_rate:.0f}, ratio {statistics.median(ratios):.3f}")
    print(f"index of {count} faces {index_s:.2f} s")


if __name__ == "__main__":
    main()
