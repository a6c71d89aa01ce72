"""What a plan says is what the simulated SageMaker then does with the run, on the market that the plan speaks of."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest

from bench.descriptions import BEGINNING
from bench.policy.virtual import STOPPING_S, TICK_S, VirtualRun
from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.plan.jobs import Luck
from spot_relay.domain.plan.plan import Plan, build_plan
from spot_relay.domain.run.policy import ReturnToSpot
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import Market
from tests.unit.worlds import deadline, submission

if TYPE_CHECKING:
    from bench.policy.traces import Window
    from spot_relay.domain.run.run import Run

WORK: Final = 7200
ALWAYS: Final = ((-1e9, 1e9),)
NEVER: Final = ()
# A plan looks with the last tick that may come, and gives each stop all of its 120 s.
PATIENCE: Final = timedelta(seconds=2 * TICK_S + 120 - STOPPING_S)
# A job that gets capacity at once waits a second for it in a plan.
INSTANT: Final = timedelta(seconds=1)
WAYS: Final = [ReturnToSpot.NEVER, ReturnToSpot.CANARY, ReturnToSpot.BLIND]
STOPPING: Final = {"MaxRuntimeInSeconds": 9000, "MaxWaitTimeInSeconds": 9000}


def planned(seconds: int, changeover: int, way: ReturnToSpot) -> tuple[Run, Plan]:
    policy = deadline(seconds, expected_runtime_seconds=WORK, changeover_seconds=changeover, return_to_spot=way)
    run = accept(submission(policy, StoppingCondition=STOPPING), "submission", BEGINNING)
    return run, build_plan(run, None, {})


def simulated(run: Run, windows: tuple[Window, ...], changeover: int) -> Run:
    return VirtualRun(windows, WORK, changeover, run).run_to_end()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("changeover", [60, 600])
@pytest.mark.parametrize("hours", [3, 4, 8, 48])
def test_the_earliest_finish_is_that_of_a_run_whose_spot_capacity_is_always_there(
    hours: int, changeover: int, way: ReturnToSpot
) -> None:
    accepted, plan = planned(3600 * hours, changeover, way)
    run = simulated(accepted, ALWAYS, changeover)
    assert run.status is RunStatus.COMPLETED
    assert plan.earliest_finish is not None
    assert run.ended_at is not None
    assert timedelta(0) <= plan.earliest_finish - run.ended_at <= INSTANT


@pytest.mark.parametrize("way", [ReturnToSpot.NEVER, ReturnToSpot.CANARY])
@pytest.mark.parametrize("changeover", [60, 600])
@pytest.mark.parametrize("hours", [3, 4, 8, 48])
def test_without_any_spot_capacity_a_run_goes_on_demand_when_the_plan_says_so(
    hours: int, changeover: int, way: ReturnToSpot
) -> None:
    accepted, plan = planned(3600 * hours, changeover, way)
    never = plan.outlooks[Luck.NEVER]
    run = simulated(accepted, NEVER, changeover)
    assert never.on_demand_from is not None
    assert never.ended_at is not None
    first = next(attempt for attempt in run.attempts if attempt.placement.market is Market.ON_DEMAND)
    assert first.launched_at is not None
    assert run.ended_at is not None
    assert timedelta(0) <= never.on_demand_from - first.launched_at <= PATIENCE
    assert timedelta(0) <= never.ended_at - run.ended_at <= PATIENCE
    assert len(run.attempts) == never.attempts


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("changeover", [60, 600])
@pytest.mark.parametrize("hours", [3, 4, 8, 48])
def test_no_run_finishes_after_the_latest_finish_and_that_is_before_the_deadline(
    hours: int, changeover: int, way: ReturnToSpot
) -> None:
    accepted, plan = planned(3600 * hours, changeover, way)
    run = simulated(accepted, NEVER, changeover)
    assert plan.latest_finish is not None
    assert plan.deadline_at is not None
    assert run.ended_at is not None
    assert run.ended_at <= plan.latest_finish <= plan.deadline_at


def test_a_run_without_a_deadline_fails_when_the_plan_says_so_if_spot_never_comes() -> None:
    run = accept(submission(), "submission", BEGINNING)
    never = build_plan(run, None, {}).outlooks[Luck.NEVER]
    ended = simulated(run, NEVER, 0)
    assert (ended.status, len(ended.attempts)) == (never.status, never.attempts)
    assert ended.status is RunStatus.FAILED
    assert ended.ended_at is not None
    assert never.ended_at is not None
    stops = len(ended.attempts) * timedelta(seconds=120 - STOPPING_S)
    assert never.ended_at - ended.ended_at == stops
