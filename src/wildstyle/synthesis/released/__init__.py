"""The published generator (CFSM, arXiv 2207.10180) as a yardstick: architecture, losses, schedule."""

from __future__ import annotations

from wildstyle.synthesis.released.networks import ReleasedDiscriminator, ReleasedGenerator
from wildstyle.synthesis.released.training import ReleasedTask

__all__ = ["ReleasedDiscriminator", "ReleasedGenerator", "ReleasedTask"]
