"""Which head, with what settings; and the head itself."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, fields
from typing import Any

from wildstyle.adaptation.heads.centre_head import drawn_centres
from wildstyle.adaptation.heads.classifier import MarginHead
from wildstyle.adaptation.heads.head import IdentityHead
from wildstyle.adaptation.heads.kinds import Kind, kind_named
from wildstyle.adaptation.heads.partial import PartialHead
from wildstyle.adaptation.heads.rule import MarginRule
from wildstyle.adaptation.heads.sharing import coming_place
from wildstyle.adaptation.heads.unpg import BatchNegatives
from wildstyle.errors import SettingError

_OF_SOFTMAX = ("scale", "rate", "sharded", "negatives", "whisker")
_SIZES = ("centres", "classes", "embedding_size", "seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadSettings:
    """A loss on identity labels. None is the head's own default; a head refuses settings it does not know.

    Attributes:
        name: which one; ``kinds.all_kinds`` lists them.
        scale: s, by which cosines are multiplied.
        margin: of arcface, adaface, curricularface (rad), cosface (cosine), triplets (squared distance of unit
            embeddings) and triplet-centroid (distance of raw ones).
        margins: of combined (m1, m2, m3) and of magface (at the lower and the upper norm).
        norms: band of norms of magface.
        regulariser: of magface, the weight of the term that asks for high norms.
        concentration: of adaface, how strongly norms move the margin.
        pace: share of a batch in the running statistics of adaface and curricularface.
        slope, turns: of sface, its sigmoids.
        negatives: most pairs of the batch that join each softmax as negatives; 0: none.
        whisker: interquartile ranges beyond which such a pair is dropped.
        rate: share of the centres that take part in a training step of a softmax head.
        sharded: each process holds a part of the centres of a softmax head.

    Raises:
        SettingError: the name is unknown, a setting is not one of this head's, or a value is out of range.
    """

    name: str = "arcface"
    scale: float | None = None
    margin: float | None = None
    margins: tuple[float, ...] | None = None
    norms: tuple[float, float] | None = None
    regulariser: float | None = None
    concentration: float | None = None
    pace: float | None = None
    slope: float | None = None
    turns: tuple[float, float] | None = None
    negatives: int = 0
    whisker: float | None = None
    rate: float = 1.0
    sharded: bool = False

    def __post_init__(self) -> None:
        # The smallest head shows every fault: each part knows its own ranges.
        smallest = max(2, coming_place()[1])
        build_head(self, smallest, smallest)

    def given(self) -> dict[str, Any]:
        """The settings that differ from the default, by name, the head's name left out."""
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "name"}
        defaults = {each.name: each.default for each in fields(self)}
        return {name: value for name, value in values.items() if value != defaults[name]}


def build_head(settings: HeadSettings, classes: int, embedding_size: int, seed: int = 0) -> IdentityHead:
    """A fresh head.

    Args:
        settings: which one.
        classes: C, number of people, >= 2.
        embedding_size: D.
        seed: of initial centres and of draws, >= 0.

    Raises:
        LabelError: fewer than two people.
        SettingError: as for ``HeadSettings``, or the sizes don't fit the head.
    """
    kind = kind_named(settings.name)
    given = settings.given()
    takes = _takes(kind)
    if unknown := [name for name in given if name not in takes]:
        raise SettingError(f"the head {settings.name!r} has no {', '.join(unknown)}; it takes {', '.join(takes)}")
    if issubclass(kind, MarginRule):
        return _softmax_head(kind, given, classes, embedding_size, seed)
    sizes = {"classes": classes, "embedding_size": embedding_size, "seed": seed}
    wanted = inspect.signature(kind).parameters
    if "centres" in wanted:
        given["centres"] = drawn_centres(classes, embedding_size, seed)
    return kind(**given, **{name: size for name, size in sizes.items() if name in wanted})


def _takes(kind: Kind) -> list[str]:
    parameters = inspect.signature(kind).parameters.values()
    own = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY and each.name not in _SIZES]
    return [*own, *_OF_SOFTMAX] if issubclass(kind, MarginRule) else own


def _softmax_head(
    kind: type[MarginRule], given: dict[str, Any], classes: int, embedding_size: int, seed: int
) -> MarginHead:
    if "whisker" in given and "negatives" not in given:
        raise SettingError("whisker is given but negatives is 0", remedy="say how many negatives the batch may add")
    rule = kind(**{name: value for name, value in given.items() if name not in _OF_SOFTMAX})
    shared = {"scale": given["scale"]} if "scale" in given else {}
    if "negatives" in given:
        whisker = {"whisker": given["whisker"]} if "whisker" in given else {}
        shared["negatives"] = BatchNegatives(given["negatives"], **whisker)
    centres = drawn_centres(classes, embedding_size, seed)
    partial = {name: given[name] for name in ("rate", "sharded") if name in given}
    return (
        PartialHead(rule, centres, seed=seed, **partial, **shared) if partial else MarginHead(rule, centres, **shared)
    )
