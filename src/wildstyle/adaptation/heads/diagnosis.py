"""What is wrong with a batch, said before it turns into NaN."""

from __future__ import annotations

import torch
from torch import Tensor

from wildstyle.errors import ContractError, Diverged, LabelError, SettingError

_TELLING = 8
"""So many norms all out of a band say that the band is wrong; fewer may be a few bad pictures."""


def check_people(classes: int) -> None:
    """Refuse fewer than two people.

    Raises:
        LabelError: there is nobody to tell a person from.
    """
    if classes < 2:
        raise LabelError(
            f"a head needs at least two people, there is {classes}",
            remedy="give clean faces of more people, or adapt without a head",
        )


def check_embeddings(head: str, embeddings: Tensor, labels: Tensor, *, size: int | None = None) -> None:
    """Refuse embeddings of a wrong shape, and on the CPU those that are not finite.

    Args:
        head: its name, for messages.
        embeddings: (N, D) expected.
        labels: (N,) int64 expected.
        size: D, None if any will do.

    Raises:
        ContractError: the embeddings are no (N, size).
        LabelError: labels are not N int64.
        Diverged: a value is NaN or infinite.
    """
    if embeddings.ndim != 2 or size not in (None, embeddings.shape[1]):
        wanted = "D" if size is None else size
        raise ContractError(
            f"the {head} head takes embeddings of shape (N, {wanted}), not {tuple(embeddings.shape)}",
            remedy="build the head for the recogniser's embedding size",
        )
    if labels.shape != embeddings.shape[:1] or labels.dtype != torch.int64:
        raise LabelError(
            f"the {head} head needs {len(embeddings)} int64 labels, not {labels.dtype} of shape {tuple(labels.shape)}",
            remedy="give one int64 label an embedding",
        )
    if embeddings.device.type == "cpu":
        bad = int((~embeddings.isfinite()).any(dim=1).sum())
        if bad:
            raise Diverged(
                f"{bad} of {len(embeddings)} embeddings given to the {head} head hold NaN or infinity",
                remedy="lower the learning rate, or use fp32 if this ran in half precision",
            )


def check_labels(head: str, labels: Tensor, *, people: int | None = None) -> None:
    """Refuse labels below 0 or from ``people`` on; looked at on the CPU only.

    Raises:
        LabelError: a label is out of range.
    """
    if not len(labels) or labels.device.type != "cpu":
        return
    low, high = (int(end) for end in labels.aminmax())
    if low < 0 or (people is not None and high >= people):
        known = "" if people is None else f", but it knows {people} people, 0 to {people - 1}"
        raise LabelError(
            f"labels given to the {head} head reach from {low} to {high}{known}",
            remedy="number the people from 0 without gaps, and leave faces of unknown people out",
        )


def check_norms(head: str, norms: Tensor, band: tuple[float, float], *, remedy: str) -> None:
    """Refuse a batch none of whose norms lies in the band a head works in; looked at on the CPU only.

    Raises:
        SettingError: at least eight norms, all outside.
    """
    if len(norms) < _TELLING or norms.device.type != "cpu":
        return
    if not ((norms >= band[0]) & (norms <= band[1])).any():
        low, high = (float(end) for end in norms.aminmax())
        raise SettingError(
            f"the norms of all {len(norms)} embeddings, {low:.3g} to {high:.3g}, lie outside "
            f"{band[0]:g} to {band[1]:g}, where the {head} head tells them apart",
            remedy=remedy,
        )
