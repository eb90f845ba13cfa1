"""Every mistake a user can make on the command line: one clear sentence, a non-zero exit code, nothing written."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from wildstyle.faces import encode_jpeg, open_faces

Command = Callable[..., tuple[int, str, str]]


def arguments(world, out: Path, **changes: object) -> list[object]:  # type: ignore[no-untyped-def]
    given: dict[str, object] = {
        "recogniser": world.recogniser,
        "source": world.clean,
        "target": world.footage,
        "out": out,
        "fit-steps": 2,
        "adapt-steps": 2,
    }
    given |= {key.replace("_", "-"): value for key, value in changes.items()}
    return [part for key, value in given.items() if value is not None for part in (f"--{key}", value)]


def refused(command: Command, verb: str, *given: object) -> str:
    code, _, errors = command(verb, *given)
    assert code == 1
    assert errors.startswith("Error:")
    assert "Traceback" not in errors
    assert errors.rstrip().endswith(".")
    return " ".join(errors.split())


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def test_missing_folder(command: Command, world, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    said = refused(command, "adapt", *arguments(world, tmp_path / "run", source=tmp_path / "nowhere"))
    assert "nowhere" in said
    assert not (tmp_path / "run").exists()


def test_missing_stronger_recogniser(command: Command, world, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    said = refused(command, "adapt", *arguments(world, tmp_path / "run", strong=tmp_path / "nowhere.onnx"))
    assert "nowhere.onnx" in said
    assert not (tmp_path / "run").exists()


def test_empty_folder(command: Command, world, tmp_path: Path, empty: Path) -> None:  # type: ignore[no-untyped-def]
    said = refused(command, "adapt", *arguments(world, tmp_path / "run", target=empty))
    assert "empty" in said
    assert not (tmp_path / "run").exists()


def test_footage_that_is_the_source(command: Command, world, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    said = refused(command, "adapt", *arguments(world, tmp_path / "run", target=world.clean))
    assert "given as clean faces and as footage" in said


def test_footage_that_is_a_copy_of_the_source(command: Command, world, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    copy = tmp_path / "copy.tar"
    copy.write_bytes(world.clean.read_bytes())
    said = refused(command, "adapt", *arguments(world, tmp_path / "run", target=copy))
    assert "in the source too" in said


def test_one_person_only(command: Command, world, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path / "one" / "p1"
    folder.mkdir(parents=True)
    with open_faces(world.clean) as faces:
        for index in range(3):
            (folder / f"{index}.jpg").write_bytes(faces.encoded(index))
    said = refused(command, "adapt", *arguments(world, tmp_path / "run", source=folder.parent))
    assert "one person" in said


def test_too_little_footage(command: Command, world, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    said = refused(command, "adapt", *arguments(world, tmp_path / "run"))
    assert "too few" in said


def test_a_contract_that_contradicts_the_file(command: Command, world, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    said = refused(command, "adapt", *arguments(world, tmp_path / "run", contract="bgr,raw"))
    assert "BGR" in said
    assert "RGB" in said


def test_faces_of_the_wrong_size(command: Command, world, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path / "big" / "p1"
    folder.mkdir(parents=True)
    with open_faces(world.held_back) as faces:
        image = faces.read(0).image.repeat(2, axis=0).repeat(2, axis=1)
    for name in ("a.jpg", "b.jpg"):
        (folder / name).write_bytes(encode_jpeg(image))
    manifest = tmp_path / "big.csv"
    manifest.write_text("file,subject,role\np1/a.jpg,p1,gallery\np1/b.jpg,p1,probe\n")
    said = refused(command, "evaluate", world.recogniser, f"big={manifest},faces={folder.parent}")
    assert "224x224" in said
    assert "112x112" in said


def test_a_recogniser_that_is_none(command: Command, world, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    model = tmp_path / "model.onnx"
    model.write_bytes(b"this is no model")
    said = refused(command, "adapt", *arguments(world, tmp_path / "run", recogniser=model))
    assert "model.onnx" in said


def test_a_tar_that_leaves_its_folder(command: Command, world, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo("../../etc/evil.jpg"))
    said = refused(command, "adapt", *arguments(world, tmp_path / "run", target=path))
    assert "evil" in said


def test_an_out_folder_that_holds_something_else(command: Command, world, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("years of work")
    said = refused(command, "adapt", *arguments(world, tmp_path / "run"))
    assert "holds something" in said
    assert (tmp_path / "run" / "thesis.txt").read_text() == "years of work"


def test_a_run_of_other_settings_is_not_continued(command: Command, world, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from wildstyle.runs import RunFolder
    from wildstyle.verbs.configuration import resolved

    RunFolder.create(tmp_path / "run", resolved(world.job(tmp_path / "run", seed=3)), command="adapt")
    said = refused(command, "adapt", *arguments(world, tmp_path / "run"))
    assert "seed" in said


def test_options_that_are_missing_are_all_named(command: Command) -> None:
    said = refused(command, "adapt", "--seed", 1)
    assert all(name in said for name in ("--recogniser", "--source", "--target", "--out"))


def test_an_unknown_setting_names_the_nearest(command: Command, world, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    config = tmp_path / "job.toml"
    config.write_text("[adaptation]\nlearning_rat = 0.1\nbatch = true\n")
    said = refused(command, "adapt", *arguments(world, tmp_path / "run", config=config))
    assert "adaptation.learning_rate" in said
    assert "adaptation.batch" in said


def test_check_lists_every_fault_at_once(command: Command, world, tmp_path: Path, empty: Path) -> None:  # type: ignore[no-untyped-def]
    given = arguments(
        world, tmp_path / "run", source=tmp_path / "nowhere", target=empty, detector=tmp_path / "none.onnx"
    )
    code, output, _ = command("check", *given, "--evaluate", f"a={tmp_path / 'no.csv'}")
    assert code == 1
    assert output.count("fault") >= 4
    assert not (tmp_path / "run").exists()


def test_check_finds_people_who_are_trained_on_and_measured(command: Command, world, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with open_faces(world.clean) as faces:
        rows = [
            f"{faces.record(i).id},{faces.record(i).subject},m{i},,{role}"
            for i, role in ((0, "gallery"), (1, "probe"), (6, "gallery"), (7, "probe"))
        ]
    manifest = tmp_path / "own.csv"
    manifest.write_text("file,subject,media,template,role\n" + "\n".join(rows) + "\n")
    code, output, _ = command(
        "check", *arguments(world, tmp_path / "run"), "--evaluate", f"own={manifest},faces={world.clean}"
    )
    assert code == 1
    assert "people are in both" in " ".join(output.split())


def test_check_says_when_faces_are_not_aligned(command: Command, world, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    import cv2

    folder = tmp_path / "shifted"
    with open_faces(world.clean) as faces:
        for index in range(len(faces)):
            image = faces.read(index).image
            moved = cv2.copyMakeBorder(image[:98, :98], 14, 0, 14, 0, cv2.BORDER_REPLICATE)
            place = folder / str(faces.record(index).subject) / f"{index}.jpg"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(encode_jpeg(moved))
    _, output, _ = command("check", *arguments(world, tmp_path / "run", source=folder))
    assert "do not lie on the five-point template" in " ".join(output.split())
    _, output, _ = command("check", *arguments(world, tmp_path / "run"))
    assert "five-point template" not in output


def test_a_folder_of_videos_is_footage(command: Command, world, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    import cv2
    import numpy as np

    pytest.importorskip("av")
    (tmp_path / "cameras").mkdir()
    writer = cv2.VideoWriter(str(tmp_path / "cameras" / "door.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 64))
    for shade in range(5):
        writer.write(np.full((64, 64, 3), 40 * shade, np.uint8))
    writer.release()
    code, output, _ = command("check", *arguments(world, tmp_path / "run", target=tmp_path / "cameras"))
    assert code == 0, output
    assert "videos, about" in output


def test_check_catches_the_wrong_colour_order(command: Command, data_dir: Path, tmp_path: Path) -> None:
    given = {
        "recogniser": data_dir / "models" / "mobilefacenet.onnx",
        "source": data_dir / "source112.tar",
        "target": data_dir / "webcam_far_tune112.tar",
        "out": tmp_path / "run",
        "contract": "bgr,imagenet",
    }
    code, output, _ = command("check", *(part for key, value in given.items() for part in (f"--{key}", value)))
    assert code == 1
    assert "stated is bgr,imagenet, but rgb,imagenet" in " ".join(output.split())
