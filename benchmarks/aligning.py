"""Speed of detection and alignment, by detector, on webcam frames and on tight film crops.

    WILDSTYLE_DATA=... python benchmarks/aligning.py [--threads 2] [--repeats 7]

Pictures are decoded before; a pass finds the face in each picture, checks it and cuts it out. The
detectors take turns in one process. Also recorded: the share of tight crops each one finds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import cv2

from record import record
from wildstyle.faces.align import align, plausible
from wildstyle.faces.detect import Detector, find_faces, open_detector
from wildstyle.faces.opening import open_faces
from wildstyle.faces.record import Pixels
from wildstyle.faces.video import Frame, FrameStep, read_frames


def frames(folder: Path) -> list[Pixels]:
    """Every twelfth frame of the three clips, 320x240."""
    things = [f for path in sorted(folder.iterdir()) for f in read_frames(path, FrameStep(every=12))]
    return [f.image for f in things if isinstance(f, Frame) and f.image is not None]


def crops(path: Path) -> list[Pixels]:
    """Every eighth tight crop, 15 to 400 px, without the last 60, in which a detector found no face before."""
    source = open_faces(path)
    return [source.read(i).image for i in range(0, len(source) - 60, 8)]


def aligned(detector: Detector, pictures: Sequence[Pixels]) -> int:
    """Cut the best face out of each picture; how many had one."""
    count = 0
    for picture in pictures:
        found = find_faces(detector, picture)
        if found and plausible(found[0].landmarks, found[0].box, picture.shape[:2]) is None:
            align(picture, found[0].landmarks)
            count += 1
    return count


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    data = os.environ.get("WILDSTYLE_DATA")
    if not data:
        raise SystemExit("WILDSTYLE_DATA is not set: this benchmark needs video/, imfdb_raw.tar and a detector file")
    cv2.setNumThreads(options.threads)
    sets = {"": frames(Path(data) / "video"), "-tight-crops": crops(Path(data) / "imfdb_raw.tar")}
    detectors = {
        "mtcnn": open_detector(threads=options.threads),
        "scrfd": open_detector(Path(data) / "models" / "scrfd_2.5g_bnkps.onnx", threads=options.threads),
    }
    command = f"python benchmarks/aligning.py --threads {options.threads} --repeats {options.repeats}"
    for suffix, pictures in sets.items():
        rates, found = measure(detectors, pictures, options.repeats)
        for kind, other in (("mtcnn", "scrfd"), ("scrfd", "mtcnn")):
            facts = {"command": command, "threads": options.threads, "images": len(pictures)}
            median = statistics.median(rates[kind])
            record(
                "faces",
                f"aligning-images-per-s-{kind}{suffix}",
                round(median, 1),
                "images/s",
                "higher",
                rival=other,
                rival_value=round(statistics.median(rates[other]), 1),
                interval=(round(min(rates[kind]), 1), round(max(rates[kind]), 1)),
                interval_is="lowest and highest of the repeats",
                repeats=options.repeats,
                found=found[kind],
                **facts,
            )
            print(f"{kind}{suffix}: {median:.1f} images/s, {found[kind]} of {len(pictures)} found")
            if suffix:
                share = round(found[kind] / len(pictures), 3)
                record("faces", f"tight-crops-found-{kind}", share, "share", "higher", **facts)


def measure(
    detectors: dict[str, Detector], pictures: Sequence[Pixels], repeats: int
) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Images a second of every pass, and faces found, by detector. The first round warms up."""
    rates: dict[str, list[float]] = {kind: [] for kind in detectors}
    found: dict[str, int] = {}
    for repeat in range(repeats + 1):
        for kind in sorted(detectors, reverse=bool(repeat % 2)):
            start = time.perf_counter()
            found[kind] = aligned(detectors[kind], pictures)
            if repeat:
                rates[kind].append(len(pictures) / (time.perf_counter() - start))
    return rates, found


if __name__ == "__main__":
    main()
