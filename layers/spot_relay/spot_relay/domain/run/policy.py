"""What a user lets Spot Relay do to keep a run going: ladder, budgets, backoff and deadline."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from spot_relay.domain.sagemaker.job import Placement


@dataclass(frozen=True)
class Budgets:
    """How often each kind of bad end may be followed by a relaunch; 0 means that the first one is final.

    ``money_usd`` bounds what all attempts together may cost, in USD; None sets no bound.
    """

    expired_waits: int = 10
    capacity_failures: int = 20
    service_errors: int = 5
    user_errors: int = 0
    attempts_without_progress: int = 2
    money_usd: float | None = None


@dataclass(frozen=True)
class Backoff:
    """Exponential backoff with full jitter: a wait is drawn from [0, min(max, base * 2**n)] seconds."""

    base_seconds: int = 30
    max_seconds: int = 900

    def seconds(self, failures: int, draw: float) -> float:
        """Give the wait before the next try after ``failures`` failures in a row, for a draw from [0, 1)."""
        ceiling: int = min(self.max_seconds, self.base_seconds << min(max(failures - 1, 0), 20))
        return draw * ceiling


@dataclass(frozen=True)
class Rung:
    """A placement of the ladder, and how many attempts end there for want of capacity before the next one's turn."""

    placement: Placement
    attempts: int = 1


class ReturnToSpot(StrEnum):
    """How a run that trains on demand, ahead of its deadline's pace, finds its way back to spot.

    ``canary``: a spot job that only sleeps waits for capacity beside the training, and tells when it is there.
    ``blind``: once it is well ahead, the run gives up on-demand and waits for spot capacity.
    ``never``: it stays on demand.
    """

    CANARY = "canary"
    BLIND = "blind"
    NEVER = "never"


@dataclass(frozen=True)
class Deadline:
    """When a run has to be done, as an instant (``at``) or counted from its submission (``within_seconds``).

    ``expected_runtime_seconds`` is the training that the whole run needs, ``changeover_seconds`` what each new
    start is expected to cost (start-up plus the work lost since the last checkpoint), until the run's own attempts
    have shown it. ``pace_floor`` (θ's floor) and ``hysteresis`` (h) are the constants of the rule in `pace`.
    """

    expected_runtime_seconds: int
    at: datetime | None = None
    within_seconds: int | None = None
    changeover_seconds: int = 600
    return_to_spot: ReturnToSpot = ReturnToSpot.CANARY
    pace_floor: float = 0.8
    hysteresis: float = 0.0

    def instant(self, submitted_at: datetime) -> datetime:
        """Give the deadline of a run that was submitted then."""
        return self.at if self.at is not None else submitted_at + timedelta(seconds=self.within_seconds or 0)


@dataclass(frozen=True)
class Policy:
    """What follows a bad end of an attempt, and what a deadline asks for.

    An empty ``ladder`` is the job's own placement, for as many attempts as the budgets allow.
    """

    budgets: Budgets = field(default_factory=Budgets)
    backoff: Backoff = field(default_factory=Backoff)
    restart_from_scratch: bool = False
    relaunch_on_max_runtime: bool = False
    ladder: tuple[Rung, ...] = ()
    deadline: Deadline | None = None
