"""What the life of a job asks of the market: when capacity arrives, and when it is taken away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Allocation:
    """The instances a job holds, from the moment they are granted until they are taken away or given back.

    All times are epoch seconds. ``training_began`` is ``None`` until the input data is there. ``checkpoints`` counts
    the checkpoints that reached S3 since training began, ``last_checkpoint_at`` dates the newest of them.
    ``interruptions`` counts the job's earlier allocations, each of which ended with an interruption.
    """

    granted_at: float
    interruptions: int
    training_began: float | None = None
    checkpoints: int = 0
    last_checkpoint_at: float | None = None


class Capacity(Protocol):
    """A market for instances. Both answers must be pure functions of their arguments."""

    def available_at(self, asked_at: float, interruptions: int) -> float | None:
        """Return when a job that waits since ``asked_at`` gets instances, or ``None`` for never."""

    def lost_at(self, allocation: Allocation) -> float | None:
        """Return when the instances of ``allocation`` are taken away, or ``None`` if nothing is known to take them."""


@dataclass(frozen=True)
class AlwaysAvailable:
    """Capacity that is there at once and stays, as on-demand."""

    def available_at(self, asked_at: float, interruptions: int) -> float | None:  # noqa: ARG002 (the protocol's)
        """Grant at once."""
        return asked_at

    def lost_at(self, allocation: Allocation) -> float | None:  # noqa: ARG002 (the protocol's)
        """Never take anything away."""
        return None
