"""When a run may change its market: go on-demand for its deadline, or return to spot by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.rules.switches import may_go_on_demand, may_return, seconds_waited, way_of
from spot_relay.domain.run.attempt import AttemptStatus, Canary
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.policy import Budgets, Policy, ReturnToSpot, Rung
from spot_relay.domain.run.run import MAX_ATTEMPTS
from spot_relay.domain.sagemaker.job import Market
from spot_relay.domain.sagemaker.request import CANARY_MAX_RUNTIME_SECONDS
from tests.fakes import NOON
from tests.unit.paid_runs import M5, P3, PRICES, placed
from tests.unit.worlds import deadline, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run

SPOT, ON_DEMAND = placed(M5), placed(M5, market=Market.ON_DEMAND)
WITHOUT_CHECKPOINTS: dict[str, Any] = {"CheckpointConfig": None}


def on_demand(way: ReturnToSpot = ReturnToSpot.CANARY, money: float | None = None, **changes: Any) -> Run:
    """Return a run with a deadline whose attempt has begun on-demand, and whose ladder has a spot rung."""
    policy = replace(deadline(36_000, return_to_spot=way), ladder=(Rung(ON_DEMAND), Rung(SPOT)))
    priced = replace(policy, budgets=Budgets(money_usd=money))
    run = replace(accept(submission(priced, **changes), "one", NOON, PRICES), prices=PRICES)
    return run.with_attempt(replace(run.current, status=AttemptStatus.IN_PROGRESS))


def with_attempt(**changes: Any) -> Run:
    run = on_demand()
    return run.with_attempt(replace(run.current, **changes))


def of_attempts(number: int) -> Run:
    """Return a run with so many attempts, the last of which is on-demand."""
    run = on_demand()
    return replace(run, attempts=tuple(replace(run.current, number=each + 1) for each in range(number)))


def returns(run: Run) -> bool:
    return may_return(run, run.current, NOON)


@pytest.mark.parametrize("way", [ReturnToSpot.CANARY, ReturnToSpot.BLIND])
def test_an_on_demand_attempt_may_return_to_spot(way: ReturnToSpot) -> None:
    assert returns(on_demand(way))


@pytest.mark.parametrize(
    "run",
    [
        with_attempt(cause=Cause.SAFETY_NET),
        replace(on_demand(), moved_to=Market.ON_DEMAND),
        with_attempt(status=AttemptStatus.PLANNED),
        with_attempt(status=AttemptStatus.ENDED),
        on_demand(**WITHOUT_CHECKPOINTS),
        replace(on_demand(), closed=(SPOT,)),
    ],
    ids=[
        "the safety net started it",
        "its user has moved the run",
        "it may not exist yet",
        "it has ended",
        "it would start from zero",
        "SageMaker refuses spot",
    ],
)
def test_some_attempts_may_never_return_to_spot(run: Run) -> None:
    assert not returns(run)


def test_a_return_needs_an_attempt_for_itself_and_one_for_the_way_back() -> None:
    assert returns(of_attempts(MAX_ATTEMPTS - 2))
    assert not returns(of_attempts(MAX_ATTEMPTS - 1))


def test_a_return_needs_money_for_the_spot_attempt_and_for_a_canary_that_is_still_to_be_sent() -> None:
    spot, canary = 0.08, 0.24 * CANARY_MAX_RUNTIME_SECONDS / 3600
    assert returns(on_demand(ReturnToSpot.BLIND, spot))
    assert not returns(on_demand(ReturnToSpot.BLIND, spot - 0.001))
    enough = 0.24 + canary
    assert returns(on_demand(money=enough))
    assert not returns(on_demand(money=enough - 0.001))
    sent = Canary(1, "one-canary-01", SPOT, NOON, 3600, billable_seconds=30)
    assert returns(replace(on_demand(money=enough - 0.001), canaries=(sent,)))
    assert not returns(replace(on_demand(money=enough - 0.001), canaries=(replace(sent, number=2),)))


def test_what_the_attempt_has_cost_by_now_is_spent() -> None:
    run = on_demand(ReturnToSpot.BLIND, 0.2)
    begun = replace(run.current, training_started_at=NOON)
    assert may_return(run.with_attempt(begun), begun, NOON + timedelta(minutes=30))
    assert not may_return(run.with_attempt(begun), begun, NOON + timedelta(minutes=31))
    two = of_attempts(2)
    earlier = two.with_attempt(replace(two.attempts[0], training_started_at=NOON))
    paid = replace(earlier, policy=on_demand(money=0.5).policy)
    assert may_return(paid, paid.current, NOON + timedelta(minutes=30))
    assert not may_return(paid, paid.current, NOON + timedelta(hours=2))


def test_a_run_goes_on_demand_if_it_may_have_another_attempt_and_can_pay_for_it() -> None:
    assert may_go_on_demand(on_demand(money=0.24), NOON)
    assert not may_go_on_demand(on_demand(money=0.239), NOON)
    assert not may_go_on_demand(replace(on_demand(), closed=(ON_DEMAND, placed(P3, market=Market.ON_DEMAND))), NOON)
    assert not may_go_on_demand(on_demand(**WITHOUT_CHECKPOINTS), NOON)


def test_without_a_deadline_a_run_never_returns_by_itself() -> None:
    assert way_of(accept(submission(Policy()), "one", NOON)) is ReturnToSpot.NEVER
    assert [way_of(on_demand(way)) for way in ReturnToSpot] == list(ReturnToSpot)


def test_an_attempt_has_waited_since_its_current_wait_began() -> None:
    attempt = on_demand().current
    assert seconds_waited(replace(attempt, waiting_since=NOON), NOON + timedelta(seconds=90)) == 90
    assert seconds_waited(attempt, NOON) == 0
