"""What follows when an attempt has ended: the whole decision, for each way in which a run goes on or ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.decide.ends import continue_run, follow_outcome, wait_for_listing
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.decide.steps import change, finish, finish_stopped, plan
from spot_relay.domain.rules.next_place import Onward, Place
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.observation import Due
from spot_relay.domain.run.outbox import Outbox, Room
from spot_relay.domain.run.policy import Budgets, Policy, Spent
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Checkpoint, Market, Placement
from tests.fakes import NOON
from tests.unit.worlds import deadline, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run

SPOT, ON_DEMAND = Placement("ml.m5.xlarge", 1, Market.SPOT), Placement("ml.m5.xlarge", 1, Market.ON_DEMAND)
OWES = Outbox(freed=(Room(SPOT.pool, "churn-relay-01"),))
NEWEST = Checkpoint("churn/checkpoints/a", NOON)
NOW = NOON + timedelta(hours=1)
FACTS = Facts(Due(), checkpoint=NEWEST, draw=0.5, check_every=timedelta(minutes=4))
WAIT, CAPACITY, SERVICE = Outcome.MAX_WAIT_TIME_EXCEEDED, Outcome.CAPACITY_ERROR, Outcome.SERVICE_ERROR
PENDING = Outcome.MAX_PENDING_TIME_EXCEEDED
AS_PLANNED = "churn-relay-01 was stopped as planned."
EXPIRED = "churn-relay-01 reached MaxWaitTimeInSeconds before it finished."


def ended(outcome: Outcome, policy: Policy | None = None, switch_to: Market | None = None, **changes: Any) -> Run:
    """A run whose first attempt has just ended like this."""
    run = replace(accept(submission(policy), "one", NOON), status=RunStatus.IN_PROGRESS, outbox=Outbox())
    attempt = replace(run.current, status=AttemptStatus.ENDED, outcome=outcome, ended_at=NOW, switch_to=switch_to)
    return replace(run.with_attempt(attempt), **changes)


@pytest.mark.parametrize("stop_requested", [False, True])
def test_a_completed_job_completes_its_run_even_one_that_is_to_be_stopped(stop_requested: bool) -> None:
    run = ended(Outcome.COMPLETED, stop_requested=stop_requested)
    reason = "churn-relay-01 completed the training."
    assert follow_outcome(run, Outcome.COMPLETED, FACTS, NOW, OWES) == finish(
        run, RunStatus.COMPLETED, NOW, reason, OWES
    )


@pytest.mark.parametrize("outcome", [Outcome.STOPPED, WAIT, CAPACITY, Outcome.USER_ERROR])
@pytest.mark.parametrize("switch_to", [None, Market.ON_DEMAND])
def test_any_end_but_completion_ends_a_run_that_is_to_be_stopped(outcome: Outcome, switch_to: Market | None) -> None:
    run = ended(outcome, switch_to=switch_to, stop_requested=True)
    assert follow_outcome(run, outcome, FACTS, NOW, OWES) == finish_stopped(run, NOW, OWES)


@pytest.mark.parametrize("outcome", [Outcome.STOPPED, WAIT, PENDING])
def test_a_job_that_was_stopped_for_a_switch_is_followed_at_once_and_costs_no_budget(outcome: Outcome) -> None:
    run = ended(outcome, switch_to=Market.ON_DEMAND)
    onward = Onward(Place(0, SPOT), Cause.of_end(outcome))
    assert follow_outcome(run, outcome, FACTS, NOW, OWES) == plan(run, NEWEST, onward, NOW, AS_PLANNED, OWES)


def test_a_job_that_was_stopped_outside_ends_its_run() -> None:
    run = ended(Outcome.STOPPED)
    reason = "churn-relay-01 was stopped outside Spot Relay. Resume the run to continue."
    assert follow_outcome(run, Outcome.STOPPED, FACTS, NOW, OWES) == finish(run, RunStatus.STOPPED, NOW, reason, OWES)


@pytest.mark.parametrize("switch_to", [None, Market.ON_DEMAND])
def test_an_end_that_no_budget_allows_another_attempt_after_fails_the_run(switch_to: Market | None) -> None:
    run = ended(Outcome.USER_ERROR, switch_to=switch_to)
    reason = (
        "churn-relay-01 failed because the training code or its configuration has an error. Fix it and resume the run, "
        "or submit a corrected spec under another name."
    )
    assert follow_outcome(run, Outcome.USER_ERROR, FACTS, NOW, OWES) == finish(run, RunStatus.FAILED, NOW, reason, OWES)


def test_a_wait_that_expired_is_followed_at_once_and_counted() -> None:
    run = ended(WAIT)
    counted = replace(run, spent=Spent(expired_waits=1))
    expected = plan(counted, NEWEST, Onward(Place(0, SPOT), Cause.of_end(WAIT)), NOW, EXPIRED, OWES)
    assert follow_outcome(run, WAIT, FACTS, NOW, OWES) == expected


NO_CAPACITY = "churn-relay-01 failed because SageMaker had no capacity."
AN_ERROR = "churn-relay-01 failed because SageMaker had an internal error."


@pytest.mark.parametrize(
    ("outcome", "draw", "seconds", "spent", "reason"),
    [
        (CAPACITY, 0.5, 30, Spent(capacity_failures=1), f"{NO_CAPACITY} Launching the next attempt in 30 s."),
        (SERVICE, 0.5, 15, Spent(service_errors=1), f"{AN_ERROR} Launching the next attempt in 15 s."),
        (SERVICE, 0.25, 7.5, Spent(service_errors=1), f"{AN_ERROR} Launching the next attempt in 8 s."),
    ],
)
def test_after_other_failures_a_backoff_comes_first(
    outcome: Outcome, draw: float, seconds: float, spent: Spent, reason: str
) -> None:
    run = ended(outcome)
    check_at = NOW + timedelta(seconds=seconds)
    expected = change(replace(run, spent=spent), NOW, reason, OWES, status=RunStatus.PENDING, check_at=check_at)
    assert follow_outcome(run, outcome, replace(FACTS, draw=draw), NOW, OWES) == expected


def test_a_backoff_is_cut_short_when_the_deadline_needs_the_run_on_demand() -> None:
    # The net is due when less is left than the training, two changeovers of ten minutes, and the reaction.
    left = timedelta(seconds=3600 + 2 * 600 + 300 + 10)
    known = deadline(6 * 3600, changeover_seconds=600)
    run = ended(SERVICE, known, deadline_at=NOW + left, progress_seconds=3600.0)
    after = follow_outcome(run, SERVICE, FACTS, NOW, OWES)
    assert after.reason == f"{AN_ERROR} Launching the next attempt in 10 s."
    assert after.run.check_at == NOW + timedelta(seconds=10)


def test_a_capacity_failure_is_followed_at_once_where_there_may_be_capacity() -> None:
    """Under a deadline with no time left, on-demand."""
    run = ended(CAPACITY, deadline(6 * 3600), deadline_at=NOW + timedelta(hours=2))
    counted = replace(run, spent=Spent(capacity_failures=1))
    onward = Onward(Place(0, ON_DEMAND), Cause.SAFETY_NET)
    expected = plan(counted, NEWEST, onward, NOW, NO_CAPACITY, OWES)
    assert follow_outcome(run, CAPACITY, FACTS, NOW, OWES) == expected


def test_a_run_that_sagemaker_takes_nowhere_fails_with_what_it_owed() -> None:
    run = ended(WAIT, closed=(SPOT,))
    reason = (
        "So it goes. SageMaker refuses every placement for good (tried: 1 x ml.m5.xlarge (spot)). Resume the run when "
        "a quota has been raised, or submit the spec under another name with other placements."
    )
    after = continue_run(run, Cause.MAX_WAIT_TIME_EXCEEDED, FACTS, NOW, "So it goes.", OWES)
    assert after == finish(run, RunStatus.FAILED, NOW, reason, OWES)


def test_a_run_continues_where_the_deadline_wants_it_by_then() -> None:
    run = ended(WAIT, deadline(6 * 3600), deadline_at=NOW + timedelta(hours=2))
    onward = Onward(Place(0, ON_DEMAND), Cause.SAFETY_NET)
    after = continue_run(run, Cause.MAX_WAIT_TIME_EXCEEDED, FACTS, NOW, "So it goes.")
    assert after == plan(run, NEWEST, onward, NOW, "So it goes.")


def test_nothing_is_launched_until_the_checkpoints_can_be_listed() -> None:
    run = ended(WAIT, Policy(Budgets()))
    reason = "S3 is gone. Nothing is launched until they can be listed. Checking again in 240 s."
    expected = change(run, NOW, reason, check_at=NOW + timedelta(minutes=4))
    assert wait_for_listing(run, "S3 is gone.", FACTS, NOW) == expected
