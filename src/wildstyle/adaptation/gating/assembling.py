"""One deployable recogniser of two: the knees are tried on faces put aside, then all is put together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wildstyle.adaptation.gating.knees import MOST_MOVED, Knees, Trial, choose_knees, ramp
from wildstyle.adaptation.gating.teaching import log_sizes
from wildstyle.adaptation.gating.worse import Worse
from wildstyle.adaptation.readable import readable_faces
from wildstyle.errors import NotMeasurable
from wildstyle.faces.source import FaceSource
from wildstyle.faces.stream import working_batch
from wildstyle.randomness import item_rng
from wildstyle.recognisers import BranchedNetwork, Recogniser
from wildstyle.recognisers.quality import QualityGate, QualityNetwork
from wildstyle.synthesis import sample_seeds

TRIED = 600
LOOKED_AT = 400


@dataclass(frozen=True, slots=True)
class Gated:
    """A recogniser with a gate.

    Attributes:
        recogniser: untouched and adapted weights and the gate, one network.
        lower, upper: its knees in px.
        knees: how they were chosen; None: by hand.
        adapted_share: mean weight of the adapted side over the footage, NaN where there is none.
    """

    recogniser: Recogniser
    lower: float
    upper: float
    knees: Knees | None
    adapted_share: float


def assemble(
    untouched: Recogniser, adapted: Recogniser, quality: QualityNetwork, lower: float, upper: float
) -> Recogniser:
    """Both recognisers behind a gate with these knees in px; the embedding space stays the untouched one's.

    The embeddings are of unit length, so their length says nothing of quality any more; thresholds found with either
    side alone are dropped.
    """
    gate = QualityGate(quality, lower, upper)
    network = BranchedNetwork(untouched.frozen_copy().network, adapted.frozen_copy().network, gate).eval()
    contract = adapted.contract.with_(norm_is_quality=False, thresholds={}, likelihood={})
    return replace(adapted, network=network.requires_grad_(False), contract=contract)


@dataclass(frozen=True, slots=True)
class TrialFaces:
    """What knees are tried on.

    Attributes:
        held: clean faces that neither side has learnt from; at most 600 are used. No labels.
        worse: makes faces of every quality of them.
        footage: the target's faces, so that the qualities that occur there count; at most 400 are looked at.
        seed: of the choice of faces, and of how they are made worse.
    """

    held: FaceSource
    worse: Worse
    footage: FaceSource | None = None
    seed: int = 0


@torch.no_grad()
def gate_by_trial(
    untouched: Recogniser,
    adapted: Recogniser,
    quality: QualityNetwork,
    faces: TrialFaces,
    *,
    most_moved: float = MOST_MOVED,
) -> Gated:
    """Choose the knees on clean faces that were put aside, and put the gate together.

    Args:
        untouched, adapted: before and after.
        quality: taught for ``untouched``.
        faces: what to try them on.
        most_moved: mean 1 - cosine by which clean faces may be moved.

    Raises:
        NotMeasurable: too few faces, or a clean set that is not clean.
    """
    images = some_faces(faces.held, TRIED, faces.seed)
    seeds = torch.from_numpy(sample_seeds(item_rng(faces.seed, "knees"), len(images)))
    shown = faces.worse(images, seeds)
    there = images[:0] if faces.footage is None else some_faces(faces.footage, LOOKED_AT, faces.seed)
    on_footage = _array(log_sizes(quality, untouched, there)) if len(there) else np.empty(0)
    trial = Trial(
        clean=_embedded(untouched, images),
        untouched=_embedded(untouched, shown),
        adapted=_embedded(adapted, shown),
        quality=_array(log_sizes(quality, untouched, shown)),
        clean_adapted=_embedded(adapted, images),
        clean_quality=_array(log_sizes(quality, untouched, images)),
        footage_quality=on_footage,
    )
    knees = choose_knees(trial, most_moved=most_moved)
    whole = assemble(untouched, adapted, quality, knees.lower, knees.upper)
    share = ramp(on_footage, knees.lower, knees.upper)
    return Gated(whole, knees.lower, knees.upper, knees, float(share.mean()) if len(share) else float("nan"))


def some_faces(faces: FaceSource, most: int, seed: int) -> Tensor:
    """At most ``most`` readable faces, (N, 3, S, S) float32 in [0, 1], drawn by the seed, in the order of the source.

    Raises:
        NotMeasurable: none can be read.
    """
    found = readable_faces(faces, most, seed, "some faces")
    if not found:
        raise NotMeasurable(f"no face of {faces.name} can be read", where=faces.location)
    return torch.from_numpy(working_batch(found))


def _embedded(recogniser: Recogniser, images: Tensor) -> NDArray[np.float64]:
    return _array(torch.cat([recogniser.embed(part) for part in torch.split(images, 64)]))


def _array(found: Tensor) -> NDArray[np.float64]:
    return found.double().cpu().numpy()
