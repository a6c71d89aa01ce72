"""From paired measurements to figures."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Start:
    """What one process took from its start to its first answer."""

    cpu_seconds: float
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class Figures:
    """A function beside the floor: medians over pairs that ran one after the other."""

    function: str
    cpu_ratio: float
    memory_ratio: float
    cpu_seconds: float
    floor_cpu_seconds: float


def compare(function: str, pairs: Sequence[tuple[Start, Start]]) -> Figures:
    """Return the figures of pairs of a function's start and the floor's.

    The ratios are medians of each pair's own ratio: both of a pair saw the same machine.
    """
    return Figures(
        function=function,
        cpu_ratio=round(median(own.cpu_seconds / floor.cpu_seconds for own, floor in pairs), 3),
        memory_ratio=round(median(own.peak_bytes / floor.peak_bytes for own, floor in pairs), 3),
        cpu_seconds=round(median(own.cpu_seconds for own, _ in pairs), 4),
        floor_cpu_seconds=round(median(floor.cpu_seconds for _, floor in pairs), 4),
    )


def document(figures: Sequence[Figures]) -> str:
    """Return the figures as a JSON list."""
    return json.dumps([asdict(one) for one in figures], indent=2)
