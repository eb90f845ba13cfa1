"""How far a student is from a teacher: losses on embeddings, one value a face."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wildstyle.errors import SettingError


def apart(student: Tensor, teacher: Tensor) -> Tensor:
    """``1 - cos`` of unit embeddings (N, D) and (N, D), (N,): feature distillation by cosine."""
    return 1.0 - (student * teacher).sum(dim=1)


def relations_apart(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of each face's cosines to the other faces of the batch, (N,).

    Only relations count, so the two may have different lengths (relational distillation, Park et al., CVPR 2019,
    arXiv 1904.05068, on cosines).

    Args:
        student: (N, D) unit embeddings.
        teacher: (N, E) unit embeddings of the same faces.
    """
    count = len(student)
    if count < 2:
        return student.new_zeros(count)
    others = 1.0 - torch.eye(count, device=student.device, dtype=student.dtype)
    difference = (student @ student.T - teacher @ teacher.T) * others
    return difference.square().sum(dim=1) / (count - 1)


def bank_apart(student: Tensor, teacher: Tensor, bank: Tensor, *, scale: float = 16.0) -> Tensor:
    """Divergence of what student and teacher would say of every face of a gallery, (N,).

    Kullback-Leibler divergence of the softmax over ``scale`` times the cosines to the bank. It keeps not only where a
    face lies but which of its neighbours come next: what ranks are made of.

    Args:
        student: (N, D) unit embeddings.
        teacher: (N, D) unit embeddings of the same faces' clean originals, in the same space.
        bank: (M, D) unit embeddings of clean faces, those of the batch among them or not.
        scale: inverse temperature, > 0.
    """
    wanted = nn.functional.log_softmax(scale * teacher @ bank.T, dim=1)
    found = nn.functional.log_softmax(scale * student @ bank.T, dim=1)
    return (wanted.exp() * (wanted - found)).sum(dim=1)


def own_apart(
    student: Tensor, teacher: Tensor, bank: Tensor, *, scale: float = 32.0, margin: float = 0.0, same: float = 0.35
) -> Tensor:
    """Cross-entropy of finding one's own clean original among strangers, (N,): identity without labels.

    Faces of the bank that resemble the original more than ``same`` may show the same person, or are the original: they
    are left out.

    Args:
        student: (N, D) unit embeddings.
        teacher: (N, D) unit embeddings of the clean originals.
        bank: (M, D) unit embeddings of clean faces by the teacher.
        scale: inverse temperature, > 0.
        margin: taken off the cosine to the own original, >= 0.
        same: cosine of two originals from which on they may be one person.
    """
    own = (student * teacher).sum(dim=1) - margin
    strangers = (student @ bank.T).masked_fill(teacher @ bank.T > same, float("-inf"))
    return nn.functional.softplus((scale * strangers).logsumexp(dim=1) - scale * own)


class SpaceMap(nn.Module):
    """A linear map from the student's space to the space of a teacher of another length.

    Args:
        student, teacher: lengths D and E of their embeddings, >= 1.
        seed: of the first weights.

    Raises:
        SettingError: a length is below 1.
    """

    def __init__(self, student: int, teacher: int, *, seed: int = 0) -> None:
        super().__init__()
        if min(student, teacher) < 1:
            raise SettingError(f"no map leads from {student} to {teacher} numbers")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.linear = nn.Linear(student, teacher, bias=False)

    @torch.no_grad()
    def fit(self, student: Tensor, teacher: Tensor, *, ridge: float = 1e-2) -> None:
        """Start from the least-squares map of paired unit embeddings (N, D) and (N, E).

        Args:
            student, teacher: of the same clean faces, by the untouched student and the teacher.
            ridge: weight of the map's own size, relative to the mean variance; few faces need it.
        """
        a, b = student.double(), teacher.double()
        square = a.T @ a
        square += ridge * square.diagonal().mean() * torch.eye(square.shape[0], dtype=a.dtype, device=a.device)
        self.linear.weight.copy_(torch.linalg.solve(square, a.T @ b).T.to(self.linear.weight))

    def forward(self, student: Tensor) -> Tensor:
        """(N, D) to unit vectors (N, E)."""
        return nn.functional.normalize(self.linear(student), eps=1e-6)
