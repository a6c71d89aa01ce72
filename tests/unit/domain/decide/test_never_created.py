"""An attempt whose job was never created: what is known of it, and what a resumption makes of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.observation import ResumeRequested
from spot_relay.domain.run.policy import Budgets, Policy, Rung
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.refusal import Refusal, advise
from spot_relay.service import RejectedError
from tests.fakes import NOON, MemoryPrices
from tests.unit.priced import PRICES
from tests.unit.worlds import World, deadline, submission

HOUR = 3600
M5, G5 = "ml.m5.xlarge", "ml.g5.2xlarge"
TOO_SMALL = (
    "The account-level service limit 'ml.m5.xlarge for spot training job usage' is 0 Instances, with current "
    "utilization of 0 Instances and a request delta of 1 Instances."
)


def given_up(policy: Policy | None = None, *refusals: tuple[Refusal, str]) -> World:
    """A run whose launch was refused for good, after what came before it."""
    world = World()
    world.jobs.refusals = [*refusals, (Refusal.INVALID, "No such role.")]
    world.service.submit(submission(policy))
    world.passes(120)
    assert world.run().status is RunStatus.FAILED
    return world


def test_it_has_ended_and_tells_when_and_why() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.INVALID, "No such role.")]
    run = world.service.submit(submission())
    attempt = run.current
    assert (attempt.status, attempt.outcome) == (AttemptStatus.ENDED, "NeverCreated")
    assert (attempt.ended_at, run.ended_at, run.updated_at) == (NOON, NOON, NOON)
    shown = world.documents.written["churn"]["attempts"][0]
    assert (shown["status"], shown["outcome"]) == ("Ended", "NeverCreated")
    assert shown["failure_reason"] == "No such role."
    assert shown["ended_at"] == "2026-11-23T12:00:00.000Z"


def test_one_that_a_user_stopped_has_ended_by_then_and_waits_for_room_no_more() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.QUOTA_FULL, "Full.")]
    world.service.submit(submission())
    assert world.run().current.waits_for_room
    world.service.stop("churn")
    run = world.passes(300)
    assert (run.status, run.stop_requested) == (RunStatus.STOPPED, True)
    assert (run.current.outcome, run.current.waits_for_room) == ("NeverCreated", False)
    assert run.current.ended_at == run.ended_at == NOON + timedelta(seconds=300)


def test_a_run_that_is_stopped_between_attempts_has_been_stopped_by_request_and_ended_then() -> None:
    world = World()
    world.service.submit(submission())
    world.tell(1, "Failed", "Failed", failure_reason="CapacityError: none")
    world.clock.passes(5)
    run = world.service.stop("churn")
    assert (run.stop_requested, run.ended_at) == (True, NOON + timedelta(seconds=5))
    assert world.documents.written["churn"]["stop_requested"] is True


def test_it_is_launched_anew_as_if_nothing_had_been_refused() -> None:
    world = given_up(None, (Refusal.THROTTLED, "Rate exceeded."))
    assert world.run().current.refusals == 1
    run = world.service.resume("churn")
    attempt = run.current
    assert (attempt.number, attempt.cause, attempt.status) == (1, Cause.RESUMED, AttemptStatus.IN_PROGRESS)
    assert (attempt.refusals, attempt.outcome, attempt.failure_reason, attempt.ended_at) == (0, None, None, None)
    assert run.stop_requested is False
    assert run.check_at is not None
    # A launch that had been refused before would be looked at within the minute: it may have succeeded then.
    assert run.check_at - world.clock() == timedelta(minutes=5)


def test_it_is_launched_where_the_deadline_wants_it_by_then() -> None:
    ladder = (Rung(Placement(M5, 1, Market.SPOT)), Rung(Placement(G5, 1, Market.ON_DEMAND)))
    world = given_up(deadline(4 * HOUR, expected_runtime_seconds=2 * HOUR, ladder=ladder))
    assert (world.run().current.rung, world.run().current.max_wait_seconds) == (0, 4 * HOUR)
    world.clock.passes(100 * 60)
    run = world.service.resume("churn")
    assert (run.current.placement, run.current.rung) == (Placement(G5, 1, Market.ON_DEMAND), 1)
    assert run.current.max_wait_seconds is None
    assert "MaxWaitTimeInSeconds" not in world.jobs.requests[-1]["StoppingCondition"]


def test_it_needs_no_further_attempt_where_a_run_may_have_none() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.INVALID, "No such role.")]
    world.service.submit(submission(CheckpointConfig=None))
    assert world.service.resume("churn").status is RunStatus.IN_PROGRESS


def test_it_is_not_launched_anew_where_it_would_cost_too_much() -> None:
    world = World(prices=MemoryPrices(PRICES))
    world.jobs.refusals = [(Refusal.INVALID, "No such role.")]
    world.service.submit(submission(Policy(budgets=Budgets(money_usd=1.0))))
    with pytest.raises(RejectedError, match=r"money_usd is 0\.0100 USD"):
        world.service.resume("churn", ResumeRequested(budgets={"money_usd": 0.01}))


@pytest.mark.parametrize(
    ("refusal", "message", "advice"),
    [
        (Refusal.QUOTA_TOO_SMALL, TOO_SMALL, "ml.m5.xlarge for spot training job usage"),
        (Refusal.QUOTA_TOO_SMALL, "a new text", "quota"),
        (Refusal.NAME_TAKEN, "", "another name"),
        (Refusal.INVALID, "", "resume the run"),
    ],
)
def test_each_refusal_that_does_not_pass_comes_with_advice(refusal: Refusal, message: str, advice: str) -> None:
    assert advice in advise(refusal, message)
