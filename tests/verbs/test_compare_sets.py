"""Sets of faces compared by style: cameras of known settings, halves, mixtures, the page, and what is refused."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor
from typer.testing import CliRunner

from wildstyle.cli.main import app
from wildstyle.errors import InputError, NotMeasurable, SettingError
from wildstyle.faces import Pixels, encode_png
from wildstyle.madeup.camera import BAD_CAMERA, degrade
from wildstyle.synthesis import STATISTICS, Generator, GeneratorConfig, save_generator, style_statistics
from wildstyle.synthesis.likeness_words import AxisWords
from wildstyle.verbs import comparing
from wildstyle.verbs.comparing import CompareJob, compare_read, seen_in, write_comparison
from wildstyle.verbs.progress import Silent
from wildstyle.verbs.style_reading import OpenedReader, WantedReader, named_axes, some_faces
from wildstyle.verbs.style_sets import extremes, read_set, unique_names

READ = ("mean of luma", "detail of luma, band 0", "noise, finest", "spread of luma")
WORDS = [AxisWords("bright", "low light"), AxisWords("sharp", "blur"), AxisWords("noise", "smooth"), AxisWords()]
ROUGH = np.array([0.1, 0.3, 0.3, 0.3])  # what statistics of drawn faces differ by


def read(images: Tensor) -> NDArray[np.float32]:
    """A reader of four axes straight from style statistics."""
    columns = [STATISTICS.index(name) for name in READ]
    return (style_statistics(images).numpy()[:, columns] / ROUGH).astype(np.float32)


def picture(seed: int, side: int = 112) -> Pixels:
    rng = np.random.default_rng(seed)
    image = np.full((side, side, 3), rng.integers(90, 160, 3), np.float32)
    for _ in range(25):
        centre, radius = rng.integers(0, side, 2), int(rng.integers(2, side // 6))
        cv2.circle(image, tuple(map(int, centre)), radius, tuple(map(float, rng.integers(0, 255, 3))), -1)
    return image.astype(np.uint8)


def camera_set(root: Path, strength: float, start: int, count: int = 48, bad: float = 1.0) -> Path:
    """Faces of twelve people, a share of them taken by a camera of some strength."""
    for k in range(count):
        rng = np.random.default_rng([start, k])
        settings = BAD_CAMERA.draw(rng, strength if k < bad * count else 0.0)
        path = root / f"p{start}-{k % 12}" / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(degrade(picture(1000 * start + k), settings, rng)))
    return root


def job(*sets: Path, **changes: object) -> CompareJob:
    given: dict[str, object] = {"generator": Path("none"), "draws": 100, "splits": 100, "workers": 0, "faces": False}
    return CompareJob(sets=sets, **{**given, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("cameras")
    strengths = (0.0, 0.0, 0.25, 0.5, 1.0)
    return [camera_set(root / f"camera{k}", strength, k) for k, strength in enumerate(strengths)]


def test_cameras_rank_as_their_settings(cameras: list[Path]) -> None:
    found = compare_read(job(*cameras), read, WORDS)
    similarity = found.similarity()
    assert found.pairs[0].verdict.state == "alike"  # two clean cameras, other people
    assert all(a > b for a, b in pairwise(similarity[0, 1:]))
    # The worst camera is nearer to the middling ones than to the clean ones.
    assert all(a < b for a, b in pairwise(similarity[4, [0, 2, 3]]))
    last = next(pair for pair in found.pairs if (pair.first, pair.second) == (0, 4))
    assert last.verdict.state == "differs"
    assert "−axis 2 (blur)" in last.verdict.text
    assert "blur" in last.seen
    back = seen_in(found.sets[4].statistics, found.sets[0].statistics)
    assert "sharp" in back
    assert seen_in(found.sets[4].statistics, found.sets[4].statistics) == "hardly any change"
    assert last.likeness.ends[1] < similarity[0, 1]
    assert found.agreement is not None
    assert found.agreement > 0.7


def test_mixtures_rank_by_share(tmp_path: Path) -> None:
    mixed = [camera_set(tmp_path / f"mixed{k}", 1.0, 20 + k, bad=k / 4) for k in range(5)]
    fresh = camera_set(tmp_path / "fresh", 0.0, 30)
    similarity = compare_read(job(fresh, *mixed), read, WORDS).similarity()[0, 1:]
    assert all(a > b for a, b in pairwise(similarity))


def test_record_and_page(cameras: list[Path], tmp_path: Path) -> None:
    found = compare_read(job(*cameras[:3], faces=True), read, WORDS, {"settings": {"note": "<script>"}})
    record_path, page_path = write_comparison(found, tmp_path / "out")
    record = json.loads(record_path.read_text(encoding="utf-8"))
    assert [one["name"] for one in record["sets"]] == ["camera0", "camera1", "camera2"]
    assert record["sets"][0]["grouping"] == "12 people"
    assert [(pair["first"], pair["second"]) for pair in record["pairs"]] == [(0, 1), (0, 2), (1, 2)]
    pair = record["pairs"][1]
    assert pair["ends"][0] <= pair["similarity"] <= pair["ends"][1]
    assert [abs(axis["shift"]) for axis in pair["axes"]] == sorted(
        (abs(a["shift"]) for a in pair["axes"]), reverse=True
    )
    assert record["agreement"] is None  # three pairs say nothing
    page = page_path.read_text(encoding="utf-8")
    assert f"{pair['similarity']:.2f}" in page
    assert "a rank correlation with it says nothing" in page
    assert "<script>" not in page
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert page.count("<img ") == 3 * 3 * 6  # axes, sets, faces
    again = compare_read(job(*cameras[:3], faces=True), read, WORDS, {"settings": {"note": "<script>"}})
    assert again.as_record() == found.as_record()


def test_without_faces_no_face_is_shown(cameras: list[Path], tmp_path: Path) -> None:
    found = compare_read(job(*cameras[:2]), read, WORDS)
    _, page = write_comparison(found, tmp_path)
    assert "<img" not in page.read_text(encoding="utf-8")
    assert "camera0 and camera1" in page.read_text(encoding="utf-8")


def test_extremes_show_each_person_once(cameras: list[Path]) -> None:
    one = read_set(cameras[0], "a", read, Silent(), workers=0)
    low, high = extremes(one, 1, 4)
    assert low[0] == int(np.argmin(one.codes[:, 1]))
    assert high[0] == int(np.argmax(one.codes[:, 1]))
    assert len({one.owners[row] for row in low}) == 4
    few = read_set(cameras[0], "a", read, Silent(), most=25, workers=0)
    assert len(few.codes) == 25
    assert set(few.places) < set(one.places)


def test_names_stay_apart() -> None:
    assert unique_names([Path("a/x.tar"), Path("b/x.tar"), Path("y")]) == ["x", "x (2)", "y"]


def test_one_set_is_no_comparison(cameras: list[Path]) -> None:
    with pytest.raises(SettingError, match="a comparison needs two"):
        job(cameras[0])


def test_too_few_faces_are_refused(cameras: list[Path], tmp_path: Path) -> None:
    few = camera_set(tmp_path / "few", 0.0, 50, count=19)
    with pytest.raises(NotMeasurable, match="19 usable faces are too few"):
        compare_read(job(cameras[0], few), read, WORDS)


def test_a_set_that_is_mostly_unreadable_is_refused(cameras: list[Path], tmp_path: Path) -> None:
    broken = camera_set(tmp_path / "broken", 0.0, 51, count=30)
    for path in sorted(broken.rglob("*.png"))[:20]:
        path.write_bytes(b"\x89PNG")
    with pytest.raises(InputError, match="20 of 30 chosen faces can't be read"):
        compare_read(job(cameras[0], broken), read, WORDS)


def test_a_few_unreadable_faces_are_counted(cameras: list[Path], tmp_path: Path) -> None:
    broken = camera_set(tmp_path / "broken", 0.0, 52, count=30)
    next(broken.rglob("*.png")).write_bytes(b"\x89PNG")
    found = compare_read(job(cameras[0], broken), read, WORDS)
    assert [one.unreadable for one in found.sets] == [0, 1]


def test_sizes_that_differ_are_refused(cameras: list[Path], tmp_path: Path) -> None:
    for k in range(24):
        path = tmp_path / "small" / f"{k}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode_png(picture(k, 96)))
    with pytest.raises(InputError, match="several sizes"):
        compare_read(job(cameras[0], tmp_path / "small"), read, WORDS)


def test_command(cameras: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = OpenedReader(read, tuple(WORDS), {"hash": "0" * 64}, {"file": "reader"})
    monkeypatch.setattr(comparing, "opened_reader", lambda wanted, progress: opened)
    out = tmp_path / "out"
    arguments = [str(cameras[0]), str(cameras[4]), "--generator", "none", "--out", str(out), "--no-faces"]
    shown = CliRunner().invoke(app, ["compare", *arguments, "--draws", "50", "--splits", "50"])
    assert shown.exit_code == 0, shown.output
    assert "B against A: 0." in shown.output
    assert "differs" in shown.output
    assert sorted(path.name for path in out.iterdir()) == ["compare.html", "compare.json"]
    assert CliRunner().invoke(app, ["compare", str(cameras[0]), "--generator", "none"]).exit_code != 0
    missing = CliRunner().invoke(app, ["compare", str(cameras[0]), str(tmp_path / "no"), "--generator", "none"])
    assert missing.exit_code != 0
    assert isinstance(missing.exception, InputError)


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fit") / "generator.safetensors"
    save_generator(Generator(GeneratorConfig(axes=4, style_size=16, width=8)), path)
    return path


def test_without_a_reader_the_option_is_named(cameras: list[Path], generator: Path, tmp_path: Path) -> None:
    two = [str(cameras[0]), str(cameras[1]), "--generator", str(generator), "--out", str(tmp_path / "out")]
    plain = CliRunner().invoke(app, ["compare", *two])
    assert plain.exit_code != 0
    assert "--source" in str(plain.exception)
    assert "no reader of this generator's styles is stored" in str(plain.exception)
    gone = CliRunner().invoke(app, ["compare", *two, "--reader", str(tmp_path / "no.safetensors")])
    assert "there is no such file" in str(gone.exception)
    assert not (tmp_path / "out").exists()


def test_a_reader_is_taught_once_and_refused_by_another_generator(
    cameras: list[Path], generator: Path, tmp_path: Path
) -> None:
    own = tmp_path / "fit" / "generator.safetensors"
    own.parent.mkdir()
    own.write_bytes(generator.read_bytes())
    arguments = ["compare", str(cameras[0]), str(cameras[4]), "--generator", str(own), "--out", str(tmp_path / "out")]
    taught = CliRunner().invoke(app, [*arguments, "--source", str(cameras[1]), "--steps", "2"])
    assert taught.exit_code == 0, taught.output
    reader = own.parent / "reader.safetensors"
    written = reader.read_bytes()
    first = json.loads((tmp_path / "out" / "compare.json").read_text(encoding="utf-8"))
    assert first["reader"]["accuracy"]["faces"] > 0
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 0, again.output
    assert reader.read_bytes() == written
    second = json.loads((tmp_path / "out" / "compare.json").read_text(encoding="utf-8"))
    assert [pair["similarity"] for pair in second["pairs"]] == [pair["similarity"] for pair in first["pairs"]]
    other = tmp_path / "other" / "generator.safetensors"
    save_generator(Generator(GeneratorConfig(axes=4, style_size=16, width=8)), other)
    strange = CliRunner().invoke(app, [*arguments, "--generator", str(other), "--reader", str(reader)])
    assert strange.exit_code != 0
    assert "taught for another generator" in str(strange.exception)


def test_axes_are_named_by_the_fit_or_else_by_looking(cameras: list[Path], generator: Path) -> None:
    wanted = WantedReader(generator=generator, reader=None, source=None, named_on=cameras[0])
    shown = Generator(GeneratorConfig(axes=4, style_size=16, width=8))
    words, where = named_axes(wanted, shown, Silent())
    assert len(words) == 4
    assert "camera0" in where
    stored = generator.parent / "axes.json"
    try:
        stored.write_text(json.dumps([{"plus": f"p{k}", "minus": f"m{k}"} for k in range(4)]), encoding="utf-8")
        assert named_axes(wanted, shown, Silent())[0][2] == AxisWords("p2", "m2")
        stored.write_text("[]", encoding="utf-8")
        with pytest.raises(InputError, match="names 0 axes, the generator has 4"):
            named_axes(wanted, shown, Silent())
        stored.write_text("{", encoding="utf-8")
        with pytest.raises(InputError, match="can't be read"):
            named_axes(wanted, shown, Silent())
    finally:
        stored.unlink()


def test_some_faces_are_a_choice_of_the_seed(cameras: list[Path], tmp_path: Path) -> None:
    assert some_faces(cameras[0], 10, 0).shape == (10, 3, 112, 112)
    assert (some_faces(cameras[0], 10, 0) == some_faces(cameras[0], 10, 0)).all()
    assert (some_faces(cameras[0], 10, 0) != some_faces(cameras[0], 10, 1)).any()
    with pytest.raises(NotMeasurable, match="7 usable faces"):
        some_faces(camera_set(tmp_path / "seven", 0.0, 60, count=7), 10, 0)
