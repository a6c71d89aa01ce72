"""What is asked of a run: to stop for good, by its user or by its store, and to continue once it has ended."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from spot_relay.domain.decide.deadlines import change_deadline
from spot_relay.domain.decide.steps import (
    CHECK_SOON,
    STOP_LATER,
    Decision,
    change,
    close_uncreated,
    describe_retry,
    finish_stopped,
    launch_again,
    plan,
    unchanged,
)
from spot_relay.domain.rules.after_end import check_relaunch
from spot_relay.domain.rules.money import check_money
from spot_relay.domain.rules.next_place import Onward, choose_place
from spot_relay.domain.rules.pace import max_wait_of
from spot_relay.domain.run.attempt import Attempt, AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.policy import Spent
from spot_relay.domain.run.run import ABSENCE_PATIENCE, OUTBOX_PATIENCE, Run, RunStatus
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.redaction import hide_secrets
from spot_relay.domain.values import No, as_sentence, replace

if TYPE_CHECKING:
    from spot_relay.domain.decide.facts import Facts
    from spot_relay.domain.rules.next_place import Place
    from spot_relay.domain.run.observation import ResumeRequested, StopRefused


_RESUMED = "Resumed by request."
LET_COPY_END = "Checkpoints are being copied to its prefix. The run ends when that is over, in a minute or two."
TOO_LARGE = (
    "The record of this run has reached the most that DynamoDB stores in one item (400 KB). Submit the spec under "
    "another name to continue."
)


def stop(run: Run, now: datetime) -> Decision:
    """Stop a run for good. It ends when its job is described as ended, or at once if none can exist."""
    if run.has_ended:
        reason = f"The run has already ended: it is {run.status}."
        return unchanged(run, reason, rejected=run.status is not RunStatus.STOPPED)
    if run.stop_requested:
        return unchanged(run, "The run is already being stopped.")
    attempt, why = run.current, "A stop was requested."
    if attempt.status is AttemptStatus.PLANNED:
        why = f"A stop was requested before {attempt.job_name} was known to exist."
    return _stop(replace(run, stop_requested=True), now, why)


def follow_refused_stop(run: Run, answer: StopRefused, now: datetime) -> Decision:
    """Show why a job could not be stopped. The next look stops a live attempt again; a canary ends by itself."""
    error = as_sentence(hide_secrets(answer.message, run.training_job))
    reason = f"SageMaker could not stop {answer.job_name}: {error}"
    if run.has_ended or answer.job_name != run.current.job_name:
        return unchanged(run, reason)
    return change(run, now, f"{reason} Trying again within a minute.")


def give_up(run: Run, now: datetime) -> Decision:
    """Stop a run whose record can grow no further, as if its user had asked for it; it ends as failed."""
    if run.has_ended:
        return unchanged(run, TOO_LARGE, rejected=True)
    given_up = replace(run, stop_requested=True, failing_because=TOO_LARGE)
    if run.stop_requested:
        return change(given_up, now, TOO_LARGE)
    return _stop(given_up, now, TOO_LARGE)


def _stop(run: Run, now: datetime, why: str) -> Decision:
    attempt = run.current
    if attempt.status is AttemptStatus.ENDED:
        return finish_stopped(run, now)
    if run.waits_to_begin and run.outbox.copy:
        # The function at work on the copy still writes to the prefix, which the end of the run would give away.
        return change(run, now, f"{why} {LET_COPY_END}", status=RunStatus.STOPPING, check_at=now + OUTBOX_PATIENCE)
    if run.waits_to_begin:
        return finish_stopped(run.with_attempt(close_uncreated(attempt, now)), now)
    if attempt.status is AttemptStatus.IN_PROGRESS:
        owes, wait = Outbox(stop=attempt.job_name), CHECK_SOON
        reason = f"{why} Stopping {attempt.job_name}."
    else:
        owes, wait = Outbox(), ABSENCE_PATIENCE
        reason = f"{why} {STOP_LATER}"
    return change(run, now, reason, owes, status=RunStatus.STOPPING, check_at=now + wait)


def resume(run: Run, request: ResumeRequested, facts: Facts, now: datetime) -> Decision:
    """Continue an ended run from its newest checkpoint, with its counts at zero and what the request changes."""
    if not run.has_ended:
        reason = f"Only a run that has ended can be resumed, and this one is {run.status}."
        return unchanged(run, reason, rejected=True)
    if run.status is RunStatus.COMPLETED:
        return unchanged(run, "The run has completed, so there is nothing to resume.", rejected=True)
    if facts.unlisted:
        return unchanged(run, f"{facts.unlisted} Then resume the run again.", rejected=True)
    changed = _change_policy(run, request, now)
    if isinstance(changed, No):
        return unchanged(run, changed.because, rejected=True)
    open_again = replace(changed, stop_requested=False, failing_because=None, ended_at=None, closed=(), spent=Spent())
    place = _choose_place(open_again, now)
    if isinstance(place, No):
        return unchanged(run, place.because, rejected=True)
    return _continue(open_again, place, facts, now)


def _continue(run: Run, place: Place, facts: Facts, now: datetime) -> Decision:
    """Wait on before the first launch, launch an attempt again that was never created, or plan the next one."""
    if run.waits_to_begin:
        waiting = run.with_attempt(replace(_reset_attempt(run, place, now), status=AttemptStatus.PLANNED))
        reason = f"{_RESUMED} Looking at what it waits for before its first launch."
        return change(waiting, now, reason, status=RunStatus.PENDING, check_at=now)
    if run.current.outcome is Outcome.NEVER_CREATED:
        anew = _reset_attempt(run, place, now)
        return launch_again(run, anew, now, f"{_RESUMED} {describe_retry(anew)}")
    return plan(run, facts.checkpoint, Onward(place, Cause.RESUMED), now, _RESUMED)


def _choose_place(run: Run, now: datetime) -> Place | No:
    """Return where a resumed run continues, or why it cannot; an attempt that was never created is launched again."""
    again = run.current.outcome is Outcome.NEVER_CREATED
    if not again and (no := check_relaunch(run)):
        return no
    onward = choose_place(run, Cause.RESUMED, now)
    if isinstance(onward, No):
        return onward
    return check_money(run, onward.place.placement, now) or onward.place


def _reset_attempt(run: Run, place: Place, now: datetime) -> Attempt:
    """Return the newest attempt, which was never created, reset for a launch by the run's current policy."""
    return replace(
        run.current,
        placement=place.placement,
        rung=place.rung,
        cause=Cause.RESUMED,
        refusals=0,
        unrecognized_refusals=0,
        gives_up=False,
        outcome=None,
        failure_reason=None,
        ended_at=None,
        waiting_since=None,
        switch_to=None,
        max_wait_seconds=max_wait_of(run, place.placement, now),
    )


def _change_policy(run: Run, request: ResumeRequested, now: datetime) -> Run | No:
    """Return the run with the budgets and the deadline that a resumption asks for, or why it cannot have them."""
    run = replace(run, policy=replace(run.policy, budgets=replace(run.policy.budgets, **request.budgets)))
    return run if request.deadline is None else change_deadline(run, request.deadline, now)
