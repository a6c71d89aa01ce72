"""The ladder: where the next attempt runs, when a run moves on, and what it leaves out."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.rules.next_place import (
    Onward,
    Place,
    affordable_on_demand,
    choose_place,
    is_open,
    ladder_of,
    move_to_job,
    on_demand_places,
    place_of_job,
    rest_of_pool,
    spot_place,
)
from spot_relay.domain.rules.next_place import wait_after as seconds_to_wait
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.policy import Backoff, Budgets, Deadline, Policy, ReturnToSpot, Rung
from spot_relay.domain.run.run import MAX_ATTEMPTS, RunStatus
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Market, Placement, Pool
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.domain.values import No
from tests.fakes import NOON
from tests.thoroughness import examples
from tests.unit.paid_runs import PRICES
from tests.unit.worlds import TRAINING_JOB, World, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.attempt import Attempt
    from spot_relay.domain.run.run import Run

M5, G5, P3 = "ml.m5.xlarge", "ml.g5.2xlarge", "ml.p3.2xlarge"
ENOUGH = Budgets(50, 50, 50, 50, 50)
CAPACITY = "CapacityError: Unable to provision requested ML compute capacity."


def spot(kind: str, attempts: int = 1, count: int = 1, volume: int | None = None) -> Rung:
    return Rung(Placement(kind, count, Market.SPOT, volume), attempts)


def on_demand(kind: str, attempts: int = 1) -> Rung:
    return Rung(Placement(kind, 1, Market.ON_DEMAND), attempts)


def submitted(*ladder: Rung, world: World | None = None, **changes: Any) -> World:
    """A world with one run that has this ladder and budgets that never end it."""
    world = world or World()
    world.service.submit(submission(Policy(ladder=ladder, budgets=ENOUGH), **changes))
    return world


def quota_refusal(kind: str, asked: int = 1, limit: int = 0) -> tuple[Refusal, str]:
    """What SageMaker says of a quota that can never hold the job."""
    return Refusal.QUOTA_TOO_SMALL, (
        f"The account-level service limit '{kind} for spot training job usage' is {limit} Instances, with current "
        f"utilization of 0 Instances and a request delta of {asked} Instances."
    )


def ends(world: World, end: str) -> Run:
    """Let the newest attempt end so."""
    number = world.run().current.number
    world.clock.passes(60)
    match end:
        case "expired":
            return world.tell(number, "Stopped", "MaxWaitTimeExceeded")
        case "capacity":
            return world.tell(number, "Failed", "Failed", failure_reason=CAPACITY)
        case "service":
            return world.tell(number, "Failed", "Failed", failure_reason="InternalServerError: We encountered")
        case _:
            return world.tell(number, "Failed", "Failed", failure_reason="AlgorithmError: exit code 1")


def followed(world: World, end: str) -> Run:
    """Let the newest attempt end so, and the next one begin, after whatever backoff."""
    amount = len(ends(world, end).attempts)
    for _ in range(20):
        if len(world.jobs.jobs) > amount or world.run().has_ended:
            break
        world.clock.passes(60)
        world.tick()
    return world.run()


def kinds(world: World) -> list[str]:
    """The instance types that jobs were created on, in turn."""
    return [request["ResourceConfig"]["InstanceType"] for request in world.jobs.requests]


@pytest.mark.parametrize("end", ["expired", "capacity"])
def test_a_rung_keeps_the_run_for_as_many_attempts_as_it_says_and_after_the_last_comes_the_first(end: str) -> None:
    world = submitted(spot(M5, attempts=2), spot(G5), spot(P3, attempts=3))
    for _ in range(8):
        followed(world, end)
    assert kinds(world) == [M5, M5, G5, P3, P3, P3, M5, M5, G5]
    assert [attempt.rung for attempt in world.run().attempts] == [0, 0, 1, 2, 2, 2, 0, 0, 1]


def test_expired_waits_and_capacity_failures_count_together() -> None:
    world = submitted(spot(M5, attempts=2), spot(G5))
    followed(world, "expired")
    followed(world, "capacity")
    assert kinds(world) == [M5, M5, G5]


@pytest.mark.parametrize("end", ["service", "user"])
def test_errors_of_the_service_and_of_the_users_code_do_not_move_a_run(end: str) -> None:
    world = submitted(spot(M5), spot(G5))
    for _ in range(4):
        followed(world, end)
    assert kinds(world) == [M5] * 5


@pytest.mark.parametrize("end", ["service", "user"])
def test_another_error_between_does_not_let_the_count_begin_again(end: str) -> None:
    world = submitted(spot(M5, attempts=2), spot(G5))
    for each in ("expired", end, "capacity"):
        followed(world, each)
    assert kinds(world) == [M5, M5, M5, G5]


def test_a_run_that_comes_back_to_a_rung_has_all_its_attempts_there_again() -> None:
    world = submitted(spot(M5, attempts=2), spot(G5))
    for _ in range(5):
        followed(world, "expired")
    assert kinds(world) == [M5, M5, G5, M5, M5, G5]


def test_without_a_ladder_a_run_stays_in_the_jobs_own_placement_for_ever() -> None:
    world = submitted()
    for _ in range(49):
        followed(world, "expired")
    own = Placement(M5, 1, Market.SPOT)
    assert [attempt.placement for attempt in world.run().attempts] == [own] * 50
    assert all(request["ResourceConfig"]["InstanceCount"] == 1 for request in world.jobs.requests)


def test_a_ladder_of_one_rung_stays_there_too() -> None:
    world = submitted(spot(G5))
    for end in ("expired", "capacity", "expired"):
        followed(world, end)
    assert kinds(world) == [G5] * 4


def test_the_way_down_to_on_demand_and_back_changes_the_market_the_count_and_the_volume() -> None:
    world = submitted(spot(M5, count=4, volume=200), on_demand(G5))
    followed(world, "expired")
    followed(world, "capacity")
    first, second, third = world.jobs.requests
    assert first["ResourceConfig"] == {"InstanceType": M5, "InstanceCount": 4, "VolumeSizeInGB": 200}
    assert second["ResourceConfig"] == {"InstanceType": G5, "InstanceCount": 1, "VolumeSizeInGB": 10}
    assert "EnableManagedSpotTraining" not in second
    assert second["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}
    own = {"TrainingJobName", "Tags"}
    assert {k: v for k, v in third.items() if k not in own} == {k: v for k, v in first.items() if k not in own}


def test_the_status_document_shows_where_the_run_moved() -> None:
    world = submitted(spot(M5), on_demand(G5))
    followed(world, "expired")
    assert world.documents.written["churn"]["attempts"][1]["placement"]["instance_type"] == G5


def test_a_run_that_moves_goes_on_from_its_newest_checkpoint() -> None:
    world = submitted(spot(M5), spot(G5))
    world.trains(1)
    newest = world.checkpoint("a")
    assert followed(world, "expired").current.resumes_from == newest


# Pools whose quota can never hold an attempt


def test_a_rung_whose_quota_can_never_hold_an_attempt_is_skipped_at_once_under_the_same_name() -> None:
    world = World()
    world.jobs.refusals = [quota_refusal(M5)]
    run = submitted(spot(M5), spot(G5), world=world).run()
    assert run.status is RunStatus.IN_PROGRESS
    assert [attempt.job_name for attempt in run.attempts] == ["churn-relay-01"]
    assert (kinds(world), run.current.rung) == ([G5], 1)


def test_a_rung_that_was_skipped_is_not_asked_for_again() -> None:
    world = World()
    world.jobs.refusals = [quota_refusal(M5)]
    submitted(spot(M5), spot(G5), spot(P3), world=world)
    for _ in range(3):
        followed(world, "expired")
    assert kinds(world) == [G5, P3, G5, P3]


def test_a_quota_speaks_of_its_market_alone() -> None:
    world = World()
    world.jobs.refusals = [quota_refusal(M5)]
    submitted(spot(M5), on_demand(M5), world=world)
    assert "EnableManagedSpotTraining" not in world.jobs.requests[0]


def test_a_quota_too_small_for_many_instances_may_hold_fewer_of_the_same_type() -> None:
    world = World()
    world.jobs.refusals = [quota_refusal(M5, asked=8, limit=4)]
    submitted(spot(M5, count=8), spot(M5, count=4), world=world)
    assert [request["ResourceConfig"]["InstanceCount"] for request in world.jobs.requests] == [4]
    followed(world, "capacity")
    assert world.jobs.requests[-1]["ResourceConfig"]["InstanceCount"] == 4


def test_a_run_fails_when_no_rung_is_left_and_is_told_the_quota_and_what_to_ask_for() -> None:
    world = World()
    world.jobs.refusals = [quota_refusal(M5), quota_refusal(G5, asked=2, limit=1)]
    run = submitted(spot(M5), spot(G5, count=2), world=world).run()
    assert run.status is RunStatus.FAILED
    assert world.jobs.requests == []
    assert "is 1 Instances, with current utilization of 0 Instances and a request delta of 2 Instances" in run.reason
    assert "Ask AWS to raise the service quota 'ml.g5.2xlarge for spot training job usage'" in run.reason


def test_a_run_without_a_ladder_whose_quota_is_too_small_is_told_the_quota_and_what_to_ask_for() -> None:
    world = World()
    world.jobs.refusals = [quota_refusal(M5)]
    run = submitted(world=world).run()
    assert run.status is RunStatus.FAILED
    assert "Ask AWS to raise the service quota 'ml.m5.xlarge for spot training job usage' and resume the run" in (
        run.reason
    )


def test_a_resumed_run_tries_each_rung_anew_for_a_quota_may_have_been_raised() -> None:
    world = World()
    world.jobs.refusals = [quota_refusal(M5), quota_refusal(G5)]
    submitted(spot(M5), spot(G5), world=world)
    world.jobs.refusals = [quota_refusal(G5)]
    run = world.service.resume("churn")
    assert run.status is RunStatus.IN_PROGRESS
    assert kinds(world) == [M5]
    followed(world, "expired")
    assert kinds(world) == [M5, M5]


def test_a_quota_that_is_full_for_now_moves_no_run() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.QUOTA_FULL, "full")]
    run = submitted(spot(M5), spot(G5), world=world).run()
    assert (run.status, run.current.rung, run.waits_for) == (RunStatus.PENDING, 0, run.current.placement.pool)
    world.clock.passes(60)
    world.tick()
    assert kinds(world) == [M5]


# After a capacity failure: never at once into the same pool


def wait_after(world: World, end: str) -> timedelta | None:
    """How long the run waits after such an end before it looks again; None if the next attempt is there at once."""
    amount = len(world.run().attempts)
    run = ends(world, end)
    if len(run.attempts) > amount:
        return None
    assert run.check_at is not None
    return run.check_at - world.clock()


def test_after_a_capacity_failure_another_pool_is_tried_at_once() -> None:
    world = submitted(spot(M5), spot(G5))
    assert wait_after(world, "capacity") is None
    assert kinds(world) == [M5, G5]


@pytest.mark.parametrize("draw", [0.0, 0.5, 0.999])
def test_after_a_capacity_failure_the_same_pool_is_never_tried_at_once(draw: float) -> None:
    world = submitted(world=World(draw=draw))
    waited = wait_after(world, "capacity")
    assert waited is not None
    assert waited >= timedelta(seconds=30)


def test_other_counts_and_volumes_of_one_instance_type_are_the_same_pool() -> None:
    world = submitted(spot(M5, count=8), spot(M5, count=1, volume=50))
    assert wait_after(world, "capacity") is not None


def test_another_market_is_another_pool() -> None:
    world = submitted(spot(M5), on_demand(M5))
    assert wait_after(world, "capacity") is None


def test_a_pool_that_has_failed_lately_is_not_tried_at_once_either() -> None:
    world = submitted(spot(M5), spot(G5))
    assert wait_after(world, "capacity") is None
    assert wait_after(world, "capacity") is not None
    assert kinds(world) == [M5, G5]


def test_a_pool_whose_failure_was_long_ago_is_tried_at_once() -> None:
    world = submitted(spot(M5), spot(G5))
    ends(world, "capacity")
    world.clock.passes(Backoff().max_seconds + 1)
    assert wait_after(world, "capacity") is None
    assert kinds(world) == [M5, G5, M5]


def test_after_an_expired_wait_the_next_attempt_follows_at_once_wherever_it_goes() -> None:
    world = submitted(spot(M5, attempts=2), spot(G5))
    assert [wait_after(world, "expired") for _ in range(3)] == [None] * 3


def test_a_rung_that_is_skipped_brings_no_run_back_at_once_into_the_pool_that_has_just_failed() -> None:
    world = submitted(spot(M5), spot(G5))
    world.jobs.refusals = [quota_refusal(G5)]
    run = ends(world, "capacity")
    assert kinds(world) == [M5]
    assert run.check_at is not None
    assert run.check_at - world.clock() >= timedelta(seconds=30)
    assert run.current.placement == spot(M5).placement
    world.clock.now = run.check_at
    world.tick()
    assert kinds(world) == [M5, M5]
    assert world.run().status is RunStatus.IN_PROGRESS


def test_a_pool_is_left_alone_no_longer_than_the_deadline_allows() -> None:
    world = World()
    deadline = Deadline(3600, within_seconds=3 * 3600, return_to_spot=ReturnToSpot.NEVER)
    patient = Backoff(base_seconds=86_400, max_seconds=86_400)
    world.service.submit(submission(Policy(ENOUGH, patient, ladder=(spot(M5), spot(G5)), deadline=deadline)))
    world.jobs.refusals = [quota_refusal(G5)]
    run = ends(world, "capacity")
    assert kinds(world) == [M5]
    assert run.check_at is not None
    assert run.deadline_at is not None
    world.clock.now = run.check_at
    world.tick()
    assert len(world.jobs.requests) == 2
    assert run.check_at + timedelta(seconds=3600 + 600) < run.deadline_at


rungs = st.builds(
    Rung,
    st.builds(Placement, st.sampled_from([M5, G5, P3]), st.integers(1, 2), st.sampled_from(Market)),
    st.integers(1, 3),
)


@examples(60)
@given(
    ladder=st.lists(rungs, min_size=1, max_size=4),
    story=st.lists(st.sampled_from(["expired", "capacity", "capacity", "service", "quota"]), max_size=12),
    draw=st.sampled_from([0.0, 0.5, 0.999]),
)
def test_no_pool_is_ever_tried_sooner_after_a_capacity_failure_of_its_own_than_the_backoff_allows(
    ladder: list[Rung], story: list[str], draw: float
) -> None:
    world = submitted(*ladder, world=World(draw=draw))
    for end in story:
        if world.run().has_ended:
            break
        if end == "quota":
            world.jobs.refusals = [quota_refusal("whatever")]
        else:
            followed(world, end)
    attempts = [attempt for attempt in world.run().attempts if attempt.launched_at]
    for attempt in attempts:
        for earlier in attempts[: attempt.number - 1]:
            if earlier.outcome == "CapacityError" and earlier.placement.pool == attempt.placement.pool:
                assert earlier.ended_at is not None
                assert attempt.launched_at is not None
                assert (attempt.launched_at - earlier.ended_at).total_seconds() >= Backoff().base_seconds
    for attempt in attempts:
        assert attempt.placement == ladder[attempt.rung].placement


@pytest.mark.parametrize(
    ("described", "rung"),
    [
        (Placement(M5, 1, Market.SPOT), 0),
        (Placement(M5, 1, Market.ON_DEMAND), 1),
        (Placement(G5, 1, Market.ON_DEMAND), 2),
        (Placement(G5, 2, Market.SPOT), None),
        (Placement("unknown", 1, Market.SPOT), None),
    ],
)
def test_a_described_job_runs_in_the_place_of_the_ladder_that_it_shows(described: Placement, rung: int | None) -> None:
    ladder = (spot(M5, volume=20), on_demand(M5), spot(G5, volume=30))
    run = submitted(*ladder).run()
    attempt = replace(run.current, placement=Placement(P3, 1, Market.SPOT), rung=1)
    if rung is None:
        assert place_of_job(run, attempt, described) == Place(1, attempt.placement)
    else:
        volume = ladder[rung].placement.volume_size_gb
        assert place_of_job(run, attempt, described) == Place(rung, replace(described, volume_size_gb=volume))


def test_an_attempts_own_place_comes_before_another_that_looks_like_it() -> None:
    run = submitted(spot(M5), spot(G5), spot(M5, volume=20)).run()
    attempt = replace(run.current, placement=Placement(M5, 1, Market.SPOT, 20), rung=2)
    assert place_of_job(run, attempt, Placement(M5, 1, Market.SPOT)) == Place(2, attempt.placement)


@pytest.mark.parametrize(
    ("market", "status", "switch_to", "left"),
    [
        (Market.SPOT, AttemptStatus.PLANNED, Market.SPOT, None),
        (Market.ON_DEMAND, AttemptStatus.PLANNED, Market.SPOT, Market.SPOT),
        (Market.SPOT, AttemptStatus.IN_PROGRESS, Market.SPOT, Market.SPOT),
        (Market.SPOT, AttemptStatus.PLANNED, None, None),
    ],
    ids=["it is there", "it is in the other market", "it was known to be there", "it was not moved"],
)
def test_an_attempt_that_was_moved_before_its_launch_was_answered_switches_only_if_its_job_is_elsewhere(
    market: Market, status: AttemptStatus, switch_to: Market | None, left: Market | None
) -> None:
    run = submitted(spot(G5), spot(M5), on_demand(M5)).run()
    attempt = replace(run.current, status=status, switch_to=switch_to)
    placement = Placement(M5, 1, market)
    rung = 1 if market is Market.SPOT else 2
    assert move_to_job(run, attempt, placement) == replace(attempt, placement=placement, rung=rung, switch_to=left)


# By the deadline: 8,700 seconds before it its safety net is due, and 9,000 seconds before it the run is behind its pace.

LADDER = (spot(M5), spot(P3), on_demand(G5))
LADDER_PLACEMENTS = tuple(rung.placement for rung in LADDER)
ON_SPOT, ON_DEMAND = Place(0, LADDER[0].placement), Place(2, LADDER[2].placement)
AHEAD, BEHIND, UNSAFE = (NOON + timedelta(seconds=10_000 - left) for left in (9001, 8701, 8700))


def paced(placement: Placement = LADDER[0].placement, moved_to: Market | None = None, **known: Any) -> Run:
    """A run with a deadline whose attempt in a placement has ended."""
    policy = Policy(ENOUGH, ladder=LADDER, deadline=Deadline(7200, within_seconds=10_000))
    run = replace(accept(submission(policy), "one", NOON), moved_to=moved_to)
    rung = [each.placement for each in LADDER].index(placement)
    return run.with_attempt(replace(run.current, **{"status": ENDED, "placement": placement, "rung": rung, **known}))


ENDED = AttemptStatus.ENDED
THERE = ON_DEMAND.placement
CAUSE = Cause.SERVICE_ERROR


def staying(run: Run) -> Run:
    """The run, if it does not return to spot by itself."""
    assert run.policy.deadline is not None
    never = replace(run.policy.deadline, return_to_spot=ReturnToSpot.NEVER)
    return replace(run, policy=replace(run.policy, deadline=never))


def without_on_demand(run: Run) -> Run:
    """The run, once SageMaker refuses all on-demand placements."""
    return replace(run, closed=tuple(Placement(kind, 1, Market.ON_DEMAND) for kind in (M5, P3, G5)))


@pytest.mark.parametrize(
    ("run", "now", "onward"),
    [
        (paced(), AHEAD, Onward(ON_SPOT, CAUSE)),
        (paced(), BEHIND, Onward(ON_DEMAND, Cause.BEHIND_PACE)),
        (paced(), UNSAFE, Onward(ON_DEMAND, Cause.SAFETY_NET)),
        (without_on_demand(paced()), UNSAFE, Onward(ON_SPOT, CAUSE)),
        (paced(THERE), BEHIND, Onward(ON_DEMAND, CAUSE)),
        (paced(THERE), UNSAFE, Onward(ON_DEMAND, Cause.SAFETY_NET)),
        (paced(THERE), AHEAD, Onward(ON_SPOT, CAUSE)),
        (staying(paced(THERE)), AHEAD, Onward(ON_DEMAND, CAUSE)),
        (staying(paced()), AHEAD, Onward(ON_SPOT, CAUSE)),
        (paced(THERE, switch_to=Market.SPOT), AHEAD, Onward(ON_SPOT, Cause.AHEAD_OF_PACE)),
        (paced(THERE, switch_to=Market.SPOT), BEHIND, Onward(ON_SPOT, Cause.AHEAD_OF_PACE)),
        (paced(THERE, switch_to=Market.SPOT), UNSAFE, Onward(ON_DEMAND, Cause.SAFETY_NET)),
        (paced(THERE, Market.SPOT), BEHIND, Onward(ON_SPOT, Cause.MOVED)),
        (paced(THERE, Market.SPOT), UNSAFE, Onward(ON_DEMAND, Cause.SAFETY_NET)),
        (paced(moved_to=Market.ON_DEMAND), AHEAD, Onward(ON_DEMAND, Cause.MOVED)),
        (paced(THERE, Market.ON_DEMAND), AHEAD, Onward(ON_DEMAND, CAUSE)),
        (paced(THERE, Market.ON_DEMAND, switch_to=Market.SPOT), AHEAD, Onward(ON_DEMAND, Cause.MOVED)),
        (paced(THERE, Market.ON_DEMAND, switch_to=Market.SPOT), BEHIND, Onward(ON_DEMAND, CAUSE)),
        (without_on_demand(paced(moved_to=Market.ON_DEMAND)), AHEAD, Onward(ON_SPOT, CAUSE)),
        (without_on_demand(paced(moved_to=Market.ON_DEMAND, switch_to=Market.SPOT)), AHEAD, Onward(ON_SPOT, CAUSE)),
    ],
)
def test_the_deadline_decides_first_then_a_move_or_a_return_and_then_the_ladder(
    run: Run, now: datetime, onward: Onward
) -> None:
    assert choose_place(run, CAUSE, now) == onward


def test_without_a_deadline_an_on_demand_attempt_is_followed_by_the_ladders_next() -> None:
    run = replace(paced(THERE), deadline_at=None, policy=Policy(ENOUGH, ladder=LADDER))
    assert choose_place(run, CAUSE, NOON) == Onward(ON_DEMAND, CAUSE)


def test_a_run_whose_placements_are_all_refused_is_told_which_and_what_lets_it_go_on() -> None:
    run = replace(paced(), closed=LADDER_PLACEMENTS)
    assert choose_place(run, CAUSE, AHEAD) == snapshot(
        No(
            because="SageMaker refuses every placement for good (tried: 1 x ml.m5.xlarge (spot), 1 x ml.p3.2xlarge (spot), 1 x ml.g5.2xlarge (on-demand)). Resume the run when a quota has been raised, or submit the spec under another name with other placements."
        )
    )


def test_on_demand_the_ladders_own_rungs_come_first_then_the_current_rungs_instances_then_the_others() -> None:
    run = paced(LADDER[1].placement)
    own, here, other, again = (
        Place(rung, Placement(kind, 1, Market.ON_DEMAND)) for rung, kind in ((2, G5), (1, P3), (0, M5), (2, G5))
    )
    assert on_demand_places(run) == (own, here, other, again)
    assert on_demand_places(replace(run, closed=(THERE,))) == (here, other)


def test_on_demand_a_pool_that_had_no_capacity_lately_is_left_out_if_there_is_another() -> None:
    no_capacity = paced(THERE, outcome=Outcome.CAPACITY_ERROR, ended_at=NOON)
    assert affordable_on_demand(no_capacity, NOON) == Place(0, Placement(M5, 1, Market.ON_DEMAND))
    others = tuple(Placement(kind, 1, Market.ON_DEMAND) for kind in (M5, P3))
    assert affordable_on_demand(replace(no_capacity, closed=others), NOON) == ON_DEMAND


def test_on_demand_only_what_the_money_budget_pays_for_comes_into_question() -> None:
    ladder = (on_demand(P3), on_demand(M5))
    policy = Policy(replace(ENOUGH, money_usd=0.5), ladder=ladder)
    run = replace(accept(submission(policy), "one", NOON, PRICES), prices=PRICES)
    assert affordable_on_demand(run, NOON) == Place(1, ladder[1].placement)
    trains = run.with_attempt(replace(run.current, placement=ladder[1].placement, training_started_at=NOON))
    assert affordable_on_demand(trains, NOON + timedelta(hours=1)) == Place(1, ladder[1].placement)
    assert affordable_on_demand(trains, NOON + timedelta(hours=1.1)) is None


def test_a_return_leads_to_the_ladders_first_spot_rung_that_is_not_refused() -> None:
    run = replace(paced(), policy=Policy(ENOUGH, ladder=(on_demand(G5), spot(M5, count=2), spot(P3))))
    assert spot_place(run) == Place(1, Placement(M5, 2, Market.SPOT))
    assert spot_place(replace(run, closed=(Placement(M5, 2, Market.SPOT),))) == Place(2, Placement(P3, 1, Market.SPOT))
    assert spot_place(replace(run, policy=Policy(ENOUGH, ladder=(on_demand(G5),)))) is None
    assert spot_place(replace(run, policy=Policy())) == Place(0, Placement(M5, 1, Market.SPOT))


@pytest.mark.parametrize(("count", "may"), [(1, True), (2, False), (3, False)])
def test_a_refused_number_of_instances_closes_the_pool_for_as_many_and_more(count: int, may: bool) -> None:
    run = replace(paced(), closed=(Placement(M5, 2, Market.SPOT),))
    assert is_open(run, Placement(M5, count, Market.SPOT)) == may
    assert is_open(run, Placement(M5, count, Market.ON_DEMAND))


def test_a_policy_without_a_ladder_has_the_jobs_own_placement_for_all_attempts() -> None:
    assert ladder_of(Policy(), TRAINING_JOB) == (Rung(Placement(M5, 1, Market.SPOT), MAX_ATTEMPTS),)
    assert ladder_of(Policy(ladder=LADDER), TRAINING_JOB) == LADDER


def of_ends(*ends: tuple[str, Outcome, float | None]) -> Run:
    """A run whose attempts have ended so, in pools of these instance types, so many seconds after noon."""

    def ended(number: int, kind: str, outcome: Outcome, after: float | None) -> Attempt:
        ended_at = None if after is None else NOON + timedelta(seconds=after)
        placement = Placement(kind, 1, Market.SPOT)
        known = {"number": number, "status": ENDED, "placement": placement, "outcome": outcome, "ended_at": ended_at}
        return replace(run.current, **known)  # type: ignore[arg-type]

    run = paced()
    attempts = tuple(ended(number, *end) for number, end in enumerate(ends, start=1))
    planned = replace(run.current, number=len(ends) + 1, status=AttemptStatus.PLANNED)
    return replace(run, attempts=(*attempts, planned))


FULL, ERROR = Outcome.CAPACITY_ERROR, Outcome.SERVICE_ERROR
LATELY = Backoff().max_seconds


@pytest.mark.parametrize(
    ("ends", "after", "rest"),
    [
        ([], 0, None),
        ([(M5, FULL, 0)], 10**6, 30),
        ([(M5, FULL, None)], 0, 30),
        ([(G5, FULL, 0)], 0, None),
        ([(M5, ERROR, 0)], 0, None),
        ([(M5, FULL, 0), (G5, ERROR, 1)], LATELY - 0.001, 30),
        ([(M5, FULL, 0), (G5, ERROR, 1)], LATELY, None),
        ([(M5, FULL, None), (G5, ERROR, 1)], 0, None),
        ([(M5, FULL, 0), (M5, FULL, 1), (M5, FULL, 2), (G5, FULL, 3)], 3, 120),
        ([(M5, FULL, 0), (M5, ERROR, 1), (M5, FULL, 2)], 2, 30),
    ],
)
def test_a_pool_that_had_no_capacity_lately_rests_for_a_backoff_and_for_its_base_at_least(
    ends: list[tuple[str, Outcome, float | None]], after: float, rest: float | None
) -> None:
    run, now = of_ends(*ends), NOON + timedelta(seconds=after)
    assert rest_of_pool(run, Pool(M5, Market.SPOT), 0.5, now) == rest
    assert rest_of_pool(run, Pool(M5, Market.ON_DEMAND), 0.5, now) is None


def test_only_errors_of_the_service_and_of_the_user_wait_for_a_backoff_that_grows_with_those_in_a_row() -> None:
    errors = of_ends((M5, FULL, 0), (M5, ERROR, 1), (M5, ERROR, 2), (M5, ERROR, 3))
    ended = replace(errors, attempts=errors.attempts[:-1])
    assert seconds_to_wait(ended, ERROR, 0.5, NOON) == 60
    assert seconds_to_wait(ended, Outcome.MAX_WAIT_TIME_EXCEEDED, 0.5, NOON) is None


def test_after_a_capacity_failure_the_pool_that_comes_next_decides_about_the_wait() -> None:
    full = of_ends((M5, FULL, 0))
    ended = replace(full, attempts=full.attempts[:-1])
    assert seconds_to_wait(ended, FULL, 0.5, AHEAD) is None
    refused = replace(ended, closed=LADDER_PLACEMENTS[1:])
    assert seconds_to_wait(refused, FULL, 0.5, AHEAD) == 30
    assert seconds_to_wait(replace(ended, closed=LADDER_PLACEMENTS), FULL, 0.5, AHEAD) == 30
