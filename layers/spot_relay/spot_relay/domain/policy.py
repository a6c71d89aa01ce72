"""What a user lets Spot Relay do to keep a run going: budgets and backoff."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Budgets:
    """How often each kind of bad end may be followed by a relaunch; 0 means that the first one is final."""

    expired_waits: int = 10
    capacity_failures: int = 20
    service_errors: int = 5
    user_errors: int = 0
    attempts_without_progress: int = 2


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
class Policy:
    """What follows a bad end of an attempt."""

    budgets: Budgets = field(default_factory=Budgets)
    backoff: Backoff = field(default_factory=Backoff)
    restart_from_scratch: bool = False
    relaunch_on_max_runtime: bool = False
