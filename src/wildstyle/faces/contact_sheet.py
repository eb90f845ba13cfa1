"""Many faces on one picture, to look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from wildstyle.errors import InputError, SettingError
from wildstyle.faces.record import Face, Pixels

_STRIP = 14
_GAP = 2
_INK = (230, 230, 230)


def contact_sheet(
    faces: Sequence[Face], columns: int = 10, caption: Callable[[Face], str] | None = None, *, tile: int = 112
) -> Pixels:
    """Lay faces out in rows, each fitted into a square, with a caption below it if asked for.

    Args:
        faces: at least one; any sizes.
        columns: faces in a row.
        caption: text for a face; letters the built-in font lacks become "?", too long ones are cut.
        tile: side of a square in px, at least 16.

    Returns:
        (H, W, 3) uint8 RGB; a function of the arguments alone.

    Raises:
        InputError: no faces.
        SettingError: columns or tile too small.
    """
    if not faces:
        raise InputError("no faces for a contact sheet")
    if columns < 1 or tile < 16:
        raise SettingError(f"columns={columns}, tile={tile}", remedy="use columns >= 1 and tile >= 16")
    columns = min(columns, len(faces))
    rows = -(-len(faces) // columns)
    step = (tile + _GAP + (_STRIP if caption else 0), tile + _GAP)
    sheet = np.full((rows * step[0] + _GAP, columns * step[1] + _GAP, 3), 24, np.uint8)
    for place, face in enumerate(faces):
        top, left = _GAP + place // columns * step[0], _GAP + place % columns * step[1]
        _paste(sheet[top : top + tile, left : left + tile], face.image)
        if caption is not None:
            _write(sheet[top + tile : top + tile + _STRIP, left : left + tile], caption(face))
    return sheet


def _paste(square: Pixels, image: Pixels) -> None:
    """Fit an image into the middle of a square view, keeping its shape."""
    side = square.shape[0]
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    fitted = image if size == (width, height) else cv2.resize(image, size, interpolation=how)
    top, left = (side - size[1]) // 2, (side - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = fitted


def _write(strip: Pixels, text: str) -> None:
    plain = text.encode("ascii", "replace").decode().replace("\n", " ")
    fits = max(1, strip.shape[1] // 6)
    shown = plain if len(plain) <= fits else plain[: fits - 1] + "~"
    inked = np.ascontiguousarray(strip)
    cv2.putText(inked, shown, (1, _STRIP - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.32, _INK, 1, cv2.LINE_AA)
    strip[:] = inked
