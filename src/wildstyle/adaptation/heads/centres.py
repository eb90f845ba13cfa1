"""Class centres to start from, so that a head does not first tear down what the recogniser knows."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wildstyle.faces.source import FaceSource
from wildstyle.recognisers import Recogniser, embed_source


def first_faces(
    recogniser: Recogniser, source: FaceSource, labels: NDArray[np.int64], *, faces_each: int = 4
) -> tuple[Tensor, Tensor]:
    """Raw embeddings of each person's first faces; faces that can't be used are left out.

    Args:
        recogniser: frozen for the purpose; left as it was.
        source: clean faces.
        labels: (len(source),) int64 in [0, C), every class present.
        faces_each: how many faces of a person are looked at, >= 1.

    Returns:
        (N, D) float32 and their labels (N,) int64.
    """
    by_person = np.argsort(labels, kind="stable")
    place = np.arange(len(labels)) - np.searchsorted(labels[by_person], labels[by_person])
    chosen = np.sort(by_person[place < faces_each])
    found = embed_source(recogniser.frozen_copy(), source, indices=[int(i) for i in chosen])
    raw = found.vectors[found.ok] * found.norms[found.ok, None]
    return torch.from_numpy(raw), torch.from_numpy(labels[chosen[found.ok]])


def mean_directions(embeddings: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Mean unit embedding of each person, itself of unit length.

    Args:
        embeddings: (N, D), raw or unit.
        labels: (N,) int64 in [0, classes).
        classes: C.

    Returns:
        (C, D) float32; zero for a person without an embedding.
    """
    unit = torch.nn.functional.normalize(embeddings.float(), eps=1e-12)
    sums = torch.zeros(classes, unit.shape[1], device=unit.device).index_add_(0, labels, unit)
    return torch.nn.functional.normalize(sums, eps=1e-12)


def class_centres(
    recogniser: Recogniser, source: FaceSource, labels: NDArray[np.int64], *, faces_each: int = 4
) -> Tensor:
    """Mean unit embedding of each person's first faces, (C, D) float32, unit length; arguments as ``first_faces``.

    It is zero for a person none of whose faces could be used.
    """
    embeddings, found = first_faces(recogniser, source, labels, faces_each=faces_each)
    return mean_directions(embeddings, found, int(labels.max()) + 1)
