"""Both halves of a frontal face shall look like the same person (after SymFace, Prakash et al., arXiv 2409.11816).

Frontness, the gate and how a half becomes a picture are defined here; the paper's own code is not public. What is
learnt from halves may hurt where faces are in profile: keep the weight of this term small, 0.1 or less.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from wildstyle.adaptation.heads.angles import directions
from wildstyle.adaptation.heads.head import widened
from wildstyle.errors import LabelError

_CLOSEST_EYES = 1e-6


def frontness(points: Tensor) -> Tensor:
    """How frontal faces are: 1 - (distance of the nose from the eyes' middle) / (distance of the eyes), across.

    Args:
        points: (N, 5, 2) landmarks (x, y) in px, in the order eye on the left of the image, eye on its right, nose,
            corners of the mouth.

    Returns:
        (N,) in [0, 1]; 1 is frontal, 0 also where the eyes lie one above the other.

    Raises:
        LabelError: the points have another shape.
    """
    if points.shape[1:] != (5, 2):
        raise LabelError(
            f"landmarks have shape {tuple(points.shape)}, not (N, 5, 2)",
            remedy="give both eyes, the nose and both corners of the mouth of each face",
        )
    left, right, nose = points[:, 0, 0], points[:, 1, 0], points[:, 2, 0]
    apart = (right - left).abs()
    found = 1.0 - ((left + right) / 2.0 - nose).abs() / apart.clamp_min(_CLOSEST_EYES)
    return torch.where(apart > _CLOSEST_EYES, found.clamp(0.0, 1.0), 0.0)


def halves(images: Tensor) -> tuple[Tensor, Tensor]:
    """The left half, and the right one mirrored so that it lies like the left.

    Args:
        images: (N, 3, H, W).

    Returns:
        Two (N, 3, H, ceil(W / 2)); the middle column of an odd width is in both.
    """
    width = (images.shape[-1] + 1) // 2
    return images[..., :width], images.flip(-1)[..., :width]


def completed(half: Tensor, width: int) -> Tensor:
    """A left half with its own mirror image beside it, (N, 3, H, width): a face of the size a recogniser takes.

    Args:
        half: (N, 3, H, ceil(width / 2)).
        width: of the whole image.
    """
    return torch.cat([half, half[..., : width - half.shape[-1]].flip(-1)], dim=-1)


def symmetry_loss(
    embed: Callable[[Tensor], Tensor], images: Tensor, points: Tensor, *, threshold: float = 0.9
) -> Tensor:
    """Mean of 1 - cosine between both halves of the frontal faces, each completed to a whole one; a scalar.

    Args:
        embed: (N, 3, H, W) images to raw or unit embeddings (N, D).
        images: (N, 3, H, W).
        points: (N, 5, 2) landmarks, as for ``frontness``.
        threshold: least frontness of a face that takes part.

    Returns:
        float32 in [0, 2], differentiable in what ``embed`` is; 0 without a frontal face.

    Raises:
        LabelError: the points are not one set an image.
    """
    if len(points) != len(images):
        raise LabelError(f"there are landmarks of {len(points)} faces for {len(images)} images")
    frontal = images[frontness(points) >= threshold]
    if not len(frontal):
        return images.new_zeros(())
    embedded = embed(torch.cat([completed(half, images.shape[-1]) for half in halves(frontal)]))
    with torch.autocast(embedded.device.type, enabled=False):
        left, right = directions(widened(embedded)).chunk(2)
        return (1.0 - (left * right).sum(dim=1)).mean()
