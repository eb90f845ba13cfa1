from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wildstyle.errors import InputError, SettingError
from wildstyle.faces import open_faces
from wildstyle.faces.decode import decode_image
from wildstyle.madeup import demo_recogniser_path
from wildstyle.madeup.datasets import write_made_up_set
from wildstyle.madeup.plans import MadeUpSet
from wildstyle.synthesis import FitSettings, GeneratorConfig, load_generator
from wildstyle.synthesis.watching import Look, enough
from wildstyle.verbs.fitting import FitJob, fit
from wildstyle.verbs.synthesising import SynthesiseJob, comment_of, synthesise_faces


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("faces")
    clean = write_made_up_set(MadeUpSet(kind="clean", people=8, shots=3, seed=0), root, workers=1)
    footage = write_made_up_set(MadeUpSet(kind="footage", people=14, shots=4, seed=0), root, workers=1)
    return clean.faces, footage.faces


def job(faces: tuple[Path, Path], out: Path, **changes: object) -> FitJob:
    settings = FitSettings(batch=8, fewest_faces=20, generator=GeneratorConfig(axes=4, style_size=16, width=8))
    values = {"steps": 6, "every": 2, "patience": 0, "synthesis": settings} | changes
    return FitJob(
        recogniser=demo_recogniser_path(),
        source=faces[0],
        target=(faces[1],),
        out=out,
        **values,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def generator(faces: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fit(job(faces, tmp_path_factory.mktemp("fit") / "run")).folder.file("generator.safetensors")


def test_a_fit_leaves_generator_axes_looks_and_sheets(faces: tuple[Path, Path], tmp_path: Path) -> None:
    found = fit(job(faces, tmp_path / "run"))
    assert [look.step for look in found.looks] == [2, 4, 6]
    assert len(found.axes) == 4
    assert found.axes[0].moved > 0
    assert found.figures["distance_source"] > 0
    assert {p.name for p in (tmp_path / "run" / "sheets").iterdir()} == {
        "axes.png",
        "step-000002.png",
        "step-000004.png",
        "step-000006.png",
    }
    again = fit(job(faces, tmp_path / "run"))
    assert again.generator.hash == found.generator.hash
    with pytest.raises(SettingError, match="another configuration"):
        fit(job(faces, tmp_path / "run", steps=7))


def test_a_fit_ends_when_nothing_improves() -> None:
    looks = [Look(1, 5.0), Look(2, 3.0), Look(3, 3.5), Look(4, 3.1)]
    assert enough(looks, 2)
    assert not enough(looks, 3)
    assert not enough(looks, 0)
    assert not enough([*looks, Look(5, 2.0)], 2)


@pytest.mark.parametrize("form", ["folder", "tar"])
def test_labels_go_along_and_pictures_say_what_they_are(
    generator: Path, faces: tuple[Path, Path], tmp_path: Path, form: str
) -> None:
    out = tmp_path / ("made.tar" if form == "tar" else "made")
    written = synthesise_faces(SynthesiseJob(generator=generator, source=faces[0], out=out, copies=2))
    with open_faces(faces[0]) as source, open_faces(out) as made:
        assert written.faces == len(made) == 2 * len(source)
        assert sorted({s for s in made.subjects() if s}) == sorted({s for s in source.subjects() if s})
        note = comment_of(made.encoded(0))
        assert note is not None
        assert note["synthetic"] is True
        assert note["generator"] == load_generator(generator)[0].hash
        assert source.index_of(note["source"]) is not None
        assert 1 <= note["magnitude"] <= 6
        if form == "tar":
            assert made.record(0).attributes["synthetic"] == "1"


def test_a_picture_depends_on_seed_and_place_only(generator: Path, faces: tuple[Path, Path], tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        synthesise_faces(SynthesiseJob(generator=generator, source=faces[0], out=tmp_path / name, seed=seed))
    pictures = {}
    for name in "abc":
        with open_faces(tmp_path / name) as made:
            pictures[name] = [made.encoded(i) for i in range(len(made))]
    assert pictures["a"] == pictures["b"]
    assert pictures["a"] != pictures["c"]


def test_magnitude_zero_is_the_face_itself(generator: Path, faces: tuple[Path, Path], tmp_path: Path) -> None:
    zero = SynthesiseJob(generator=generator, source=faces[0], out=tmp_path / "zero", magnitudes=(0, 0), quality=0)
    synthesise_faces(zero)
    with open_faces(faces[0]) as source, open_faces(tmp_path / "zero") as made:
        for index in range(len(made)):
            stem = made.record(index).id.removesuffix(".png")
            place = source.index_of(f"{stem}.jpg")
            assert place is not None
            np.testing.assert_array_equal(made.read(index).image, source.read(place).image)


def test_guided_styles_differ_from_drawn_ones(generator: Path, faces: tuple[Path, Path], tmp_path: Path) -> None:
    plain = SynthesiseJob(generator=generator, source=faces[0], out=tmp_path / "plain", quality=0)
    guided = SynthesiseJob(
        generator=generator, source=faces[0], out=tmp_path / "guided", quality=0, guided_by=demo_recogniser_path()
    )
    for one in (plain, guided):
        synthesise_faces(one)
    with open_faces(tmp_path / "plain") as a, open_faces(tmp_path / "guided") as b:
        assert any(not np.array_equal(a.read(i).image, b.read(i).image) for i in range(len(a)))


def test_what_can_not_be_done_is_said_before(generator: Path, faces: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="axis 9"):
        synthesise_faces(SynthesiseJob(generator=generator, source=faces[0], out=tmp_path / "x", axis=9))
    with pytest.raises(SettingError, match="magnitudes"):
        SynthesiseJob(generator=generator, source=faces[0], out=tmp_path / "x", magnitudes=(4, 2))
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="exists"):
        synthesise_faces(SynthesiseJob(generator=generator, source=faces[0], out=tmp_path / "there"))
    with pytest.raises(InputError):
        synthesise_faces(SynthesiseJob(generator=faces[0], source=faces[0], out=tmp_path / "x"))


def read_all(path: Path) -> list[bytes]:
    with open_faces(path) as made:
        return [made.encoded(i) for i in range(len(made))]


def test_styles_of_frames_are_taken(
    generator: Path, faces: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wildstyle.verbs.style_reading.STEPS", 5)
    own = tmp_path / "generator.safetensors"
    own.write_bytes(generator.read_bytes())
    sheet = tmp_path / "sheet.png"
    asked = {"generator": own, "source": faces[0], "like": faces[1]}
    synthesise_faces(SynthesiseJob(**asked, out=tmp_path / "a", sheet=sheet))  # type: ignore[arg-type]
    assert (tmp_path / "reader.safetensors").is_file()
    synthesise_faces(SynthesiseJob(**asked, out=tmp_path / "b"))  # type: ignore[arg-type]
    assert read_all(tmp_path / "a") == read_all(tmp_path / "b")
    with open_faces(faces[1]) as footage, open_faces(tmp_path / "a") as made:
        note = comment_of(made.encoded(0))
        assert note is not None
        assert footage.index_of(note["like"]) is not None
        one = tmp_path / "frame.jpg"
        one.write_bytes(footage.encoded(0))
        shape = made.read(0).image.shape
    assert decode_image(sheet.read_bytes(), where="sheet").shape == (7 * shape[0], 7 * shape[1], 3)
    synthesise_faces(SynthesiseJob(generator=own, source=faces[0], like=one, out=tmp_path / "c"))
    with open_faces(tmp_path / "c") as made:
        assert {str((comment_of(made.encoded(i)) or {})["like"]) for i in range(len(made))} == {"frame.jpg"}
    with pytest.raises(SettingError, match="leave no choice"):
        SynthesiseJob(generator=own, source=faces[0], like=one, axis=1, out=tmp_path / "d")
    with pytest.raises(SettingError, match="magnitudes of their own"):
        SynthesiseJob(generator=own, source=faces[0], like=one, magnitudes=(2, 3), out=tmp_path / "d")


def test_generators_can_be_swapped_and_chained(generator: Path, faces: tuple[Path, Path], tmp_path: Path) -> None:
    for name, job_of in {
        "blind": {"generator": Path("blind")},
        "chained": {"generator": generator, "then": Path("blind-adaface")},
    }.items():
        written = synthesise_faces(SynthesiseJob(source=faces[0], out=tmp_path / name, **job_of))  # type: ignore[arg-type]
        assert written.faces > 0
        note = comment_of(read_all(tmp_path / name)[0])
        assert note is not None
        assert len(note["style"]) == (7 if name == "blind" else 9)


def test_a_second_camera_can_be_asked_for(generator: Path, faces: tuple[Path, Path], tmp_path: Path) -> None:
    other = write_made_up_set(MadeUpSet(kind="footage", people=14, shots=4, seed=3), tmp_path / "yard", workers=1)
    with pytest.raises(SettingError, match="knows a target"):
        fit(job((faces[0], other.faces), tmp_path / "same", onto=generator, steps=4))
    both = fit(job((faces[0], other.faces), tmp_path / "run", onto=generator, steps=4, name="yard"))
    assert load_generator(generator)[0].describe()["targets"] != both.generator.describe()["targets"]
    names = list(both.generator.describe()["targets"])
    assert names[1:] == ["yard"]
    made = {}
    for target in (None, *names):
        out = tmp_path / f"made-{target}"
        synthesise_faces(
            SynthesiseJob(
                generator=both.folder.file("generator.safetensors"), source=faces[0], out=out, target=target, quality=0
            )
        )
        made[target] = read_all(out)
    assert made[None] == made[names[0]] != made[names[1]]
    with pytest.raises(SettingError, match="knows no target"):
        synthesise_faces(SynthesiseJob(generator=generator, source=faces[0], out=tmp_path / "x", target="nowhere"))
