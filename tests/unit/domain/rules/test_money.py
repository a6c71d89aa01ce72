"""What attempts and runs cost, and when a money budget says no."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.rules.money import (
    attempt_cost,
    check_money,
    cost_so_far,
    kept_on_demand_cost,
    most_until_end,
    wasted_cost,
    worst_cost,
)
from spot_relay.domain.run.attempt import AttemptStatus, Canary
from spot_relay.domain.run.policy import Budgets, Policy
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.request import CANARY_MAX_RUNTIME_SECONDS
from spot_relay.domain.shown.accounting import account_of
from spot_relay.domain.values import No
from tests.fakes import NOON
from tests.unit.paid_runs import M5, P3, PRICES, a_run, placed
from tests.unit.worlds import submission

if TYPE_CHECKING:
    from spot_relay.domain.run.attempt import Attempt
    from spot_relay.domain.run.run import Run

HOUR = 3600


def an_attempt(placement: Placement | None = None, **known: Any) -> Attempt:
    """An attempt that has ended, and what is known of it."""
    placement = placement or placed(M5)
    return replace(a_run().current, placement=placement, status=AttemptStatus.ENDED, **known)


def having(run: Run, *attempts: Attempt) -> Run:
    """The run with these attempts, numbered anew."""
    return replace(run, attempts=tuple(replace(a, number=n) for n, a in enumerate(attempts, start=1)))


def after(seconds: float) -> Any:
    return NOON + timedelta(seconds=seconds)


def test_an_attempt_costs_its_billable_seconds_on_all_instances_at_the_on_demand_price() -> None:
    ended = an_attempt(placed(M5, count=3), training_seconds=2 * HOUR, billable_seconds=HOUR)
    assert attempt_cost(ended, PRICES, NOON) == pytest.approx(0.72)


@pytest.mark.parametrize(
    ("placement", "cost"),
    [
        (placed(M5), 0.16),
        (placed(M5, market=Market.ON_DEMAND), 0.48),
        (placed(P3, count=2), 14.4),  # no spot price is known, so it is the on-demand price
    ],
)
def test_without_billable_seconds_an_attempt_costs_its_training_at_the_price_of_its_market(
    placement: Placement, cost: float
) -> None:
    assert attempt_cost(an_attempt(placement, training_seconds=2 * HOUR), PRICES, NOON) == pytest.approx(cost)


def test_training_that_was_never_counted_lasted_from_its_start_to_the_end_of_the_attempt() -> None:
    ended = an_attempt(training_started_at=after(60), ended_at=after(60 + HOUR))
    assert attempt_cost(ended, PRICES, after(9 * HOUR)) == pytest.approx(0.08)


@pytest.mark.parametrize("prices", [None, PRICES, PRICES.only([])], ids=["no list", "a price", "no price"])
def test_an_attempt_that_never_trained_costs_nothing(prices: PriceList | None) -> None:
    assert attempt_cost(an_attempt(ended_at=after(HOUR)), prices, after(HOUR)) == 0
    assert attempt_cost(an_attempt(training_seconds=0, billable_seconds=0), prices, after(HOUR)) == 0


@pytest.mark.parametrize("prices", [None, PRICES.only([P3])], ids=["no list", "no price"])
def test_what_an_attempt_costs_is_unknown_without_a_price_of_its_instance_type(prices: PriceList | None) -> None:
    assert attempt_cost(an_attempt(training_seconds=80), prices, NOON) is None
    assert attempt_cost(an_attempt(training_seconds=80, billable_seconds=25), prices, NOON) is None
    assert attempt_cost(an_attempt(billable_seconds=25), prices, NOON) is None


def test_a_living_attempt_costs_more_the_longer_it_trains_and_nothing_while_it_is_interrupted() -> None:
    trains = replace(an_attempt(training_started_at=NOON), status=AttemptStatus.IN_PROGRESS)
    assert attempt_cost(trains, PRICES, after(HOUR)) == pytest.approx(0.08)
    assert attempt_cost(trains, PRICES, after(2 * HOUR)) == pytest.approx(0.16)
    interrupted = replace(trains, waiting_since=after(HOUR))
    assert attempt_cost(interrupted, PRICES, after(5 * HOUR)) == pytest.approx(0.08)
    # The clock of a function may be behind SageMaker's.
    assert attempt_cost(trains, PRICES, after(-5)) == 0


def test_a_run_costs_what_its_attempts_cost_and_saves_what_its_kept_training_would_have_cost() -> None:
    first = an_attempt(training_seconds=2 * HOUR, billable_seconds=HOUR, wasted_seconds=HOUR // 2)
    second = an_attempt(placed(P3, market=Market.ON_DEMAND), training_seconds=HOUR, billable_seconds=HOUR)
    account = account_of(having(a_run(), first, an_attempt(), second), NOON)
    assert account.cost_usd == pytest.approx(0.24 + 3.6)
    assert account.on_demand_cost_usd == pytest.approx(1.5 * 0.24 + 3.6)
    assert account.wasted_seconds == HOUR // 2
    assert account.wasted_usd == pytest.approx(0.24 / 4)
    assert (account.prices_source, account.prices_as_of) == ("s3://prices/list.json", NOON)


def test_an_attempt_wastes_no_more_than_it_costs() -> None:
    # SageMaker counts the training in whole seconds, and so may count less of it.
    wasted = an_attempt(training_seconds=HOUR, billable_seconds=HOUR, wasted_seconds=HOUR + 1)
    account = account_of(having(a_run(), wasted), NOON)
    assert account.wasted_usd == account.cost_usd == pytest.approx(0.24)
    assert account.on_demand_cost_usd == 0


def test_what_was_kept_of_an_attempts_training_is_priced_on_demand_and_what_was_lost_by_its_share_of_the_cost() -> None:
    half = an_attempt(training_seconds=HOUR, billable_seconds=HOUR // 4, wasted_seconds=HOUR // 2)
    assert kept_on_demand_cost(half, PRICES, NOON) == pytest.approx(0.12)
    assert wasted_cost(half, PRICES, NOON) == pytest.approx(0.03)
    trains = an_attempt(training_started_at=NOON, wasted_seconds=HOUR // 2)
    assert kept_on_demand_cost(trains, PRICES, after(2 * HOUR)) == pytest.approx(0.36)
    assert wasted_cost(trains, PRICES, after(2 * HOUR)) == pytest.approx(0.04)
    short = an_attempt(training_seconds=1, wasted_seconds=1)
    assert wasted_cost(short, PRICES, NOON) == attempt_cost(short, PRICES, NOON) != 0
    untrained = an_attempt(billable_seconds=HOUR, wasted_seconds=60)
    assert kept_on_demand_cost(untrained, None, NOON) == wasted_cost(untrained, PRICES, NOON) == 0
    assert kept_on_demand_cost(half, None, NOON) is None
    assert wasted_cost(half, None, NOON) is None


def test_until_its_attempt_has_ended_a_run_costs_at_most_what_that_may_use_and_what_was_spent_before_it() -> None:
    before = an_attempt(training_seconds=HOUR, billable_seconds=HOUR)
    trains = replace(an_attempt(training_started_at=NOON), status=AttemptStatus.IN_PROGRESS)
    run = having(a_run(), before, before, trains)
    assert most_until_end(run, after(HOUR // 2)) == pytest.approx(0.48 + 0.08)
    assert most_until_end(run, after(2 * HOUR)) == pytest.approx(0.48 + 0.16)
    assert most_until_end(having(run, trains, trains), after(2 * HOUR)) == pytest.approx(0.16 + 0.16)
    assert most_until_end(replace(having(run, trains), status=RunStatus.FAILED), after(HOUR)) == pytest.approx(0.08)
    between = having(a_run(), before, before)
    assert most_until_end(between, NOON) == pytest.approx(0.48 + 0.08)
    assert most_until_end(replace(between, status=RunStatus.FAILED), NOON) == pytest.approx(0.48)
    canary = Canary(2, "one-canary-02", placed(M5), NOON, HOUR)
    may_cost = 0.24 * CANARY_MAX_RUNTIME_SECONDS / HOUR
    assert most_until_end(replace(run, canaries=(canary,)), NOON) == pytest.approx(0.48 + 0.08 + may_cost)
    assert most_until_end(replace(run, prices=None), NOON) is None
    assert most_until_end(replace(between, prices=PRICES.only([P3])), NOON) is None


@pytest.mark.parametrize("prices", [None, PRICES.only([P3])], ids=["no list", "no price"])
def test_without_prices_a_run_has_seconds_and_a_saving_in_percent_but_no_money(prices: PriceList | None) -> None:
    ended = an_attempt(training_seconds=80, billable_seconds=25, wasted_seconds=5)
    account = account_of(having(a_run(prices=prices), ended), NOON)
    assert (account.cost_usd, account.on_demand_cost_usd, account.wasted_usd) == (None, None, None)
    assert (account.training_seconds, account.wasted_seconds, account.savings_percent) == (80, 5, 68.8)
    assert account.prices_source == (prices and prices.source)


def test_one_attempt_without_a_price_leaves_the_cost_of_the_run_unknown() -> None:
    priced = an_attempt(training_seconds=HOUR, billable_seconds=HOUR)
    unpriced = an_attempt(placed("ml.c5.xlarge"), training_seconds=HOUR, billable_seconds=HOUR)
    run = having(a_run(), priced, unpriced)
    assert account_of(run, NOON).cost_usd is None
    assert cost_so_far(run, NOON) is None


def test_a_run_that_has_not_trained_yet_costs_nothing() -> None:
    account = account_of(a_run(), NOON)
    assert (account.cost_usd, account.on_demand_cost_usd, account.wasted_usd) == (0, 0, 0)


def test_the_worst_that_an_attempt_may_cost_is_all_of_its_max_runtime() -> None:
    assert worst_cost(a_run(), placed(M5, count=2)) == pytest.approx(0.16)
    assert worst_cost(a_run(), placed(M5, market=Market.ON_DEMAND)) == pytest.approx(0.24)
    assert worst_cost(a_run(), placed(P3)) == pytest.approx(3.6)
    assert worst_cost(a_run(), placed("ml.c5.xlarge")) is None
    assert worst_cost(a_run(prices=None), placed(M5)) is None


def test_a_job_without_a_max_runtime_has_that_of_sagemaker() -> None:
    run = a_run(StoppingCondition={"MaxWaitTimeInSeconds": 90_000})
    assert worst_cost(run, placed(M5)) == pytest.approx(24 * 0.08)


@pytest.mark.parametrize("prices", [None, PRICES])
def test_without_a_money_budget_a_run_may_cost_what_it_does(prices: PriceList | None) -> None:
    assert check_money(a_run(prices=prices), placed(P3, count=100), NOON) is None


def test_a_budget_that_the_next_attempt_may_use_up_to_the_cent_is_enough() -> None:
    ended = an_attempt(training_seconds=2 * HOUR, billable_seconds=HOUR)
    assert check_money(having(a_run(0.32), ended), placed(M5), NOON) is None
    assert check_money(having(a_run(0.3199), ended), placed(M5), NOON) is not None


@pytest.mark.parametrize(("price", "holds"), [(1 + 1e-9, True), (1 + 2e-9, False)])
def test_a_sum_that_rounding_may_have_put_above_the_budget_is_within_it(price: float, holds: bool) -> None:
    run = a_run(1.0, PriceList("a list", NOON, {M5: Price(price)}))
    assert (check_money(run, placed(M5), NOON) is None) == holds


def test_rounding_asks_for_no_hundredth_of_a_cent_more() -> None:
    no = check_money(a_run(0.07, PriceList("a list", NOON, {M5: Price(0.080_000_000_03)})), placed(M5), NOON)
    assert no is not None
    assert "Set policy.budgets.money_usd to 0.0800 or more" in no.because


def test_a_run_that_would_pass_its_budget_is_told_what_was_spent_what_comes_and_what_lets_it_go_on() -> None:
    ended = an_attempt(placed(P3), training_seconds=3 * HOUR, billable_seconds=2 * HOUR)
    no = check_money(having(a_run(10), ended), placed(P3, count=2, market=Market.ON_DEMAND), NOON)
    assert no == snapshot(
        No(
            because="policy.budgets.money_usd is 10.00 USD. 7.20 USD is spent, and an attempt on 2 x ml.p3.2xlarge (on-demand) may cost up to 7.20 USD (MaxRuntimeInSeconds 3600). Resume the run with policy.budgets.money_usd set to 14.40 or more."
        )
    )


def test_a_submission_that_would_pass_its_budget_is_told_what_to_ask_for() -> None:
    run = a_run(0.05)
    assert check_money(run, run.current.placement, NOON) == snapshot(
        No(
            because="policy.budgets.money_usd is 0.0500 USD. 0.00 USD is spent, and an attempt on 1 x ml.m5.xlarge (spot) may cost up to 0.0800 USD (MaxRuntimeInSeconds 3600). Set policy.budgets.money_usd to 0.0800 or more, or lower MaxRuntimeInSeconds."
        )
    )


def test_the_budget_that_is_asked_for_is_enough() -> None:
    ended = an_attempt(placed(P3), training_seconds=7777, billable_seconds=4321)
    no = check_money(having(a_run(1), ended), placed(P3), NOON)
    assert no is not None
    asked = float(no.because.partition("policy.budgets.money_usd set to ")[2].partition(" ")[0])
    assert asked == 7.93
    assert check_money(having(a_run(asked), ended), placed(P3), NOON) is None


def test_what_a_living_attempt_has_cost_so_far_is_spent() -> None:
    lives = replace(an_attempt(training_started_at=NOON), status=AttemptStatus.IN_PROGRESS)
    run = having(a_run(0.35), lives)
    on_demand = placed(M5, market=Market.ON_DEMAND)
    assert check_money(run, on_demand, after(HOUR)) is None
    assert check_money(run, on_demand, after(2 * HOUR)) is not None


@pytest.mark.parametrize(
    ("prices", "no"),
    [
        (
            None,
            snapshot(
                No(
                    because="policy.budgets.money_usd needs the price of ml.m5.xlarge, but the stack had no price list when the run was submitted. Refresh the price list and submit the run again, or leave the budget out."
                )
            ),
        ),
        (
            PRICES.only([P3]),
            snapshot(
                No(
                    because="policy.budgets.money_usd needs the price of ml.m5.xlarge, but the price list at that time (s3://prices/list.json, 2026-11-23) did not have it. Refresh the price list and submit the run again, or leave the budget out."
                )
            ),
        ),
    ],
    ids=["no list", "no price"],
)
def test_a_money_budget_needs_a_price(prices: PriceList | None, no: No) -> None:
    run = a_run(1000, prices=prices)
    assert check_money(run, run.current.placement, NOON) == no


def test_a_money_budget_needs_a_price_for_what_was_spent_too() -> None:
    unpriced = an_attempt(placed("ml.c5.xlarge"), training_seconds=HOUR)
    no = check_money(having(a_run(1000), unpriced), placed(M5), NOON)
    assert no is not None
    assert no.because.startswith("policy.budgets.money_usd needs the price of ml.c5.xlarge, but ")


def test_of_several_instance_types_the_one_without_a_price_is_named() -> None:
    attempts = [an_attempt(training_started_at=NOON), an_attempt(placed("ml.c5.xlarge"), training_seconds=HOUR)]
    no = check_money(having(a_run(1000), *attempts), placed(M5), after(HOUR))
    assert no is not None
    assert no.because.startswith("policy.budgets.money_usd needs the price of ml.c5.xlarge, but ")


def test_an_attempt_that_trained_for_less_than_a_second_says_nothing_of_savings() -> None:
    account = account_of(having(a_run(), an_attempt(training_seconds=0, billable_seconds=0)), NOON)
    assert account.savings_percent is None


def test_a_heterogeneous_cluster_has_no_price() -> None:
    groups = [{"InstanceGroupName": "a", "InstanceType": M5, "InstanceCount": 2}]
    job: dict[str, Any] = {"ResourceConfig": {"InstanceGroups": groups, "VolumeSizeInGB": 10}}
    run = accept(submission(Policy(budgets=Budgets(money_usd=1000)), **job), "one", NOON, PRICES)
    assert run.prices is None
    assert check_money(run, run.current.placement, NOON) == snapshot(
        No(
            because="policy.budgets.money_usd needs the price of ml.m5.xlarge, but a heterogeneous cluster (InstanceGroups) has none. Leave the budget out."
        )
    )


@given(
    money=st.floats(0.01, 1000),
    price=st.floats(0.01, 100),
    count=st.integers(1, 100),
    runtime=st.integers(60, 28 * 24 * HOUR),
    billable=st.lists(st.integers(0, 28 * 24 * HOUR), max_size=5),
)
def test_an_attempt_that_is_affordable_leaves_the_run_within_its_budget(
    money: float, price: float, count: int, runtime: int, billable: list[int]
) -> None:
    prices = PriceList("a list", NOON, {M5: Price(price)})
    run = a_run(money, prices, StoppingCondition={"MaxRuntimeInSeconds": runtime, "MaxWaitTimeInSeconds": runtime})
    ended = [an_attempt(placed(M5, count), training_seconds=s, billable_seconds=s) for s in billable]
    run = having(run, *ended, run.current)
    if check_money(run, placed(M5, count), NOON) is None:
        worst = an_attempt(placed(M5, count), training_seconds=runtime, billable_seconds=runtime)
        cost = account_of(having(run, *ended, worst), NOON).cost_usd
        assert cost is not None
        assert cost <= money + 1e-6
