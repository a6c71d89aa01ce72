"""Spot capacity that comes and goes: as a scenario scripts it, or as a trace of availability shows it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.life.capacity import Allocation


@dataclass(frozen=True)
class Interruption:
    """A planned loss of capacity.

    It comes ``after_training_seconds`` after training last began, or as soon as ``after_checkpoints`` checkpoints have
    reached S3 since then; if both are given, the earlier one counts. ``capacity_returns_after`` counts from the loss;
    ``None`` means never.
    """

    after_training_seconds: float | None
    capacity_returns_after: float | None
    after_checkpoints: int | None = None


@dataclass(frozen=True)
class ScriptedCapacity:
    """Capacity by script: a first wait in seconds (``None``: forever), then one interruption after another."""

    first_after: float | None = 0.0
    interruptions: tuple[Interruption, ...] = ()

    def available_at(self, asked_at: float, interruptions: int) -> float | None:
        """Grant after the first wait, or after the wait that the last interruption planned."""
        wait = self.first_after
        if interruptions:
            wait = self.interruptions[interruptions - 1].capacity_returns_after
        return None if wait is None else asked_at + wait

    def lost_at(self, allocation: Allocation) -> float | None:
        """Take the instances away at the next interruption of the script."""
        if allocation.training_began is None or allocation.interruptions >= len(self.interruptions):
            return None
        planned = self.interruptions[allocation.interruptions]
        moments: list[float] = []
        if planned.after_training_seconds is not None:
            moments.append(allocation.training_began + planned.after_training_seconds)
        reached = planned.after_checkpoints is not None and allocation.checkpoints >= planned.after_checkpoints
        if reached and allocation.last_checkpoint_at is not None:
            moments.append(allocation.last_checkpoint_at)
        return min(moments, default=None)


@dataclass(frozen=True)
class TracedCapacity:
    """Capacity by trace: ``windows`` of availability ``(from, to)`` in epoch seconds, sorted and disjoint."""

    windows: tuple[tuple[float, float], ...]

    def available_at(self, asked_at: float, interruptions: int) -> float | None:  # noqa: ARG002 (the protocol's)
        """Grant at once if a window is open at ``asked_at``, else when the next one opens."""
        newest = self._newest_opened(asked_at)
        if newest >= 0 and asked_at < self.windows[newest][1]:
            return asked_at
        return self.windows[newest + 1][0] if newest + 1 < len(self.windows) else None

    def lost_at(self, allocation: Allocation) -> float | None:
        """Take the instances away when the window in which they were granted closes."""
        newest = self._newest_opened(allocation.granted_at)
        return self.windows[newest][1] if newest >= 0 else None

    def _newest_opened(self, moment: float) -> int:
        return bisect_right(self.windows, moment, key=lambda window: window[0]) - 1
