"""Blind recipes: degradations that know nothing of the footage. The rivals to beat."""

from __future__ import annotations

from functools import partial

from wildstyle.synthesis.kind import Kind
from wildstyle.synthesis.kinds.blind.generator import RECIPES, BlindGenerator

__all__ = ["KINDS", "RECIPES", "BlindGenerator"]

KINDS = tuple(
    Kind(
        name="blind" if recipe == "compound" else f"blind-{recipe}",
        generator=BlindGenerator,
        ready=partial(BlindGenerator, recipe),
    )
    for recipe in RECIPES
)
