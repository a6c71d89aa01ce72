"""What attempts cost, in USD, and whether a run's money budget allows another one.

SageMaker bills BillableTimeInSeconds, times the instances, at the on-demand price: for a managed spot job it reduces
the seconds, not the price (its savings formula compares these seconds with the seconds of training). An attempt without
billable seconds is estimated from its training. A heterogeneous cluster has no price.
"""

from __future__ import annotations

from itertools import chain
from math import ceil
from typing import TYPE_CHECKING

from spot_relay.domain.run.attempt import Attempt, AttemptStatus, Canary
from spot_relay.domain.sagemaker.request import CANARY_MAX_RUNTIME_SECONDS, has_instance_groups, max_runtime_of
from spot_relay.domain.values import No, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from spot_relay.domain.run.prices import Price, PriceList
    from spot_relay.domain.run.run import Run
    from spot_relay.domain.sagemaker.job import Placement

_HOUR = 3600
# Rounding may put a sum of floats this far above the true sum.
_FLOAT_NOISE = 1e-9


def attempt_cost(attempt: Attempt, prices: PriceList | None, now: datetime) -> float | None:
    """Return what an attempt has cost so far; None if it trained and its instance type has no price.

    Until its billable seconds are known this is an estimate: its training, at the price of its market.
    """
    if not attempt.has_trained and not attempt.billable_seconds:
        return 0.0
    price = _price(attempt.placement, prices)
    if price is None:
        return None
    if attempt.billable_seconds is not None:
        return _usd(attempt.billable_seconds, attempt.placement, price.on_demand_usd)
    return _usd(_trained(attempt, now), attempt.placement, price.usd_per_hour(attempt.placement.market))


def kept_on_demand_cost(attempt: Attempt, prices: PriceList | None, now: datetime) -> float | None:
    """Return what an attempt's training, without the lost part, would have cost on-demand; None without a price."""
    if not attempt.has_trained:
        return 0.0
    price = _price(attempt.placement, prices)
    kept = max(0.0, _trained(attempt, now) - attempt.wasted_seconds)
    return None if price is None else _usd(kept, attempt.placement, price.on_demand_usd)


def wasted_cost(attempt: Attempt, prices: PriceList | None, now: datetime) -> float | None:
    """Return the part of an attempt's cost that paid for lost training; None if the cost is unknown."""
    cost, trained = attempt_cost(attempt, prices, now), _trained(attempt, now)
    if cost is None:
        return None
    return cost * min(1.0, attempt.wasted_seconds / trained) if trained else 0.0


def add_costs(costs: Iterable[float | None]) -> float | None:
    """Return the sum of costs; None if one of them is unknown."""
    found = list(costs)
    known = [cost for cost in found if cost is not None]
    return sum(known) if len(known) == len(found) else None


def canary_cost(canary: Canary, prices: PriceList | None) -> float | None:
    """Return what a canary has cost, which is known once it has ended; None if its instance type has no price."""
    if not canary.billable_seconds:
        return 0.0
    price = _price(canary.placement, prices)
    return None if price is None else _usd(canary.billable_seconds, canary.placement, price.on_demand_usd)


def cost_so_far(run: Run, now: datetime) -> float | None:
    """Return what all attempts and canaries have cost so far; None if a price is missing."""
    attempts = [attempt_cost(attempt, run.prices, now) for attempt in run.attempts]
    return add_costs((*attempts, *(canary_cost(canary, run.prices) for canary in run.canaries)))


def worst_cost(run: Run, placement: Placement) -> float | None:
    """Return what another attempt in the placement costs if it runs for MaxRuntimeInSeconds; None without a price.

    For spot it is as accurate as the list's spot price, and an upper bound if the list has none.
    """
    price = _price(placement, run.prices)
    if price is None:
        return None
    return _usd(max_runtime_of(run.training_job), placement, price.usd_per_hour(placement.market))


def most_until_end(run: Run, now: datetime) -> float | None:
    """Return what the run costs at most until its newest attempt has ended, or another one has; None without a price.

    The attempt may use all of MaxRuntimeInSeconds. Once the run has ended, this is what it has cost.
    """
    if run.has_ended:
        return cost_so_far(run, now)
    has_ended = run.current.status is AttemptStatus.ENDED
    others = run if has_ended else replace(run, attempts=run.attempts[:-1])
    live = None if has_ended else attempt_cost(run.current, run.prices, now)
    worst = worst_cost(run, run.current.placement)
    most = worst if live is None or worst is None else max(live, worst)
    return add_costs((cost_so_far(others, now), most, _kept_for_canaries(run)))


def check_money(run: Run, placement: Placement, now: datetime) -> No | None:
    """Return why the run may not pay for another attempt in the placement, or None if it may."""
    budget = run.policy.budgets.money_usd
    if budget is None:
        return None
    gone, worst = cost_so_far(run, now), worst_cost(run, placement)
    if worst is None:
        return _explain_missing_price(run, placement.instance_type)
    if gone is None:
        return _explain_missing_price(run, _find_unpriced(run, now).instance_type)
    kept = _kept_for_canaries(run)
    if kept is None:
        return _explain_missing_price(run, _find_unpriced(run, now).instance_type)
    if gone + kept + worst <= budget + _FLOAT_NOISE:
        return None
    needed = f"to {_show_usd(gone + kept + worst, ceil)} or more"
    begun = any(attempt.status is not AttemptStatus.PLANNED for attempt in run.attempts)
    canaries = f" Canaries whose cost is not known yet may cost up to {_show_usd(kept)} USD." if kept else ""
    return No(
        f"policy.budgets.money_usd is {_show_usd(budget)} USD. {_show_usd(gone)} USD is spent, and an attempt on "
        f"{placement} may cost up to {_show_usd(worst)} USD (MaxRuntimeInSeconds {max_runtime_of(run.training_job)})."
        f"{canaries} "
        + (
            f"Resume the run with policy.budgets.money_usd set {needed}."
            if begun
            else f"Set policy.budgets.money_usd {needed}, or lower MaxRuntimeInSeconds."
        )
    )


def pays_for_canary(run: Run, placement: Placement, now: datetime) -> bool:
    """Whether the run can pay for a canary beside its newest attempt if both cost the most they may."""
    budget = run.policy.budgets.money_usd
    if budget is None:
        return True
    worst = add_costs(
        (
            cost_so_far(replace(run, attempts=run.attempts[:-1]), now),
            worst_cost(run, run.current.placement),
            _kept_for_canaries(run),
            _worst_canary(placement, run.prices),
        )
    )
    return worst is not None and worst <= budget + _FLOAT_NOISE


def _explain_missing_price(run: Run, instance_type: str) -> No:
    """Return the answer that a money budget needs a price, and why there is none."""
    needs = f"policy.budgets.money_usd needs the price of {instance_type}"
    if has_instance_groups(run.training_job):
        return No(f"{needs}, but a heterogeneous cluster (InstanceGroups) has none. Leave the budget out.")
    if run.prices is None:
        why = "the stack had no price list when the run was submitted"
    else:
        why = f"the price list at that time ({run.prices.source}, {run.prices.as_of:%Y-%m-%d}) did not have it"
    return No(f"{needs}, but {why}. Refresh the price list and submit the run again, or leave the budget out.")


def _find_unpriced(run: Run, now: datetime) -> Placement:
    """Return the placement of the first attempt or canary whose cost is unknown."""
    attempts = (attempt for attempt in run.attempts if attempt_cost(attempt, run.prices, now) is None)
    bounds = (
        (canary, add_costs((canary_cost(canary, run.prices), _bound(canary, run.prices)))) for canary in run.canaries
    )
    canaries = (canary for canary, bound in bounds if bound is None)
    return next(job.placement for job in chain[Attempt | Canary](attempts, canaries))


def _kept_for_canaries(run: Run) -> float | None:
    """Return the most that the run's canaries may still add to its cost; None if one of them has no price."""
    return add_costs(_bound(canary, run.prices) for canary in run.canaries)


def _bound(canary: Canary, prices: PriceList | None) -> float | None:
    """Return the most that a canary may cost while its billable seconds are unknown; 0 once they are known."""
    known = canary.billable_seconds is not None or not canary.may_exist
    return 0.0 if known else _worst_canary(canary.placement, prices)


def _worst_canary(placement: Placement, prices: PriceList | None) -> float | None:
    price = _price(placement, prices)
    return None if price is None else _usd(CANARY_MAX_RUNTIME_SECONDS, placement, price.on_demand_usd)


def _price(placement: Placement, prices: PriceList | None) -> Price | None:
    return prices.by_instance_type.get(placement.instance_type) if prices else None


def _trained(attempt: Attempt, now: datetime) -> float:
    """Return how many seconds an attempt has trained, as far as is known."""
    if attempt.training_seconds is not None:
        return attempt.training_seconds
    if attempt.training_started_at is None:
        return 0.0
    # While it is interrupted it neither trains nor costs; earlier interruptions of a live attempt are included.
    until = attempt.ended_at or attempt.waiting_since or now
    return max(0.0, (until - attempt.training_started_at).total_seconds())


def _usd(seconds: float, placement: Placement, usd_per_hour: float) -> float:
    return seconds * placement.instance_count * usd_per_hour / _HOUR


def _show_usd(usd: float, rounded: Callable[[float], int] = round) -> str:
    """Return an amount in whole cents, or in hundredths of a cent below a dollar."""
    digits = 2 if usd >= 1 or usd == 0 else 4
    return f"{rounded(round(usd * 10**digits, 6)) / 10**digits:.{digits}f}"
