"""TOML over dataclasses: all faults at once, values kept to their kinds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from wildstyle.errors import InputError, SettingError
from wildstyle.verbs.configuration import overlay, read_toml, resolved


@dataclass(frozen=True)
class Inner:
    rate: float = 0.1
    kind: Literal["a", "b"] = "a"

    def __post_init__(self) -> None:
        if self.rate < 0:
            raise SettingError(f"rate is {self.rate}, it must not be negative")


@dataclass(frozen=True)
class Outer:
    steps: int | None = None
    name: str = "x"
    place: Path = Path()
    edges: tuple[float, ...] = ()
    pair: tuple[int, int] = (1, 2)
    flag: bool = False
    inner: Inner = field(default_factory=Inner)


def test_values_are_laid_over_defaults() -> None:
    given = {"steps": 3, "place": "a/b", "edges": [40, 80], "inner": {"rate": 1}, "flag": True}
    found = overlay(Outer(), given, where="f")
    assert found == Outer(3, "x", Path("a/b"), (40.0, 80.0), (1, 2), True, Inner(1.0))
    assert isinstance(found.inner.rate, float)


def test_all_faults_come_together_with_the_nearest_key() -> None:
    given = {"step": 3, "pair": [1], "flag": 1, "inner": {"kind": "c"}, "zzz": 1}
    with pytest.raises(SettingError) as refused:
        overlay(Outer(), given, where="job.toml")
    said = str(refused.value)
    assert "did you mean 'steps'" in said
    assert all(part in said for part in ("job.toml", "'pair'", "'flag'", "'inner.kind'", "'a', 'b'", "'zzz'"))


def test_a_boolean_is_no_number() -> None:
    with pytest.raises(SettingError, match="steps"):
        overlay(Outer(), {"steps": True}, where="f")


def test_a_contradiction_is_told_by_the_settings_themselves() -> None:
    with pytest.raises(SettingError, match="must not be negative"):
        overlay(Outer(), {"inner": {"rate": -1}}, where="f")


def test_what_is_resolved_can_be_laid_over_again() -> None:
    found = overlay(Outer(), {"steps": 3, "edges": [1, 2], "place": "p"}, where="f")
    assert overlay(Outer(), resolved(found), where="f") == found


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    path.write_text("a = = 1\n")
    with pytest.raises(InputError, match=r"job\.toml"):
        read_toml(path)
    with pytest.raises(InputError, match=r"none\.toml"):
        read_toml(tmp_path / "none.toml")
