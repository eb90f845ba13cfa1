"""Public benchmarks in the layout in which they are handed out: how each is told, opened and measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wildstyle.evaluation import Outcome
from wildstyle.evaluation.ijb import (
    INSIGHTFACE,
    FaceEmbeddings,
    evaluate_ijb_pairs,
    evaluate_ijb_search,
    pooled_templates,
)
from wildstyle.evaluation.ijbs import NORM_WEIGHTED, evaluate_ijbs
from wildstyle.evaluation.pooling import PoolingRule
from wildstyle.evaluation.survface import evaluate_survface, evaluate_survface_pairs
from wildstyle.evaluation.tinyface import evaluate_tinyface
from wildstyle.faces import FaceSource
from wildstyle.faces import layouts as known
from wildstyle.verbs.jobs import EvaluationSpec


@dataclass(frozen=True)
class Embedded:
    """Embeddings of N faces.

    Attributes:
        vectors: (N, D) float32, unit; rows that are not ``ok`` hold anything.
        ok: (N,) bool.
        norms: (N,) float32 lengths before normalisation.
        mirrored: (N, D) float32 embeddings of the mirrored faces, of full length, or None.
    """

    vectors: NDArray[np.float32]
    ok: NDArray[np.bool_]
    norms: NDArray[np.float32]
    mirrored: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Benchmark:
    """One kind of layout.

    Attributes:
        kind: its name.
        found: whether a folder is one.
        read: folder to layout.
        faces: layout and side in px to the faces it lists.
        outcomes: layout, embeddings and options to outcomes by protocol.
    """

    kind: str
    found: Callable[[Path], bool]
    read: Callable[[Path], Any]
    faces: Callable[[Any, int], FaceSource]
    outcomes: Callable[[Any, Embedded, EvaluationSpec], dict[str, Outcome]]


def benchmark_of(path: Path) -> Benchmark | None:
    """The kind of layout that a folder holds, or None."""
    return next((kind for kind in BENCHMARKS if path.is_dir() and kind.found(path)), None)


def _ijb(layout: known.IjbLayout, faces: Embedded, spec: EvaluationSpec) -> dict[str, Outcome]:
    rule = INSIGHTFACE if spec.pooling is None else PoolingRule.parse(spec.pooling)
    given = FaceEmbeddings(faces.vectors, faces.ok, faces.norms, faces.mirrored)
    templates = pooled_templates(given, layout, rule)
    found = {
        "1:1": evaluate_ijb_pairs(
            given, layout, rule=rule, data=spec.name, nearest=spec.fmr_rule == "nearest", templates=templates
        )
    }
    if layout.probes is not None and len(layout.galleries) == 2:
        found["1:N"] = evaluate_ijb_search(given, layout, rule=rule, data=spec.name, templates=templates)
    return found


def _ijbs(layout: known.IjbsLayout, faces: Embedded, spec: EvaluationSpec) -> dict[str, Outcome]:
    rule = NORM_WEIGHTED if spec.pooling is None else PoolingRule.parse(spec.pooling)
    given = FaceEmbeddings(faces.vectors, faces.ok, faces.norms)
    return {name: evaluate_ijbs(given, layout, name, rule=rule, data=spec.name) for name in layout.protocols}


def _tinyface(layout: known.TinyFaceLayout, faces: Embedded, spec: EvaluationSpec) -> dict[str, Outcome]:
    return {"": evaluate_tinyface(faces.vectors, faces.ok, layout, data=spec.name)}


def _survface(layout: known.SurvFaceLayout, faces: Embedded, spec: EvaluationSpec) -> dict[str, Outcome]:
    found = evaluate_survface(faces.vectors, faces.ok, layout, norms=faces.norms, gallery=spec.gallery, data=spec.name)
    return {"": found}


def _survface_pairs(layout: known.SurvFacePairs, faces: Embedded, spec: EvaluationSpec) -> dict[str, Outcome]:
    return {"": evaluate_survface_pairs(faces.vectors, faces.ok, layout, data=spec.name)}


BENCHMARKS: tuple[Benchmark, ...] = (
    Benchmark("ijb", lambda path: known.ijb_kind(path) is not None, known.read_ijb, known.open_ijb_faces, _ijb),
    Benchmark("ijbs", known.looks_like_ijbs, known.read_ijbs, known.open_ijbs_faces, _ijbs),
    Benchmark("tinyface", known.looks_like_tinyface, known.read_tinyface, known.open_tinyface_faces, _tinyface),
    Benchmark("survface", known.looks_like_survface, known.read_survface, known.open_survface_faces, _survface),
    Benchmark(
        "survface pairs",
        known.has_survface_pairs,
        known.read_survface_pairs,
        known.open_survface_pair_faces,
        _survface_pairs,
    ),
)
