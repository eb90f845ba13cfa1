"""Sets of made-up people: nobody in two of them, the same bytes for any number of workers, resumable."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from wildstyle.errors import Interrupted, SettingError
from wildstyle.faces import ManifestSource, open_faces, read_manifest
from wildstyle.faces.align import template_points
from wildstyle.madeup import MadeUpSet, MadeUpSource, write_made_up_set
from wildstyle.madeup import datasets as made

TINY = MadeUpSet(kind="held-back", people=2, gallery=1, probes=1, side=64)


def test_people_are_never_in_two_sets() -> None:
    ranges = [
        MadeUpSet(kind=kind, people=200_000, seed=seed).person_seeds()
        for kind in ("clean", "footage", "held-back", "recogniser")
        for seed in (0, 1)
    ]
    ends = sorted((r.start, r.stop) for r in ranges)
    assert all(stop <= start for (_, stop), (start, _) in pairwise(ends))


def test_footage_says_nobody_s_name() -> None:
    items = MadeUpSet(kind="footage", people=3, shots=2).items()
    assert all(i.subject is None and i.camera == "bad" for i in items)
    assert len({i.file for i in items}) == 6
    assert not any(str(i.person) in i.file for i in items)


def test_held_back_protocol_has_its_roles() -> None:
    plan = MadeUpSet(kind="held-back", people=4, gallery=3, probes=5)
    items = plan.items()
    mine = [i for i in items if i.person == plan.person_seeds()[1]]
    assert [i.role for i in mine].count("gallery") == 3
    assert sum(i.media == "camera" for i in mine) == sum(i.media == "clean" for i in mine) == 5
    assert {i.shot for i in mine if i.media == "camera"} == {i.shot for i in mine if i.media == "clean"}
    assert len({i.template for i in mine if i.role == "gallery"}) == 1
    assert {i.enrolled for i in items} == {True, False}


def test_written_set_reads_back_with_what_is_true(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    written = write_made_up_set(TINY, tmp_path, on_progress=lambda a, b: seen.append((a, b)))
    assert seen[-1] == (6, 6)
    source = ManifestSource(read_manifest(written.manifests["camera"]), open_faces(written.faces))
    assert len(source) == 4
    face = next(f for f in map(source.read, range(4)) if f.record.media == "camera")
    assert face.image.shape == (112, 112, 3)
    assert face.record.landmarks is not None
    # A similarity can't bring every head onto the template, but it comes near.
    assert np.abs(face.record.landmarks - template_points(112)).mean() < 6
    assert float(face.record.attributes["camera_shrink"]) > 1 - 1e-6
    assert face.record.attributes["true_person"] == face.record.subject
    assert not (tmp_path / ".held-back.parts").exists()
    assert {p.name for p in tmp_path.iterdir() if not p.name.startswith(".")} == {
        "held-back.tar", "held-back.csv", "held-back-clean.csv", "held-back-camera.csv",
    }  # fmt: skip


@pytest.mark.multiprocess
def test_same_bytes_for_any_number_of_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = write_made_up_set(TINY, tmp_path / "one")
    two = write_made_up_set(TINY, tmp_path / "two", workers=2)
    assert one.faces.read_bytes() == two.faces.read_bytes()
    assert one.manifests["all"].read_text() == two.manifests["all"].read_text()


def test_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made, "_CHUNK", 2)
    whole = write_made_up_set(TINY, tmp_path / "whole")

    def stop(done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        write_made_up_set(TINY, tmp_path / "cut", on_progress=stop)
    assert not (tmp_path / "cut" / "held-back.tar").exists()
    taken: list[int] = []
    real = made.take
    monkeypatch.setattr(made, "take", lambda plan, item: taken.append(item.shot) or real(plan, item))
    resumed = write_made_up_set(TINY, tmp_path / "cut")
    assert len(taken) == 2
    assert resumed.faces.read_bytes() == whole.faces.read_bytes()
    again = write_made_up_set(TINY, tmp_path / "cut")
    assert len(taken) == 2
    assert again == resumed


def test_another_plan_in_the_same_folder_is_written_anew(tmp_path: Path) -> None:
    first = write_made_up_set(TINY, tmp_path).faces.read_bytes()
    other = MadeUpSet(kind="held-back", people=2, gallery=1, probes=1, side=64, seed=1)
    assert write_made_up_set(other, tmp_path).faces.read_bytes() != first


def test_source_renders_on_demand() -> None:
    source = MadeUpSource(MadeUpSet(kind="clean", people=3, shots=2, aligned=False, side=64))
    assert len(source) == 6
    assert [source.record(i).label for i in range(6)] == [0, 0, 1, 1, 2, 2]
    face = source.read(3)
    assert face.image.shape == (64, 64, 3)
    assert face.record.subject == "p00001"
    assert face.record.landmarks is not None
    assert np.array_equal(face.image, source.read(3).image)


@pytest.mark.parametrize("wrong", [{"people": 1}, {"seed": -1}, {"shots": 0}, {"kind": "famous"}])
def test_plans_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingError):
        MadeUpSet(**{"kind": "clean", "people": 2, **wrong})  # type: ignore[arg-type]


def test_no_workers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError):
        write_made_up_set(TINY, tmp_path, workers=0)
