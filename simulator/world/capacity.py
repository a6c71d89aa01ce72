"""Spot capacity that comes and goes: as a scenario scripts it, or as a trace of availability shows it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.life.capacity import Spell


@dataclass(frozen=True)
class Interruption:
    """One planned loss of capacity.

    It strikes ``after_training_seconds`` after training last began, or as soon as ``after_checkpoints``
    checkpoints of that stretch have reached S3; whichever is given, the earlier when both are.
    ``capacity_returns_after`` counts from the loss, ``None`` means never.
    """

    after_training_seconds: float | None
    capacity_returns_after: float | None
    after_checkpoints: int | None = None


@dataclass(frozen=True)
class ScriptedCapacity:
    """Capacity by script: a first wait (``None``: never), then one interruption after the other."""

    first_after: float | None = 0.0
    interruptions: tuple[Interruption, ...] = ()

    def comes(self, asked_at: float, interruptions: int) -> float | None:
        """Grant after the first wait, or after what the last interruption says."""
        wait = self.first_after
        if interruptions:
            wait = self.interruptions[interruptions - 1].capacity_returns_after
        return None if wait is None else asked_at + wait

    def goes(self, spell: Spell) -> float | None:
        """Take the instances when the next interruption of the script says so."""
        if spell.training_began is None or spell.interruptions >= len(self.interruptions):
            return None
        planned = self.interruptions[spell.interruptions]
        moments: list[float] = []
        if planned.after_training_seconds is not None:
            moments.append(spell.training_began + planned.after_training_seconds)
        reached = planned.after_checkpoints is not None and spell.checkpoints >= planned.after_checkpoints
        if reached and spell.last_checkpoint_at is not None:
            moments.append(spell.last_checkpoint_at)
        return min(moments, default=None)


@dataclass(frozen=True)
class TracedCapacity:
    """Capacity by trace: ``windows`` of availability ``(from, to)``, in epoch seconds, sorted and apart."""

    windows: tuple[tuple[float, float], ...]

    def comes(self, asked_at: float, interruptions: int) -> float | None:  # noqa: ARG002 (the protocol's)
        """Grant in the window that is open at ``asked_at``, else when the next one opens."""
        place = self._place(asked_at)
        if place >= 0 and asked_at < self.windows[place][1]:
            return asked_at
        return self.windows[place + 1][0] if place + 1 < len(self.windows) else None

    def goes(self, spell: Spell) -> float | None:
        """Take the instances when the window in which they were granted closes."""
        place = self._place(spell.granted_at)
        return self.windows[place][1] if place >= 0 else None

    def _place(self, moment: float) -> int:
        return bisect_right(self.windows, moment, key=lambda window: window[0]) - 1
