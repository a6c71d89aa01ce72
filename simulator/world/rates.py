"""How many calls of each operation an account may make: a token bucket per operation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.world.scenario import RateRule


@dataclass(slots=True)
class TokenBucket:
    """Starts full with ``burst`` tokens, and gains ``per_second`` of them each second until it is full again."""

    per_second: float
    burst: float
    at: float
    tokens: float = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = self.burst

    def take(self, now: float) -> bool:
        """Whether there was a token to take; a call that finds none takes nothing."""
        self.tokens = min(self.burst, self.tokens + max(0.0, now - self.at) * self.per_second)
        self.at = max(self.at, now)
        # Sums of fractions of a second fall short by a few billionths.
        if self.tokens < 1.0 - 1e-9:
            return False
        self.tokens -= 1.0
        return True


class RateLimits:
    """The token buckets of an account; an operation without a rate is never throttled."""

    def __init__(self, rates: Mapping[str, RateRule], now: float) -> None:
        self._buckets = {
            operation: TokenBucket(rate.per_second, rate.most_at_once, now) for operation, rate in rates.items()
        }

    def allow(self, operation: str, now: float) -> bool:
        """Whether the account may make one more call of an operation now, which is counted."""
        bucket = self._buckets.get(operation)
        return bucket is None or bucket.take(now)
