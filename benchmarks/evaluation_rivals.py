"""How the field's common scripts do it, written from their description: one template, one row, one batch at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

Vectors = NDArray[np.float32]
Ints = NDArray[np.int64]


def pool_one_by_one(vectors: Vectors, template: Ints, media: Ints, *, most: int | None = None) -> tuple[Ints, Vectors]:
    """Templates in a loop that looks through all faces for each; the first ``most`` of them."""
    ids = np.unique(template)[:most]
    out = np.zeros((len(ids), vectors.shape[1]), np.float32)
    for row, name in enumerate(ids):
        (inside,) = np.where(template == name)
        faces, found = vectors[inside], media[inside]
        parts = []
        for medium in np.unique(found):
            (same,) = np.where(found == medium)
            parts.append(faces[same[0]] if len(same) == 1 else np.mean(faces[same], axis=0))
        out[row] = np.sum(np.array(parts), axis=0)
    return ids, (out / np.linalg.norm(out, axis=1, keepdims=True)).astype(np.float32)


def score_in_batches(templates: Vectors, first: Ints, second: Ints, size: int = 100_000) -> Vectors:
    """Cosines of listed pairs, both sides copied for each batch of pairs."""
    out = np.zeros(len(first), np.float32)
    for start in range(0, len(first), size):
        part = slice(start, start + size)
        out[part] = np.sum(templates[first[part]] * templates[second[part]], axis=-1)
    return out


def nearest_table(scores: Vectors, same: NDArray[np.bool_], targets: tuple[float, ...]) -> list[float]:
    """TAR at the ROC points nearest to the targets; of points with one FMR the highest TAR."""
    fmr, tar, _ = roc_curve(same, scores)
    fmr, tar = np.flipud(fmr), np.flipud(tar)
    return [float(tar[np.argmin(np.abs(fmr - target))]) for target in targets]


def strict_table(scores: Vectors, same: NDArray[np.bool_], targets: tuple[float, ...]) -> list[float]:
    """Highest TAR among the ROC points whose FMR is at most the target."""
    fmr, tar, _ = roc_curve(same, scores, drop_intermediate=False)
    return [float(tar[fmr <= target].max()) for target in targets]


def intervals_by_loop(
    impostors: tuple[Vectors, Ints, Ints], mated: tuple[Vectors, Ints], people: int, target: float, draws: int
) -> list[float]:
    """TAR at a strict FMR in draws of people, everything weighted and sorted anew in each."""
    rng, out = np.random.default_rng(0), []
    scores, first, second = impostors
    for _ in range(draws):
        weight = rng.multinomial(people, np.full(people, 1 / people))
        pair = weight[first] * weight[second]
        order = np.argsort(-scores)
        passed = np.cumsum(pair[order])
        threshold = scores[order][np.argmax(passed > target * passed[-1])]
        own = weight[mated[1]]
        out.append(float((own * (mated[0] > threshold)).sum() / own.sum()))
    return out


def joined_search(probes: Vectors, own: Ints, gallery: Vectors, people: Ints) -> tuple[float, Vectors]:
    """Rank-1 and all negative scores in falling order, over one joined gallery: rows sorted, negatives in a list."""
    similarity = np.dot(probes, gallery.T)
    order = np.argsort(-similarity)
    hits, negatives = 0, []
    for row in range(len(probes)):
        mates = np.argwhere(people == own[row])
        hits += int(people[order[row, 0]] == own[row])
        negatives.append(np.delete(similarity[row], mates))
    every = np.concatenate(negatives)
    return hits / len(probes), np.sort(every)[::-1]


def search_by_sorting(probes: Vectors, own: Ints, gallery: Vectors, people: Ints) -> tuple[Ints, Vectors]:
    """Rank of the first mate (0: none) and best non-mate of each probe, by sorting each whole row."""
    scores = probes @ gallery.T
    ranks, others = np.zeros(len(probes), np.int64), np.full(len(probes), -np.inf, np.float32)
    for row in range(len(probes)):
        order = np.argsort(scores[row])[::-1]
        hit = np.where(people[order] == own[row])[0]
        ranks[row] = hit[0] + 1 if len(hit) else 0
        rest = people != own[row]
        if rest.any():
            others[row] = scores[row][rest].max()
    return ranks, others


def average_precision_by_sorting(probes: Vectors, own: Ints, gallery: Vectors, people: Ints) -> list[float]:
    """Trapezoid average precision of each probe, by sorting each whole row and walking down it."""
    scores, out = probes @ gallery.T, []
    for row in range(len(probes)):
        order = np.argsort(scores[row])[::-1]
        good = people[order] == own[row]
        mates = int(good.sum())
        recall, area = 0.0, 0.0
        for found, place in enumerate(np.where(good)[0], 1):
            before = (found - 1) / place if place else 1.0
            precision = found / (place + 1)
            area += (found / mates - recall) * (before + precision) / 2
            recall = found / mates
        out.append(area if mates else 0.0)
    return out


def all_pairs_by_rows(vectors: Vectors, people: Ints, target: float) -> tuple[int, float]:
    """Pairs and TAR nearest to an FMR, all scores of all rows in one list."""
    scores, same = [], []
    for row in range(len(vectors) - 1):
        scores.append(vectors[row + 1 :] @ vectors[row])
        same.append(people[row + 1 :] == people[row])
    every, labels = np.concatenate(scores), np.concatenate(same)
    return len(every), nearest_table(every, labels, (target,))[0]
