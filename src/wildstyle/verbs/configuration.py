"""TOML to frozen dataclasses and back: every key known, every value of the right kind.

All faults of a file are found in one pass, each with the nearest known key.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from wildstyle.errors import InputError, SettingError

Settings = TypeVar("Settings")


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file.

    Raises:
        InputError: the file is missing or is not TOML.
    """
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError("the configuration can't be read", where=path, remedy="check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"is not valid TOML ({error})", where=path, remedy="mend the line it names") from error


def overlay(base: Settings, values: Mapping[str, Any], *, where: str) -> Settings:
    """A copy of ``base`` with ``values`` put over it, nested dataclasses included.

    Args:
        base: a frozen dataclass instance holding the defaults.
        values: keys and values as a TOML table gives them.
        where: name of the file or section, for messages.

    Raises:
        SettingError: lists every unknown key (with the nearest known one) and every value of the wrong kind.
    """
    faults: list[str] = []
    result: Settings = _overlay(base, values, "", faults)
    if faults:
        raise SettingError("; ".join(faults), where=where, remedy="correct the keys named")
    return result


def resolved(settings: Any) -> Any:
    """A dataclass as plain JSON values, paths as text: the full record that goes into a run folder."""
    if dataclasses.is_dataclass(settings) and not isinstance(settings, type):
        return {f.name: resolved(getattr(settings, f.name)) for f in dataclasses.fields(settings)}
    if isinstance(settings, Mapping):
        return {str(k): resolved(v) for k, v in settings.items()}
    if isinstance(settings, list | tuple):
        return [resolved(v) for v in settings]
    return str(settings) if isinstance(settings, Path) else settings


def _overlay(base: Any, values: Mapping[str, Any], prefix: str, faults: list[str]) -> Any:
    hints = typing.get_type_hints(type(base))
    known = {f.name for f in dataclasses.fields(base)}
    changes: dict[str, Any] = {}
    for key, value in values.items():
        name = prefix + key
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f", did you mean {prefix + near[0]!r}" if near else f"; known are {', '.join(sorted(known))}"
            faults.append(f"unknown setting {name!r}{hint}")
        elif (table := _table(getattr(base, key), hints[key])) is not None and value is not None:
            if isinstance(value, Mapping):
                changes[key] = _overlay(table, value, f"{name}.", faults)
            else:
                faults.append(f"{name!r} is a table, not {value!r}")
        else:
            try:
                changes[key] = _convert(value, hints[key])
            except (TypeError, ValueError):
                faults.append(f"{name!r} is {value!r}, expected {_describe(hints[key])}")
    if faults:
        return base
    try:
        return dataclasses.replace(base, **changes)
    except (SettingError, ValueError) as error:
        faults.append(getattr(error, "what", None) or str(error))
        return base


def _table(value: Any, kind: Any) -> Any:
    """The dataclass that a table is laid over: the value itself, or the defaults of one that is None so far."""
    if dataclasses.is_dataclass(value):
        return value
    options = [option for option in typing.get_args(kind) if dataclasses.is_dataclass(option)]
    return options[0]() if value is None and options else None  # type: ignore[operator]


def _convert(value: Any, kind: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        for option in typing.get_args(kind):
            try:
                return _convert(value, option)
            except (TypeError, ValueError):
                continue
        raise TypeError
    if origin is typing.Literal:
        if value not in typing.get_args(kind):
            raise ValueError
        return value
    if origin is tuple:
        inner = typing.get_args(kind)
        if not isinstance(value, list | tuple) or (inner[-1] is not Ellipsis and len(value) != len(inner)):
            raise TypeError
        return tuple(_convert(v, inner[0] if inner[-1] is Ellipsis else inner[i]) for i, v in enumerate(value))
    if kind is type(None):
        if value is not None:
            raise TypeError
        return None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is Path and isinstance(value, str):
        return Path(value)
    # bool is an int in Python; `steps = true` is a mistake all the same.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError
    return value


def _describe(kind: Any) -> str:
    if typing.get_origin(kind) is typing.Literal:
        return "one of " + ", ".join(repr(a) for a in typing.get_args(kind))
    return getattr(kind, "__name__", str(kind)).replace("NoneType", "nothing")
