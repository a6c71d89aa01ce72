"""Deadlines where not all goes well: full and small quotas, dear on-demand, missed deadlines, resumptions; and none.

With two hours of training to do in five, a run falls behind its pace after 9 000 seconds.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spot_relay.domain.decide.decision import decide
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.observation import DeadlineChange, DeadlineRequested, MoveRequested, ResumeRequested
from spot_relay.domain.run.policy import Budgets, Policy, ReturnToSpot, Rung
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.service import RejectedError
from tests.fakes import NOON
from tests.unit.any_run import facts, moments, runs
from tests.unit.worlds import World, deadline, submission

if TYPE_CHECKING:
    from spot_relay.domain.decide.facts import Facts
    from spot_relay.domain.run.run import Run

HOUR = 3600
BEHIND = 9000
M5 = "ml.m5.xlarge"
CAPACITY = "CapacityError: Unable to provision requested ML compute capacity."
USER_ERROR = "AlgorithmError: exit code 1"


def full(market: str = "spot training job", limit: int = 1) -> tuple[Refusal, str]:
    """A quota that is full for now or, with a limit of 0, too small for any attempt."""
    kind = Refusal.QUOTA_FULL if limit else Refusal.QUOTA_TOO_SMALL
    return kind, (
        f"The account-level service limit '{M5} for {market} usage' is {limit} Instances, with current utilization of "
        f"{limit} Instances and a request delta of 1 Instances."
    )


def submitted(policy: Policy | None = None, world: World | None = None, **changes: Any) -> World:
    world = world or World()
    world.service.submit(submission(policy or deadline(5 * HOUR), **changes))
    return world


def until(world: World, seconds: float) -> Run:
    return world.passes(seconds - (world.clock() - NOON).total_seconds())


def placements(world: World) -> list[tuple[str, Market]]:
    return [(a.placement.instance_type, a.placement.market) for a in world.run().attempts]


def test_a_run_that_waits_for_room_goes_on_demand_when_it_falls_behind_under_the_same_name() -> None:
    world = World()
    world.jobs.refusals = [full()] * 1000
    submitted(world=world)
    run = until(world, BEHIND - 60)
    assert run.waits_for == run.current.placement.pool
    world.jobs.refusals = []
    run = until(world, BEHIND)
    assert placements(world) == [(M5, Market.ON_DEMAND)]
    assert (run.status, run.current.cause) == (RunStatus.IN_PROGRESS, Cause.BEHIND_PACE)
    [request] = world.jobs.requests
    assert request["TrainingJobName"] == "churn-relay-01"
    assert "EnableManagedSpotTraining" not in request


def test_a_run_that_waits_for_room_is_looked_at_when_it_falls_behind() -> None:
    world = World()
    world.jobs.refusals = [full()] * 1000
    submitted(deadline(5 * HOUR), world)
    until(world, BEHIND - 60)
    world.clock.passes(30)
    run = world.run()
    assert run.check_at is not None
    assert run.check_at <= NOON + timedelta(seconds=BEHIND)


def test_a_launch_that_may_exist_goes_nowhere_else() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.UNAVAILABLE, "SageMaker did not answer")] * 1000
    submitted(world=world)
    until(world, 2 * BEHIND)
    assert placements(world) == [(M5, Market.SPOT)]


def test_on_demand_is_the_ladders_first_on_demand_rung() -> None:
    rungs = [Placement(M5, 1, Market.SPOT), Placement("ml.c5.xlarge", 1, Market.SPOT)]
    rungs += [Placement("ml.g5.xlarge", 2, Market.ON_DEMAND), Placement("ml.p3.2xlarge", 1, Market.ON_DEMAND)]
    world = submitted(deadline(5 * HOUR, ladder=tuple(Rung(rung) for rung in rungs)))
    until(world, BEHIND)
    run = world.tell(1, "Stopped", "Stopped")
    assert (run.current.placement, run.current.rung) == (rungs[2], 2)
    assert world.jobs.requests[-1]["ResourceConfig"]["InstanceCount"] == 2


def test_a_ladder_without_an_on_demand_rung_goes_on_demand_with_the_instances_it_is_on() -> None:
    ladder = (Rung(Placement(M5, 1, Market.SPOT)), Rung(Placement("ml.g5.xlarge", 1, Market.SPOT)))
    world = submitted(deadline(5 * HOUR, ladder=ladder))
    world.tell(1, "Stopped", "MaxWaitTimeExceeded")
    until(world, BEHIND)
    world.tell(2, "Stopped", "Stopped")
    kinds = [M5, "ml.g5.xlarge", "ml.g5.xlarge"]
    assert placements(world) == list(zip(kinds, [Market.SPOT, Market.SPOT, Market.ON_DEMAND], strict=True))


def test_an_on_demand_quota_that_is_too_small_leaves_the_run_on_spot() -> None:
    world = submitted()
    until(world, BEHIND)
    world.jobs.refusals = [full("training job", 0)]
    run = world.tell(1, "Stopped", "Stopped")
    assert run.status is RunStatus.IN_PROGRESS
    assert placements(world) == [(M5, Market.SPOT)] * 2
    assert world.live_jobs() == ["churn-relay-02"]
    run = until(world, 6 * HOUR)
    assert world.jobs.stopped == ["churn-relay-01"], "there is nowhere to switch to"
    assert run.status is RunStatus.IN_PROGRESS


def test_on_demand_that_the_money_budget_cannot_pay_leaves_the_run_on_spot() -> None:
    world = World()
    world.prices.write(PriceList("a list", NOON, {M5: Price(0.24, 0.08)}))
    submitted(deadline(5 * HOUR, budgets=Budgets(money_usd=0.2)), world)
    run = until(world, 6 * HOUR)
    assert world.jobs.stopped == []
    assert run.check_at == world.clock() + timedelta(seconds=300), "it is looked at as any other run"
    world.trains(1, 1800)
    assert world.tell(1, "Completed", "Completed").status is RunStatus.COMPLETED


def test_a_stack_that_slept_until_after_the_deadline_takes_the_run_on_demand_and_to_its_end() -> None:
    world = submitted()
    world.clock.passes(30 * HOUR)
    world.tick()
    run = world.tell(1, "Stopped", "Stopped")
    assert (run.current.placement.market, run.current.cause) == (Market.ON_DEMAND, Cause.SAFETY_NET)
    world.trains(2, 7200)
    run = world.passes(600)
    assert run.status is RunStatus.IN_PROGRESS
    assert world.live_jobs() == ["churn-relay-02"], "no canary, no switch"
    assert world.tell(2, "Completed", "Completed").status is RunStatus.COMPLETED


def test_a_job_that_trains_longer_than_expected_goes_on() -> None:
    world = submitted()
    world.trains(1, 0)
    for hour in range(4):
        world.passes(HOUR)
        world.checkpoint(f"c{hour}")
    run = world.passes(300)
    assert run.progress_seconds > 7200
    assert world.jobs.stopped == []
    assert world.tell(1, "Completed", "Completed").status is RunStatus.COMPLETED


def test_a_run_that_should_have_been_done_waits_for_spot_until_its_safety_net() -> None:
    world = submitted()
    world.trains(1, 7500)
    world.checkpoint("a")
    world.tell(1, "InProgress", "Interrupted")
    until(world, 5 * HOUR - 1500 - 60)
    assert world.jobs.stopped == []
    until(world, 5 * HOUR - 1500)
    run = world.tell(1, "Stopped", "Stopped")
    assert run.current.cause == Cause.SAFETY_NET


def test_each_attempt_may_wait_until_the_deadline() -> None:
    world = submitted()
    world.clock.passes(HOUR)
    world.tell(1, "Failed", "Failed", failure_reason=CAPACITY)
    world.passes(60)
    waits = [request["StoppingCondition"]["MaxWaitTimeInSeconds"] for request in world.jobs.requests]
    assert waits == [5 * HOUR, 4 * HOUR - 60]
    assert all(request["StoppingCondition"]["MaxRuntimeInSeconds"] == HOUR for request in world.jobs.requests)


def test_an_attempt_planned_late_may_still_run_for_its_max_runtime() -> None:
    world = submitted(StoppingCondition={"MaxRuntimeInSeconds": 4 * HOUR, "MaxWaitTimeInSeconds": 4 * HOUR})
    world.clock.passes(2 * HOUR)
    world.tell(1, "Stopped", "MaxWaitTimeExceeded")
    assert world.jobs.requests[-1]["StoppingCondition"]["MaxWaitTimeInSeconds"] == 4 * HOUR


def failed(policy: Policy | None = None, **changes: Any) -> World:
    """A service with one run that trained for half an hour, left a checkpoint, and failed by its own code."""
    world = submitted(policy or deadline(5 * HOUR), **changes)
    world.trains(1, 1800)
    world.checkpoint("a")
    assert world.tell(1, "Failed", "Failed", failure_reason=USER_ERROR).status is RunStatus.FAILED
    return world


def resumed(world: World, budgets: dict[str, Any] | None = None, **change: Any) -> Run:
    return world.service.resume("churn", ResumeRequested(budgets or {}, DeadlineChange(**change) if change else None))


def test_a_resumption_with_a_later_deadline_has_all_the_time_until_then() -> None:
    world = failed()
    world.clock.passes(20 * HOUR)
    run = resumed(world, within_seconds=10 * HOUR)
    assert run.deadline_at == world.clock() + timedelta(hours=10)
    assert run.current.placement.market is Market.SPOT
    assert world.jobs.requests[-1]["StoppingCondition"]["MaxWaitTimeInSeconds"] == 10 * HOUR
    assert run.policy.deadline is not None
    assert run.policy.deadline.expected_runtime_seconds == 7200, "what was not given stays as it was"


def test_a_resumption_without_a_deadline_of_its_own_keeps_the_old_one() -> None:
    world = failed()
    run = resumed(world, {"user_errors": 3})
    assert run.deadline_at == NOON + timedelta(hours=5)
    assert run.policy.budgets.user_errors == 3
    assert run.current.placement.market is Market.SPOT


def test_a_resumption_after_the_deadline_goes_on_demand_at_once() -> None:
    world = failed()
    world.clock.passes(20 * HOUR)
    run = resumed(world)
    assert (run.current.placement.market, run.current.cause) == (Market.ON_DEMAND, "Resumed")
    world.trains(2, 1800)
    world.checkpoint("b")
    world.passes(HOUR)
    assert world.live_jobs() == ["churn-relay-02"], "and stays there"


@pytest.mark.parametrize(("seconds", "feasible"), [(6000, True), (5999, False)])
def test_a_resumption_needs_the_time_for_what_is_left_to_do(seconds: int, feasible: bool) -> None:
    # Of 7 200 s a checkpoint holds 1 800; a changeover takes 600.
    world = failed()
    if feasible:
        assert resumed(world, within_seconds=seconds).current.placement.market is Market.ON_DEMAND
        return
    soonest = (world.clock() + timedelta(seconds=6000)).isoformat(timespec="seconds")
    with pytest.raises(RejectedError, match="cannot be met") as raised:
        resumed(world, within_seconds=seconds)
    assert soonest in str(raised.value)
    assert world.run().status is RunStatus.FAILED


def test_a_run_gets_a_first_deadline_only_with_all_that_it_needs() -> None:
    world = failed(Policy())
    parts: list[dict[str, Any]] = [{"within_seconds": 9 * HOUR}, {"expected_runtime_seconds": HOUR}]
    for change in (*parts, {"changeover_seconds": 60}):
        with pytest.raises(RejectedError, match="needs both deadline and expected_runtime"):
            resumed(world, **change)
    run = resumed(world, within_seconds=9 * HOUR, expected_runtime_seconds=HOUR)
    assert run.deadline_at == world.clock() + timedelta(hours=9)
    assert run.policy.deadline is not None
    assert run.policy.deadline.return_to_spot is ReturnToSpot.CANARY


def test_a_run_without_checkpoints_gets_no_deadline() -> None:
    world = failed(Policy(restart_from_scratch=True), CheckpointConfig=None)
    with pytest.raises(RejectedError, match="no CheckpointConfig"):
        resumed(world, within_seconds=9 * HOUR, expected_runtime_seconds=HOUR)


def test_a_job_by_the_name_of_an_algorithm_is_resumed_with_a_blind_return_and_no_canary() -> None:
    world = failed(Policy(), AlgorithmSpecification={"AlgorithmName": "mine", "TrainingInputMode": "File"})
    first: dict[str, Any] = {"within_seconds": 9 * HOUR, "expected_runtime_seconds": HOUR}
    with pytest.raises(RejectedError, match="return_to_spot cannot be canary"):
        resumed(world, **first, return_to_spot=ReturnToSpot.CANARY)
    run = resumed(world, **first)
    assert run.policy.deadline is not None
    assert run.policy.deadline.return_to_spot is ReturnToSpot.BLIND


def test_an_attempt_that_was_never_created_is_resumed_by_the_new_deadline() -> None:
    world = World()
    world.jobs.refusals = [full(), (Refusal.INVALID, "no such role")]
    submitted(world=world)
    world.passes(60)
    assert world.run().current.outcome is Outcome.NEVER_CREATED
    world.clock.passes(20 * HOUR)
    world.jobs.refusals = [full()]
    run = resumed(world, within_seconds=10 * HOUR)
    assert run.current.waiting_since == world.clock(), "it begins to wait now"
    world.passes(60)
    [request] = world.jobs.requests
    assert request["TrainingJobName"] == "churn-relay-01"
    assert request["StoppingCondition"]["MaxWaitTimeInSeconds"] == 10 * HOUR


def test_an_attempt_that_was_never_created_is_resumed_on_demand_where_the_deadline_asks_for_it() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.INVALID, "no such role")]
    submitted(world=world)
    world.clock.passes(20 * HOUR)
    run = resumed(world, within_seconds=8000)
    assert (run.current.job_name, run.current.placement.market) == ("churn-relay-01", Market.ON_DEMAND)
    assert world.live_jobs() == ["churn-relay-01"]


def test_a_deadline_that_was_never_given_changes_no_request() -> None:
    world = submitted(Policy())
    world.passes(40 * HOUR)
    assert world.jobs.stopped == []
    [request] = world.jobs.requests
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": HOUR, "MaxWaitTimeInSeconds": 7200}
    assert world.run().deadline_at is None


def test_a_run_with_no_deadline_stays_on_demand_where_its_ladder_has_led_it() -> None:
    ladder = (Rung(Placement(M5, 1, Market.SPOT)), Rung(Placement(M5, 1, Market.ON_DEMAND), 50))
    world = submitted(Policy(ladder=ladder))
    world.tell(1, "Stopped", "MaxWaitTimeExceeded")
    world.trains(2, 0)
    world.checkpoint("a")
    world.passes(40 * HOUR)
    assert world.live_jobs() == ["churn-relay-02"]
    assert world.jobs.stopped == []


@st.composite
def without_deadline(draw: st.DrawFn) -> Run:
    """A run in any state that never had a deadline, and that no user has moved."""
    run = draw(runs())
    attempts = tuple(replace(a, switch_to=None, max_wait_seconds=None, cause=Cause.SUBMITTED) for a in run.attempts)
    policy = replace(run.policy, deadline=None)
    return replace(run, policy=policy, deadline_at=None, canaries=(), attempts=attempts, moved_to=None)


@settings(deadline=None)
@given(run=without_deadline(), known=facts, now=moments)
def test_without_a_deadline_there_is_no_canary_no_switch_and_no_wait_but_the_jobs_own(
    run: Run, known: Facts, now: Any
) -> None:
    if isinstance(known.observation, ResumeRequested):
        known = replace(known, observation=replace(known.observation, deadline=None))
    assume(not isinstance(known.observation, MoveRequested | DeadlineRequested))
    decision = decide(run, known, now)
    after, current = decision.run, decision.run.current
    assert after.canaries == ()
    assert (decision.owes.canary, decision.owes.stop_canary) == (None, None)
    assert all(attempt.switch_to is None and attempt.max_wait_seconds is None for attempt in after.attempts)
    assert current.cause not in {Cause.SAFETY_NET, Cause.BEHIND_PACE, Cause.AHEAD_OF_PACE}
    rungs = [rung.placement for rung in run.policy.ladder]
    assert current.placement in [*rungs, run.current.placement]
