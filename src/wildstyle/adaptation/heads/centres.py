"""Class centres to start from, so that a head does not first tear down what the recogniser knows."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wildstyle.faces.source import FaceSource
from wildstyle.recognisers import Recogniser, embed_source


def class_centres(
    recogniser: Recogniser, source: FaceSource, labels: NDArray[np.int64], *, faces_each: int = 4
) -> Tensor:
    """Mean unit embedding of each person's first faces.

    Args:
        recogniser: frozen for the purpose; left as it was.
        source: clean faces.
        labels: (len(source),) int64 in [0, C), every class present.
        faces_each: how many faces of a person are looked at, >= 1.

    Returns:
        (C, D) float32, unit length; zero for a person none of whose faces could be used.
    """
    by_person = np.argsort(labels, kind="stable")
    place = np.arange(len(labels)) - np.searchsorted(labels[by_person], labels[by_person])
    chosen = np.sort(by_person[place < faces_each])
    found = embed_source(recogniser.frozen_copy(), source, indices=[int(i) for i in chosen])
    sums = torch.zeros(int(labels.max()) + 1, found.vectors.shape[1])
    usable = chosen[found.ok]
    sums.index_add_(0, torch.from_numpy(labels[usable]), torch.from_numpy(found.vectors[found.ok]))
    return torch.nn.functional.normalize(sums, eps=1e-12)
