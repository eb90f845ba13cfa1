"""Find out how a foreign recogniser wants its faces: try all usual ways on labelled faces.

A wrong colour order or scale lowers accuracy silently; the right one separates people best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from wildstyle.errors import LabelError, NotMeasurable, UnreadableFace
from wildstyle.faces.record import Face
from wildstyle.faces.source import FaceSource
from wildstyle.faces.stream import stream, working_batch
from wildstyle.randomness import item_rng
from wildstyle.recognisers.contract_text import SCALES, Preprocessing
from wildstyle.recognisers.engine import embedder
from wildstyle.recognisers.recogniser import Recogniser

RESAMPLES = 200


@dataclass(frozen=True)
class ProbeRow:
    """One way of preparing faces.

    Attributes:
        preprocessing: order and scale.
        auc: share of (mated, impostor) pairs of scores in the right order, in [0, 1].
        separation: d' of mated against impostor cosines (difference of means over pooled deviation).
        low, high: 95 % interval of ``auc``, people drawn with replacement.
        behind: how much lower its d' is than the best row's, and the 95 % interval of that, drawn
            together; zeros for the best.
    """

    preprocessing: Preprocessing
    auc: float
    separation: float
    low: float
    high: float
    behind: tuple[float, float, float]


@dataclass(frozen=True)
class ProbeReport:
    """Rows, best first, and what they allow to say.

    Attributes:
        rows: all ways tried.
        clear: the best is better than every other way beyond chance.
        statement: one or two sentences.
        faces, people: how many were used.
    """

    rows: tuple[ProbeRow, ...]
    clear: bool
    statement: str
    faces: int
    people: int


def probe(
    network: nn.Module, source: FaceSource, *, input_size: int = 112, most: int = 300, seed: int = 0
) -> ProbeReport:
    """Rank colour orders and scales for ``network`` by how well they separate labelled people.

    Args:
        network: normalised NCHW to raw embeddings (N, D).
        source: aligned faces with subjects; at least two people with two faces each.
        most: faces used at most, drawn evenly over people.
        seed: of the draw.

    Raises:
        LabelError: fewer than two people with two faces.
        NotMeasurable: no combination gave finite embeddings.
    """
    faces, people = _labelled(source, input_size, most, seed)
    images = working_batch(faces)
    with torch.inference_mode():
        was_training = network.training
        size = int(network.eval()(torch.zeros(1, 3, input_size, input_size)).shape[1])
        network.train(was_training)
    trials = []
    for order in ("RGB", "BGR"):
        for scale in SCALES:
            way = Preprocessing(order, scale)
            recogniser = Recogniser(
                network, way.contract(model_id="probed", embedding_size=size, input_size=input_size)
            )
            vectors = _embed(recogniser, images)
            if np.isfinite(vectors).all():
                trials.append((way, vectors @ vectors.T))
    if not trials:
        raise NotMeasurable("no way of preparing the faces gives finite embeddings")
    return _report(trials, people, seed)


def _labelled(source: FaceSource, size: int, most: int, seed: int) -> tuple[list[Face], NDArray[np.int64]]:
    """Faces of people who have at least two, at most ``most``, and a person's number for each."""
    by_person: dict[str, list[int]] = {}
    for index in range(len(source)):
        subject = source.record(index).subject
        if subject is not None:
            by_person.setdefault(subject, []).append(index)
    groups = [members for _, members in sorted(by_person.items()) if len(members) > 1]
    if len(groups) < 2:
        raise LabelError(
            f"{len(groups)} people with two faces or more; probing compares people and needs at least two",
            where=source.location,
            remedy="give labelled faces, one folder a person",
        )
    rng = item_rng(seed, "probe")
    each = max(2, min(6, most // len(groups)))
    chosen = [groups[i] for i in rng.permutation(len(groups))[: max(2, most // each)]]
    wanted = [(int(i), person) for person, group in enumerate(chosen) for i in rng.permutation(group)[:each]]
    read = stream(source, [index for index, _ in wanted])
    kept = [
        (face, person)
        for face, (_, person) in zip(read, wanted, strict=True)
        if not isinstance(face, UnreadableFace) and face.image.shape == (size, size, 3)
    ]
    labels = np.array([person for _, person in kept], dtype=np.int64)
    if len(np.unique(labels)) < 2 or not _mated(labels).any():
        raise LabelError(
            f"too few readable faces of {size}x{size} px to compare people ({len(kept)})",
            where=source.location,
            remedy=f"give faces aligned to {size} px",
        )
    return [face for face, _ in kept], labels


def _embed(recogniser: Recogniser, images: NDArray[np.float32]) -> NDArray[np.float32]:
    with embedder(recogniser) as (run, _):
        raw = np.concatenate([run(images[i : i + 64]) for i in range(0, len(images), 64)])
    lengths = np.linalg.norm(raw, axis=1, keepdims=True)
    return np.asarray(raw / np.where(lengths > 0, lengths, np.nan), dtype=np.float32)


def _mated(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N, N): pairs above the diagonal of one person."""
    return np.triu(labels[:, None] == labels[None, :], 1)


def _report(
    trials: Sequence[tuple[Preprocessing, NDArray[np.float32]]], labels: NDArray[np.int64], seed: int
) -> ProbeReport:
    draws = [None, *_draws(labels, seed)]
    figures = np.array([[_figures(scores, labels, draw) for draw in draws] for _, scores in trials])
    order = np.argsort(-figures[:, 0, 1], kind="stable")
    best = order[0]
    rows = []
    for i in order:
        low, high = np.quantile(figures[i, 1:, 0], [0.025, 0.975])
        gap = figures[best, :, 1] - figures[i, :, 1]
        least, most = np.quantile(gap[1:], [0.025, 0.975])
        behind = (float(gap[0]), float(least), float(most))
        rows.append(ProbeRow(trials[i][0], figures[i, 0, 0], figures[i, 0, 1], float(low), float(high), behind))
    rivals = [row for row in rows[1:] if row.behind[1] <= 0]
    return ProbeReport(tuple(rows), not rivals, _statement(rows, rivals), len(labels), len(np.unique(labels)))


def _statement(rows: Sequence[ProbeRow], rivals: Sequence[ProbeRow]) -> str:
    best = rows[0]
    if best.auc < 0.8:
        return (
            f"None of the ways separates people well (best: {best.preprocessing}, AUC {best.auc:.3f});"
            " check the alignment, or the file is no face recogniser."
        )
    if not rivals:
        return f"{best.preprocessing} is clearly best (AUC {best.auc:.4f}, d' {best.separation:.2f})."
    names = ", ".join(str(row.preprocessing) for row in rivals)
    return (
        f"{best.preprocessing} is best (AUC {best.auc:.4f}), but these faces can't tell it from {names}:"
        " the difference is within chance. Prefer what the authors state, or probe with more people."
    )


def _draws(labels: NDArray[np.int64], seed: int) -> list[NDArray[np.int64]]:
    """How often each person is drawn, (people,) counts, for every resample."""
    people = len(np.unique(labels))
    rng = item_rng(seed, "probe", "people")
    draws = [np.bincount(rng.integers(0, people, people), minlength=people) for _ in range(RESAMPLES)]
    return [draw for draw in draws if (draw > 0).sum() > 1]


def _figures(
    scores: NDArray[np.float32], labels: NDArray[np.int64], draw: NDArray[np.int64] | None
) -> tuple[float, float]:
    """AUC and d' of mated against impostor cosines; pairs weighted by how often their people were drawn."""
    _, person = np.unique(labels, return_inverse=True)
    first, second = np.triu_indices(len(labels), 1)
    values = scores[first, second].astype(np.float64)
    mated = person[first] == person[second]
    if draw is None:
        weight = np.ones(len(values))
    else:
        # A mated pair lies inside one person, an impostor pair between two.
        weight = np.where(mated, draw[person[first]], draw[person[first]] * draw[person[second]]).astype(np.float64)
    same, other = weight * mated, weight * ~mated
    if not same.sum() or not other.sum():
        return 0.5, 0.0
    order = np.argsort(values, kind="stable")
    below = np.cumsum(other[order]) - other[order] / 2
    auc = float((same[order] * below).sum() / (same.sum() * other.sum()))
    means = [np.average(values, weights=w) for w in (same, other)]
    spread = [np.average((values - m) ** 2, weights=w) for m, w in zip(means, (same, other), strict=True)]
    return auc, float((means[0] - means[1]) / np.sqrt(max(sum(spread) / 2, 1e-12)))
