"""Centroids instead of faces in triplets (Wieczorek et al., ICONIP 2021, arXiv 2104.13643)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from wildstyle.adaptation.heads.head import IdentityHead
from wildstyle.errors import SettingError


class CentroidTriplet(IdentityHead):
    """max(0, d(face, own centroid) - d(face, nearest other centroid) + margin), one value a face.

    Enrolled templates are centroids, so this trains what a deployed gallery compares. Centroids leave one out, as in
    the paper: the i-th face of each person is compared with centroids without anybody's i-th face. A person with
    fewer faces than that, or one only, keeps all of them in the centroid. A person's only face has no own centroid
    and gets 0, as all do where the batch shows one person.

    Distances are Euclidean, not squared, of raw embeddings: the margin is in units of their norm.

    Args:
        margin: > 0.

    Raises:
        SettingError: the margin is not above 0.
    """

    title = "centroid triplet"
    faces_each = 4

    def __init__(self, *, margin: float = 0.5) -> None:
        super().__init__()
        if not 0 < margin < math.inf:
            raise SettingError(f"margin of centroid triplets is {margin}, it must be above 0")
        self.margin = margin

    def _losses(self, raw: Tensor, labels: Tensor) -> Tensor:
        person, turn, counts = _places(labels)
        shape = (int(counts.max()), len(counts))
        # One row a turn i, one column a person: (K, P, D), zero where the person has no i-th face.
        faces = raw.new_zeros(*shape, raw.shape[1]).index_put((turn, person), raw)
        there = torch.zeros(shape, dtype=torch.bool, device=raw.device)
        there[turn, person] = True
        left_out = there & (counts > 1)
        sums = faces.sum(dim=0) - torch.where(left_out[..., None], faces, 0.0)
        centroids = sums / (counts - left_out.long())[..., None]
        # Differences, not products: raw norms are large and distances may be small.
        distances = torch.cdist(faces, centroids, compute_mode="donot_use_mm_for_euclid_dist")
        own = distances.diagonal(dim1=1, dim2=2)
        itself = torch.eye(len(counts), dtype=torch.bool, device=raw.device)
        nearest = distances.masked_fill(itself, math.inf).amin(dim=2)
        losses = torch.where(left_out & (nearest < math.inf), own - nearest + self.margin, 0.0).relu()
        return losses[turn, person]


def _places(labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For each of (N,) labels: which person of the batch, 0 ... P - 1, and its how manyth face; faces of each (P,)."""
    _, person, counts = torch.unique(labels, return_inverse=True, return_counts=True)
    order = person.argsort(stable=True)
    starts = counts.cumsum(dim=0) - counts
    turn = torch.empty_like(person)
    turn[order] = torch.arange(len(labels), device=labels.device) - starts[person[order]]
    return person, turn, counts


KINDS = {"triplet-centroid": CentroidTriplet}
