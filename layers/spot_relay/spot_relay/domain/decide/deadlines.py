"""What follows when a user changes the deadline of an open run, or removes it; and the change itself.

The training that the run's checkpoints hold counts, so the facts include a look at its live job.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import isinf
from typing import TYPE_CHECKING

from spot_relay.domain.decide.markets import next_look
from spot_relay.domain.decide.steps import CHECK_SOON, Decision, change, give_up_canary, unchanged
from spot_relay.domain.rules.pace import (
    check_deadline,
    earliest_deadline,
    max_wait_of,
    seconds_until_demand,
)
from spot_relay.domain.rules.progress import count_progress
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.launch import check_canary
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.policy import Deadline, ReturnToSpot
from spot_relay.domain.run.run import Run, RunStatus
from spot_relay.domain.sagemaker.job import Job
from spot_relay.domain.values import No, list_members, replace

if TYPE_CHECKING:
    from spot_relay.domain.decide.facts import Facts
    from spot_relay.domain.run.observation import DeadlineChange, DeadlineRequested


def follow_request(run: Run, request: DeadlineRequested, facts: Facts, now: datetime) -> Decision:
    """Change the deadline of an open run or remove it, and look at the run again once the new one may require that."""
    if run.has_ended:
        then = "" if run.status is RunStatus.COMPLETED else " Resume it with a new deadline."
        reason = f"Only the deadline of an open run can be changed, and this run is {run.status}.{then}"
        return unchanged(run, reason, rejected=True)
    if run.stop_requested:
        reason = "The run is being stopped. Resume it once it has stopped, with a new deadline."
        return unchanged(run, reason, rejected=True)
    if request.change is None:
        return _remove(run, now)
    changed = change_deadline(_count(run, facts, now), request.change, now)
    if isinstance(changed, No):
        return unchanged(run, changed.because, rejected=True)
    if (changed.deadline_at, changed.policy) == (run.deadline_at, run.policy):
        return unchanged(run, f"The run has the deadline {_show(run.deadline_at)} already.")
    return _adopt(changed, _describe(run.deadline_at, changed.deadline_at), facts, now)


def change_deadline(run: Run, wanted: DeadlineChange, now: datetime) -> Run | No:
    """Return the run with a changed deadline, or why it cannot have it."""
    deadline = _build_deadline(run, wanted)
    if isinstance(deadline, No):
        return deadline
    moved = wanted.at is not None or wanted.within_seconds is not None
    at = deadline.instant(now) if moved or run.deadline_at is None else run.deadline_at
    left = max(0, round(deadline.expected_runtime_seconds - run.progress_seconds))
    begins = run.start.earliest(now) if run.waits_to_begin else now
    if no := check_deadline(at, earliest_deadline(replace(deadline, expected_runtime_seconds=left), begins)):
        return no
    return replace(run, deadline_at=at, policy=replace(run.policy, deadline=deadline))


def _build_deadline(run: Run, wanted: DeadlineChange) -> Deadline | No:
    known, no_canary = run.policy.deadline, check_canary(run.training_job)
    given = {name: value for name, value in list_members(wanted).items() if value is not None}
    if "at" in given or "within_seconds" in given:
        given = {"at": None, "within_seconds": None} | given
    if wanted.return_to_spot is ReturnToSpot.CANARY and no_canary:
        return No(f"return_to_spot cannot be canary. {no_canary.because}")
    if run.checkpoint_uri is None:
        return No("The run cannot have a deadline, because its training job has no CheckpointConfig.")
    if known is not None:
        return replace(known, **given)
    if "at" not in given or "expected_runtime_seconds" not in given:
        return No("The run has no deadline yet. A first one needs both deadline and expected_runtime.")
    return Deadline(**({"return_to_spot": ReturnToSpot.BLIND} | given if no_canary else given))


def _remove(run: Run, now: datetime) -> Decision:
    if run.policy.deadline is None:
        return unchanged(run, "The run has no deadline.")
    free, stopping = give_up_canary(replace(run, deadline_at=None, policy=replace(run.policy, deadline=None)))
    reason = f"The deadline {_show(run.deadline_at)} was removed by request."
    return change(_fit_launch(free, now), now, reason, stopping)


def _adopt(run: Run, reason: str, facts: Facts, now: datetime) -> Decision:
    stopping, deadline = Outbox(), run.policy.deadline
    if deadline is not None and deadline.return_to_spot is not ReturnToSpot.CANARY:
        run, stopping = give_up_canary(run)
    run = _fit_launch(run, now)
    return change(run, now, reason, stopping, check_at=_next_look(run, facts, now))


def _count(run: Run, facts: Facts, now: datetime) -> Run:
    """Return the run with the training that its live job has in checkpoints by now, as far as that is known."""
    if not isinstance(facts.job, Job) or facts.job.has_ended or facts.unlisted:
        return run
    attempt = replace(run.current, checkpoint=facts.checkpoint, ignored_objects=facts.ignored_objects)
    return count_progress(run, attempt, facts.job, facts.checkpoint, now)


def _fit_launch(run: Run, now: datetime) -> Run:
    """Return the run with the MaxWaitTimeInSeconds that its deadline asks of a launch that is still to come."""
    attempt = run.current
    if attempt.status is not AttemptStatus.PLANNED:
        return run
    return run.with_attempt(replace(attempt, max_wait_seconds=max_wait_of(run, attempt.placement, now)))


def _next_look(run: Run, facts: Facts, now: datetime) -> datetime:
    """Return when to look at the run under its new deadline; a launch that waits is not tried sooner for nothing."""
    known = run.check_at or now
    if run.waits_to_begin:
        return known
    match run.current.status:
        case AttemptStatus.IN_PROGRESS:
            return now
        case AttemptStatus.PLANNED:
            return min(known, max(now + CHECK_SOON, next_look(run, now, facts.check_every)))
        case AttemptStatus.ENDED:
            seconds = seconds_until_demand(run, now)
            # They are infinite if the run has to go on-demand already.
            return now if isinf(seconds) else min(known, now + timedelta(seconds=seconds))


def _describe(before: datetime | None, after: datetime | None) -> str:
    if before is None:
        return f"The deadline {_show(after)} was set by request."
    if before == after:
        return f"The deadline stays {_show(after)}. Its other terms were changed by request."
    return f"The deadline was changed from {_show(before)} to {_show(after)} by request."


def _show(moment: datetime | None) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z") if moment else "none"
