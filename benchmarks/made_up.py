"""How good made-up people are: found by a real detector, told apart by a real recogniser, and how fast they come.

    WILDSTYLE_DATA=... python benchmarks/made_up.py [--people 120] [--shots 5] [--seed 7]

Faces are found by SCRFD-2.5g (score >= 0.5) and aligned with its five points. Pairs: 500 of one person and 500 of two
people, the threshold fitted on half of the people and judged on the other half, both ways round, 20 draws.
Seeds 7 and up were never looked at while the renderer was tuned.
"""

from __future__ import annotations

import argparse
import os

# One thread a rendering; must be said before numpy is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import statistics
import time
from pathlib import Path

import cv2
import numpy as np

from record import record
from wildstyle.faces.align import align
from wildstyle.faces.detect import open_detector
from wildstyle.faces.record import Pixels
from wildstyle.madeup import MadeUpSet, person, shot

COMMAND = "WILDSTYLE_DATA=... python benchmarks/made_up.py"
PAIRS, DRAWS = 500, 20


def render_all(people: range, shots: int) -> tuple[list[Pixels], np.ndarray, list[float]]:
    """Raw pictures, person of each, and seconds of processor time of each."""
    images, labels, seconds = [], [], []
    for seed in people:
        for n in range(shots):
            start = time.thread_time()
            images.append(shot(person(seed), n).image)
            seconds.append(time.thread_time() - start)
            labels.append(seed)
    return images, np.array(labels), seconds


def embed(path: Path, crops: list[Pixels]) -> np.ndarray:
    """(N, D) unit embeddings of the MobileFaceNet file, by ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name, found = session.get_inputs()[0].name, []
    for crop in crops:
        x = (crop.astype(np.float32) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        found.append(session.run(None, {name: x.transpose(2, 0, 1)[None].astype(np.float32)})[0][0])
    stacked = np.stack(found)
    return stacked / np.linalg.norm(stacked, axis=1, keepdims=True)


def pair_accuracies(vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(2 * DRAWS,) accuracy on people apart from those that the threshold was fitted on."""
    rng, people = np.random.default_rng(0), np.unique(labels)
    found = []
    for _ in range(DRAWS):
        half = np.isin(labels, rng.permutation(people)[: len(people) // 2])
        for fitted in (half, ~half):
            threshold = _best_threshold(*_draw(vectors[fitted], labels[fitted], rng))
            same, different = _draw(vectors[~fitted], labels[~fitted], rng)
            found.append(((same >= threshold).mean() + (different < threshold).mean()) / 2)
    return np.array(found)


def _draw(vectors: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.triu_indices(len(labels), 1)
    scores, same = (vectors @ vectors.T)[first, second], labels[first] == labels[second]
    count = min(PAIRS, int(same.sum()))
    return rng.choice(scores[same], count, replace=False), rng.choice(scores[~same], count, replace=False)


def _best_threshold(same: np.ndarray, different: np.ndarray) -> float:
    candidates = np.sort(np.concatenate([same, different]))
    right = [(same >= t).mean() + (different < t).mean() for t in candidates]
    return float(candidates[int(np.argmax(right))])


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=120)
    parser.add_argument("--shots", type=int, default=5)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    if "WILDSTYLE_DATA" not in os.environ:
        raise SystemExit("WILDSTYLE_DATA is not set: a real detector and a real recogniser are not at hand")
    models = Path(os.environ["WILDSTYLE_DATA"]) / "models"
    cv2.setNumThreads(1)
    people = MadeUpSet(kind="held-back", people=args.people, seed=args.seed).person_seeds()
    images, labels, seconds = render_all(people, args.shots)
    detector = open_detector(models / "scrfd_2.5g_bnkps.onnx")
    best = [found[0] if found else None for found in map(detector.detect, images)]
    kept = [i for i, face in enumerate(best) if face is not None and face.score >= 0.5]
    crops = [align(images[i], face.landmarks) for i in kept if (face := best[i]) is not None]
    accuracy = pair_accuracies(embed(models / "mobilefacenet.onnx", crops), labels[kept])
    share, common = len(kept) / len(images), {"command": COMMAND, "seeds": [args.seed], "faces": len(images)}
    record("made-up", "made-up-found-share", share, "share", "higher", people=args.people, **common)
    low, high = np.percentile(accuracy, [2.5, 97.5])
    record(
        "made-up", "made-up-pair-accuracy", float(accuracy.mean()), "share", "higher", people=args.people,
        interval=(float(low), float(high)), interval_of="95 % of the draws of people and pairs", **common,
    )  # fmt: skip
    ms = sorted(1000 * s for s in seconds)
    quartiles = (ms[len(ms) // 4], ms[3 * len(ms) // 4])
    record(
        "made-up", "made-up-ms-per-image", statistics.median(ms), "ms of one thread", "lower", interval=quartiles,
        interval_of="quartiles", size="160 px, person included", **common,
    )  # fmt: skip
    print(f"found {share:.4f}, pairs {accuracy.mean():.4f} ({low:.4f} to {high:.4f}), {statistics.median(ms):.1f} ms")


if __name__ == "__main__":
    main()
