"""Names of backbones and how to build them."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from wildstyle.errors import SettingError
from wildstyle.recognisers.architecture import ARCHITECTURE
from wildstyle.recognisers.backbones.inverted import mobilefacenet
from wildstyle.recognisers.backbones.ir import ir
from wildstyle.recognisers.backbones.iresnet import iresnet
from wildstyle.recognisers.backbones.mobilefacenet import demo, mobilefacenet_wide, tiny
from wildstyle.recognisers.backbones.vit import vit


def _iresnet(*blocks: int) -> Callable[..., nn.Module]:
    def build(*, embedding_size: int = 512, dropout: float = 0.0) -> nn.Module:
        return iresnet(blocks, embedding_size=embedding_size, dropout=dropout)

    return build


_BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "demo": demo,
    "ir": ir,
    "iresnet18": _iresnet(2, 2, 2, 2),
    "iresnet34": _iresnet(3, 4, 6, 3),
    "iresnet50": _iresnet(3, 4, 14, 3),
    "iresnet100": _iresnet(3, 13, 30, 3),
    "mobilefacenet": mobilefacenet,
    "mobilefacenet-wide": mobilefacenet_wide,
    "tiny": tiny,
    "vit": vit,
}


def backbone_names() -> tuple[str, ...]:
    """Names ``build_backbone`` knows, sorted."""
    return tuple(sorted(_BUILDERS))


def build_backbone(name: str, *, seed: int = 0, **options: Any) -> nn.Module:
    """A fresh network, (N, 3, 112, 112) normalised float32 to raw embeddings (N, D).

    Args:
        name: one of ``backbone_names()``.
        seed: of the initial weights; the global random state is left as it was.
        options: what the backbone takes, e.g. ``embedding_size=128``.

    Raises:
        SettingError: unknown name or option; the nearest known one is named.
    """
    builder = _BUILDERS.get(name)
    if builder is None:
        raise SettingError(f"no backbone is called {name!r}", remedy=_nearest(name, list(_BUILDERS)))
    allowed = list(inspect.signature(builder).parameters)
    for option in options:
        if option not in allowed:
            raise SettingError(f"backbone {name!r} has no option {option!r}", remedy=_nearest(option, allowed))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = builder(**options)
    setattr(network, ARCHITECTURE, {"kind": "backbone", "name": name, "options": dict(options)})
    return network


def _nearest(given: str, known: list[str]) -> str:
    close = difflib.get_close_matches(given, known, n=1)
    return f"did you mean {close[0]!r}" if close else f"choose one of {', '.join(sorted(known))}"
