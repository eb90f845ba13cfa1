"""One recogniser made of two: untouched and adapted weights, mixed face by face."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wildstyle.recognisers.architecture import ARCHITECTURE, describe
from wildstyle.recognisers.quality import describe_gate
from wildstyle.recognisers.recogniser import unit


class BranchedNetwork(nn.Module):
    """Mixes the unit embeddings of two networks by a weight computed from the picture.

    The embedding is ``unit((1 - w) * unit(untouched(x)) + w * unit(adapted(x)))`` with w in [0, 1]
    for each face, so that w = 0 gives exactly the untouched direction. A branch that no face of the batch needs
    is not run.

    Args:
        untouched, adapted: normalised NCHW to raw embeddings (N, D), both of one D.
        gate: normalised NCHW, and sizes before alignment where they are known, to the weight of the adapted
            branch, (N, 1) in [0, 1].
    """

    def __init__(self, untouched: nn.Module, adapted: nn.Module, gate: nn.Module) -> None:
        super().__init__()
        self.untouched = untouched
        self.adapted = adapted
        self.gate = gate
        described = describe_gate(gate)
        branches = {"untouched": describe(untouched), "adapted": describe(adapted)}
        if described is not None and all(branch["kind"] != "foreign" for branch in branches.values()):
            setattr(self, ARCHITECTURE, {"kind": "branched", **branches, "gate": described})

    def forward(self, images: Tensor, sizes: Tensor | None = None) -> Tensor:
        """(N, 3, H, W) normalised to unit embeddings (N, D).

        Args:
            images: normalised as the contract says.
            sizes: (N, 1) smaller side in px before alignment, for a gate that takes it; None: unknown.
        """
        weight: Tensor = (self.gate(images) if sizes is None else self.gate(images, sizes)).clamp(0.0, 1.0)
        if _choosing(images):
            return self._needed(images, weight)
        return mixed(unit(self.untouched(images)), unit(self.adapted(images)), weight)

    def _needed(self, images: Tensor, weight: Tensor) -> Tensor:
        """Each branch for the faces that it has a say in."""
        flat = weight[:, 0]
        old_for, new_for = (flat < 1).nonzero()[:, 0], (flat > 0).nonzero()[:, 0]
        if len(new_for) == 0:
            return unit(self.untouched(images))
        if len(old_for) == 0:
            return unit(self.adapted(images))
        old = unit(self.untouched(images if len(old_for) == len(images) else images[old_for]))
        new = unit(self.adapted(images if len(new_for) == len(images) else images[new_for]))
        whole = [
            part.new_zeros(len(images), part.shape[1]).index_copy_(0, at, part)
            for part, at in ((old, old_for), (new, new_for))
        ]
        return mixed(whole[0], whole[1], weight)


def mixed(old: Tensor, new: Tensor, weight: Tensor) -> Tensor:
    """Unit embeddings (N, D) between two, (N, D) each, at weights (N, 1) of the second."""
    # Not lerp: at weight 1 it would compute old + (new - old), and an exporter has no such operation.
    return unit((1.0 - weight) * old + weight * new)


def _choosing(images: Tensor) -> bool:
    """Whether rows may be left out: an exporter wants one graph for all weights, a gradient both sides."""
    return not torch.compiler.is_compiling() and not torch.is_grad_enabled() and len(images) > 0
