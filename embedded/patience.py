"""How long to wait for what should happen soon: longer on a machine that is busy."""

from __future__ import annotations

import os
from typing import Final

# A limit matters only where something fails, so it may be generous.
_LEAST: Final = 4.0
_MOST: Final = 40.0


def give_time(seconds: float) -> float:
    """Return a limit for waiting for what takes at most ``seconds`` on a machine that is not busy."""
    return seconds * measure_slowness()


def measure_slowness() -> float:
    """Return by how much to stretch limits: by four, and more the more processes compete for each processor.

    The environment variable PATIENCE sets a higher factor, for machines that are slow without being busy.
    """
    competing = os.getloadavg()[0] / (os.cpu_count() or 1)
    wanted = float(os.environ.get("PATIENCE") or 1)
    return max(wanted, min(_MOST, _LEAST * max(1.0, competing)))
