"""Runs that find no room wait in turn, and whoever makes room wakes the oldest."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from spot_relay.domain.run.attempt import CanaryStatus
from spot_relay.domain.run.observation import CanaryCreated, RoomFreed
from spot_relay.domain.run.policy import Budgets, Deadline, Policy, ReturnToSpot, Rung
from spot_relay.domain.run.run import RunStatus, Waiting
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.refusal import Refusal
from tests.fakes import NOON
from tests.unit.canaries import ahead
from tests.unit.crowds import G5, M5, ON_DEMAND, SPOT, Crowd

if TYPE_CHECKING:
    from collections.abc import Callable


SHORTAGES = pytest.mark.parametrize(
    "short", [lambda: Crowd({SPOT: 1}), lambda: Crowd(limits=f"{M5}=1")], ids=["quota", "limit"]
)
TOO_SMALL = (
    "The account-level service limit 'ml.m5.xlarge for spot training job usage' is 0 Instances, with current "
    "utilization of 0 Instances and a request delta of 1 Instances."
)


def looks_in(crowd: Crowd, name: str) -> timedelta:
    """How long until the tick looks at a run."""
    check_at = crowd.run(name).check_at
    assert check_at is not None
    return check_at - crowd.world.clock()


# Who waits, and how


def test_a_run_whose_quota_is_full_waits_and_asks_again_each_minute() -> None:
    crowd = Crowd({SPOT: 1})
    crowd.submit("first", "second")
    assert crowd.refusal("second") is Refusal.QUOTA_FULL
    assert crowd.run("second").status is RunStatus.PENDING
    assert crowd.run("second").waits_for == SPOT
    assert looks_in(crowd, "second") == timedelta(seconds=60)
    crowd.minutes(10)
    assert crowd.jobs.asked == ["first-relay-01", *["second-relay-01"] * 11]


def test_those_behind_it_ask_nobody_and_say_whom_they_wait_for() -> None:
    crowd = Crowd({SPOT: 1})
    crowd.submit("first", "second", "third", "fourth")
    assert [crowd.refusal(name) for name in ("third", "fourth")] == [Refusal.QUEUED_BEHIND] * 2
    assert "second" in crowd.run("fourth").reason
    crowd.minutes(60)
    assert {*crowd.jobs.asked} == {"first-relay-01", "second-relay-01"}


def test_a_run_that_is_over_the_stacks_limit_waits_without_asking_sagemaker() -> None:
    crowd = Crowd(limits=f"{M5}=1")
    crowd.submit("first", "second")
    assert crowd.refusal("second") is Refusal.LIMIT_REACHED
    assert looks_in(crowd, "second") == timedelta(seconds=60)
    crowd.minutes(10)
    assert crowd.jobs.asked == ["first-relay-01"]


def test_a_run_keeps_its_place_and_its_budget_while_sagemaker_does_not_say_whether_its_job_exists() -> None:
    crowd = Crowd(limits=f"{M5}=1")
    crowd.submit("first")
    crowd.submit("second", policy=Policy(Budgets(refusals=0)))
    crowd.submit("third")
    crowd.jobs.silent = True
    crowd.minutes(600)
    second = crowd.run("second")
    assert (second.status, second.waits_for) == (RunStatus.PENDING, SPOT)
    assert (second.spent.refusals, second.current.refusals) == (0, 0)
    assert "Rate exceeded" in second.reason
    assert looks_in(crowd, "second") <= timedelta(seconds=60)
    crowd.jobs.silent = False
    crowd.ends("first")
    crowd.minutes(2)
    assert crowd.have_jobs() == ["second"]


def test_a_limit_on_one_instance_type_holds_nobody_back_on_another() -> None:
    crowd = Crowd(limits=f"{M5}=1")
    crowd.submit("first")
    crowd.submit("other", kind=G5)
    assert crowd.have_jobs() == ["first", "other"]


def test_runs_for_other_pools_do_not_wait_behind_anybody() -> None:
    crowd = Crowd({SPOT: 1})
    crowd.submit("first", "second")
    crowd.on_demand("third")
    crowd.submit("fourth", kind=G5)
    assert crowd.have_jobs() == ["first", "third", "fourth"]


def test_a_wait_for_room_spends_no_budget() -> None:
    crowd = Crowd({SPOT: 1})
    crowd.submit("first", "second")
    crowd.minutes(24 * 60)
    assert crowd.refusal("second") is Refusal.QUOTA_FULL
    assert set(vars(crowd.run("second").spent).values()) == {0}


# Whose turn it is


def overbooked() -> Crowd:
    """An older run that waits since its newest attempt has ended, for room that a younger one's job has."""
    crowd = Crowd({SPOT: 2})
    crowd.submit("older", "younger")
    crowd.quotas[SPOT] = 1
    crowd.ends("older", "Stopped", "MaxWaitTimeExceeded")
    crowd.deliver()
    assert (crowd.have_jobs(), crowd.refusal("older")) == (["younger"], Refusal.QUOTA_FULL)
    return crowd


def test_room_goes_to_the_run_that_was_submitted_first_whenever_it_began_to_wait() -> None:
    crowd = overbooked()
    crowd.submit("youngest")
    crowd.ends("younger", "Stopped", "Stopped")
    assert crowd.deliver() == ["older", "youngest"]
    assert crowd.have_jobs() == ["older"]


def test_a_run_that_relaunches_leaves_its_own_room_to_an_older_one_that_waits() -> None:
    crowd = overbooked()
    crowd.ends("younger", "Stopped", "MaxWaitTimeExceeded")
    assert crowd.refusal("younger") is Refusal.QUEUED_BEHIND
    assert crowd.deliver() == ["older", "younger"]
    assert crowd.have_jobs() == ["older"]


@SHORTAGES
def test_a_run_that_has_just_been_submitted_takes_no_room_from_those_that_wait(short: Callable[[], Crowd]) -> None:
    crowd = short()
    crowd.submit("first", "second")
    crowd.ends("first")
    crowd.submit("new")
    assert crowd.refusal("new") is Refusal.QUEUED_BEHIND
    crowd.deliver()
    assert crowd.have_jobs() == ["second"]


def test_a_run_that_is_woken_out_of_turn_asks_nobody() -> None:
    crowd = Crowd({SPOT: 1})
    crowd.submit("first", "second", "third")
    asked = len(crowd.jobs.asked)
    crowd.world.service.advance("third", RoomFreed())
    assert crowd.refusal("third") is Refusal.QUEUED_BEHIND
    assert len(crowd.jobs.asked) == asked
    assert crowd.woken() == []


def test_a_large_job_is_not_overtaken_by_small_ones_that_would_fit() -> None:
    crowd = Crowd({SPOT: 2})
    crowd.submit("first")
    crowd.submit("large", count=2)
    crowd.submit("small")
    assert (crowd.refusal("large"), crowd.refusal("small")) == (Refusal.QUOTA_FULL, Refusal.QUEUED_BEHIND)
    crowd.minutes(30)
    crowd.ends("first")
    crowd.deliver()
    assert crowd.have_jobs() == ["large"]


def test_a_job_that_exists_already_is_not_queued_behind_older_runs() -> None:
    crowd = Crowd()
    crowd.submit("older")
    crowd.jobs.hiccups = ["lost"]
    crowd.submit("younger")
    crowd.jobs.refusals = [(Refusal.QUOTA_FULL, "full")]
    crowd.ends("older", "Stopped", "MaxWaitTimeExceeded")
    assert (crowd.refusal("older"), crowd.run("younger").status) == (Refusal.QUOTA_FULL, RunStatus.PENDING)
    crowd.world.clock.passes(30)
    crowd.world.tick()
    assert crowd.refusal("older") is Refusal.QUOTA_FULL
    assert crowd.run("younger").status is RunStatus.IN_PROGRESS


def test_a_job_that_exists_already_needs_no_other_slot() -> None:
    crowd = Crowd(limits=f"{M5}=1")
    crowd.jobs.hiccups = ["lost"]
    crowd.submit("first", "second")
    assert crowd.refusal("second") is Refusal.LIMIT_REACHED
    crowd.minutes(1)
    assert crowd.run("first").status is RunStatus.IN_PROGRESS
    assert crowd.holders() == {"first-relay-01"}


# Who is woken


@SHORTAGES
@pytest.mark.parametrize(
    ("status", "secondary", "failure"),
    [
        ("Completed", "Completed", None),
        ("Stopped", "Stopped", None),
        ("Stopped", "MaxRuntimeExceeded", None),
        ("Failed", "Failed", "AlgorithmError: exit code 1"),
        ("Failed", "Failed", "CapacityError: Unable to provision."),
        ("Failed", "Failed", "InternalServerError: We encountered"),
        ("Failed", "Failed", "something new"),
    ],
)
def test_however_a_job_ends_the_oldest_run_that_waits_is_woken_at_once(
    short: Callable[[], Crowd], status: str, secondary: str, failure: str | None
) -> None:
    crowd = short()
    crowd.submit("first", "second", "third")
    crowd.ends("first", status, secondary, failure_reason=failure)
    assert crowd.woken() == ["second"]
    crowd.world.service.advance("second", RoomFreed())
    assert crowd.have_jobs() == ["second"]


@SHORTAGES
def test_a_job_that_a_user_has_stopped_wakes_the_oldest_when_it_has_ended_and_not_before(
    short: Callable[[], Crowd],
) -> None:
    crowd = short()
    crowd.submit("first", "second", "third")
    crowd.world.service.stop("first")
    assert crowd.woken() == []
    crowd.ends("first", "Stopped")
    assert crowd.woken() == ["second"]


@SHORTAGES
def test_a_run_that_goes_on_in_its_own_room_wakes_nobody_to_no_purpose_but_once(short: Callable[[], Crowd]) -> None:
    crowd = short()
    crowd.submit("first", "second", "third")
    asked = len(crowd.jobs.asked)
    crowd.ends("first", "Stopped", "MaxWaitTimeExceeded")
    assert crowd.deliver() == ["second"]
    assert crowd.have_jobs() == ["first"]
    assert len(crowd.jobs.asked) <= asked + 2


@SHORTAGES
def test_a_run_that_never_waited_wakes_nobody_when_it_is_launched(short: Callable[[], Crowd]) -> None:
    crowd = short()
    crowd.submit("first")
    assert crowd.woken() == []


def test_a_run_that_is_woken_and_launched_wakes_the_next_as_long_as_there_is_room() -> None:
    crowd = Crowd({SPOT: 3})
    crowd.submit("large", count=3)
    crowd.submit("a", "b", "c", "d", "e")
    crowd.ends("large")
    assert crowd.deliver() == ["a", "b", "c", "d"]
    assert crowd.have_jobs() == ["a", "b", "c"]
    assert [crowd.refusal(name) for name in ("d", "e")] == [Refusal.QUOTA_FULL, Refusal.QUEUED_BEHIND]


def test_one_that_is_launched_by_the_tick_wakes_the_next_too() -> None:
    crowd = Crowd({SPOT: 2})
    crowd.submit("large", count=2)
    crowd.submit("a", "b")
    crowd.ends("large")
    crowd.woken()
    crowd.world.clock.passes(60)
    crowd.world.tick()
    assert crowd.deliver() == ["b"]
    assert crowd.have_jobs() == ["a", "b"]


@SHORTAGES
def test_a_run_that_is_stopped_while_it_waits_leaves_its_turn_to_the_next(short: Callable[[], Crowd]) -> None:
    crowd = short()
    crowd.submit("first", "second", "third")
    crowd.ends("first")
    assert crowd.woken() == ["second"]
    crowd.world.service.stop("second")
    assert crowd.deliver() == ["third"]
    assert crowd.have_jobs() == ["third"]
    crowd.minutes(6)
    assert crowd.run("second").status is RunStatus.STOPPED


@pytest.mark.parametrize("refusal", [Refusal.INVALID, Refusal.QUOTA_TOO_SMALL])
def test_a_run_that_fails_while_it_waits_leaves_its_turn_to_the_next(refusal: Refusal) -> None:
    crowd = Crowd({SPOT: 1})
    crowd.submit("first", "second", "third")
    crowd.ends("first")
    assert crowd.woken() == ["second"]
    crowd.jobs.refusals = [(refusal, TOO_SMALL)]
    crowd.world.service.advance("second", RoomFreed())
    assert crowd.run("second").status is RunStatus.FAILED
    assert crowd.deliver() == ["third"]
    assert crowd.have_jobs() == ["third"]


def test_a_run_that_moves_to_another_rung_leaves_its_turn_to_the_next() -> None:
    crowd = Crowd({SPOT: 1})
    ladder = (Rung(Placement(M5, 1, Market.SPOT)), Rung(Placement(G5, 1, Market.SPOT)))
    crowd.submit("first")
    crowd.submit("second", policy=Policy(ladder=ladder))
    crowd.submit("third")
    crowd.ends("first")
    assert crowd.woken() == ["second"]
    crowd.jobs.refusals = [(Refusal.QUOTA_TOO_SMALL, TOO_SMALL)]
    crowd.world.service.advance("second", RoomFreed())
    assert crowd.deliver() == ["third"]
    assert crowd.have_jobs() == ["second", "third"]


@SHORTAGES
def test_a_run_that_goes_on_demand_for_its_deadline_leaves_its_turn_to_the_next(short: Callable[[], Crowd]) -> None:
    crowd = short()
    deadline = Deadline(3600, within_seconds=6 * 3600, return_to_spot=ReturnToSpot.NEVER)
    crowd.submit("first")
    crowd.submit("urgent", policy=Policy(deadline=deadline))
    crowd.submit("patient")
    left = 0
    while crowd.run("urgent").current.placement.market is Market.SPOT:
        crowd.world.clock.passes(60)
        crowd.world.tick()
        left += 1
        assert left < 360, "the safety net never came"
    assert "patient" in crowd.woken()


# A limit serves both markets


def test_a_slot_of_the_stack_that_is_freed_wakes_those_that_wait_in_the_other_market() -> None:
    crowd = Crowd(limits=f"{M5}=1")
    crowd.submit("spot")
    crowd.on_demand("on-demand")
    assert crowd.refusal("on-demand") is Refusal.LIMIT_REACHED
    crowd.ends("spot")
    assert crowd.deliver() == ["on-demand"]
    assert crowd.have_jobs() == ["on-demand"]


def test_the_oldest_of_each_market_is_woken_and_one_of_them_gets_the_slot() -> None:
    crowd = Crowd(limits=f"{M5}=1")
    crowd.submit("first", "spot")
    crowd.on_demand("on-demand")
    crowd.ends("first")
    assert sorted(crowd.woken()) == ["on-demand", "spot"]
    for name in ("on-demand", "spot"):
        crowd.world.service.advance(name, RoomFreed())
    assert crowd.have_jobs() == ["on-demand"]
    assert crowd.refusal("spot") is Refusal.LIMIT_REACHED


def test_a_quota_is_of_one_market_so_its_room_wakes_nobody_in_the_other() -> None:
    crowd = Crowd({SPOT: 1, ON_DEMAND: 1})
    crowd.submit("spot")
    crowd.on_demand("one", "two")
    crowd.ends("spot")
    assert crowd.woken() == []


# What a canary may take


def test_no_canary_is_sent_while_a_run_waits_for_its_pool() -> None:
    crowd = Crowd({SPOT: 1})
    crowd.submit("first", "second")
    deadline = Deadline(3600, within_seconds=48 * 3600)
    ladder = (Rung(Placement(M5, 1, Market.ON_DEMAND)), Rung(Placement(M5, 1, Market.SPOT)))
    crowd.submit("ahead", policy=Policy(deadline=deadline, ladder=ladder))
    crowd.jobs.becomes("ahead-relay-01", "InProgress", "Training", training_started_at=crowd.world.clock())
    crowd.tell("ahead")
    crowd.minutes(15)
    assert crowd.run("ahead").current.placement.market is Market.ON_DEMAND
    canary = crowd.run("ahead").canary
    assert canary is not None
    assert canary.job_name not in crowd.jobs.asked
    crowd.ends("first")
    crowd.deliver()
    crowd.ends("second")
    crowd.minutes(15)
    assert canary.job_name in crowd.jobs.asked


def test_a_canary_that_exists_already_needs_no_room_although_others_wait() -> None:
    world = ahead()
    run = world.run()
    assert run.canary is not None
    unanswered = replace(run.canary, status=CanaryStatus.PLANNED, arn=None)
    answer = world.service._duties._send_canary(run.with_canary(unanswered), unanswered, Waiting(NOON, "older"))
    assert isinstance(answer, CanaryCreated)
