"""Draw the contact sheet of made-up people for the docs.

python scripts/draw_made_up_sheet.py
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from wildstyle.faces import encode_jpeg
from wildstyle.faces.record import Pixels
from wildstyle.madeup import BAD_CAMERA, MadeUpSet, ShotOptions, person, shot
from wildstyle.runs.atomic import write_bytes

OUT = Path(__file__).parents[1] / "docs/made-up.jpg"
PEOPLE, SHOTS, LARGEST = 16, 2, 400_000


def row(seeds: list[int], shots: int) -> Pixels:
    """One row of pictures: each person clean, then the same moments through the bad camera."""
    cells = []
    for seed in seeds:
        for options in (ShotOptions(), ShotOptions(camera=BAD_CAMERA)):
            cells += [shot(person(seed), n, options).image for n in range(shots)]
    return np.hstack(cells)


def main() -> None:
    """Draw and write the sheet, as good as fits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=5, help="of the set whose first people are shown")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    seeds = list(MadeUpSet(kind="clean", people=PEOPLE, seed=args.seed).person_seeds())
    sheet = np.vstack([row(seeds[n : n + 2], SHOTS) for n in range(0, PEOPLE, 2)])
    data = next(d for q in range(92, 40, -4) if len(d := encode_jpeg(sheet, q)) <= LARGEST)
    write_bytes(args.out, data)
    print(f"{args.out}: {sheet.shape[1]} x {sheet.shape[0]} px, {len(data) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
