"""New embeddings that can be compared with old ones (Biondi et al., CVPR 2024, arXiv 2405.02581)."""

from __future__ import annotations

import torch
from torch import Tensor

from wildstyle.adaptation.heads.angles import directions
from wildstyle.adaptation.heads.diagnosis import check_embeddings
from wildstyle.adaptation.heads.head import widened


def compatibility_loss(new: Tensor, old: Tensor, labels: Tensor, *, scale: float = 10.0) -> Tensor:
    """-mu <old_i, new_i> + log of the sum over k of e^(mu <old_i, new_k> [y_k != y_i]), of each image.

    As published, same-person pairs are not left out of the sum: their exponent is 0, so each adds 1. A recogniser
    trained with it weighs it against its cross-entropy, there 0.9 to 0.1.

    Args:
        new: (N, D) embeddings of the recogniser in training, raw or unit.
        old: (N, D) of the same images by the recogniser to stay compatible with; no gradient passes to them.
        labels: (N,) int64.
        scale: mu, > 0.

    Returns:
        (N,) float32, or float64 of float64; it may be negative.

    Raises:
        ContractError, LabelError, Diverged: as for a head.
    """
    with torch.autocast(new.device.type, enabled=False):
        check_embeddings("compatibility", new, labels)
        check_embeddings("compatibility", old, labels, size=new.shape[1])
        products = scale * directions(widened(old.detach())) @ directions(widened(new)).T
        apart = labels[:, None] != labels
        return torch.where(apart, products, 0.0).logsumexp(dim=1) - products.diagonal()
