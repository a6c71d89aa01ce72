"""What a run makes of a refused launch: it tries again, goes elsewhere, or gives up and leaves nothing behind."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from spot_relay.domain.decide.decision import decide
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.observation import Due, Refused, RoomFreed
from spot_relay.domain.run.policy import Backoff, Policy, ReturnToSpot, Rung
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.refusal import Refusal
from tests.unit.crowds import G5, M5, SPOT, Crowd
from tests.unit.worlds import World, deadline, submission

HOUR = 3600
SPOT_M5, SPOT_G5 = Placement(M5, 1, Market.SPOT), Placement(G5, 1, Market.SPOT)
CAPACITY = "CapacityError: Unable to provision requested ML compute capacity."
TOO_SMALL = (
    "The account-level service limit 'ml.m5.xlarge for spot training job usage' is 0 Instances, with current "
    "utilization of 0 Instances and a request delta of 1 Instances."
)
FULL = TOO_SMALL.replace("is 0", "is 1").replace("of 0", "of 1")


def test_a_refusal_that_comes_after_the_end_of_its_run_or_of_its_attempt_changes_nothing() -> None:
    world = World()
    world.service.submit(submission())
    world.tell(1, "Stopped", "MaxWaitTimeExceeded")
    run = world.run()
    assert world.advance(Refused(1, Refusal.INVALID, "late")) == run
    assert world.advance(Refused(2, Refusal.INVALID, "late")) == run
    ended = world.tell(2, "Completed", "Completed")
    assert world.advance(Refused(2, Refusal.THROTTLED, "late")) == ended


def test_a_launch_without_an_answer_is_due_after_its_backoff() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.UNAVAILABLE, "Down.")]
    run = world.service.submit(submission())
    assert run.check_at == world.clock() + timedelta(seconds=15)
    assert (run.current.refusals, run.updated_at) == (1, world.clock())


def test_a_launch_without_an_answer_is_tried_again_when_the_pace_asks_for_on_demand_and_no_later() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.UNAVAILABLE, "Down.")]
    slow = replace(deadline(5 * HOUR), backoff=Backoff(20 * HOUR, 20 * HOUR))
    run = world.service.submit(submission(slow))
    assert run.check_at == world.clock() + timedelta(seconds=9000)


def test_a_launch_without_an_answer_of_a_run_behind_its_pace_has_five_minutes_all_the_same() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.UNAVAILABLE, "Down.")]
    slow = replace(deadline(9000, changeover_seconds=60), backoff=Backoff(20 * HOUR, 20 * HOUR))
    run = world.service.submit(submission(slow))
    assert run.current.placement.market is Market.SPOT
    assert run.check_at == world.clock() + timedelta(seconds=300)


@pytest.mark.parametrize(("draw", "seconds"), [(0.0, 20), (0.5, 65), (0.999_999, 110)])
def test_a_throttled_launch_is_tried_again_within_two_minutes_however_often_it_was_throttled(
    draw: float, seconds: float
) -> None:
    world = World()
    world.draw = draw
    world.jobs.refusals = [(Refusal.THROTTLED, "Rate exceeded.")] * 9
    run = world.service.submit(submission())
    for times in range(1, 9):
        assert run.check_at is not None
        assert (run.check_at - world.clock()).total_seconds() == pytest.approx(seconds, abs=0.001)
        assert run.current.refusals == times
        world.clock.now = run.check_at
        run = world.advance(Due())


def test_the_backoff_doubles_with_each_error_of_sagemaker_in_a_row() -> None:
    world = World()
    world.draw = 0.5
    world.service.submit(submission())
    waits = []
    for number in range(1, 5):
        run = world.tell(number, "Failed", "Failed", failure_reason="InternalServerError: We encountered")
        assert run.check_at is not None
        waits.append((run.check_at - world.clock()).total_seconds())
        world.passes(300)
    assert waits == [15, 30, 60, 120]


def test_a_quota_that_is_too_small_for_a_run_that_is_being_stopped_sends_it_nowhere_else() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.THROTTLED, "Rate exceeded.")]
    world.service.submit(submission(Policy(ladder=(Rung(SPOT_M5), Rung(SPOT_G5)))))
    world.service.stop("churn")
    run = world.advance(Refused(1, Refusal.QUOTA_TOO_SMALL, TOO_SMALL))
    assert run.status is RunStatus.STOPPED
    assert run.closed == ()
    assert world.jobs.requests == []


def test_a_refusal_for_good_gives_back_the_slot_that_a_launch_without_an_answer_had_taken() -> None:
    crowd = Crowd(limits=f"{M5}=1")
    crowd.jobs.hiccups = ["down"]
    crowd.submit("first")
    assert crowd.holders() == {"first-relay-01"}
    crowd.on_demand("on-demand")
    assert crowd.refusal("on-demand") is Refusal.LIMIT_REACHED
    crowd.jobs.refusals = [(Refusal.INVALID, "No such role.")]
    crowd.world.clock.passes(15)
    crowd.world.service.advance("first", Due())
    assert crowd.run("first").status is RunStatus.FAILED
    assert crowd.woken() == ["on-demand"], "a slot serves both markets"
    assert crowd.holders() == set()


def test_an_attempt_that_goes_to_another_pool_waits_for_none_and_begins_anew() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.QUOTA_FULL, FULL), (Refusal.QUOTA_TOO_SMALL, TOO_SMALL)]
    policy = deadline(40 * HOUR, expected_runtime_seconds=2 * HOUR, ladder=(Rung(SPOT_M5), Rung(SPOT_G5)))
    world.service.submit(submission(policy))
    assert (world.run().current.waits_for_room, world.run().current.waiting_since) == (True, world.clock())
    run = world.passes(60)
    attempt = run.current
    assert (attempt.number, attempt.status, attempt.placement) == (1, AttemptStatus.IN_PROGRESS, SPOT_G5)
    assert (attempt.waits_for_room, attempt.refusals) == (False, 0)
    assert attempt.waiting_since == world.clock(), "it waits for the capacity of its new pool, and since now"
    # It may wait until the deadline, by the time of its move.
    assert attempt.max_wait_seconds == 40 * HOUR - 60
    assert run.check_at == world.clock() + timedelta(minutes=5)


def test_an_attempt_that_rests_before_it_goes_elsewhere_is_due_then() -> None:
    world = World()
    ladder = (Rung(SPOT_G5), Rung(SPOT_M5), Rung(Placement(G5, 2, Market.SPOT)))
    world.service.submit(submission(Policy(ladder=ladder)))
    world.clock.passes(60)
    world.jobs.refusals = [(Refusal.QUOTA_TOO_SMALL, TOO_SMALL)]
    run = world.tell(1, "Failed", "Failed", failure_reason=CAPACITY)
    assert run.current.placement == Placement(G5, 2, Market.SPOT)
    assert run.check_at == world.clock() + timedelta(seconds=30)
    assert run.updated_at == world.clock()
    assert (run.current.waits_for_room, run.current.refusals, run.current.waiting_since) == (False, 0, None)


def test_a_run_that_has_waited_for_room_for_too_long_goes_on_demand() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.QUOTA_FULL, FULL)] * 1000
    world.service.submit(submission(deadline(5 * HOUR, return_to_spot=ReturnToSpot.NEVER)))
    world.passes(9000 - 60)
    assert world.run().current.waits_for_room
    world.jobs.refusals = []
    run = world.passes(60)
    assert (run.current.cause, run.current.placement.market) == (Cause.BEHIND_PACE, Market.ON_DEMAND)
    assert (run.current.waits_for_room, run.current.max_wait_seconds) == (False, None)


def test_a_run_that_no_on_demand_quota_can_hold_goes_on_waiting_for_room() -> None:
    world = World()
    full, closed = (Refusal.QUOTA_FULL, FULL), (Refusal.QUOTA_TOO_SMALL, TOO_SMALL)
    world.jobs.refusals = [full] * 1000
    world.service.submit(submission(deadline(5 * HOUR, return_to_spot=ReturnToSpot.NEVER)))
    world.passes(9000 - 60)
    world.jobs.refusals = [closed, *[full] * 1000]
    world.passes(60)
    assert world.run().closed == (Placement(M5, 1, Market.ON_DEMAND),)
    run = world.passes(15 * 60)
    assert (run.current.placement, run.current.waits_for_room) == (SPOT_M5, True)
    assert run.updated_at == world.clock()


@pytest.mark.parametrize(("draw", "seconds"), [(0.0, 60), (0.5, 90)])
def test_one_that_is_put_in_the_queue_looks_again_within_two_minutes_by_chance(draw: float, seconds: int) -> None:
    crowd = Crowd({SPOT: 1})
    crowd.submit("first", "second")
    crowd.world.draw = draw
    run = crowd.submit("third")
    assert crowd.refusal("third") is Refusal.QUEUED_BEHIND
    assert run.check_at == crowd.world.clock() + timedelta(seconds=seconds)


def test_a_wait_for_room_forgets_the_launches_that_got_no_answer_before() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.THROTTLED, "Rate exceeded."), (Refusal.QUOTA_FULL, FULL)]
    world.service.submit(submission())
    world.passes(120)
    assert (world.run().current.waits_for_room, world.run().current.refusals) == (True, 0)


def test_a_run_that_waits_for_room_behind_its_pace_is_looked_at_no_sooner_than_in_half_a_minute() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.QUOTA_FULL, FULL)] * 1000
    world.service.submit(submission(deadline(5 * HOUR, return_to_spot=ReturnToSpot.NEVER)))
    run = world.passes(9000 - 60)
    world.clock.passes(59)
    world.store.runs["churn"] = replace(run, check_at=world.clock())
    run = world.advance(Due())
    assert run.check_at == world.clock() + timedelta(seconds=30)


def test_a_launch_that_is_owed_is_due_again_once_no_function_can_be_at_it() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.QUOTA_FULL, FULL)]
    run = world.service.submit(submission())
    decision = decide(run, Facts(RoomFreed()), world.clock())
    assert (decision.owes.launch, decision.run.status) == (1, RunStatus.PENDING)
    assert decision.run.check_at == world.clock() + timedelta(seconds=90)


@pytest.mark.parametrize("before", [(Refusal.QUOTA_FULL, FULL), (Refusal.THROTTLED, "Rate exceeded.")])
def test_what_was_known_of_a_launch_in_one_pool_is_not_held_against_it_in_the_next(before: tuple[Refusal, str]) -> None:
    world = World()
    world.jobs.refusals = [before, (Refusal.QUOTA_TOO_SMALL, TOO_SMALL), (Refusal.THROTTLED, "Rate exceeded.")]
    world.service.submit(submission(Policy(ladder=(Rung(SPOT_M5), Rung(SPOT_G5)))))
    attempt = world.passes(120).current
    assert (attempt.placement, attempt.refusals) == (SPOT_G5, 1)
    assert (attempt.waits_for_room, attempt.waiting_since) == (False, None)
