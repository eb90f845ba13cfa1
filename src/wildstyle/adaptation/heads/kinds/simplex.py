"""Fixed centres at the corners of a simplex (Pernici et al., IEEE TNNLS 2021, arXiv 2103.15632).

The centres are as far apart as centres can be and never move; the network learns to hit them. So recognisers trained
one after the other, on more and more people, share their axes (Biondi et al., CVPR 2024, arXiv 2405.02581).
"""

from __future__ import annotations

import torch
from torch import Tensor

from wildstyle.adaptation.heads.classifier import MarginHead
from wildstyle.adaptation.heads.diagnosis import check_people
from wildstyle.adaptation.heads.kinds.softmax import Softmax
from wildstyle.errors import SettingError


class SimplexHead(MarginHead):
    """Softmax over cosines to the K = D + 1 corners of a simplex in D dimensions.

    Person y has corner K - 1 - y. Corners nobody has yet are kept free for people to come: they are negatives too. So
    ``centres`` is (D + 1, D), a buffer, whatever the number of people.

    Args:
        classes: C, number of people, 2 <= C <= D + 1.
        embedding_size: D.
        scale: s, > 0.

    Raises:
        LabelError: fewer than two people.
        SettingError: more people than corners, or a scale that is not above 0.
    """

    def __init__(self, classes: int, embedding_size: int, *, scale: float = 64.0) -> None:
        if classes > embedding_size + 1:
            raise SettingError(
                f"a simplex in {embedding_size} dimensions has {embedding_size + 1} corners, for {classes} people",
                remedy="use a head whose centres move, e.g. arcface, or fewer people",
            )
        check_people(classes)
        super().__init__(Softmax(), simplex(embedding_size + 1).flip(0), scale=scale, fixed=True)
        self.classes, self.title = classes, "simplex"


def simplex(corners: int) -> Tensor:
    """Corners of a regular simplex around 0, (K, K - 1) float32 of unit length; each two have cosine -1 / (K - 1).

    Args:
        corners: K, >= 2.
    """
    basis = torch.eye(corners - 1, dtype=torch.float64)
    last = torch.full((1, corners - 1), (1.0 - corners**0.5) / (corners - 1), dtype=torch.float64)
    found = torch.cat([basis, last])
    found = found - found.mean(dim=0)
    return torch.nn.functional.normalize(found).float()


KINDS = {"simplex": SimplexHead}
