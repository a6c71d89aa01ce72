"""What a run cost and saved, from what DescribeTrainingJob said of its attempts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from spot_relay.domain.rules.money import kept_on_demand_cost, spent, total, wasted_cost

if TYPE_CHECKING:
    from collections.abc import Callable

    from spot_relay.domain.run.prices import PriceList
    from spot_relay.domain.run.run import Attempt, Run

# Of a US dollar: a second of the cheapest instance costs more than one.
_DIGITS = 6


@dataclass(frozen=True)
class Account:
    """Sums over all attempts of a run; seconds are of the job, not multiplied by its instance count.

    ``compared_seconds`` are the training seconds of the attempts whose billable seconds are known, too.
    ``wasted_seconds`` is training that was lost, because no checkpoint came after it.

    Money is in USD, for all instances, at the prices of ``prices_source`` at ``prices_as_of``: ``cost_usd`` so far, of
    which ``wasted_usd`` went into lost training, and ``on_demand_cost_usd``, what the training that was kept would have
    cost on demand. Each is None where a price is missing. What a living attempt costs is an estimate.
    """

    training_seconds: int
    billable_seconds: int
    waited_seconds: int
    interruptions: int
    compared_seconds: int
    wasted_seconds: int = 0
    cost_usd: float | None = None
    on_demand_cost_usd: float | None = None
    wasted_usd: float | None = None
    prices_source: str | None = None
    prices_as_of: datetime | None = None

    @property
    def savings_percent(self) -> float | None:
        """Give (1 - billable / training) * 100, SageMaker's own formula, or None if nothing trained."""
        if not self.compared_seconds:
            return None
        return round((1 - self.billable_seconds / self.compared_seconds) * 100, 1)


def account_of(run: Run, now: datetime) -> Account:
    """Add up a run's attempts; seconds that the service left out count as 0."""
    return Account(
        training_seconds=sum(a.training_seconds or 0 for a in run.attempts),
        billable_seconds=sum(a.billable_seconds or 0 for a in run.attempts),
        waited_seconds=sum(a.waited_seconds or 0 for a in run.attempts),
        interruptions=sum(a.interruptions for a in run.attempts),
        compared_seconds=sum(a.training_seconds or 0 for a in run.attempts if a.billable_seconds is not None),
        wasted_seconds=sum(a.wasted_seconds for a in run.attempts),
        cost_usd=_rounded(spent(run, now)) if run.prices else None,
        on_demand_cost_usd=_sum(kept_on_demand_cost, run, now),
        wasted_usd=_sum(wasted_cost, run, now),
        prices_source=run.prices.source if run.prices else None,
        prices_as_of=run.prices.as_of if run.prices else None,
    )


def _sum(cost: Callable[[Attempt, PriceList | None, datetime], float | None], run: Run, now: datetime) -> float | None:
    if run.prices is None:
        return None
    return _rounded(total(cost(attempt, run.prices, now) for attempt in run.attempts))


def _rounded(usd: float | None) -> float | None:
    return None if usd is None else round(usd, _DIGITS)
