"""An IJB layout small enough to work out by hand: five people, nine templates, one of them without a usable face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FACES = """\
1.jpg 10 1
2.jpg 10 1
3.jpg 10 2
4.jpg 11 3
5.jpg 12 4
6.jpg 13 5
7.jpg 20 6
8.jpg 21 7
9.jpg 22 8
10.jpg 23 9
11.jpg 24 10
"""
PAIRS = """\
10 20 1
11 21 1
10 21 0
11 20 0
12 22 1
10 24 0
12 20 0
13 21 0
"""
# Template 10..13 are enrolled people 1..4; probes 20..23 show 1..4, probe 24 shows person 1 and has no face.
GALLERIES = {"G1": "TEMPLATE_ID,SUBJECT_ID\n10,1\n11,2\n", "G2": "TEMPLATE_ID,SUBJECT_ID\n12,3\n13,4\n"}
PROBES = "TEMPLATE_ID,SUBJECT_ID\n20,1\n21,2\n22,3\n23,4\n24,1\n"

SUBJECT = {10: 1, 11: 2, 12: 3, 13: 4, 20: 1, 21: 2, 22: 3, 23: 4, 24: 1}


def write_miniature(root: Path) -> Path:
    """Write the lists of an IJB-C folder, without pictures."""
    meta = root / "meta"
    meta.mkdir(parents=True)
    (meta / "ijbc_face_tid_mid.txt").write_text(FACES)
    points = " ".join(str(v) for v in (38, 52, 74, 52, 56, 72, 42, 92, 71, 92))
    names = [line.split()[0] for line in FACES.splitlines()]
    (meta / "ijbc_name_5pts_score.txt").write_text("".join(f"{name} {points} 0.9\n" for name in names))
    (meta / "ijbc_template_pair_label.txt").write_text(PAIRS)
    for name, text in GALLERIES.items():
        (meta / f"ijbc_1N_gallery_{name}.csv").write_text(text)
    (meta / "ijbc_1N_probe_mixed.csv").write_text(PROBES)
    return root


def angle(degrees: float) -> list[float]:
    return [float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))]


def embeddings() -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Unit vectors in a plane, by their angle in degrees."""
    angles = [0, 0, 0, 40, 90, 140, 5, 25, 100, 90, 0]
    vectors = np.array([angle(a) for a in angles], np.float32)
    ok = np.ones(11, bool)
    ok[10] = False
    vectors[10] = np.nan
    return vectors, ok
