"""Draw the pictures of docs/synthesis.md: made-up people in the styles of a fitted generator.

python scripts/draw_styles.py GENERATOR [--out docs]

Writes styles-axes.jpg (rows: both ends of each axis, columns: magnitudes) and styles-matrix.jpg (rows: people, columns:
styles, the untouched face first).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from wildstyle.faces import encode_jpeg, open_faces
from wildstyle.madeup import MadeUpSet, write_made_up_set
from wildstyle.randomness import item_rng
from wildstyle.runs.atomic import write_bytes
from wildstyle.synthesis import load_generator, sample_codes, sample_seeds, style_sheet
from wildstyle.synthesis.material import to_images
from wildstyle.synthesis.sheet import style_matrix

MAGNITUDES = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
PEOPLE, STYLES = 5, 9
QUALITY = 85


def main() -> None:
    """Draw both."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("generator", type=Path)
    options.add_argument("--out", type=Path, default=Path("docs"))
    chosen = options.parse_args()
    generator, _ = load_generator(chosen.generator)
    faces = made_up_faces()
    sheet = style_sheet(generator, faces, MAGNITUDES)
    # Both ends of an axis beside each other: half as high.
    size = faces.shape[-1]
    pairs = [sheet[row * size : (row + 1) * size] for row in range(2 * generator.axes)]
    gap = np.full((size, size // 4, 3), 255, np.uint8)
    save(
        np.concatenate([np.concatenate([a, gap, b], axis=1) for a, b in zip(pairs[::2], pairs[1::2], strict=True)]),
        chosen.out / "styles-axes.jpg",
    )
    rng = item_rng(0, "pictures of styles")
    codes = torch.from_numpy(sample_codes(rng, STYLES, generator.axes, generator.max_magnitude, zero_share=0.0))
    codes = codes[codes.norm(dim=1).argsort()]
    save(
        style_matrix(generator, faces, codes, torch.from_numpy(sample_seeds(rng, STYLES))),
        chosen.out / "styles-matrix.jpg",
    )


def made_up_faces() -> torch.Tensor:
    """One clean face of each of a few people who don't exist, (N, 3, S, S)."""
    with tempfile.TemporaryDirectory() as folder:
        written = write_made_up_set(MadeUpSet(kind="clean", people=PEOPLE), Path(folder))
        with open_faces(written.faces) as source:
            subjects = source.subjects()
            firsts = [subjects.index(name) for name in dict.fromkeys(subjects)]
            return to_images(np.stack([source.read(index).image for index in firsts]))


def save(picture: NDArray[np.uint8], path: Path) -> None:
    """As JPEG, small enough for a repository."""
    write_bytes(path, encode_jpeg(picture, QUALITY))


if __name__ == "__main__":
    main()
