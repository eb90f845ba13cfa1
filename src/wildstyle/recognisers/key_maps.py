"""State dicts of other people's code, recognised by their key names and turned into ours.

Families: iResNet, MobileFaceNet and ViT as in insightface's arcface_torch, IR and IR-SE as in face.evoLVe,
CurricularFace, AdaFace and CVLface, MobileFaceNet from inverted residuals ("dw_conv", "gdconv"), and MobileFaceNet with
"conv_23 ... conv_6_sep" names.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from wildstyle.errors import ContractError
from wildstyle.recognisers.backbones import build_backbone
from wildstyle.recognisers.backbones.ir import MAP
from wildstyle.recognisers.backbones.vit import INPUT

State = dict[str, Tensor]

WRAPPERS = ("state_dict", "state_dict_backbone", "model_state_dict", "model", "backbone", "net", "network")
PREFIXES = ("module.", "backbone.", "model.", "net.", "network.")
OTHER_PARTS = ("head.", "classifier.", "margin.", "optimizer.")


@dataclass(frozen=True)
class Fitted:
    """A backbone's name and options, and the state under our key names."""

    name: str
    options: dict[str, Any]
    state: State


class _Unfit(Exception):
    """A state has sizes for which its family has no network, or doesn't say them."""


def network_from_state(loaded: object, *, where: object, key_map: str | None = None) -> nn.Module:
    """The backbone a foreign state dict belongs to, with its weights, in evaluation mode.

    Args:
        loaded: a state dict, or a mapping that holds one under a usual name.
        key_map: a key of ``KEY_MAPS``; None finds it by the key names.

    Raises:
        ContractError: no family fits, or keys are missing, unexpected or of another shape; they are listed.
    """
    state = _unwrapped(loaded, where)
    try:
        fitted = _family(state, where, key_map)(state)
    except _Unfit as error:
        raise ContractError(
            str(error), where=where, remedy="export the recogniser to ONNX and give that file"
        ) from error
    network = build_backbone(fitted.name, **fitted.options)
    load_state(network, fitted.state, where=where, what=f"backbone {fitted.name!r}")
    return network.eval()


def load_state(network: nn.Module, state: Mapping[str, Tensor], *, where: object, what: str) -> None:
    """Load weights, or say briefly which don't fit.

    Counters of seen batches and second names of shared tensors may be missing.

    Raises:
        ContractError: keys missing, unexpected or of another shape.
    """
    own = network.state_dict(keep_vars=True)
    covered = {id(own[name]) for name in state if name in own}
    missing = [n for n in own if n not in state and id(own[n]) not in covered and not n.endswith("num_batches_tracked")]
    unexpected = [n for n in state if n not in own]
    shapes = [
        f"{n} {tuple(state[n].shape)} in the file, {tuple(own[n].shape)} in the network"
        for n in state
        if n in own and state[n].shape != own[n].shape
    ]
    faults = [_listed("missing", missing), _listed("unexpected", unexpected), _listed("of another shape", shapes)]
    if any(faults):
        raise ContractError(
            f"the weights don't fit {what}: {'; '.join(f for f in faults if f)}",
            where=where,
            remedy="state the right key map or backbone",
        )
    network.load_state_dict(dict(state), strict=False)


def _listed(what: str, names: list[str]) -> str:
    shown = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
    return f"{len(names)} {what} ({shown})" if names else ""


def _unwrapped(loaded: object, where: object) -> State:
    for _ in range(3):
        if not isinstance(loaded, Mapping):
            break
        inner = next((loaded[name] for name in WRAPPERS if isinstance(loaded.get(name), Mapping)), None)
        if inner is None:
            break
        loaded = inner
    if not isinstance(loaded, Mapping) or not loaded or not all(isinstance(v, Tensor) for v in loaded.values()):
        raise ContractError(
            "the file holds no state dict (a mapping from names to tensors)",
            where=where,
            remedy="save network.state_dict() with torch.save and give that file",
        )
    state = {str(k): v for k, v in loaded.items()}
    for prefix in PREFIXES * 2:
        inside = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        rest = [k for k in state if not k.startswith(prefix) and not k.startswith(OTHER_PARTS)]
        if inside and not rest:
            state = inside
    return {k: v for k, v in state.items() if not k.startswith(OTHER_PARTS)}


def _family(state: State, where: object, key_map: str | None) -> Callable[[State], Fitted]:
    if key_map is not None:
        if key_map not in KEY_MAPS:
            raise ContractError(f"no key map is called {key_map!r}", remedy=f"choose one of {', '.join(KEY_MAPS)}")
        signature, family = KEY_MAPS[key_map]
        if signature not in state:
            raise ContractError(
                f"key map {key_map!r} expects a tensor {signature!r}, the file has none"
                f" (its first keys: {', '.join(list(state)[:4])})",
                where=where,
            )
        return family
    for signature, family in KEY_MAPS.values():
        if signature in state:
            return family
    raise ContractError(
        f"the {len(state)} keys belong to no known backbone (first keys: {', '.join(list(state)[:4])})",
        where=where,
        remedy=f"known key maps: {', '.join(KEY_MAPS)}; or export the recogniser to ONNX and give that file",
    )


def _count(state: State, pattern: str) -> int:
    """How many different numbers the group in ``pattern`` takes among the keys."""
    return len({found.group(1) for found in (re.match(pattern, key) for key in state) if found})


def _size(state: State, name: str, axis: int = 0) -> int:
    return int(state[name].shape[axis]) if name in state and state[name].ndim > axis else 1


def _iresnet(state: State) -> Fitted:
    depths = tuple(_count(state, rf"layer{stage}\.(\d+)\.") for stage in (1, 2, 3, 4))
    names = {(2, 2, 2, 2): "18", (3, 4, 6, 3): "34", (3, 4, 14, 3): "50", (3, 13, 30, 3): "100"}
    if depths not in names:
        raise _Unfit(f"an iResNet with {depths} units a stage is not in the registry")
    return Fitted(f"iresnet{names[depths]}", {"embedding_size": _size(state, "fc.weight")}, state)


def _wide(state: State) -> Fitted:
    depths = [_count(state, rf"layers\.{stage}\.layers\.(\d+)\.layers\.0\.layers") for stage in (1, 3, 5, 7)]
    options = {
        "embedding_size": _size(state, "features.layers.2.weight"),
        "scale": _size(state, "layers.0.layers.0.weight") // 64,
        "blocks": [max(depths[0], 1), *depths[1:]],
    }
    return Fitted("mobilefacenet-wide", options, state)


def _inverted(state: State) -> Fitted:
    return Fitted("mobilefacenet", {"embedding_size": _size(state, "conv3.weight")}, state)


_STAGES = {"conv1": 0, "conv2_dw": 1, "conv_23": 2, "conv_3": 3, "conv_34": 4, "conv_4": 5, "conv_45": 6, "conv_5": 7}
_PARTS = {"conv": "0", "bn": "1", "prelu": "2"}
_UNITS = {"conv": "0", "conv_dw": "1", "project": "2"}
_TAIL = {
    "conv_6_sep": "conv_sep.layers.",
    "conv_6_dw": "features.layers.0.layers.",
}


def _numbered(state: State) -> Fitted:
    """``conv_4.model.0.conv_dw.bn.weight`` becomes ``layers.5.layers.0.layers.1.layers.1.weight``."""
    renamed = {_renamed(key): tensor for key, tensor in state.items()}
    embedding = _size(renamed, "features.layers.2.weight")
    return Fitted("mobilefacenet-wide", {"embedding_size": embedding, "scale": 1, "blocks": [1, 4, 6, 2]}, renamed)


def _renamed(key: str) -> str:
    head, *middle, leaf = key.split(".")
    if head == "linear":
        return f"features.layers.2.{leaf}"
    if head == "bn":
        return f"features.layers.3.{leaf}"
    if head in _TAIL and len(middle) == 1 and middle[0] in _PARTS:
        return f"{_TAIL[head]}{_PARTS[middle[0]]}.{leaf}"
    if head not in _STAGES or not middle or middle[-1] not in _PARTS:
        return key
    place = f"layers.{_STAGES[head]}."
    for word in middle[:-1]:
        if word != "model":
            place += f"layers.{_UNITS.get(word, word)}."
    return f"{place}layers.{_PARTS[middle[-1]]}.{leaf}"


def _read(state: State, name: str, axis: int = 0) -> int:
    """A size that the network can't be built without."""
    if name not in state or state[name].ndim <= axis or state[name].shape[axis] == 0:
        raise _Unfit(f"the file has no tensor {name!r} of the usual shape, from which a size is read")
    return int(state[name].shape[axis])


def _ir(state: State) -> Fitted:
    # Without a norm between convolution and PReLU squeeze and excitation is number 5; ours has one name in all forms.
    state = {re.sub(r"^(body\.\d+\.res_layer)\.5\.fc", r"\1.se_block.fc", key): t for key, t in state.items()}
    units = _count(state, r"body\.(\d+)\.")
    projected = (re.fullmatch(r"body\.(\d+)\.shortcut_layer\.0\.weight", key) for key in state)
    # A stage begins where channels change, and only there: elsewhere the published code projects nothing.
    stem = _read(state, "input_layer.0.weight")
    stages = {0: stem} | {int(found.group(1)): _read(state, found.group()) for found in projected if found}
    if len(stages) != 4:
        raise _Unfit(f"an IR network of {units} units in {len(stages)} stages; those known have 4 stages")
    starts = sorted(stages)
    widths = [stages[start] for start in starts]
    if _read(state, "output_layer.3.weight", 1) != widths[-1] * MAP * MAP:
        raise _Unfit(f"an IR network whose last layer takes no {MAP}x{MAP} maps: it is for another input than 112 px")
    squeeze = "body.0.res_layer.se_block.fc1.weight"
    options = {
        "embedding_size": _read(state, "output_layer.3.weight"),
        "blocks": [end - start for start, end in itertools.pairwise((*starts, units))],
        "widths": widths,
        "stem": stem,
        "unit": _ir_unit(state),
        "reduction": widths[0] // _read(state, squeeze) if squeeze in state else 0,
        "affine": "output_layer.4.weight" in state,
    }
    return Fitted("ir", options, state)


def _ir_unit(state: State) -> str:
    """The kind of unit, by the number of its last norm."""
    norms = {"bottleneck": 8, "normed": 5}
    return next((kind for kind, last in norms.items() if f"body.0.res_layer.{last}.running_mean" in state), "plain")


VIT_HEADS = {
    (256, 12, 9, 1024): 8,
    (512, 12, 9, 2048): 8,
    (512, 24, 9, 2048): 8,
    (768, 24, 9, 3072): 8,
    (1024, 48, 9, 4096): 8,
    (512, 12, 8, 2560): 8,
    (512, 24, 8, 1536): 16,
}
"""Heads of known networks by width, depth, patch and hidden channels, which no tensor's shape tells.

In order: ViT-T, S, B, L and H of arcface_torch, small and base of CVLface.
"""


def _vit(state: State) -> Fitted:
    state = {key: tensor for key, tensor in state.items() if key != "mask_token"}  # only training masks tokens
    patch = _read(state, "patch_embed.proj.weight", 2)
    width = _read(state, "patch_embed.proj.weight")
    depth = _count(state, r"blocks\.(\d+)\.")
    hidden = _read(state, "blocks.0.mlp.fc1.weight")
    tokens, expected = _read(state, "pos_embed", 1), (INPUT // patch) ** 2
    if tokens != expected:
        raise _Unfit(
            f"a ViT with {tokens} tokens of {patch} px; at {INPUT} px, and without a class token, there are {expected}"
        )
    heads = VIT_HEADS.get((width, depth, patch, hidden))
    if heads is None:
        raise _Unfit(
            f"no ViT of width {width}, depth {depth}, patch {patch} px and {hidden} hidden channels is known, and a"
            " state dict doesn't tell the number of attention heads"
        )
    options = {
        "embedding_size": _read(state, "feature.2.weight"),
        "width": width,
        "depth": depth,
        "heads": heads,
        "patch": patch,
        "hidden": hidden,
        "qkv_bias": "blocks.0.attn.qkv.bias" in state,
    }
    return Fitted("vit", options, state)


KEY_MAPS: dict[str, tuple[str, Callable[[State], Fitted]]] = {
    "iresnet": ("layer1.0.bn1.weight", _iresnet),
    "mobilefacenet-wide": ("conv_sep.layers.0.weight", _wide),
    "mobilefacenet": ("dw_conv.depthwise.weight", _inverted),
    "mobilefacenet-numbered": ("conv_23.conv.conv.weight", _numbered),
    "ir": ("body.0.res_layer.0.weight", _ir),
    "vit": ("feature.0.weight", _vit),
}
"""Name of a family, the key that gives it away, and how its state becomes ours."""
