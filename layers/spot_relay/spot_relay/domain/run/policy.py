"""What Spot Relay may do to keep a run going: ladder, budgets, backoff and deadline."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum

from spot_relay.domain.sagemaker.job import Placement
from spot_relay.domain.values import dataclass, replace


class Budget(StrEnum):
    """The budgets that count relaunches and refused launches, by their names in a spec and in the status document."""

    EXPIRED_WAITS = "expired_waits"
    CAPACITY_FAILURES = "capacity_failures"
    SERVICE_ERRORS = "service_errors"
    USER_ERRORS = "user_errors"
    ATTEMPTS_WITHOUT_PROGRESS = "attempts_without_progress"
    REFUSALS = "refusals"


@dataclass(frozen=True)
class BudgetCounts:
    """A number of relaunches, or of refused launches, for each budget."""

    expired_waits: int = 0
    capacity_failures: int = 0
    service_errors: int = 0
    user_errors: int = 0
    attempts_without_progress: int = 0
    refusals: int = 0

    def count(self, budget: Budget) -> int:
        """Return the number for a budget."""
        match budget:
            case Budget.EXPIRED_WAITS:
                return self.expired_waits
            case Budget.CAPACITY_FAILURES:
                return self.capacity_failures
            case Budget.SERVICE_ERRORS:
                return self.service_errors
            case Budget.USER_ERRORS:
                return self.user_errors
            case Budget.ATTEMPTS_WITHOUT_PROGRESS:
                return self.attempts_without_progress
            case Budget.REFUSALS:
                return self.refusals


@dataclass(frozen=True)
class Budgets(BudgetCounts):
    """How many relaunches may follow each kind of bad end; 0 means that the first one is final.

    ``refusals`` counts something else: launches in a row that SageMaker refused for a reason that passes, or did not
    answer.
    """

    expired_waits: int = 10
    capacity_failures: int = 20
    service_errors: int = 5
    attempts_without_progress: int = 2
    refusals: int = 500
    money_usd: float | None = None
    """The most that all attempts together may cost, in USD; None sets no limit."""


@dataclass(frozen=True)
class Spent(BudgetCounts):
    """How much of each budget of `Budgets` is spent; ``refusals`` is zero again after a launch that succeeds."""

    def draw(self, budget: Budget) -> Spent:
        """Return the counts after one more draw on a budget."""
        return replace(self, **{budget.value: self.count(budget) + 1})


@dataclass(frozen=True)
class Backoff:
    """Exponential backoff with full jitter: [0, min(max, base * 2**(n - 1))] seconds after n failures in a row."""

    base_seconds: int = 30
    max_seconds: int = 900

    def seconds(self, failures: int, draw: float) -> float:
        """Return the wait before the next try after ``failures`` failures in a row, for a draw from [0, 1)."""
        ceiling: int = min(self.max_seconds, self.base_seconds << min(max(failures - 1, 0), 20))
        return draw * ceiling


@dataclass(frozen=True)
class Rung:
    """A step of the ladder. A run stays on it until ``attempts`` attempts there have failed to get capacity."""

    placement: Placement
    attempts: int = 1


class ReturnToSpot(StrEnum):
    """How a run that trains on-demand, ahead of its deadline's pace, returns to spot.

    ``canary``: a spot job that only sleeps waits for capacity beside the training; the run moves once it gets some.
    ``blind``: once it is well ahead, the run gives up its on-demand instance and waits for spot capacity.
    ``never``: it stays on-demand.
    """

    CANARY = "canary"
    BLIND = "blind"
    NEVER = "never"


@dataclass(frozen=True)
class Deadline:
    """When a run has to be done: at an instant (``at``), or some time after its submission (``within_seconds``)."""

    expected_runtime_seconds: int
    """The training that the whole run needs."""
    at: datetime | None = None
    within_seconds: int | None = None
    changeover_seconds: int = 600
    """What each new start is expected to cost (start-up plus lost work) until the run's own attempts have shown it."""
    return_to_spot: ReturnToSpot = ReturnToSpot.CANARY
    pace_floor: float = 0.8
    """The floor of θ in `rules.pace`."""
    hysteresis: float = 0.0
    """The h in `rules.pace`."""

    def instant(self, submitted_at: datetime) -> datetime:
        """Return the deadline of a run that was submitted at that time."""
        return self.at if self.at is not None else submitted_at + timedelta(seconds=self.within_seconds or 0)


@dataclass(frozen=True)
class Policy:
    """What may follow a bad end of an attempt, and when the run has to be done."""

    budgets: Budgets = field(default_factory=Budgets)
    backoff: Backoff = field(default_factory=Backoff)
    restart_from_scratch: bool = False
    """Whether a job without checkpoints may be launched again."""
    relaunch_on_max_runtime: bool = False
    ladder: tuple[Rung, ...] = ()
    """Empty for the job's own placement and as many attempts as the budgets allow."""
    deadline: Deadline | None = None
    checkpoint_pattern: str | None = None
    """A glob, relative to the checkpoint prefix, of the objects that are checkpoints; None to go by their names."""
