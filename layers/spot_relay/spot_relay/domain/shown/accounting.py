"""What a run cost and saved, from what DescribeTrainingJob returned for its attempts."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from spot_relay.domain.rules.money import (
    add_costs,
    attempt_cost,
    canary_cost,
    cost_so_far,
    kept_on_demand_cost,
    most_until_end,
    wasted_cost,
)
from spot_relay.domain.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from spot_relay.domain.run.attempt import Attempt, Canary
    from spot_relay.domain.run.prices import PriceList
    from spot_relay.domain.run.run import Run

# Decimal places of an amount in USD: a second of the cheapest instance costs more than one unit of the last.
_DIGITS = 6


@dataclass(frozen=True)
class Account:
    """Sums over all attempts of a run.

    Seconds are of the job, not multiplied by its instance count. Money is in USD, for all instances, and None where a
    price is missing; the cost of a live attempt is an estimate.
    """

    training_seconds: int
    billable_seconds: int
    waited_seconds: int
    interruptions: int
    savings_percent: float | None
    wasted_seconds: int
    """Training that was lost because no checkpoint came after it."""
    cost_usd: float | None
    on_demand_cost_usd: float | None
    """What the training that was kept would have cost on-demand."""
    wasted_usd: float | None
    """The part of the cost that paid for lost training."""
    most_usd: float | None
    """What it costs at most until its newest attempt has ended."""
    prices_source: str | None
    prices_as_of: datetime | None


def account_of(run: Run, now: datetime) -> Account:
    """Return the sums over a run's attempts; seconds that the service left out count as 0."""
    return Account(
        training_seconds=sum(a.training_seconds or 0 for a in run.attempts),
        billable_seconds=sum(a.billable_seconds or 0 for a in run.attempts),
        waited_seconds=sum(a.waited_seconds or 0 for a in run.attempts),
        interruptions=sum(a.interruptions for a in run.attempts),
        savings_percent=savings_of(run),
        wasted_seconds=sum(a.wasted_seconds for a in run.attempts),
        cost_usd=_round(cost_so_far(run, now)) if run.prices else None,
        on_demand_cost_usd=_sum(kept_on_demand_cost, run, now),
        wasted_usd=_sum(wasted_cost, run, now),
        most_usd=_round(most_until_end(run, now)) if run.prices else None,
        prices_source=run.prices.source if run.prices else None,
        prices_as_of=run.prices.as_of if run.prices else None,
    )


def savings_of(run: Run) -> float | None:
    """Return a run's savings by SageMaker's own formula, (1 - billable / training) * 100, or None if nothing trained.

    It compares the seconds of the attempts whose billable seconds are known.
    """
    known = [
        (one.training_seconds or 0, one.billable_seconds) for one in run.attempts if one.billable_seconds is not None
    ]
    trained, billed = sum(seconds for seconds, _ in known), sum(seconds for _, seconds in known)
    return round((1 - billed / trained) * 100, 1) if trained else None


def costs_of_attempt(run: Run, attempt: Attempt, now: datetime) -> dict[str, float | None]:
    """Return what an attempt has cost, and what the training of it that was kept would have cost on-demand, in USD."""
    known = run.prices is not None
    return {
        "cost_usd": _round(attempt_cost(attempt, run.prices, now)) if known else None,
        "on_demand_cost_usd": _round(kept_on_demand_cost(attempt, run.prices, now)) if known else None,
    }


def cost_of_canary(run: Run, canary: Canary) -> float | None:
    """Return what a canary has cost in USD, or None if its price is not known."""
    return None if run.prices is None else _round(canary_cost(canary, run.prices))


def _sum(cost: Callable[[Attempt, PriceList | None, datetime], float | None], run: Run, now: datetime) -> float | None:
    if run.prices is None:
        return None
    return _round(add_costs(cost(attempt, run.prices, now) for attempt in run.attempts))


def _round(usd: float | None) -> float | None:
    return None if usd is None else round(usd, _DIGITS)
