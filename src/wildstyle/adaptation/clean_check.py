"""A look at clean faces that nothing is learnt from: how far the student has drifted from the untouched recogniser."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from wildstyle.adaptation.distilling import apart
from wildstyle.adaptation.readable import readable_faces
from wildstyle.faces.source import FaceSource
from wildstyle.faces.stream import working_batch
from wildstyle.recognisers import Recogniser
from wildstyle.training import Progress

FACES, EVERY = 96, 50


class CleanCheck:
    """Measures the drift on clean faces, and ends a run that has drifted too far.

    It looks at the weights alone, so a continued run ends where an uninterrupted one would.

    Args:
        recogniser: the untouched one.
        held: clean faces put aside; at most 96 are looked at.
        most_drift: mean ``1 - cos`` at which the run ends; None: it never does.
        seed: of the choice of faces.
    """

    def __init__(self, recogniser: Recogniser, held: FaceSource, most_drift: float | None, seed: int) -> None:
        self._images = _readable(held, seed)
        self._untouched = _embedded(recogniser.frozen_copy(), self._images)
        self.most_drift = most_drift
        self.looks: list[tuple[int, float]] = []

    def drift(self, student: Recogniser) -> float:
        """Mean of ``1 - cos`` between the student and the untouched recogniser, in [0, 2]; NaN without faces."""
        if not len(self._images):
            return float("nan")
        device = next(student.network.parameters()).device
        return float(apart(_embedded(student, self._images.to(device)).cpu(), self._untouched).mean())

    def too_far(self, step: int, student: Recogniser) -> bool:
        """Look where it is time to; whether the student has drifted too far."""
        if step % EVERY:
            return False
        self.looks.append((step, self.drift(student)))
        return self.most_drift is not None and self.looks[-1][1] > self.most_drift

    def beside(self, student: Recogniser, on_step: Callable[[Progress], None] | None) -> Callable[[Progress], bool]:
        """What to call after each step: tells ``on_step``, then looks."""

        def after(progress: Progress) -> bool:
            if on_step is not None:
                on_step(progress)
            return self.too_far(progress.step, student)

        return after


@torch.no_grad()
def _embedded(recogniser: Recogniser, images: Tensor) -> Tensor:
    parts = [recogniser.embed(part) for part in torch.split(images, 48)]
    return torch.cat(parts) if parts else torch.zeros(0, recogniser.contract.embedding_size)


def _readable(held: FaceSource, seed: int) -> Tensor:
    faces = readable_faces(held, FACES, seed, "clean check")
    return torch.from_numpy(working_batch(faces)) if faces else torch.zeros(0, 3, 1, 1)
