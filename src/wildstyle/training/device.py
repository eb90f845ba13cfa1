"""Which device a run uses, and why."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from wildstyle.errors import SettingError


@dataclass(frozen=True, slots=True)
class Choice:
    """A device and the reason for it, one clause each."""

    device: torch.device
    reason: str

    def __str__(self) -> str:
        return f"{self.device} ({self.reason})"


def choose_device(wanted: str = "auto") -> Choice:
    """Pick a device.

    Args:
        wanted: "auto", "cpu", "cuda" or "mps".

    Raises:
        SettingError: the wanted device is unknown or not there.
    """
    if wanted == "auto":
        return _best()
    if wanted == "cpu":
        return Choice(torch.device("cpu"), "as asked")
    if wanted not in ("cuda", "mps"):
        raise SettingError(f"device {wanted!r} is unknown", remedy="use auto, cpu, cuda or mps")
    if not _there(wanted):
        raise SettingError(f"device {wanted!r} was asked for but there is none", remedy="use auto or cpu")
    return Choice(torch.device(wanted), "as asked")


def _best() -> Choice:
    if _there("cuda"):
        return Choice(torch.device("cuda"), f"first of {torch.cuda.device_count()}, {torch.cuda.get_device_name(0)}")
    if _there("mps"):
        return Choice(torch.device("mps"), "Apple GPU found")
    return Choice(torch.device("cpu"), "no GPU found")


def _there(name: str) -> bool:
    return torch.cuda.is_available() if name == "cuda" else torch.backends.mps.is_available()
