"""What a run has cost and saved."""

from __future__ import annotations

from datetime import timedelta

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.run.attempt import AttemptStatus, Canary, CanaryStatus
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.shown.accounting import Account, account_of, cost_of_canary, costs_of_attempt, savings_of
from spot_relay.domain.values import replace
from tests.fakes import NOON
from tests.unit.worlds import submission

M5 = "ml.m5.xlarge"
PRICES = PriceList("a list", NOON - timedelta(days=1), {M5: Price(0.24, 0.08)})
LATER = NOON + timedelta(hours=1)
ACCEPTED = accept(submission(), "one", NOON, PRICES)
FIRST = replace(
    ACCEPTED.current,
    status=AttemptStatus.ENDED,
    interruptions=2,
    training_seconds=3600,
    billable_seconds=1800,
    waited_seconds=60,
    wasted_seconds=900,
)
SECOND = replace(
    FIRST, number=2, interruptions=3, training_seconds=101, billable_seconds=100, waited_seconds=5, wasted_seconds=1
)
# It has trained for half an hour, on two instances; SageMaker has told no figures of it.
LIVE = replace(
    ACCEPTED.current,
    number=3,
    placement=Placement(M5, 2, Market.SPOT),
    status=AttemptStatus.IN_PROGRESS,
    training_started_at=NOON + timedelta(minutes=30),
)
RUN = replace(ACCEPTED, status=RunStatus.IN_PROGRESS, attempts=(FIRST, SECOND, LIVE))
ACCOUNT = Account(
    training_seconds=3701,
    billable_seconds=1900,
    waited_seconds=65,
    interruptions=5,
    savings_percent=48.7,
    wasted_seconds=901,
    # The 1,900 s at the on-demand price, and an hour at the spot price; of that, a quarter of the first attempt's
    # 0.12 USD and a hundred-and-first of the second's are for lost training.
    cost_usd=0.206667,
    on_demand_cost_usd=0.426667,
    wasted_usd=0.030066,
    most_usd=0.286667,
    prices_source="a list",
    prices_as_of=NOON - timedelta(days=1),
)


def test_an_account_is_the_sum_of_all_attempts_and_estimates_one_that_still_trains() -> None:
    assert account_of(RUN, LATER) == ACCOUNT


def test_without_prices_an_account_has_no_amounts_and_no_source_of_them() -> None:
    assert account_of(replace(RUN, prices=None), LATER) == replace(
        ACCOUNT,
        cost_usd=None,
        on_demand_cost_usd=None,
        wasted_usd=None,
        most_usd=None,
        prices_source=None,
        prices_as_of=None,
    )


def test_where_a_price_is_missing_no_amount_is_told_that_would_be_too_small() -> None:
    elsewhere = replace(SECOND, placement=Placement("ml.p3.2xlarge", 1, Market.SPOT))
    assert account_of(RUN.with_attempt(elsewhere), LATER) == replace(
        ACCOUNT, cost_usd=None, on_demand_cost_usd=None, wasted_usd=None, most_usd=None
    )


def test_the_training_of_an_attempt_whose_billable_seconds_are_unknown_is_not_compared_with_those_of_others() -> None:
    account = account_of(RUN.with_attempt(replace(SECOND, billable_seconds=None)), LATER)
    assert (account.training_seconds, account.billable_seconds, account.savings_percent) == (3701, 1800, 50.0)
    billed = account_of(RUN.with_attempt(replace(SECOND, training_seconds=None)), LATER)
    assert (billed.training_seconds, billed.billable_seconds, billed.savings_percent) == (3600, 1900, 47.2)


def test_the_costs_of_an_attempt_are_what_it_cost_and_what_its_kept_training_would_have_cost_on_demand() -> None:
    assert costs_of_attempt(RUN, FIRST, LATER) == {"cost_usd": 0.12, "on_demand_cost_usd": 0.18}
    assert costs_of_attempt(RUN, LIVE, LATER) == {"cost_usd": 0.08, "on_demand_cost_usd": 0.24}
    without = replace(RUN, prices=None)
    assert costs_of_attempt(without, FIRST, LATER) == {"cost_usd": None, "on_demand_cost_usd": None}
    # It would have cost nothing with prices either.
    assert costs_of_attempt(without, ACCEPTED.current, LATER) == {"cost_usd": None, "on_demand_cost_usd": None}


@pytest.mark.parametrize(
    ("seconds", "prices", "cost"), [(91, PRICES, 0.006067), (None, PRICES, 0.0), (91, None, None), (None, None, None)]
)
def test_a_canary_costs_what_is_billed_of_it(seconds: int | None, prices: PriceList | None, cost: float | None) -> None:
    canary = Canary(1, "churn-canary-01", LIVE.placement, NOON, 3600, CanaryStatus.ENDED, billable_seconds=seconds)
    canary = replace(canary, placement=Placement(M5, 1, Market.SPOT))
    assert cost_of_canary(replace(RUN, prices=prices), canary) == cost


def test_the_savings_are_the_services_own_formula() -> None:
    attempt = replace(ACCEPTED.current, training_seconds=80, billable_seconds=25)
    run = ACCEPTED.with_attempt(attempt)
    assert savings_of(run) == account_of(run, NOON).savings_percent == 68.8
    billed = replace(attempt, number=2, training_seconds=None, billable_seconds=15)
    assert savings_of(run.with_attempt(billed)) == 50.0


def test_a_run_that_never_trained_has_no_savings() -> None:
    assert savings_of(ACCEPTED) is None
