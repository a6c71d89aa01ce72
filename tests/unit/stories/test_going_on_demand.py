"""Where a run goes on demand, and what keeps it there: other pools, the money budget, and the safety net's mark."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.observation import ResumeRequested
from spot_relay.domain.run.policy import Backoff, Budgets, ReturnToSpot, Rung
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.refusal import Refusal
from tests.fakes import NOON, MemoryPrices
from tests.unit.worlds import World, deadline, submission

HOUR = 3600
M5, G5 = "ml.m5.xlarge", "ml.g5.2xlarge"
CAPACITY = "CapacityError: Unable to provision requested ML compute capacity."
SERVICE = "InternalServerError: We encountered an internal error.  Please try again."
LADDER = (
    Rung(Placement(M5, 1, Market.SPOT)),
    Rung(Placement(M5, 1, Market.ON_DEMAND)),
    Rung(Placement(G5, 1, Market.ON_DEMAND)),
)


def netted(**policy: object) -> World:
    """A run that the safety net has put on demand at once, since its deadline leaves no time for anything else."""
    world = World()
    policy = {"expected_runtime_seconds": 10 * HOUR, "changeover_seconds": 600, **policy}
    world.service.submit(submission(deadline(10 * HOUR + 700, **policy)))
    assert world.run().current.cause == Cause.SAFETY_NET
    return world


def test_an_on_demand_pool_that_has_no_capacity_is_followed_by_the_next_one_at_once() -> None:
    world = netted(ladder=LADDER)
    assert world.run().current.placement.instance_type == M5
    world.clock.passes(60)
    run = world.tell(1, "Failed", "Failed", failure_reason=CAPACITY)
    assert run.current.number == 2
    assert run.current.placement == Placement(G5, 1, Market.ON_DEMAND)


def test_the_safety_nets_mark_stays_on_the_attempts_that_follow_its_own() -> None:
    world = netted()
    world.trains(1)
    world.checkpoint("a")
    run = world.tell(1, "Failed", "Failed", failure_reason=SERVICE)
    run = world.passes(60)
    assert (run.current.number, run.current.cause) == (2, Cause.SAFETY_NET)


def test_a_throttled_launch_is_tried_again_before_the_deadlines_rule_is_past() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.THROTTLED, "Rate exceeded")] * 9
    known = deadline(11 * HOUR, expected_runtime_seconds=10 * HOUR)
    world.service.submit(submission(replace(known, backoff=Backoff(7200, 7200))))
    run = world.run()
    assert run.check_at is not None
    assert (run.check_at - world.clock()).total_seconds() < HOUR


@pytest.mark.parametrize("way", [ReturnToSpot.CANARY, ReturnToSpot.BLIND])
def test_a_return_to_spot_that_the_money_budget_could_not_pay_is_not_begun(way: ReturnToSpot) -> None:
    world = World(prices=MemoryPrices(PriceList("a list", NOON, {M5: Price(1.0)})))
    first = (Rung(Placement(M5, 1, Market.ON_DEMAND)), Rung(Placement(M5, 1, Market.SPOT)))
    known = deadline(100 * HOUR, expected_runtime_seconds=20 * HOUR, return_to_spot=way, ladder=first)
    hours_21 = {"MaxRuntimeInSeconds": 21 * HOUR, "MaxWaitTimeInSeconds": 21 * HOUR}
    world.service.submit(submission(replace(known, budgets=Budgets(money_usd=21.0)), StoppingCondition=hours_21))
    world.trains(1, 0)
    for number in range(19):
        world.passes(HOUR)
        world.checkpoint(str(number))
    assert world.jobs.stopped == []
    assert [request["TrainingJobName"] for request in world.jobs.requests] == ["churn-relay-01"]
    assert world.tell(1, "Completed", "Completed").status is RunStatus.COMPLETED


def test_a_spot_job_that_trains_again_is_not_asked_a_second_time_to_stop_for_a_switch() -> None:
    world = World()
    world.service.submit(submission(deadline(30 * HOUR, expected_runtime_seconds=20 * HOUR)))
    world.passes(5 * HOUR)
    assert world.jobs.stopped == ["churn-relay-01"]
    world.jobs.becomes("churn-relay-01", "InProgress", "Training", training_started_at=world.clock())
    world.passes(600)
    assert world.jobs.stopped == ["churn-relay-01"]


def test_training_that_is_saved_while_the_job_stops_is_not_counted_as_lost() -> None:
    world = World()
    world.service.submit(submission())
    world.trains(1, 600)
    world.service.stop("churn")
    world.passes(60)
    world.checkpoint("at the end")
    run = world.tell(1, "Stopped", "Stopped", training_seconds=700)
    assert run.status is RunStatus.STOPPED
    assert run.progress_seconds == 600
    assert run.current.wasted_seconds == 0


def test_training_of_a_job_that_was_looked_at_while_it_uploaded_is_all_kept() -> None:
    world = World()
    world.service.submit(submission())
    world.trains(1, 4000)
    world.jobs.becomes("churn-relay-01", "InProgress", "Uploading")
    world.passes(600)
    run = world.tell(1, "Completed", "Completed", training_seconds=4000, billable_seconds=1000)
    assert run.progress_seconds == 4000
    assert run.current.wasted_seconds == 0


def test_a_money_budget_given_by_a_resumption_to_a_run_without_prices_is_rejected_with_the_reason() -> None:
    world = World()
    world.service.submit(submission())
    world.trains(1, 600)
    run = world.tell(1, "Failed", "Failed", failure_reason="AlgorithmError: exit code 1", training_seconds=600)
    assert run.status is RunStatus.FAILED
    with pytest.raises(Exception, match="needs the price"):
        world.service.resume("churn", ResumeRequested(budgets={"money_usd": 100.0}))


def test_a_run_that_is_never_to_return_stays_on_demand_after_an_error_of_sagemaker_too() -> None:
    world = World()
    first = (Rung(Placement(M5, 1, Market.ON_DEMAND)), Rung(Placement(M5, 1, Market.SPOT)))
    never = {"return_to_spot": ReturnToSpot.NEVER, "ladder": first}
    world.service.submit(submission(deadline(100 * HOUR, expected_runtime_seconds=20 * HOUR, **never)))
    world.trains(1)
    world.checkpoint("a")
    world.tell(1, "Failed", "Failed", failure_reason=SERVICE)
    run = world.passes(60)
    assert run.current.number == 2
    assert run.current.placement.market is Market.ON_DEMAND
