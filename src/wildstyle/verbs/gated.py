"""The gate's part of the whole way: faces put aside, a quality taught, knees chosen, all told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from wildstyle.adaptation.gating import (
    Gated,
    GateSettings,
    TaughtQuality,
    TrialFaces,
    Worse,
    assemble,
    gate_by_trial,
    log_sizes,
    settle,
    some_faces,
    teach_quality,
)
from wildstyle.errors import InputError, NotMeasurable
from wildstyle.faces import FaceSource, Subset
from wildstyle.randomness import item_rng
from wildstyle.recognisers import Recogniser
from wildstyle.recognisers.quality import QualityNetwork
from wildstyle.recognisers.tensor_file import tensor_bytes
from wildstyle.report import Diagnostics, Figure
from wildstyle.runs.atomic import write_bytes
from wildstyle.synthesis import StyleGenerator
from wildstyle.synthesis.kinds.blind import BlindGenerator

FEWEST = 60
"""Faces put aside below which no gate is tried."""

_LOOKED_AT = 400


@dataclass(frozen=True, slots=True)
class Sides:
    """Faces of a run.

    Attributes:
        learn: clean faces that are learnt from.
        held: clean faces that nothing is learnt from: the drift is looked at on them, and the gate's knees are chosen;
            None where there are too few.
        footage: the target's faces.
    """

    learn: FaceSource
    held: FaceSource | None
    footage: FaceSource


def put_aside(source: FaceSource, footage: FaceSource, settings: GateSettings, seed: int) -> Sides:
    """Divide the clean faces, by person where people are known."""
    groups = [subject or f"\n{index}" for index, subject in enumerate(source.subjects())]
    names = sorted(set(groups))
    order = item_rng(seed, "put aside for the gate").permutation(len(names))
    aside = {names[int(i)] for i in order[: round(settings.put_aside * len(names))]}
    held = [index for index, group in enumerate(groups) if group in aside]
    if len(held) < FEWEST or len(held) == len(groups):
        return Sides(source, None, footage)
    return Sides(
        Subset(source, [i for i, group in enumerate(groups) if group not in aside]), Subset(source, held), footage
    )


def taught(
    recogniser: Recogniser,
    generator: StyleGenerator,
    sides: Sides,
    settings: GateSettings,
    seed: int,
    on_faces: Callable[[int, int], None] | None = None,
) -> TaughtQuality | str:
    """A quality for this recogniser, its middle and spread those of the footage; or why none can be taught."""
    try:
        found = teach_quality(recogniser, worse(generator), sides.learn, settings.quality, seed=seed, on_faces=on_faces)
    except (InputError, NotMeasurable) as error:
        return error.what
    settle(found.network, log_sizes(found.network, recogniser, some_faces(sides.footage, _LOOKED_AT, seed)))
    return found


def worse(generator: StyleGenerator) -> Worse:
    """Faces of every quality: the learnt camera and the blind recipe."""
    return Worse(generator, BlindGenerator())


def gated(
    untouched: Recogniser,
    adapted: Recogniser,
    quality: QualityNetwork,
    generator: StyleGenerator,
    sides: Sides,
    settings: GateSettings,
    seed: int,
) -> Gated | str:
    """The recogniser with its gate, or why there is none."""
    if settings.by_hand is not None:
        lower, upper = settings.by_hand
        return Gated(assemble(untouched, adapted, quality, lower, upper), lower, upper, None, float("nan"))
    if sides.held is None:
        return f"fewer than {FEWEST} clean faces could be put aside to choose its knees on"
    try:
        faces = TrialFaces(sides.held, worse(generator), sides.footage, seed)
        return gate_by_trial(untouched, adapted, quality, faces, most_moved=settings.most_moved)
    except NotMeasurable as error:
        return error.what


def gate_clause(found: Gated | str) -> str:
    """The end of a sentence about an adaptation."""
    return (
        f"; no gate: {found}" if isinstance(found, str) else f"; a gate from {found.lower:.0f} to {found.upper:.0f} px"
    )


def gate_diagnostics(found: Gated | str) -> Diagnostics:
    """What the gate does, or why there is none."""
    if isinstance(found, str):
        return Diagnostics(stage="gate", figures=(Figure(name="no gate", value="none", meaning=found),))
    figures = [
        Figure(name="lower knee", value=round(found.lower, 1), meaning="px; below it the adapted weights alone decide"),
        Figure(name="upper knee", value=round(found.upper, 1), meaning="px; above it nothing changes"),
    ]
    if isfinite(found.adapted_share):
        meaning = "mean weight of the adapted side over the footage"
        figures.append(
            Figure(name="adapted share of the footage", value=round(found.adapted_share, 3), meaning=meaning)
        )
    if found.knees is not None:
        told = {
            "clean faces above the upper knee": (found.knees.clean_above, "share that stays exactly as it was"),
            "clean faces moved": (found.knees.clean_moved, "mean 1 - cosine to where they were"),
            "originals found": (found.knees.found, "share of degraded clean faces that find their own original"),
            "originals found by the untouched side": (found.knees.found_untouched, "the same without adapting"),
            "originals found by the adapted side": (found.knees.found_adapted, "the same without a gate"),
        }
        figures += [
            Figure(name=name, value=round(value, 4), meaning=meaning) for name, (value, meaning) in told.items()
        ]
    return Diagnostics(stage="gate", figures=tuple(figures))


def store_quality(quality: QualityNetwork, path: Path) -> None:
    """Keep a taught quality, atomically."""
    write_bytes(path, tensor_bytes({name: value.contiguous() for name, value in quality.state_dict().items()}, {}))


def stored_quality(path: Path) -> QualityNetwork:
    """What ``store_quality`` kept."""
    from safetensors.torch import load_file

    network = QualityNetwork()
    network.load_state_dict(load_file(str(path)))
    return network.eval().requires_grad_(False)
