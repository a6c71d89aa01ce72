"""What the life of a job asks of a market for capacity."""

from __future__ import annotations

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
