"""What a run owes when it goes on after an end, what it says, and what it gives up with."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.decide.decision import decide
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.rules.next_place import on_demand_places
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.launch import launch_of_attempt
from spot_relay.domain.run.observation import CanaryChanged, JobChanged, Launched
from spot_relay.domain.run.outbox import Outbox, Room
from spot_relay.domain.run.policy import Backoff, Budgets, Deadline, Policy, ReturnToSpot, Rung
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.refusal import Refusal
from tests.fakes import NOON, MemoryPrices
from tests.unit.canaries import CANARY, ahead
from tests.unit.crowds import G5, M5, SPOT, Crowd
from tests.unit.worlds import World, deadline, submission

HOUR = 3600
CAPACITY = "CapacityError: Unable to provision requested ML compute capacity."
SPOT_M5, SPOT_G5 = Placement(M5, 1, Market.SPOT), Placement(G5, 1, Market.SPOT)
ON_DEMAND_M5, ON_DEMAND_G5 = Placement(M5, 1, Market.ON_DEMAND), Placement(G5, 1, Market.ON_DEMAND)
ROOM = Room(SPOT_M5.pool, "churn-relay-01")


def test_a_planned_stop_gives_back_its_room_and_its_figures() -> None:
    crowd = Crowd({SPOT: 1})
    urgent = Policy(deadline=Deadline(2 * HOUR, within_seconds=5 * HOUR, return_to_spot=ReturnToSpot.NEVER))
    crowd.submit("urgent", policy=urgent)
    crowd.submit("patient")
    crowd.minutes(151)
    assert crowd.jobs.stopped == ["urgent-relay-01"]
    run = crowd.ends("urgent", "Stopped", "Stopped", training_seconds=0, billable_seconds=0)
    assert (run.current.placement, run.current.resumes_from) == (ON_DEMAND_M5, None)
    assert crowd.woken() == ["patient"]
    assert crowd.world.telemetry.total("CapacityWaitSeconds") > 0


def test_a_planned_switch_to_a_market_that_its_pace_no_longer_asks_for_keeps_how_it_ended_as_its_cause() -> None:
    world = World()
    world.service.submit(submission(deadline(5 * HOUR)))
    world.passes(9000)
    run = replace(world.run(), policy=Policy(), deadline_at=None)
    job = world.jobs.becomes("churn-relay-01", "Stopped", "Stopped")
    event = JobChanged(1, "Stopped", "Stopped", world.clock())
    assert decide(run, Facts(event, job), world.clock()).run.current.cause == "Stopped"


def test_a_run_whose_last_rung_no_quota_can_hold_fails_with_its_room_given_back() -> None:
    world = World()
    world.service.submit(submission(Policy(ladder=(Rung(SPOT_M5), Rung(SPOT_G5)))))
    run = replace(world.run(), closed=(SPOT_M5, SPOT_G5))
    job = world.jobs.becomes("churn-relay-01", "Stopped", "MaxWaitTimeExceeded")
    now = world.clock()
    decision = decide(run, Facts(JobChanged(1, "Stopped", "MaxWaitTimeExceeded", now), job), now)
    assert (decision.run.status, decision.run.ended_at) == (RunStatus.FAILED, now)
    assert ROOM in decision.owes.freed
    assert {"WaitsExpired", "RunsFailed"} <= {measure.name for measure in decision.owes.measures}


def test_a_run_that_can_pay_for_no_further_attempt_fails_with_its_room_given_back() -> None:
    world = World(prices=MemoryPrices(PriceList("a list", NOON, {M5: Price(0.24, 0.08)})))
    world.service.submit(submission(Policy(budgets=Budgets(money_usd=0.1))))
    world.trains(1, 1800)
    world.checkpoint("a")
    run = world.run()
    job = world.jobs.becomes("churn-relay-01", "Stopped", "MaxWaitTimeExceeded", billable_seconds=1800)
    now = world.clock()
    decision = decide(run, Facts(JobChanged(1, "Stopped", "MaxWaitTimeExceeded", now), job), now)
    assert decision.run.status is RunStatus.FAILED
    assert "policy.budgets.money_usd" in decision.reason
    assert ROOM in decision.owes.freed
    assert "BillableSeconds" in {measure.name for measure in decision.owes.measures}


def test_a_planned_attempt_is_due_again_once_no_function_can_be_at_its_launch() -> None:
    world = World()
    world.service.submit(submission())
    job = world.jobs.becomes("churn-relay-01", "Stopped", "MaxWaitTimeExceeded")
    now = NOON + timedelta(seconds=60)
    run = decide(world.run(), Facts(JobChanged(1, "Stopped", "MaxWaitTimeExceeded", now), job), now).run
    assert (run.current.number, run.check_at) == (2, now + timedelta(seconds=90))
    new = accept(submission(), "one", NOON)
    assert new.check_at == NOON + timedelta(seconds=90)


def test_what_is_owed_is_due_once_no_function_can_be_at_it() -> None:
    run = accept(submission(), "one", NOON)
    assert run.due_at == NOON + timedelta(seconds=90)
    check_at = NOON + timedelta(hours=1)
    assert replace(run, check_at=check_at).due_at == NOON + timedelta(seconds=90)
    assert replace(run, outbox=Outbox(), check_at=check_at).due_at == check_at


@pytest.mark.parametrize("way", [ReturnToSpot.CANARY, ReturnToSpot.NEVER])
def test_on_demand_an_error_of_sagemaker_leads_back_to_spot_unless_the_run_is_never_to_return(
    way: ReturnToSpot,
) -> None:
    world = World()
    ladder = (Rung(ON_DEMAND_M5), Rung(SPOT_G5), Rung(SPOT_M5))
    known = deadline(100 * HOUR, expected_runtime_seconds=20 * HOUR, return_to_spot=way, ladder=ladder)
    world.service.submit(submission(known))
    world.trains(1)
    world.checkpoint("a")
    world.tell(1, "Failed", "Failed", failure_reason="InternalServerError: We")
    run = world.passes(60)
    never = way is ReturnToSpot.NEVER
    assert run.current.placement == (ON_DEMAND_M5 if never else SPOT_G5)
    assert run.current.cause == "ServiceError"


def test_without_a_deadline_an_on_demand_rung_keeps_a_run_that_had_an_error_of_sagemaker() -> None:
    world = World()
    world.service.submit(submission(Policy(ladder=(Rung(ON_DEMAND_M5), Rung(SPOT_M5)))))
    world.trains(1)
    world.checkpoint("a")
    world.tell(1, "Failed", "Failed", failure_reason="InternalServerError: We")
    assert world.passes(60).current.placement == ON_DEMAND_M5


def test_a_run_goes_on_demand_where_all_pools_have_just_failed_rather_than_not_at_all() -> None:
    world = World()
    known = deadline(10 * HOUR + 700, expected_runtime_seconds=10 * HOUR, backoff=Backoff(60, 900))
    world.service.submit(submission(replace(known, ladder=(Rung(ON_DEMAND_M5),))))
    world.clock.passes(60)
    run = world.tell(1, "Failed", "Failed", failure_reason=CAPACITY)
    assert run.check_at == world.clock() + timedelta(seconds=60)
    run = world.passes(60)
    assert (run.current.number, run.current.placement) == (2, ON_DEMAND_M5)


def test_the_safety_net_brings_no_run_back_to_spot_because_on_demand_had_no_capacity() -> None:
    world = World()
    world.service.submit(submission(deadline(10 * HOUR + 700, expected_runtime_seconds=10 * HOUR)))
    assert world.run().current.placement == ON_DEMAND_M5
    world.clock.passes(60)
    run = world.tell(1, "Failed", "Failed", failure_reason=CAPACITY)
    assert run.check_at == world.clock() + timedelta(seconds=30)
    assert world.passes(60).current.placement == ON_DEMAND_M5


def test_the_places_to_go_to_on_demand_are_the_ladders_own_then_the_present_instances_then_the_others() -> None:
    rungs = tuple(Rung(Placement(kind, 1, Market.SPOT)) for kind in (M5, G5, "ml.p3.2xlarge"))
    run = accept(submission(Policy(ladder=(*rungs, Rung(Placement("ml.c5.large", 2, Market.ON_DEMAND))))), "one", NOON)
    here = run.with_attempt(replace(run.current, rung=1, placement=rungs[1].placement))
    places = on_demand_places(here)
    kinds = [(place.rung, place.placement.instance_type) for place in places]
    assert kinds == [(3, "ml.c5.large"), (1, G5), (0, M5), (2, "ml.p3.2xlarge"), (3, "ml.c5.large")]
    assert {place.placement.market for place in places} == {Market.ON_DEMAND}


def test_a_pool_that_failed_a_quarter_of_an_hour_ago_may_be_tried_again() -> None:
    world = World()
    world.service.submit(submission(Policy(ladder=(Rung(SPOT_M5), Rung(SPOT_G5)))))
    world.tell(1, "Failed", "Failed", failure_reason=CAPACITY)
    world.clock.passes(Backoff().max_seconds)
    assert world.tell(2, "Failed", "Failed", failure_reason=CAPACITY).current.placement == SPOT_M5


def test_a_pool_that_was_the_last_to_fail_is_not_tried_at_once_however_late_that_is_found() -> None:
    world = World()
    world.service.submit(submission())
    world.clock.passes(60)
    world.jobs.becomes("churn-relay-01", "Failed", "Failed", failure_reason=CAPACITY)
    world.clock.passes(HOUR)
    world.tick()
    assert world.run().check_at == world.clock() + timedelta(seconds=30)


def test_a_stop_reaches_a_job_of_which_the_launch_is_answered_after_its_run_has_given_it_up() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.INVALID, "No such role.")]
    failed = world.service.submit(submission())
    world.jobs.create(launch_of_attempt(failed, failed.current))
    assert world.advance(Launched(1, "arn")) == failed
    assert world.jobs.stopped == ["churn-relay-01"]


def test_a_late_launch_of_a_run_that_is_being_stopped_is_counted_and_looked_at_soon() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.THROTTLED, "Rate exceeded.")]
    world.service.submit(submission())
    world.service.stop("churn")
    world.jobs.create(launch_of_attempt(world.run(), world.run().current))
    run = world.advance(Launched(1, "arn"))
    assert (run.status, run.current.status, run.current.arn) == (RunStatus.STOPPING, AttemptStatus.IN_PROGRESS, "arn")
    assert run.check_at == world.clock() + timedelta(seconds=30)
    assert world.telemetry.total("AttemptsLaunched") == 1


def test_the_room_of_a_canary_that_was_given_up_while_its_run_goes_on_is_told_to_those_that_wait_for_it() -> None:
    world = ahead()
    world.clock.passes(60)
    world.canary_tells(2, "InProgress", "Training")
    world.passes(60)
    world.clock.passes(60)
    world.tell(2, "Stopped", "Stopped", training_seconds=3 * HOUR)
    now = world.clock()
    job = world.jobs.becomes(CANARY, "Stopped", "Stopped", billable_seconds=90)
    decision = decide(world.run(), Facts(CanaryChanged(2, "Stopped"), canary=job), now)
    assert decision.owes.freed == (Room(SPOT_M5.pool),)
    assert decision.run.canaries[0].billable_seconds == 90


def test_an_end_of_a_canary_that_the_description_does_not_show_changes_nothing() -> None:
    world = ahead()
    run = world.run()
    decision = decide(run, Facts(CanaryChanged(2, "Stopped"), canary=None), world.clock())
    assert decision.run is run
    assert decision.owes == Outbox()


def test_a_newer_state_of_the_newest_canary_leaves_those_before_it() -> None:
    run = ahead().run()
    assert run.canary is not None
    many = replace(run, canaries=tuple(replace(run.canary, number=number) for number in (1, 2, 3)))
    newest = replace(many.canaries[2], billable_seconds=90)
    assert many.with_canary(newest).canaries == (*many.canaries[:2], newest)
    following = replace(newest, number=4)
    assert many.with_canary(following).canaries == (*many.canaries, following)


def test_a_newer_state_of_one_attempt_leaves_those_before_and_after_it() -> None:
    run = accept(submission(), "one", NOON)
    many = replace(run, attempts=tuple(replace(run.current, number=number) for number in (1, 2, 3)))
    changed = many.with_attempt(replace(many.attempts[1], rung=7))
    assert [attempt.rung for attempt in changed.attempts] == [0, 7, 0]
    added = many.with_attempt(replace(run.current, number=4))
    assert [attempt.number for attempt in added.attempts] == [1, 2, 3, 4]
