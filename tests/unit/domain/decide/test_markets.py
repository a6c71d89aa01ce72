"""When a run with a deadline changes its market, what it owes for that, and when it is looked at until then.

Two hours of training in five: while it waits, the run is behind its pace 9000 seconds after its submission, and its
safety net is due at 9300. On-demand it has 10 000 seconds left and is on its pace with 8000 seconds of work.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.decide.markets import (
    Steering,
    demand_before_launch,
    has_capacity,
    is_net_due,
    next_look,
    steer,
)
from spot_relay.domain.run.attempt import AttemptStatus, Canary, CanaryStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.observation import Due
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.policy import Budgets, Policy, ReturnToSpot, Rung
from spot_relay.domain.sagemaker.job import Absent, Job, Market, Placement
from spot_relay.domain.sagemaker.refusal import Refusal
from tests.fakes import NOON
from tests.unit.paid_runs import PRICES
from tests.unit.worlds import deadline, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run

HOUR = 3600
EVERY = timedelta(minutes=5)
M5, G5 = "ml.m5.xlarge", "ml.g5.2xlarge"
SPOT, ON_DEMAND = Placement(M5, 1, Market.SPOT), Placement(M5, 1, Market.ON_DEMAND)
LIVES = AttemptStatus.IN_PROGRESS
TO_ON_DEMAND = "Stopping it to continue on-demand."
LATE = f"The deadline leaves no more time for churn-relay-01 to wait for spot. {TO_ON_DEMAND}"
BEHIND = f"churn-relay-01 has waited so long for spot that the deadline is at risk. {TO_ON_DEMAND}"


def after(seconds: float) -> Any:
    """The time so many seconds after the submission."""
    return NOON + timedelta(seconds=seconds)


def on_spot(policy: Policy | None = None, **known: Any) -> Run:
    """A run whose first attempt is on spot, with what is known of it."""
    run = replace(accept(submission(policy or deadline(5 * HOUR)), "one", NOON), outbox=Outbox())
    return run.with_attempt(replace(run.current, **{"status": LIVES, **known}))


def on_demand(ahead_in: float, way: ReturnToSpot = ReturnToSpot.CANARY, **known: Any) -> Run:
    """A run that trains on demand and, 3000 seconds after its submission, may return to spot in so many seconds."""
    work = 8000 + ahead_in / 5 - (720 if way is ReturnToSpot.BLIND else 0)
    policy = deadline(13_000, expected_runtime_seconds=9000, changeover_seconds=300, return_to_spot=way)
    run = on_spot(policy, placement=ON_DEMAND, cause=Cause.BEHIND_PACE, **known)
    return replace(run, progress_seconds=9000 - work)


THEN = after(3000)


def job(status: str = "InProgress", secondary_status: str = "Training", name: str = "churn-relay-01") -> Job:
    return Job(name, "arn", status, secondary_status, NOON, NOON, SPOT)


def look(run: Run, known: Job | Absent | None = None, canary: Job | None = None, seconds: float = 3000) -> Steering:
    return steer(run, Facts(Due(), job=known, canary=canary), after(seconds))


def leaves(run: Run, market: Market, reason: str) -> Steering:
    """The switch of a live attempt to a market."""
    return Steering(run.with_attempt(replace(run.current, switch_to=market)), Outbox(stop="churn-relay-01"), reason)


@pytest.mark.parametrize(
    ("waited", "seconds", "reason"),
    [
        (None, 20_000, None),
        (300, 8999, None),
        (300, 9000, BEHIND),
        (299, 9000, None),
        (0, 9299, None),
        (0, 9300, LATE),
        (900, 9300, LATE),
    ],
)
def test_a_job_that_waits_for_spot_is_stopped_when_the_deadline_requires_it(
    waited: int | None, seconds: int, reason: str | None
) -> None:
    run = on_spot(waiting_since=None if waited is None else after(seconds - waited))
    assert look(run, seconds=seconds) == (leaves(run, Market.ON_DEMAND, reason) if reason else Steering(run))


@pytest.mark.parametrize(
    "run",
    [
        replace(on_spot(waiting_since=NOON), stop_requested=True),
        replace(on_spot(waiting_since=NOON, switch_to=Market.ON_DEMAND), stop_requested=True),
        replace(on_spot(waiting_since=NOON), closed=(ON_DEMAND,)),
        on_spot(Policy(), waiting_since=NOON),
        on_spot(Policy(), placement=ON_DEMAND),
    ],
    ids=["stopping", "stopping a switch", "nowhere to go", "on spot", "on-demand"],
)
def test_a_run_without_a_deadline_or_a_place_to_go_to_or_that_is_being_stopped_stays(run: Run) -> None:
    assert look(run, job(), job(), 20_000) == Steering(run)


MOVED = on_spot(waiting_since=None, switch_to=Market.ON_DEMAND)


@pytest.mark.parametrize(
    ("run", "known", "again"),
    [
        (MOVED, job(), False),
        (replace(MOVED, moved_to=Market.SPOT), job(), False),
        (replace(MOVED, moved_to=Market.ON_DEMAND), job(), True),
        (on_spot(waiting_since=NOON, switch_to=Market.ON_DEMAND), job(), True),
        (on_demand(0, switch_to=Market.SPOT), job(), True),
        (on_demand(0, switch_to=Market.SPOT), job("Stopping", "Stopping"), False),
        (on_demand(0, switch_to=Market.SPOT), Absent(), False),
        (on_demand(0, switch_to=Market.SPOT), None, False),
        (on_spot(Policy(), placement=ON_DEMAND, switch_to=Market.SPOT), job(), True),
    ],
)
def test_a_switch_asks_again_for_a_stop_unless_it_is_under_way_or_the_job_trains_on_spot_after_all(
    run: Run, known: Job | Absent | None, again: bool
) -> None:
    reason = "churn-relay-01 is still Training. Asking SageMaker again to stop it."
    assert look(run, known) == (Steering(run, Outbox(stop="churn-relay-01"), reason) if again else Steering(run))


CANARY, BLIND, NEVER = ReturnToSpot.CANARY, ReturnToSpot.BLIND, ReturnToSpot.NEVER
BLINDLY = "The run is well ahead of schedule. Stopping churn-relay-01 to wait for spot capacity."
FOUND = "There is spot capacity again. Stopping churn-relay-01 to continue on spot."
SLEEPS = job("InProgress", "Training", "churn-canary-01")
WAITS = job("InProgress", "Starting", "churn-canary-01")


@pytest.mark.parametrize(
    ("run", "canary", "reason"),
    [
        (on_demand(0.5, BLIND), None, None),
        (on_demand(0, BLIND), None, BLINDLY),
        (on_demand(-5, BLIND), None, BLINDLY),
        (on_demand(400, BLIND), SLEEPS, FOUND),
        (on_demand(400), SLEEPS, FOUND),
        (on_demand(0.5), None, None),
        (on_demand(0.5), WAITS, None),
        (on_demand(0, NEVER), SLEEPS, None),
        (on_demand(0, BLIND, status=AttemptStatus.PLANNED), SLEEPS, None),
        (replace(on_demand(0, BLIND), closed=(SPOT,)), SLEEPS, None),
    ],
)
def test_a_run_on_demand_returns_to_spot_where_there_is_capacity_or_blindly_once_it_is_well_ahead(
    run: Run, canary: Job | None, reason: str | None
) -> None:
    assert look(run, job(), canary) == (leaves(run, Market.SPOT, reason) if reason else Steering(run))


@pytest.mark.parametrize(("money", "pays"), [(0.28, True), (0.27, False)])
def test_a_run_that_cannot_pay_for_an_attempt_on_spot_as_well_stays_on_demand(money: float, pays: bool) -> None:
    # It has trained for 50 minutes, which cost 0.20 USD, and an hour on spot may cost 0.08 USD.
    run = on_demand(0, BLIND, training_started_at=NOON)
    run = replace(run, prices=PRICES, policy=replace(run.policy, budgets=Budgets(money_usd=money)))
    assert look(run, job()) == (leaves(run, Market.SPOT, BLINDLY) if pays else Steering(run))
    assert next_look(run, THEN, EVERY) == THEN + (timedelta(minutes=1) if pays else EVERY)


def test_a_run_ahead_of_its_pace_sends_a_canary_to_its_spot_place() -> None:
    run = on_demand(0)
    run = replace(run, policy=replace(run.policy, ladder=(Rung(ON_DEMAND), Rung(Placement(G5, 2, Market.SPOT)))))
    canary = Canary(1, "churn-canary-01", Placement(G5, 2, Market.SPOT), THEN, max_wait_seconds=10_000)
    reason = (
        "The run is ahead of schedule. Launching churn-canary-01 to look for spot capacity while churn-relay-01 keeps "
        "training."
    )
    assert look(run, job()) == Steering(replace(run, canaries=(canary,)), Outbox(canary=1), reason)


def test_a_canary_that_was_refused_is_launched_again_as_it_was_and_one_that_lives_is_left_alone() -> None:
    run = on_demand(0)
    refused = Canary(1, "churn-canary-01", SPOT, NOON, HOUR, refusal=Refusal.QUOTA_FULL)
    steering = look(replace(run, canaries=(refused,)), job())
    assert steering.run == replace(run, canaries=(replace(refused, refusal=None),))
    assert steering.owes == Outbox(canary=1)
    for status in (CanaryStatus.IN_PROGRESS, CanaryStatus.ENDED):
        sent = replace(run, canaries=(replace(refused, status=status),))
        assert look(sent, job()) == Steering(sent)
    earlier = replace(refused, number=7, status=CanaryStatus.ENDED)
    sent = look(replace(run, canaries=(earlier,)), job()).run
    assert sent.canaries == (earlier, Canary(1, "churn-canary-01", SPOT, THEN, max_wait_seconds=10_000))


@pytest.mark.parametrize(
    ("canary", "has"),
    [
        (None, False),
        (Absent(), False),
        (job("InProgress", "Starting"), False),
        (job("InProgress", "Training"), True),
        (job("Stopping", "Stopping"), True),
        (job("Stopped", "Stopped"), False),
    ],
)
def test_a_canary_has_capacity_from_its_training_to_its_end(canary: object, has: bool) -> None:
    assert has_capacity(canary) is has


@pytest.mark.parametrize(
    ("run", "seconds", "expected"),
    [
        (on_spot(Policy(), waiting_since=NOON), 60, 300),
        (on_spot(Policy(), placement=ON_DEMAND), 60, 300),
        (on_spot(switch_to=Market.ON_DEMAND), 60, 30),
        (on_spot(Policy(), switch_to=Market.ON_DEMAND), 60, 30),
        # It waits: until it is behind its pace, or until its safety net is due.
        (on_spot(waiting_since=NOON), 8600, 300),
        (on_spot(waiting_since=NOON), 8701, 299),
        (on_spot(waiting_since=NOON), 8999, 1),
        (on_spot(waiting_since=NOON), 9000, 0),
        (on_spot(waiting_since=after(8900)), 8900, 300),
        (on_spot(waiting_since=after(9100)), 9100, 200),
        (replace(on_spot(waiting_since=NOON), closed=(ON_DEMAND,)), 9000, 300),
        (replace(on_spot(waiting_since=NOON), closed=(ON_DEMAND,)), 8999, 1),
        # It trains: until it has no time for another wait.
        (on_spot(), 8999, 300),
        (on_spot(), 9001, 299),
        (on_spot(), 9239, 61),
        (on_spot(), 9241, 60),
        (on_spot(), 20_000, 60),
        # On demand: until it may return.
        (on_demand(400), 3000, 300),
        (on_demand(200), 3000, 200),
        (on_demand(20), 3000, 60),
        (on_demand(200, BLIND), 3000, 200),
        (on_demand(200, NEVER), 3000, 300),
        (on_demand(200, status=AttemptStatus.PLANNED), 3000, 300),
        (replace(on_demand(200), canaries=(Canary(1, "churn-canary-01", SPOT, NOON, HOUR),)), 3000, 300),
        (replace(on_demand(200), canaries=(Canary(7, "churn-canary-07", SPOT, NOON, HOUR),)), 3000, 200),
    ],
)
def test_a_run_is_looked_at_every_five_minutes_or_sooner_if_a_rule_may_fire_before(
    run: Run, seconds: int, expected: int
) -> None:
    at = next_look(run, after(seconds), EVERY)
    assert (at - after(seconds)).total_seconds() == pytest.approx(expected, abs=0.001)


def test_a_run_is_looked_at_as_often_as_the_stack_says_if_that_is_more_often() -> None:
    every = timedelta(seconds=20)
    for run in (on_spot(switch_to=Market.ON_DEMAND), on_spot(), on_spot(waiting_since=NOON), on_demand(400)):
        assert next_look(run, THEN, every) == THEN + every


@pytest.mark.parametrize(
    ("known", "seconds", "demand"),
    [
        ({"waiting_since": NOON}, 8999, None),
        ({"waiting_since": NOON}, 9000, Cause.BEHIND_PACE),
        ({"waiting_since": None}, 9299, None),
        ({"waiting_since": None}, 9300, Cause.SAFETY_NET),
        ({"refusals": 1}, 9300, None),
        ({"status": LIVES}, 9300, None),
        ({"placement": ON_DEMAND}, 9300, None),
    ],
)
def test_an_attempt_that_is_not_launched_yet_goes_on_demand_by_the_same_rules_if_its_job_cannot_exist(
    known: dict[str, Any], seconds: int, demand: Cause | None
) -> None:
    planned = on_spot(**{"status": AttemptStatus.PLANNED, **known})
    assert demand_before_launch(planned, after(seconds)) is demand
    assert demand_before_launch(replace(planned, policy=Policy()), after(seconds)) is None


@pytest.mark.parametrize(
    ("run", "seconds", "is_due"),
    [
        (on_spot(), 9299, False),
        (on_spot(), 9300, True),
        (on_spot(waiting_since=NOON), 9000, False),
        (replace(on_spot(), stop_requested=True), 9300, False),
        (on_spot(switch_to=Market.ON_DEMAND), 9300, False),
        (on_spot(Policy()), 9300, False),
        (replace(on_spot(), closed=(ON_DEMAND,)), 9300, False),
    ],
)
def test_the_safety_net_is_due_where_no_wait_is_left_and_the_run_can_still_go_on_demand(
    run: Run, seconds: int, is_due: bool
) -> None:
    assert is_net_due(run, after(seconds)) is is_due
