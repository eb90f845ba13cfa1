"""Softmax heads a second time: angles, loops and Python floats, one image after another."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Moved = Callable[[float, float], float]
Other = Callable[[float, float], float]

PI = math.pi


def arcface(margin: float) -> Moved:
    def moved(angle: float, norm: float) -> float:
        if angle + margin < PI:
            return math.cos(angle + margin)
        return math.cos(angle) - margin * math.sin(PI - margin)

    return moved


def cosface(margin: float) -> Moved:
    return lambda angle, norm: math.cos(angle) - margin


def combined(first: float, second: float, third: float) -> Moved:
    def moved(angle: float, norm: float) -> float:
        turned = first * angle + second
        half_turns = int(turned // PI)
        return (-1) ** half_turns * math.cos(turned) - 2 * half_turns - third

    return moved


def adaface(margin: float, concentration: float, mean: float, deviation: float) -> Moved:
    def moved(angle: float, norm: float) -> float:
        level = concentration * (min(max(norm, 0.001), 100.0) - mean) / (deviation + 0.001)
        level = min(max(level, -1.0), 1.0)
        angle = min(max(angle, math.acos(0.999)), math.acos(-0.999))
        turned = min(max(angle - margin * level, 0.001), PI - 0.001)
        return math.cos(turned) - (margin + margin * level)

    return moved


def magface(margins: tuple[float, float], band: tuple[float, float]) -> Moved:
    def moved(angle: float, norm: float) -> float:
        share = (min(max(norm, band[0]), band[1]) - band[0]) / (band[1] - band[0])
        margin = margins[0] + share * (margins[1] - margins[0])
        return math.cos(angle + margin) if math.cos(angle) > 0 else math.cos(angle)

    return moved


def curricular(margin: float, level: float) -> Other:
    def other(cosine: float, own: float) -> float:
        hard = cosine > math.cos(math.acos(own) + margin)
        return cosine * (level + cosine) if hard else cosine

    return other


def losses(
    embeddings: Sequence[Sequence[float]],
    centres: Sequence[Sequence[float]],
    labels: Sequence[int],
    *,
    scale: float,
    moved: Moved,
    other: Other = lambda cosine, own: cosine,
) -> list[float]:
    """-log of the softmax at the own centre, in the most literal way that does not overflow."""
    found = []
    for x, label in zip(embeddings, labels, strict=True):
        cosines = [cosine(x, w) for w in centres]
        logits = [scale * other(c, cosines[label]) for c in cosines]
        logits[label] = scale * moved(math.acos(cosines[label]), math.hypot(*x))
        top = max(logits)
        found.append(top + math.log(sum(math.exp(logit - top) for logit in logits)) - logits[label])
    return found


def cosine(x: Sequence[float], y: Sequence[float]) -> float:
    dot = sum(a * b for a, b in zip(x, y, strict=True))
    return min(max(dot / math.hypot(*x) / math.hypot(*y), -1.0), 1.0)
