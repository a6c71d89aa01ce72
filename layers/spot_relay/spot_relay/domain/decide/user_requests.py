"""What users ask of a run: to stop it, for good, and to let an ended one go on."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from spot_relay.domain.decide.steps import CHECK_SOON, Decision, becomes, finish, launch_again, plan
from spot_relay.domain.rules.after_end import Following, following, relaunch_forbidden, wait_limit
from spot_relay.domain.rules.money import unaffordable
from spot_relay.domain.rules.pace import earliest
from spot_relay.domain.run.launch import no_canary
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.policy import Deadline, ReturnToSpot
from spot_relay.domain.run.run import ABSENCE_PATIENCE, Attempt, AttemptStatus, Run, RunStatus, Spent
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.shown import metrics as measures
from spot_relay.domain.values import replace

if TYPE_CHECKING:
    from spot_relay.domain.decide.facts import Facts
    from spot_relay.domain.rules.next_place import Place
    from spot_relay.domain.run.observation import DeadlineChange, ResumeRequested


def stop(run: Run, now: datetime) -> Decision:
    """Stop a run for good. It ends when its job is described as ended, or at once if none can exist."""
    if run.has_ended:
        ended = f"the run has ended already: it is {run.status}"
        return Decision(run, Outbox(), ended, rejected=run.status is not RunStatus.STOPPED)
    if run.stop_requested:
        return Decision(run, Outbox(), "the run is being stopped already")
    attempt = run.current
    if attempt.status is AttemptStatus.ENDED:
        return finish(replace(run, stop_requested=True), RunStatus.STOPPED, now, "stopped by request between attempts")
    lives = attempt.status is AttemptStatus.IN_PROGRESS
    # A launch may be under way in another function, or may have created a job that is not found yet.
    wait = CHECK_SOON if lives else ABSENCE_PATIENCE
    owes = Outbox(stop=attempt.job_name if lives else None)
    reason = "a stop was requested"
    return becomes(run, now, reason, owes, status=RunStatus.STOPPING, stop_requested=True, check_at=now + wait)


def resume(run: Run, request: ResumeRequested, facts: Facts, now: datetime) -> Decision:
    """Let an ended run go on from its newest checkpoint, with its counts at zero and what the request changes."""
    if not run.has_ended:
        return Decision(run, Outbox(), f"the run has not ended: it is {run.status}", rejected=True)
    if run.status is RunStatus.COMPLETED:
        return Decision(run, Outbox(), "the run has completed; there is nothing to resume", rejected=True)
    changed = _changed(run, request, now)
    if isinstance(changed, str):
        return Decision(run, Outbox(), changed, rejected=True)
    open_again = replace(changed, stop_requested=False, ended_at=None, closed=(), spent=Spent())
    place = _onward(open_again, now)
    if isinstance(place, str):
        return Decision(run, Outbox(), place, rejected=True)
    if run.current.outcome is Outcome.NEVER_CREATED:
        anew = _anew(open_again, place, now)
        decision = launch_again(open_again, anew, now, "resumed by request; the launch is tried again")
    else:
        onward = Following(place, measures.RESUMED)
        decision = plan(open_again, facts.checkpoint, onward, now, "resumed by request")
    return replace(decision, owes=decision.owes | Outbox(announce=True))


def _onward(run: Run, now: datetime) -> Place | str:
    """Choose where a resumed run goes on, or say why it can't; an attempt that was never created is no further one."""
    again = run.current.outcome is Outcome.NEVER_CREATED
    if not again and (forbidden := relaunch_forbidden(run)):
        return forbidden
    onward = following(run, measures.RESUMED, now)
    if isinstance(onward, str):
        return onward
    return unaffordable(run, onward.place.placement, now) or onward.place


def _anew(run: Run, place: Place, now: datetime) -> Attempt:
    """Give the newest attempt, which was never created, as it is launched by the policy that the run has now."""
    return replace(
        run.current,
        placement=place.placement,
        rung=place.rung,
        cause=measures.RESUMED,
        refusals=0,
        outcome=None,
        failure_reason=None,
        ended_at=None,
        waiting_since=None,
        max_wait_seconds=wait_limit(run, place.placement, now),
    )


def _changed(run: Run, request: ResumeRequested, now: datetime) -> Run | str:
    """Give the run with the budgets and the deadline that a resumption asks for, or say why it can't have them."""
    run = replace(run, policy=replace(run.policy, budgets=replace(run.policy.budgets, **request.budgets)))
    if request.deadline is None:
        return run
    deadline = _deadline(run, request.deadline)
    if isinstance(deadline, str):
        return deadline
    moved = request.deadline.at is not None or request.deadline.within_seconds is not None
    at = deadline.instant(now) if moved or run.deadline_at is None else run.deadline_at
    left = replace(deadline, expected_runtime_seconds=_left(deadline.expected_runtime_seconds, run.progress_seconds))
    if (soonest := earliest(left, now)) > at:
        return (
            f"the deadline {at.isoformat(timespec='seconds')} can't be met, not even on demand: give "
            f"{soonest.isoformat(timespec='seconds')} or a later one"
        )
    return replace(run, deadline_at=at, policy=replace(run.policy, deadline=deadline))


def _left(expected: int, progress: float) -> int:
    return max(0, round(expected - progress))


def _deadline(run: Run, change: DeadlineChange) -> Deadline | str:
    known, no_canary_why = run.policy.deadline, no_canary(run.id, run.training_job)
    given = {name: value for name, value in asdict(change).items() if value is not None}
    if "at" in given or "within_seconds" in given:
        given = {"at": None, "within_seconds": None} | given
    if change.return_to_spot is ReturnToSpot.CANARY and no_canary_why:
        return f"return_to_spot can't be canary: {no_canary_why}"
    if run.checkpoint_uri is None:
        return "the run can't have a deadline: its training job has no CheckpointConfig"
    if known is not None:
        return replace(known, **given)
    if "at" not in given or "expected_runtime_seconds" not in given:
        return "the run has no deadline: a first one needs both deadline and expected_runtime"
    return Deadline(**({"return_to_spot": ReturnToSpot.BLIND} | given if no_canary_why else given))
