"""Switches between the markets, step by step: what is said, what is asked of SageMaker, and when it is looked at."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.decide.markets import next_look
from spot_relay.domain.run.attempt import AttemptStatus, Canary
from spot_relay.domain.run.observation import Due
from spot_relay.domain.run.policy import ReturnToSpot, Rung
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import Market, Placement
from tests.fakes import NOON
from tests.unit.canaries import CANARY, HOUR, RELAYS, ahead, kept, on_demand
from tests.unit.worlds import World, deadline, submission

M5 = "ml.m5.xlarge"
ON_DEMAND, SPOT = Placement(M5, 1, Market.ON_DEMAND), Placement(M5, 1, Market.SPOT)


def look_in(world: World) -> float:
    """The seconds until the run is looked at."""
    check_at = world.run().check_at
    assert check_at is not None
    return (check_at - world.clock()).total_seconds()


def waiting(seconds: int = 5 * HOUR, **known: Any) -> World:
    """A run with two hours of training to do, that waits for spot capacity."""
    world = World()
    world.service.submit(submission(deadline(seconds, **known)))
    return world


def test_a_run_behind_its_pace_is_stopped_and_looked_at_soon_for_the_end_of_its_job() -> None:
    world = waiting()
    run = world.passes(9000)
    assert (world.jobs.stopped, run.current.switch_to) == (["churn-relay-01"], Market.ON_DEMAND)
    assert look_in(world) == 30
    assert run.status is RunStatus.IN_PROGRESS


def test_a_run_at_its_safety_net_is_stopped_once() -> None:
    world = waiting(changeover_seconds=600)
    world.trains(1, HOUR)
    world.clock.passes(5 * HOUR)
    world.tell(1, "InProgress", "Interrupted")
    run = world.passes(60)
    assert (world.jobs.stopped, run.current.switch_to) == (["churn-relay-01"], Market.ON_DEMAND)


def test_a_stop_that_got_lost_is_asked_for_again() -> None:
    world = waiting()
    world.passes(9000)
    world.jobs.becomes("churn-relay-01", "InProgress", "Starting")
    world.passes(60)
    assert world.jobs.stopped == ["churn-relay-01"] * 2
    assert look_in(world) == 30


def test_a_stop_that_is_under_way_is_not_asked_for_again() -> None:
    world = waiting()
    world.passes(9000)
    world.passes(60)
    assert world.jobs.stopped == ["churn-relay-01"]


def test_the_canary_may_wait_until_the_deadline_and_no_longer() -> None:
    world = ahead()
    run = world.run()
    assert run.canary is not None
    assert run.deadline_at is not None
    left = (run.deadline_at - run.canary.planned_at).total_seconds()
    assert run.canary.max_wait_seconds == left
    [request] = [r for r in world.jobs.requests if r["TrainingJobName"] == CANARY]
    assert request["StoppingCondition"]["MaxWaitTimeInSeconds"] == left


def test_a_run_whose_ladder_has_no_spot_rung_sends_no_canary() -> None:
    world = World()
    known = deadline(100 * HOUR, expected_runtime_seconds=20 * HOUR, ladder=(Rung(ON_DEMAND),))
    world.service.submit(submission(known))
    world.trains(1, 0)
    for hour in range(10):
        kept(world, HOUR - 300, f"c{hour}")
    assert world.live_jobs() == RELAYS[:1]
    assert world.run().canaries == ()
    assert look_in(world) <= 300


def test_while_it_waits_a_run_is_looked_at_every_five_minutes_until_a_rule_can_fire() -> None:
    world = waiting()
    world.passes(300)
    assert look_in(world) == 300
    world.passes(9000 - 300 - 180)
    assert look_in(world) == 180
    assert world.jobs.stopped == []


def test_while_it_trains_a_run_is_looked_at_when_an_interruption_could_not_wait_and_never_more_than_once_a_minute() -> (
    None
):
    world = waiting(changeover_seconds=600)
    world.trains(1, 0)
    # Its net takes two changeovers and the five minutes of a reaction.
    run = world.run()
    assert run.deadline_at is not None
    net = run.deadline_at - timedelta(seconds=2 * HOUR + 2 * 600 + 300)
    for before, look in ((200, 200), (100, 100), (30, 60), (-600, 60)):
        world.store.runs["churn"] = replace(world.run(), check_at=net - timedelta(seconds=before))
        world.clock.now = net - timedelta(seconds=before)
        world.advance(Due())
        assert look_in(world) == look, before


def test_a_run_that_is_never_to_return_is_looked_at_every_five_minutes() -> None:
    world = on_demand(ReturnToSpot.NEVER)
    kept(world, 5 * HOUR)
    world.store.runs["churn"] = replace(world.run(), check_at=world.clock())
    world.advance(Due())
    assert look_in(world) == 300
    assert world.live_jobs() == RELAYS[1:]


@pytest.mark.parametrize("every", [60, 600])
def test_no_run_goes_unseen_for_longer_than_the_stack_says(every: int) -> None:
    for policy in (None, deadline(40 * HOUR)):
        world = World()
        world.service = replace(world.service, check_every=timedelta(seconds=every))
        world.service.submit(submission(policy))
        assert look_in(world) == every
        world.trains(1, 0)
        assert look_in(world) <= every
        world.clock.passes(every)
        world.tick()
        assert look_in(world) == every


@pytest.mark.parametrize(("ahead_in", "look"), [(200, 200), (400, 300), (20, 60)])
def test_on_demand_a_run_is_looked_at_when_it_may_return_and_no_sooner_than_in_a_minute(
    ahead_in: int, look: int
) -> None:
    # 10 000 seconds before the deadline work may be 8 000 seconds; on demand it falls behind that by a fifth.
    work = 8000 + ahead_in / 5
    known = deadline(13_000, expected_runtime_seconds=round(work), changeover_seconds=300)
    run = accept(submission(known), "one", NOON)
    attempt = replace(run.current, placement=ON_DEMAND, status=AttemptStatus.IN_PROGRESS)
    now = NOON + timedelta(seconds=3000)
    assert next_look(run.with_attempt(attempt), now, timedelta(minutes=5)) == now + timedelta(seconds=look)
    planned = run.with_attempt(replace(attempt, status=AttemptStatus.PLANNED))
    assert next_look(planned, now, timedelta(minutes=5)) == now + timedelta(minutes=5)
    sent = Canary(1, "churn-canary-01", SPOT, NOON, HOUR)
    waits = replace(run.with_attempt(attempt), canaries=(sent,))
    assert next_look(waits, now, timedelta(minutes=5)) == now + timedelta(minutes=5)


def test_a_run_that_has_to_go_on_demand_is_looked_at_at_once_and_one_that_cannot_when_it_is_its_time() -> None:
    run = accept(submission(deadline(5 * HOUR)), "one", NOON)
    waits = replace(run.current, status=AttemptStatus.IN_PROGRESS, waiting_since=NOON)
    run, now, every = run.with_attempt(waits), NOON + timedelta(hours=3), timedelta(minutes=5)
    assert next_look(run, now, every) == now
    assert next_look(replace(run, closed=(ON_DEMAND,)), now, every) == now + every


def test_news_of_a_job_that_is_being_stopped_for_a_switch_has_it_looked_at_no_sooner_than_soon() -> None:
    world = waiting()
    world.passes(9000)
    world.clock.passes(5)
    run = world.tell(1, "Stopping", "Stopping")
    assert run.check_at is not None
    assert run.check_at > world.clock()


@pytest.mark.parametrize(("attempts", "returns"), [(48, True), (49, False)])
def test_a_run_with_less_than_two_attempts_left_does_not_return_to_spot(attempts: int, returns: bool) -> None:
    world = on_demand()
    run = world.run()
    earlier = [replace(run.attempts[0], number=number) for number in range(1, attempts)]
    run = replace(run, attempts=(*earlier, replace(run.current, number=attempts)), progress_seconds=HOUR)
    day = timedelta(days=1)
    assert (next_look(run, world.clock(), day) < world.clock() + day) is returns
