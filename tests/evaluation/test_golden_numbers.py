"""Known figures of an untouched public recogniser on real faces, through the library's own doors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from wildstyle.evaluation import Result, evaluate_identification, evaluate_pairs
from wildstyle.faces import open_faces, open_pairs, read_manifest
from wildstyle.faces.manifest import ManifestSource
from wildstyle.faces.source import FaceSource
from wildstyle.recognisers import Embeddings, Recogniser, embed_source, load_recogniser, parse_contract

TOLERANCE = 0.002
"""Two tenths of a point: decoders and runtimes differ in the last bits."""


@pytest.fixture(scope="module")
def recogniser(data_dir: Path) -> Recogniser:
    path = data_dir / "models" / "mobilefacenet.onnx"
    return load_recogniser(path, contract=parse_contract("rgb,imagenet"))


@pytest.fixture(scope="module")
def lfw(data_dir: Path, recogniser: Recogniser) -> tuple[FaceSource, object, Embeddings]:
    source, pairs = open_pairs(data_dir / "lfw_pairs112.tar")
    return source, pairs, embed_source(recogniser, source)


@pytest.fixture(scope="module")
def distractors(lfw: tuple[FaceSource, object, Embeddings]) -> NDArray[np.float32]:
    """The first face of each of LFW's people."""
    source, _, embedded = lfw
    people = [source.record(i).subject for i in range(len(source))]
    first = np.unique(np.array(people), return_index=True)[1]
    assert len(first) == 4281
    return embedded.vectors[first]


def manifest_result(data_dir: Path, name: str, recogniser: Recogniser, distractors: NDArray[np.float32]) -> Result:
    manifest = read_manifest(data_dir / f"{name}.csv")
    source = ManifestSource(manifest, open_faces(data_dir / f"{name}112.tar"))
    found = embed_source(recogniser, source)
    outcome = evaluate_identification(found.vectors, found.ok, manifest.rows, data=name, distractors=distractors)
    return outcome.result()


def check(result: Result, figures: dict[tuple[str, str], float]) -> None:
    for (name, group), percent in figures.items():
        measure = result.measure(name, group)
        assert measure.value == pytest.approx(percent / 100, abs=TOLERANCE), (name, group)
        assert measure.low is not None
        assert measure.high is not None
        assert measure.low < measure.value < measure.high


def test_lfw_pairs(lfw: tuple[FaceSource, object, Embeddings]) -> None:
    source, pairs, embedded = lfw
    people = [source.record(i).subject for i in range(len(source))]
    result = evaluate_pairs(embedded.vectors, embedded.ok, pairs, data="lfw", people=people).result()  # type: ignore[arg-type]
    # 99.37 on record chose thresholds on cosines by hundredths; squared distances decide two more pairs rightly.
    check(result, {("accuracy", "all"): 99.37})
    assert result.measure("accuracy-std").value == pytest.approx(0.0036, abs=0.001)
    assert result.counts["mated pairs"] == result.counts["impostor pairs"] == 3000


def test_films(data_dir: Path, recogniser: Recogniser, distractors: NDArray[np.float32]) -> None:
    result = manifest_result(data_dir, "imfdb_tune", recogniser, distractors)
    check(
        result,
        {
            ("rank-1", "all"): 49.5,
            ("tar@fmr=1e-2", "all"): 42.0,
            ("tar@fmr=1e-3", "all"): 27.6,
            ("rank-1", "<40 px"): 17.4,
            ("rank-1", "40-79 px"): 47.4,
            ("rank-1", ">=80 px"): 73.1,
        },
    )
    assert [result.measure("rank-1", g).n for g in ("<40 px", "40-79 px", ">=80 px")] == [530, 841, 934]
    assert (result.counts["probes"], result.counts["probe failures"], result.counts["people"]) == (2370, 65, 40)


def test_far_cameras(data_dir: Path, recogniser: Recogniser, distractors: NDArray[np.float32]) -> None:
    result = manifest_result(data_dir, "webcam_far_tune", recogniser, distractors)
    check(
        result,
        {
            ("rank-1", "all"): 79.7,
            ("rank-1 with distractors", "all"): 46.6,
            ("tar@fmr=1e-2", "all"): 58.7,
            ("tar@fmr=1e-3", "all"): 30.4,
        },
    )
    assert "fewer than 10" in str(result.measure("tar@fmr=1e-3").note)
    assert result.counts["probes"] == 566
