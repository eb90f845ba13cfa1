"""Spans of time as people write them."""

from __future__ import annotations

import re

from wildstyle.errors import SettingError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)")


def parse_duration(text: str) -> float:
    """Seconds of "90", "90s", "10m", "1h30m" or "1.5h".

    Raises:
        SettingError: the text is no span of time above zero.
    """
    lowered = text.strip().lower()
    parts = _PART.findall(lowered)
    whole = "".join(f"{number}{unit}" for number, unit in parts)
    unitless_inside = any(not unit for _, unit in parts) and len(parts) > 1
    seconds = sum(float(number) * _UNITS[unit or "s"] for number, unit in parts)
    if whole != re.sub(r"\s", "", lowered) or unitless_inside or seconds <= 0:
        raise SettingError(f"{text!r} is no span of time", remedy='write it like "90s", "10m" or "1h30m"')
    return seconds
