from __future__ import annotations

import numpy as np
import pytest

from wildstyle.errors import InputError, SettingError
from wildstyle.faces.contact_sheet import contact_sheet
from wildstyle.faces.record import Face, FaceRecord


def face(value: int, shape: tuple[int, int] = (112, 112)) -> Face:
    return Face(np.full((*shape, 3), value, np.uint8), FaceRecord(id=f"f{value}", source="s"))


def test_layout_without_captions() -> None:
    sheet = contact_sheet([face(100), face(150), face(200)], columns=2, tile=50)
    assert sheet.shape == (2 + 2 * 52, 2 + 2 * 52, 3)
    assert [int(sheet[y, x, 0]) for y, x in ((27, 27), (27, 79), (79, 27), (79, 79))] == [100, 150, 200, 24]


def test_captions_are_written_and_stay_in_their_strip() -> None:
    faces = [face(100), face(100)]
    plain = contact_sheet(faces, columns=2, caption=lambda f: "")
    written = contact_sheet(faces, columns=2, caption=lambda f: "Zoë, 41 px, and a text far too long for its tile")
    assert (plain[114:] != written[114:]).any()
    assert np.array_equal(plain[:114], written[:114])
    again = contact_sheet(faces, columns=2, caption=lambda f: "Zoë, 41 px, and a text far too long for its tile")
    assert np.array_equal(written, again)


def test_other_shapes_keep_their_proportions() -> None:
    sheet = contact_sheet([face(200, (100, 50))], tile=40)
    assert sheet.shape == (44, 44, 3)
    assert (sheet[2:42, 12:32] == 200).all()
    assert (sheet[2:42, 2:12] == 24).all()


def test_bad_arguments() -> None:
    with pytest.raises(InputError):
        contact_sheet([])
    with pytest.raises(SettingError):
        contact_sheet([face(1)], columns=0)
    with pytest.raises(SettingError):
        contact_sheet([face(1)], tile=3)
