"""What a stop, a refused stop, a record that is too large, and a resumption make of a run, whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.decide.steps import Decision, finish_stopped
from spot_relay.domain.decide.user_requests import TOO_LARGE, follow_refused_stop, give_up, resume, stop
from spot_relay.domain.run.attempt import Attempt, AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.observation import DeadlineChange, ResumeRequested, StopRefused
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.policy import Budgets, Deadline, Policy, Rung, Spent
from spot_relay.domain.run.run import Run, RunStatus
from spot_relay.domain.run.start import Start
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Checkpoint, Market, Placement
from tests.fakes import NOON
from tests.unit.paid_runs import M5, PRICES
from tests.unit.worlds import deadline, submission

HOUR = 3600
NOW = NOON + timedelta(minutes=10)
SPOT_M5, SPOT_G5 = Placement(M5, 1, Market.SPOT), Placement("ml.g5.2xlarge", 1, Market.SPOT)
ON_DEMAND_M5 = Placement(M5, 1, Market.ON_DEMAND)
NEWEST = Checkpoint("churn/checkpoints/b", NOON)
PLANNED, LIVES, ENDED = AttemptStatus
SOON, LATER = NOW + timedelta(seconds=30), NOW + timedelta(minutes=5)
WRITTEN = Outbox(status=True)


def a_run(policy: Policy | None = None, start: Start | None = None, **known: Any) -> Run:
    """A run with one attempt, and with what is known of that."""
    asked = replace(submission(policy), start=start or Start())
    run = replace(accept(asked, "one", NOON, PRICES), outbox=Outbox())
    return run.with_attempt(replace(run.current, **known))


def changed(run: Run, decision: Decision, **changes: Any) -> Run:
    return replace(run, updated_at=NOW, reason=decision.reason, **changes)


PREPARING = a_run(start=Start(after=("prep",)))


@pytest.mark.parametrize(
    ("run", "owes", "look", "reason"),
    [
        (
            a_run(status=LIVES),
            Outbox(stop="churn-relay-01", status=True),
            SOON,
            "A stop was requested. Stopping churn-relay-01.",
        ),
        (
            a_run(status=PLANNED),
            WRITTEN,
            LATER,
            "A stop was requested before churn-relay-01 was known to exist. Checking in 5 minutes whether it exists, "
            "to stop it.",
        ),
        (
            replace(PREPARING, outbox=Outbox(copy=True)),
            WRITTEN,
            NOW + timedelta(seconds=90),
            "A stop was requested before churn-relay-01 was known to exist. Checkpoints are being copied to its "
            "prefix. The run ends when that is over, in a minute or two.",
        ),
    ],
    ids=["live", "planned", "copying"],
)
def test_a_run_that_is_stopped_ends_once_nothing_of_it_is_at_work(
    run: Run, owes: Outbox, look: Any, reason: str
) -> None:
    decision = stop(run, NOW)
    expected = changed(run, decision, stop_requested=True, status=RunStatus.STOPPING, check_at=look)
    assert decision == Decision(expected, owes, reason)


def test_a_run_of_which_nothing_is_at_work_has_stopped_at_once() -> None:
    between = a_run(status=ENDED)
    assert stop(between, NOW) == finish_stopped(replace(between, stop_requested=True), NOW)
    never: dict[str, Any] = {"status": ENDED, "outcome": Outcome.NEVER_CREATED, "ended_at": NOW}
    closed = PREPARING.with_attempt(replace(PREPARING.current, **never))
    assert stop(PREPARING, NOW) == finish_stopped(replace(closed, stop_requested=True), NOW)


@pytest.mark.parametrize(
    ("changes", "reason", "rejected"),
    [
        ({"status": RunStatus.COMPLETED}, "The run has already ended: it is Completed.", True),
        ({"status": RunStatus.FAILED}, "The run has already ended: it is Failed.", True),
        ({"status": RunStatus.STOPPED}, "The run has already ended: it is Stopped.", False),
        ({"stop_requested": True}, "The run is already being stopped.", False),
    ],
)
def test_a_stop_is_asked_for_once_and_not_of_a_run_that_has_ended_otherwise(
    changes: dict[str, Any], reason: str, rejected: bool
) -> None:
    run = replace(a_run(status=LIVES), **changes)
    assert stop(run, NOW) == Decision(run, Outbox(), reason, rejected)


def test_a_stop_that_sagemaker_refuses_is_shown_and_tried_again_unless_the_run_needs_it_no_more() -> None:
    run = a_run(status=LIVES)
    decision = follow_refused_stop(run, StopRefused("churn-relay-01", "very-secret is wrong"), NOW)
    reason = "SageMaker could not stop churn-relay-01: [hidden] is wrong."
    again = f"{reason} Trying again within a minute."
    assert decision == Decision(changed(run, decision), WRITTEN, again)
    for known, name in ((run, "churn-canary-01"), (replace(run, status=RunStatus.STOPPED), "churn-relay-01")):
        answer = StopRefused(name, "very-secret is wrong")
        said = reason.replace("churn-relay-01", name)
        assert follow_refused_stop(known, answer, NOW) == Decision(known, Outbox(), said)


def test_a_run_whose_record_can_grow_no_further_is_stopped_and_fails() -> None:
    live = a_run(status=LIVES)
    decision = give_up(live, NOW)
    failing: dict[str, Any] = {"stop_requested": True, "failing_because": TOO_LARGE}
    expected = changed(live, decision, **failing, status=RunStatus.STOPPING, check_at=SOON)
    owes = Outbox(stop="churn-relay-01", status=True)
    assert decision == Decision(expected, owes, f"{TOO_LARGE} Stopping churn-relay-01.")
    between = a_run(status=ENDED)
    assert give_up(between, NOW) == finish_stopped(replace(between, **failing), NOW)


def test_a_run_whose_record_can_grow_no_further_while_it_is_being_stopped_fails_then() -> None:
    run = replace(a_run(status=LIVES), stop_requested=True, status=RunStatus.STOPPING)
    decision = give_up(run, NOW)
    assert decision == Decision(changed(run, decision, failing_because=TOO_LARGE), WRITTEN, TOO_LARGE)
    over = replace(run, status=RunStatus.STOPPED)
    assert give_up(over, NOW) == Decision(over, Outbox(), TOO_LARGE, rejected=True)


def over(policy: Policy | None = None, **known: Any) -> Run:
    """A run that has failed, with all that a resumption forgets."""
    run = a_run(policy, **{"status": ENDED, "outcome": Outcome.STOPPED, **known})
    return replace(
        run,
        status=RunStatus.FAILED,
        stop_requested=True,
        failing_because="It was too large.",
        ended_at=NOON,
        check_at=None,
        closed=(SPOT_M5,),
        spent=Spent(1, 2, 3, 4, 5, 6),
    )


# What a resumption makes of such a run.
OPEN: dict[str, Any] = {
    "status": RunStatus.PENDING,
    "stop_requested": False,
    "failing_because": None,
    "ended_at": None,
    "closed": (),
    "spent": Spent(),
}
FACTS = Facts(ResumeRequested(), checkpoint=NEWEST)
# All that may be known of an attempt that was never created.
NEVER_CREATED: dict[str, Any] = {
    "outcome": Outcome.NEVER_CREATED,
    "refusals": 3,
    "unrecognized_refusals": 2,
    "gives_up": True,
    "failure_reason": "No.",
    "ended_at": NOON,
    "waiting_since": NOON,
    "switch_to": Market.ON_DEMAND,
    "placement": SPOT_G5,
    "rung": 1,
}
LADDER = (Rung(SPOT_M5), Rung(SPOT_G5))


def test_a_run_is_resumed_with_another_attempt_from_its_newest_checkpoint_and_all_counts_at_zero() -> None:
    run = over(deadline(5 * HOUR))
    decision = resume(run, ResumeRequested(), FACTS, NOW)
    attempt = Attempt(
        2,
        "churn-relay-02",
        SPOT_M5,
        NOW,
        Cause.RESUMED,
        resumes_from=NEWEST,
        max_wait_seconds=5 * HOUR - 600,
    )
    attempts, check_at = (run.current, attempt), NOW + timedelta(seconds=90)
    expected = changed(run, decision, **OPEN, attempts=attempts, check_at=check_at)
    reason = "Resumed by request. churn-relay-02 continues from the checkpoint churn/checkpoints/b."
    assert decision == Decision(expected, Outbox(launch=2), reason)


def test_an_attempt_that_was_never_created_is_launched_again_as_a_new_one_where_its_policy_has_it_now() -> None:
    run = over(replace(deadline(5 * HOUR), ladder=LADDER[::-1]), **NEVER_CREATED)
    request = ResumeRequested({"expired_waits": 3}, DeadlineChange(within_seconds=6 * HOUR))
    decision = resume(run, request, FACTS, NOW)
    attempt = replace(
        run.current,
        status=PLANNED,
        placement=SPOT_M5,
        cause=Cause.RESUMED,
        outcome=None,
        refusals=0,
        unrecognized_refusals=0,
        gives_up=False,
        failure_reason=None,
        ended_at=None,
        waiting_since=None,
        switch_to=None,
        max_wait_seconds=6 * HOUR,
    )
    known = run.policy.deadline
    assert known is not None
    expected = changed(
        run,
        decision,
        **OPEN,
        attempts=(attempt,),
        deadline_at=NOW + timedelta(hours=6),
        policy=replace(
            run.policy, budgets=Budgets(expired_waits=3), deadline=replace(known, at=None, within_seconds=6 * HOUR)
        ),
        check_at=NOW + timedelta(seconds=90),
    )
    reason = "Resumed by request. Trying to launch churn-relay-01 again."
    assert decision == Decision(expected, Outbox(launch=1), reason)


def test_a_run_that_had_not_begun_looks_again_at_what_it_waits_for() -> None:
    run = over(replace(deadline(5 * HOUR), ladder=LADDER), **NEVER_CREATED)
    run = replace(run, waits_to_begin=True, start=Start(after=("prep",)))
    decision = resume(run, ResumeRequested(), FACTS, NOW)
    again = resume(replace(run, waits_to_begin=False), ResumeRequested(), FACTS, NOW).run
    expected = changed(again, decision, waits_to_begin=True, check_at=NOW)
    reason = "Resumed by request. Looking at what it waits for before its first launch."
    assert decision == Decision(expected, WRITTEN, reason)


@pytest.mark.parametrize(
    ("run", "request_", "facts", "reason"),
    [
        (
            a_run(),
            ResumeRequested(),
            FACTS,
            "Only a run that has ended can be resumed, and this one is Pending.",
        ),
        (
            replace(over(), status=RunStatus.COMPLETED),
            ResumeRequested(),
            FACTS,
            "The run has completed, so there is nothing to resume.",
        ),
        (
            over(),
            ResumeRequested(),
            replace(FACTS, unlisted="The checkpoints cannot be found."),
            "The checkpoints cannot be found. Then resume the run again.",
        ),
        (
            over(),
            ResumeRequested(deadline=DeadlineChange(within_seconds=60)),
            FACTS,
            "The run has no deadline yet. A first one needs both deadline and expected_runtime.",
        ),
        (
            replace(over(), training_job={}),
            ResumeRequested(),
            FACTS,
            "The training job has no CheckpointConfig, so another attempt would start from zero. Add one, or set "
            "policy.restart_from_scratch to true, and submit the spec under another name.",
        ),
        (
            over(),
            ResumeRequested({"money_usd": 0.05}),
            FACTS,
            "policy.budgets.money_usd is 0.0500 USD. 0.00 USD is spent, and an attempt on 1 x ml.m5.xlarge (spot) may "
            "cost up to 0.0800 USD (MaxRuntimeInSeconds 3600). Resume the run with policy.budgets.money_usd set to "
            "0.0800 or more.",
        ),
    ],
    ids=["open", "completed", "unlisted", "no deadline", "no checkpoints", "too expensive"],
)
def test_a_resumption_that_cannot_be_granted_changes_nothing(
    run: Run, request_: ResumeRequested, facts: Facts, reason: str
) -> None:
    assert resume(run, request_, facts, NOW) == Decision(run, Outbox(), reason, rejected=True)


def test_a_run_is_resumed_on_demand_where_its_deadline_requires_that() -> None:
    run = over(Policy(deadline=Deadline(2 * HOUR, within_seconds=2 * HOUR + 1500)))
    decision = resume(run, ResumeRequested(), FACTS, NOW)
    attempt = decision.run.current
    assert (attempt.placement, attempt.cause, attempt.max_wait_seconds) == (ON_DEMAND_M5, Cause.RESUMED, None)
