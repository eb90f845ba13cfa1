from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from face_files import jpeg, picture, write_folder
from hypothesis import given, settings
from hypothesis import strategies as st

from wildstyle.errors import CorruptArchive, InputError, SettingError, UnreadableFace
from wildstyle.faces import Face, FaceRecord, FaceSource, open_faces, stream, working_batch


class Counted(FaceSource):
    """Two hundred tiny faces; some are unreadable, one can break the container, reading takes uneven time."""

    name = location = "counted"

    def __init__(self, broken: int | None = None, delay: float = 0.0, side: int = 2) -> None:
        self.broken, self.delay, self.side = broken, delay, side
        self.started: list[int] = []

    def __len__(self) -> int:
        return 200

    def record(self, index: int) -> FaceRecord:
        return FaceRecord(id=str(index), source=self.name)

    def encoded(self, index: int) -> bytes:
        return b""

    def read(self, index: int) -> Face:
        self.started.append(index)
        if self.delay:
            time.sleep(self.delay * (index % 3))
        if index == self.broken:
            raise CorruptArchive(f"record {index} is damaged")
        if index % 13 == 5:
            raise UnreadableFace(f"face {index}")
        pixels = np.broadcast_to(np.uint8(index), (self.side, self.side, 3))  # large ones cost no memory
        return Face(pixels, self.record(index))


def told(items: object) -> list[str]:
    return [item.record.id if isinstance(item, Face) else str(item) for item in items]  # type: ignore[attr-defined]


def expected(indices: list[int]) -> list[str]:
    return [f"face {i}." if i % 13 == 5 else str(i) for i in indices]


def no_reading_threads() -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if not any(t.name.startswith("faces") for t in threading.enumerate()):
            return True
        time.sleep(0.01)
    return False


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 199), max_size=150),
    st.integers(0, 5),
    st.integers(0, 80),
)
def test_order_is_that_of_the_indices_for_any_workers(indices: list[int], workers: int, read_ahead: int) -> None:
    assert told(stream(Counted(), indices, workers=workers, read_ahead=read_ahead)) == expected(indices)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_uneven_reading_times_change_nothing(workers: int) -> None:
    order = list(np.random.default_rng(0).permutation(200))
    assert told(stream(Counted(delay=0.0005), order, workers=workers)) == expected(order)


def test_all_faces_by_default() -> None:
    assert told(stream(Counted())) == expected(list(range(200)))


@pytest.mark.parametrize("workers", [0, 1, 2, 5])
def test_damaged_container_stops_at_the_same_face_for_any_workers(workers: int) -> None:
    faces = stream(Counted(broken=77), workers=workers)
    assert told(itertools.islice(faces, 77)) == expected(list(range(77)))
    with pytest.raises(CorruptArchive, match="record 77"):
        next(faces)
    assert no_reading_threads()


def test_endless_indices_are_read_only_a_little_ahead() -> None:
    source = Counted()
    faces = stream(source, itertools.cycle(range(200)), workers=2, read_ahead=32)
    assert told(itertools.islice(faces, 500)) == expected([i % 200 for i in range(500)])
    faces.close()  # type: ignore[attr-defined]
    assert len(source.started) <= 500 + 64
    assert no_reading_threads()


def test_caller_who_stops_early_leaves_no_thread() -> None:
    for item in stream(Counted(delay=0.001), workers=3):
        assert isinstance(item, Face)
        break
    assert no_reading_threads()


def test_ctrl_c_leaves_no_thread() -> None:
    def interrupted() -> None:
        for number, _ in enumerate(stream(Counted(delay=0.001), workers=3)):
            if number == 20:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert no_reading_threads()


def test_signal_while_waiting_for_a_face_leaves_no_thread() -> None:
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        for _ in stream(Counted(delay=0.2), workers=2):
            pass
    timer.join()
    assert no_reading_threads()


def test_large_pictures_are_read_less_far_ahead() -> None:
    source = Counted(side=4000)  # 48 MB each: five fit the 256 MiB
    faces = stream(source, workers=2, read_ahead=64)
    for _ in range(4):
        next(faces)
    faces.close()  # type: ignore[attr-defined]
    assert len(source.started) <= 12


@pytest.mark.parametrize(("workers", "read_ahead"), [(-1, 64), (2, -1)])
def test_negative_settings_are_refused_at_once(workers: int, read_ahead: int) -> None:
    with pytest.raises(SettingError, match="negative"):
        stream(Counted(), workers=workers, read_ahead=read_ahead)


def test_files_are_read_in_threads_as_without(tmp_path: Path) -> None:
    files = {f"p{k % 3}/{k:02d}.jpg": jpeg(k) if k != 7 else jpeg(k)[:-9] for k in range(40)}
    source = open_faces(write_folder(tmp_path, files))
    plain = list(stream(source, workers=0))
    threaded = list(stream(source, workers=4))
    assert told(plain) == told(threaded)
    assert sum(isinstance(item, UnreadableFace) for item in plain) == 1
    for a, b in zip(plain, threaded, strict=True):
        assert not isinstance(a, Face) or (isinstance(b, Face) and np.array_equal(a.image, b.image))


def test_working_batch_is_rgb_planes_between_0_and_1() -> None:
    images = [picture(1), picture(2)]
    images[0][0, 0] = (255, 0, 51)
    batch = working_batch([Face(image, FaceRecord(id="a", source="b")) for image in images])
    assert batch.shape == (2, 3, 12, 16)
    assert batch.dtype == np.float32
    assert batch[0, :, 0, 0].tolist() == [1.0, 0.0, np.float32(0.2)]
    assert np.array_equal(np.rint(batch * 255).astype(np.uint8).transpose(0, 2, 3, 1), np.stack(images))


def test_faces_of_two_sizes_make_no_batch() -> None:
    faces = [Face(picture(1, side, 8), FaceRecord(id=f"f{side}", source="b")) for side in (8, 9)]
    with pytest.raises(InputError, match=r"'f9' is \(9, 8\), but 'f8' is \(8, 8\)"):
        working_batch(faces)
    with pytest.raises(InputError, match="at least one"):
        working_batch([])
