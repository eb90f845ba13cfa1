"""What teachers say of clean faces, asked once a face."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from wildstyle.recognisers import Recogniser

MOST_REMEMBERED = 20_000
"""Of larger sources nothing is remembered: their faces seldom come twice, and the checkpoint would grow."""


class Targets:
    """Unit embeddings of clean faces by a teacher that never changes.

    What was asked is part of the state: asked again in another batch, the last bits could differ, and a resumed run
    must end with the same ones.

    Args:
        teacher: frozen.
        count: faces of the source.
    """

    def __init__(self, teacher: Recogniser, count: int) -> None:
        self.teacher = teacher
        kept = count if count <= MOST_REMEMBERED else 0
        self._values = torch.zeros(kept, teacher.contract.embedding_size)
        self._known = torch.zeros(kept, dtype=torch.bool)

    def to(self, device: torch.device) -> None:
        """Move teacher and memory."""
        self.teacher.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._values, self._known = self._values.to(device), self._known.to(device)

    @torch.no_grad()
    def of(self, items: Tensor, images: Tensor) -> Tensor:
        """Embeddings (N, D) float32 of the faces ``items`` (N,) int64, whose pictures are ``images`` (N, 3, S, S)."""
        if not len(self._known):
            return self.teacher.embed(images).float()
        unknown = ~self._known[items]
        if unknown.any():
            rows = unknown.nonzero()[:, 0]
            fresh = self.teacher.embed(images if len(rows) == len(images) else images[rows]).float()
            self._values[items[rows]], self._known[items[rows]] = fresh, True
        return self._values[items]

    def state_dict(self) -> dict[str, Any]:
        """What was asked so far."""
        return {"values": self._values, "known": self._known}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what ``state_dict`` gave."""
        self._values.copy_(state["values"])
        self._known.copy_(state["known"])
