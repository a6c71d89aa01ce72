"""When capacity comes and goes: what a scenario scripts, or what a trace of availability shows."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Spell:
    """One stretch of a job on granted instances, as the market sees it.

    ``granted_at`` and ``training_began`` are epoch seconds; ``training_began`` is ``None`` until the data is
    in. ``checkpoints`` counts those that reached S3 since training began, ``last_checkpoint_at`` dates the
    newest. ``interruptions`` counts the spells before this one.
    """

    granted_at: float
    interruptions: int
    training_began: float | None = None
    checkpoints: int = 0
    last_checkpoint_at: float | None = None


class Capacity(Protocol):
    """What the life of a job asks of a market. Both answers must be pure functions of their arguments."""

    def comes(self, asked_at: float, interruptions: int) -> float | None:
        """Say when capacity is there for a job that waits since ``asked_at``, or ``None`` for never."""

    def goes(self, spell: Spell) -> float | None:
        """Say when the instances of ``spell`` are taken away, or ``None`` if nothing known takes them."""


@dataclass(frozen=True)
class AlwaysThere:
    """Capacity that is there at once and stays: on-demand."""

    def comes(self, asked_at: float, interruptions: int) -> float | None:  # noqa: ARG002 (the protocol's)
        """Grant at once."""
        return asked_at

    def goes(self, spell: Spell) -> float | None:  # noqa: ARG002 (the protocol's)
        """Never take anything away."""
        return None


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
