from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wildstyle.errors import InputError, LabelError, SettingError
from wildstyle.evaluation import IdentificationOptions, evaluate_identification
from wildstyle.evaluation.building import BuildOptions, BuiltProtocol, build_protocol
from wildstyle.evaluation.media_groups import MediaGroups
from wildstyle.faces.row import ManifestRow

WHOLE = BuildOptions(dev_share=0)


def face(subject: str | None, media: str | None, number: int, **known: object) -> ManifestRow:
    attributes = {key: str(known.pop(key)) for key in ("sha256", "track", "frame") if key in known}
    return ManifestRow(
        file=f"{subject}/{media}/{number}.jpg", subject=subject, media=media, attributes=attributes, **known
    )  # type: ignore[arg-type]


def people(count: int, media: int = 3, each: int = 4) -> list[ManifestRow]:
    """Each person in films of the same names, of rising size."""
    return [
        face(f"p{p:02}", f"film{m}", n, min_side=20.0 + 10 * m + n)
        for p in range(count)
        for m in range(media)
        for n in range(each)
    ]


def roles(built: BuiltProtocol, subject: str) -> dict[str, set[str]]:
    out: dict[str, set[str]] = {"gallery": set(), "probe": set()}
    for row in built.test.rows:
        if row.subject == subject:
            out[row.role or ""].add(row.media or "")
    return out


def test_best_medium_gives_the_gallery() -> None:
    built = build_protocol(people(4), replace(WHOLE, gallery_images=2))
    for p in range(4):
        assert roles(built, f"p{p:02}") == {"gallery": {"film2"}, "probe": {"film0", "film1"}}
    gallery = [row for row in built.test.rows if row.role == "gallery" and row.subject == "p00"]
    assert [row.min_side for row in gallery] == [43.0, 42.0]
    assert {row.template for row in gallery} == {"p00:gallery"}
    assert built.test.counts["gallery faces"] == 8
    assert built.test.counts["mated probe faces"] == 32


def test_detector_score_counts_where_every_face_has_one() -> None:
    rows = [replace(row, detector_score=0.9 if row.media == "film0" else 0.1) for row in people(2)]
    assert roles(build_protocol(rows, WHOLE), "p00")["gallery"] == {"film0"}
    rows[3] = replace(rows[3], detector_score=None)
    assert roles(build_protocol(rows, WHOLE), "p00")["gallery"] == {"film2"}


def test_named_gallery_media() -> None:
    rows = [row for row in people(4) if (row.subject, row.media) != ("p03", "film1")]
    built = build_protocol(rows, replace(WHOLE, gallery_media=("film1",)))
    assert roles(built, "p00") == {"gallery": {"film1"}, "probe": {"film0", "film2"}}
    assert roles(built, "p03") == {"gallery": set(), "probe": {"film0", "film2"}}
    assert built.test.strangers == ("p03",)
    with pytest.raises(InputError, match="Write 'film1' if you mean it"):
        build_protocol(rows, replace(WHOLE, gallery_media=("filn1",)))


@pytest.mark.parametrize("tie", ["track", "sha256", "template"])
def test_media_that_hang_together_are_not_split(tie: str) -> None:
    """film2 is best; film1 shares something with it, so only film0 may be searched."""
    rows = people(3)
    known = {"template": "one"} if tie == "template" else {"attributes": {tie: "one"}}
    tied = [i for i, row in enumerate(rows) if row.file in ("p01/film1/0.jpg", "p01/film2/3.jpg")]
    for i in tied:
        rows[i] = replace(rows[i], **known)  # type: ignore[arg-type]
    built = build_protocol(rows, WHOLE)
    assert built.joined == (("film1", "film2"),)
    for p in range(3):
        assert roles(built, f"p{p:02}")["probe"] == {"film0"}
    for pair in built.test.pairs:
        if pair.kind == "mated":
            assert "film0" in (pair.first.media, pair.second.media)


def test_groups_are_transitive() -> None:
    rows = [
        face("a", "m1", 0, track=1),
        face("b", "m2", 0, track=1, sha256="x"),
        face("c", "m3", 0, sha256="x"),
        face("c", "m4", 0, track=2),
    ]
    groups = MediaGroups.of(rows, "track", "sha256")
    assert groups.joined() == (("m1", "m2", "m3"),)
    assert groups.count == 2
    # A track and a hash of the same name are two things.
    assert MediaGroups.of([face("a", "m1", 0, track="x"), face("a", "m2", 0, sha256="x")], "track", "sha256").count == 2


def test_repeats_and_unusable_rows_are_listed() -> None:
    rows = [
        face("a", "m1", 0, sha256="x"),
        face("a", "m1", 1, sha256="x"),
        face("a", "m1", 2, sha256="x", track=9),  # the same picture in a track of its own stays
        face("a", "m2", 0),
        face("a", "m2", 0),  # listed twice
        face(None, "m1", 5),
        face("b", None, 6),
        face("b", "m1", 7, sha256="y"),
        face("a", "m2", 8, sha256="y"),
    ]
    built = build_protocol(rows, WHOLE)
    assert sorted(built.left_out) == [
        ("None/m1/5.jpg", "no subject"),
        ("a/m1/1.jpg", "repeats a/m1/0.jpg"),
        ("a/m2/0.jpg", "repeats a/m2/0.jpg"),
        ("a/m2/8.jpg", "the same picture carries two people's names"),
        ("b/None/6.jpg", "no media"),
        ("b/m1/7.jpg", "the same picture carries two people's names"),
    ]
    assert built.counts["faces usable"] == 3


def test_strangers() -> None:
    rows = people(10) + [face("solo", "film0", n) for n in range(3)]
    built = build_protocol(rows, replace(WHOLE, unenrolled=0.3))
    counts = built.test.counts
    # Four of eleven people are at least 30 %; the one with a single film is one of them.
    assert counts["people not enrolled"] == 4
    assert counts["enrolled people"] == 7
    assert built.test.strangers == ("solo",)
    said = {row.subject: row.enrolled for row in built.test.rows}
    assert said["solo"] is False
    assert Counter(said.values()) == {True: 7, False: 4}
    assert all(row.role == "probe" for row in built.test.rows if row.subject == "solo")


def test_no_open_set() -> None:
    built = build_protocol(people(3), replace(WHOLE, unenrolled=0))
    assert {row.enrolled for row in built.test.rows} == {None}


def test_tune_and_test_hold_other_people() -> None:
    built = build_protocol(people(10))
    assert built.tune is not None
    sides = [{row.subject for row in part.rows} for part in (built.tune, built.test)]
    assert [len(side) for side in sides] == [3, 7]
    assert not sides[0] & sides[1]
    assert built.counts["media in tune and test"] == 3
    assert build_protocol(people(10)) == built
    assert build_protocol(people(10), BuildOptions(seed=1)) != built
    assert build_protocol(people(2), BuildOptions(dev_share=0.1)).tune is None


def test_probes_are_limited_evenly_over_media() -> None:
    built = build_protocol(people(2, media=4, each=10), replace(WHOLE, max_probes=7))
    found = Counter(row.media for row in built.test.rows if row.role == "probe" and row.subject == "p00")
    assert sorted(found.values()) == [2, 2, 3]


def test_templates() -> None:
    rows = [
        replace(row, attributes={"track": f"{row.subject}{row.media}{i // 2 % 2}"}) for i, row in enumerate(people(2))
    ]
    for kind, templates in (("image", 16), ("track", 8), ("media", 4)):
        built = build_protocol(rows, replace(WHOLE, template=kind))  # type: ignore[arg-type]
        assert built.test.counts["probe templates"] == templates
        assert built.test.counts["probe faces"] == 16
    limited = build_protocol(rows, replace(WHOLE, template="track", max_probes=1))
    assert limited.test.counts["probe faces"] == 4


def test_faces_that_were_not_found_stay_as_misses() -> None:
    rows = [*people(2), ManifestRow(subject="p00", media="film0"), ManifestRow(subject="p00", media="film2")]
    built = build_protocol(rows, WHOLE)
    assert built.test.counts["probe faces not found"] == 1
    assert all(pair.first.file and pair.second.file for pair in built.test.pairs)


def test_bands() -> None:
    rows = people(2)
    rows[0] = replace(rows[0], min_side=None, attributes={"band": "made up"})
    built = build_protocol(rows, replace(WHOLE, bands=(24, 32)))
    bands = {row.file: row.attributes.get("band") for row in built.test.rows}
    assert bands["p00/film0/0.jpg"] is None
    assert bands["p00/film0/3.jpg"] == "<24 px"
    assert bands["p00/film1/0.jpg"] == "24-31 px"
    counts = {name: n for name, n in built.test.counts.items() if " px" in name or "unknown" in name}
    # Without every size the films can't be ranked by it: the first has as many faces as the others.
    assert sum(counts.values()) == 16


def test_pairs_by_hand() -> None:
    """Two people, two films, one face each: two mated pairs, two impostors in one film, two across films."""
    rows = people(2, media=2, each=1)
    built = build_protocol(rows, WHOLE)
    ends = {(p.kind, *sorted((p.first.file or "", p.second.file or ""))) for p in built.test.pairs}
    a0, a1, b0, b1 = (f"p0{p}/film{m}/0.jpg" for p in range(2) for m in range(2))
    assert ends == {
        ("mated", a0, a1),
        ("mated", b0, b1),
        ("impostor-same-media", a0, b0),
        ("impostor-same-media", a1, b1),
        ("impostor-cross-media", a0, b1),
        ("impostor-cross-media", a1, b0),
    }


def test_pairs_are_shared_out_over_people() -> None:
    rows = people(6, each=3) + [face("big", f"film{m}", n, min_side=30.0) for m in range(3) for n in range(60)]
    built = build_protocol(rows, replace(WHOLE, pairs=70))
    mated = Counter(pair.first.subject for pair in built.test.pairs if pair.kind == "mated")
    assert sum(mated.values()) == 70
    assert max(mated.values()) <= 11
    folds = Counter(pair.fold for pair in built.test.pairs if pair.kind == "mated")
    assert set(folds.values()) == {7}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4), st.integers(0, 40)), min_size=1, max_size=60),
    st.integers(0, 9),
)
def test_nothing_leaks(cells: list[tuple[int, int, int]], seed: int) -> None:
    rows = [
        ManifestRow(file=f"{i}.jpg", subject=f"p{p}", media=f"m{m}", attributes={"track": f"{p} {t}"})
        for i, (p, m, t) in enumerate(cells)
    ]
    try:
        built = build_protocol(rows, BuildOptions(seed=seed))
    except InputError:
        groups = MediaGroups.of(rows, "track")
        assert all(len({groups.of_row(r) for r in rows if r.subject == f"p{p}"}) < 2 for p in range(6))
        return
    for part in (built.test, *([built.tune] if built.tune else [])):
        tracks = {role: {r.attributes["track"] for r in part.rows if r.role == role} for role in ("gallery", "probe")}
        assert not tracks["gallery"] & tracks["probe"]
        assert len({r.file for r in part.rows}) == len(part.rows)
        gone = sum(not e for e in {r.subject: r.enrolled for r in part.rows}.values())
        assert gone >= min(0.5 * part.counts["people"], part.counts["people"] - 1)
        for pair in part.pairs:
            assert pair.same == (pair.first.subject == pair.second.subject)
            if pair.same:
                assert pair.first.attributes["track"] != pair.second.attributes["track"]


def frames_of_two_people() -> tuple[list[ManifestRow], np.ndarray]:
    """Two people in two films, two frames each: 0.99 inside a film, 0.35 across films, 0.5 to the other person."""
    rows = [face(f"p{p}", f"p{p}film{m}", n) for p in range(2) for m in range(2) for n in range(2)]
    films = np.array([[1, 0.35, 0.2, 0.5], [0.35, 1, 0.5, 0.2], [0.2, 0.5, 1, 0.35], [0.5, 0.2, 0.35, 1]])
    films[films < 1] /= 0.99
    centres = np.linalg.cholesky(films)[np.arange(8) // 2] * 0.99**0.5
    return rows, np.hstack([centres, np.eye(8) * 0.1]).astype(np.float32)


def test_trap_random_frames_against_whole_media() -> None:
    rows, vectors = frames_of_two_people()
    scores = vectors @ vectors.T
    assert scores[0, 1] == pytest.approx(0.99, abs=1e-5)
    assert scores[0, 2] == pytest.approx(0.35, abs=1e-5)
    assert scores[0, 6] == pytest.approx(0.5, abs=1e-5)
    ok = np.ones(8, bool)
    frames = [replace(row, role=("gallery", "probe")[i % 2]) for i, row in enumerate(rows)]
    with pytest.raises(LabelError, match="same film"):
        evaluate_identification(vectors, ok, frames)
    split = evaluate_identification(vectors, ok, frames, options=IdentificationOptions(same_media=True)).points()
    assert split["rank-1", "all"] == 1.0
    built = build_protocol(rows, replace(WHOLE, unenrolled=0)).test.rows
    place = {row.file: i for i, row in enumerate(rows)}
    apart = evaluate_identification(vectors[[place[row.file] for row in built]], ok, built).points()
    assert apart["rank-1", "all"] == 0.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"unenrolled": 0.2},
        {"unenrolled": 1.0},
        {"dev_share": 1.0},
        {"bands": (32, 16)},
        {"template": "film"},
        {"gallery_images": 0},
        {"seed": -1},
    ],
)
def test_bad_options(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingError):
        BuildOptions(**wrong)  # type: ignore[arg-type]


def test_nobody_to_be_found() -> None:
    with pytest.raises(InputError, match="no face has a person and a medium"):
        build_protocol([face(None, "a", 1)])
    with pytest.raises(InputError, match="none of 2 people has faces in two media"):
        build_protocol(people(2, media=1))
    rows = [replace(row, attributes={"track": "1"}) for row in people(2)]
    with pytest.raises(InputError, match="hang together"):
        build_protocol(rows)
