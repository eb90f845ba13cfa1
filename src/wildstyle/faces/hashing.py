"""A name for the pixels of a face, the same wherever they are stored."""

from __future__ import annotations

import hashlib

import numpy as np

from wildstyle.faces.record import Pixels


def face_hash(image: Pixels) -> bytes:
    """16 bytes that depend on the shape and the pixels of an (H, W, C) uint8 image, not on its file."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((image.shape, image.dtype.str)).encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.digest()
