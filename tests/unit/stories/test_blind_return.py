"""The other ways back to spot: blindly, or not at all."""

from __future__ import annotations

import pytest

from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.policy import ReturnToSpot, Rung
from spot_relay.domain.sagemaker.job import Market, Placement
from tests.unit.canaries import HOUR, RELAYS, ahead, kept, markets, on_demand, stopped, until_stopped
from tests.unit.worlds import World, deadline, submission


def test_a_run_that_returns_blindly_is_stopped_without_a_canary_and_waits_for_spot() -> None:
    world = ahead(ReturnToSpot.BLIND)
    assert world.jobs.stopped == RELAYS
    run = stopped(world)
    assert (run.current.placement.market, run.current.cause) == (Market.SPOT, Cause.AHEAD_OF_PACE)
    assert run.canaries == ()


def test_a_blind_return_has_to_be_further_ahead() -> None:
    world = on_demand(ReturnToSpot.BLIND)
    kept(world, 1800)
    assert world.jobs.stopped == RELAYS[:1]


def test_a_blind_return_that_finds_nothing_comes_back_on_demand_for_its_pace() -> None:
    world = ahead(ReturnToSpot.BLIND)
    stopped(world)
    until_stopped(world, "churn-relay-03")
    run = stopped(world, 3)
    assert (run.current.placement.market, run.current.cause) == (Market.ON_DEMAND, Cause.BEHIND_PACE)


def test_a_run_that_never_returns_stays_on_demand() -> None:
    world = ahead(ReturnToSpot.NEVER)
    assert world.live_jobs() == RELAYS[1:]
    assert world.jobs.stopped == RELAYS[:1]


@pytest.mark.parametrize("way", [ReturnToSpot.CANARY, ReturnToSpot.BLIND])
def test_a_run_without_a_spot_rung_has_nowhere_to_return_to(way: ReturnToSpot) -> None:
    world = World()
    rung = Rung(Placement("ml.m5.xlarge", 1, Market.ON_DEMAND), 5)
    policy = deadline(90 * HOUR, return_to_spot=way, ladder=(rung,), expected_runtime_seconds=20 * HOUR)
    world.service.submit(submission(policy))
    world.trains(1, 0)
    kept(world, HOUR)
    assert world.live_jobs() == RELAYS[:1]
    assert world.jobs.stopped == []


def test_a_job_by_the_name_of_an_algorithm_returns_blindly() -> None:
    world = World()
    by_name = {"AlgorithmName": "mine", "TrainingInputMode": "File"}
    known = {"expected_runtime_seconds": 20 * HOUR, "return_to_spot": ReturnToSpot.BLIND}
    world.service.submit(submission(deadline(30 * HOUR, **known), AlgorithmSpecification=by_name))
    world.passes(5 * HOUR)
    world.tell(1, "Stopped", "Stopped")
    world.trains(2, 0)
    kept(world, 3 * HOUR)
    stopped(world)
    assert markets(world) == ["spot", "on-demand", "spot"]
