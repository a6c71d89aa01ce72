"""The decision: what becomes of a run, given what is known. Pure and total; every branch gives its reason."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, assert_never

from spot_relay.domain import measures
from spot_relay.domain.ending import Outcome, outcome_of
from spot_relay.domain.facts import Facts, is_due, may_be_orphan
from spot_relay.domain.job import Absent, Job, SecondaryStatus, TrainingJobStatus
from spot_relay.domain.observation import (
    Due,
    JobChanged,
    Launched,
    Observation,
    Overtaken,
    Refused,
    ResumeRequested,
    StopRequested,
)
from spot_relay.domain.outbox import Measure, Outbox
from spot_relay.domain.redaction import without_secrets
from spot_relay.domain.refusal import advice
from spot_relay.domain.relaunch import after_end, next_attempt, relaunch_forbidden
from spot_relay.domain.run import OUTBOX_PATIENCE, Attempt, AttemptStatus, Run, RunStatus, Spent

if TYPE_CHECKING:
    from spot_relay.domain.relaunch import Relaunch

# A describe can lag behind an event, and a stop takes a moment: look again after this long.
CHECK_SOON = timedelta(seconds=30)
# A job just created may not be found yet; one that is still not found after this long was never created.
ABSENCE_PATIENCE = timedelta(minutes=5)


@dataclass(frozen=True)
class Decision:
    """The run's next state, what it owes the world for it, and why.

    ``run`` is the very run that was decided on when nothing changes: then what is owed is done without a save.
    ``rejected`` says that a user asked for what can't be done; the reason tells why.
    """

    run: Run
    owes: Outbox
    reason: str
    rejected: bool = False


def decide(run: Run, facts: Facts, now: datetime) -> Decision:
    """Say what becomes of ``run`` given what is known at ``now``."""
    match facts.observation:
        case JobChanged() as seen:
            return _job_changed(run, seen, facts, now)
        case Due():
            return _due(run, facts, now)
        case Launched() as answer:
            return _launched(run, answer, facts, now)
        case Refused() as answer:
            return _refused(run, answer, facts, now)
        case StopRequested():
            return _stop(run, now)
        case ResumeRequested():
            return _resume(run, facts, now)
        case Overtaken():
            return Decision(run, Outbox(status=True), "another writer was faster; its state is published")
        case _:
            assert_never(facts.observation)


def settle(run: Run, answers: tuple[Observation, ...], facts: Facts, now: datetime) -> Run:
    """Clear the outbox and fold in what performing it has brought; the result may owe something new."""
    settled = replace(run, outbox=Outbox())
    owed = Outbox()
    for answer in answers:
        decision = decide(settled, replace(facts, observation=answer), now)
        settled, owed = decision.run, owed | decision.owes
    return replace(settled, outbox=owed)


def _job_changed(run: Run, seen: JobChanged, facts: Facts, now: datetime) -> Decision:
    attempt = run.attempt(seen.attempt)
    if attempt is None:
        return Decision(run, Outbox(), f"attempt {seen.attempt} is not one of this run's")
    if run.has_ended or attempt.status is AttemptStatus.ENDED:
        if may_be_orphan(attempt, seen) and isinstance(facts.job, Job) and not facts.job.has_ended:
            return Decision(run, Outbox(stop=attempt.job_name), "a job of a run that has given up on it is stopped")
        return _late(run, attempt, "the event speaks of an attempt that has ended")
    if attempt.status is AttemptStatus.PLANNED and not run.stop_requested:
        # A job has the attempt's name: that it is ours only the answer of another launch can prove.
        return _launch_again(run, attempt, now, "the launch seems to have succeeded; it is asked for again")
    if seen.says_ended or attempt.status is AttemptStatus.PLANNED:
        return _looked(run, attempt, facts, now)
    if attempt.heard_at is not None and seen.at <= attempt.heard_at:
        return _late(run, attempt, "the event is not newer than what is known")
    return _heard(run, attempt, seen, facts, now)


def _heard(run: Run, attempt: Attempt, seen: JobChanged, facts: Facts, now: datetime) -> Decision:
    """Record a state change that ends nothing. Interrupted is one: SageMaker itself resumes the job."""
    interrupted = seen.secondary_status == SecondaryStatus.INTERRUPTED and attempt.phase != seen.secondary_status
    heard = replace(
        attempt,
        phase=seen.secondary_status,
        heard_at=seen.at,
        interruptions=attempt.interruptions + interrupted,
    )
    reason = f"{attempt.job_name} is {seen.secondary_status}"
    if interrupted:
        reason += "; SageMaker resumes it when capacity returns"
    owes = Outbox(measures=measures.interruptions(attempt, 1) if interrupted else ())
    check_at = now + (CHECK_SOON if run.stop_requested else facts.check_every)
    return _becomes(run.with_attempt(heard), now, reason, owes, check_at=check_at)


def _due(run: Run, facts: Facts, now: datetime) -> Decision:
    if run.has_ended:
        return Decision(run, Outbox(), "the run has ended; nothing is due")
    if not is_due(run, now):
        return Decision(run, Outbox(), "the run is not due yet")
    attempt = run.current
    if attempt.status is AttemptStatus.ENDED:
        return _plan(run, attempt.outcome or Outcome.UNKNOWN_FAILURE, facts, now, "the backoff is over")
    if attempt.status is AttemptStatus.PLANNED and not run.stop_requested:
        return _launch_again(run, attempt, now, "the launch is tried again")
    return _looked(run, attempt, facts, now)


def _looked(run: Run, attempt: Attempt, facts: Facts, now: datetime) -> Decision:
    """Decide on what a describe has shown."""
    match facts.job:
        case None:
            reason = f"{attempt.job_name} has not been described; it is looked at again"
            return _becomes(run, now, reason, check_at=now + CHECK_SOON)
        case Absent():
            return _absent(run, attempt, facts, now)
        case Job() as job if job.has_ended:
            return _ended(run, attempt, job, facts, now)
        case Job() as job:
            return _lives(run, attempt, job, facts, now)
        case _:
            assert_never(facts.job)


def _absent(run: Run, attempt: Attempt, facts: Facts, now: datetime) -> Decision:
    began = attempt.launched_at
    if began is not None and now - began < ABSENCE_PATIENCE:
        reason = f"{attempt.job_name} was created but is not found yet"
        return _becomes(run, now, reason, check_at=now + CHECK_SOON)
    if run.stop_requested and not isinstance(facts.observation, Due):
        return Decision(run, Outbox(), f"the event speaks of a job that is not this run's: {attempt.job_name}")
    if run.stop_requested:
        never = replace(attempt, status=AttemptStatus.ENDED, outcome=Outcome.NEVER_CREATED, ended_at=now)
        return _finish(run.with_attempt(never), RunStatus.STOPPED, now, "stopped by request before a job was created")
    return _launch_again(run, attempt, now, f"SageMaker has no job {attempt.job_name}: it is created")


def _lives(run: Run, attempt: Attempt, job: Job, facts: Facts, now: datetime) -> Decision:
    """Take over what a describe shows of a job that goes on; repair what lost events left out."""
    missed = max(0, job.interruptions - attempt.interruptions)
    seen = replace(
        attempt,
        status=AttemptStatus.IN_PROGRESS,
        arn=job.arn,
        launched_at=attempt.launched_at or now,
        phase=job.secondary_status,
        # What happened before this is in the description, so an event of it that comes later is late.
        heard_at=max(job.modified_at, attempt.heard_at or job.modified_at),
        created_at=job.created_at,
        training_started_at=job.training_started_at,
        interruptions=attempt.interruptions + missed,
    )
    owes = Outbox(measures=_adoption(run, attempt, now) + measures.interruptions(attempt, missed))
    if run.stop_requested and job.status == TrainingJobStatus.IN_PROGRESS:
        owes |= Outbox(stop=attempt.job_name)
    status = RunStatus.STOPPING if run.stop_requested else RunStatus.IN_PROGRESS
    claimed_end = isinstance(facts.observation, JobChanged)
    wait = CHECK_SOON if run.stop_requested or claimed_end else facts.check_every
    reason = f"{attempt.job_name} is described as {job.status} / {job.secondary_status}"
    return _becomes(run.with_attempt(seen), now, reason, owes, status=status, check_at=now + wait)


def _ended(run: Run, attempt: Attempt, job: Job, facts: Facts, now: datetime) -> Decision:
    """Close an attempt that is described as ended, and go on by the decision table."""
    outcome = outcome_of(job) or Outcome.UNKNOWN_FAILURE
    missed = max(0, job.interruptions - attempt.interruptions)
    closed = replace(
        attempt,
        status=AttemptStatus.ENDED,
        arn=job.arn,
        launched_at=attempt.launched_at or job.created_at,
        phase=job.secondary_status,
        interruptions=job.interruptions if job.transitions else attempt.interruptions,
        outcome=outcome,
        failure_reason=job.failure_reason and without_secrets(job.failure_reason, run.training_job),
        created_at=job.created_at,
        training_started_at=job.training_started_at,
        ended_at=job.ended_at or job.modified_at,
        training_seconds=job.training_seconds,
        billable_seconds=job.billable_seconds,
        waited_seconds=job.seconds_waited(now),
        checkpoint=facts.checkpoint,
    )
    counted = _adoption(run, attempt, now) + measures.interruptions(attempt, missed)
    owes = Outbox(measures=counted + measures.attempt_ended(closed))
    run = run.with_attempt(closed)
    if outcome is Outcome.COMPLETED:
        return _finish(run, RunStatus.COMPLETED, now, f"{attempt.job_name} completed the training", owes)
    if run.stop_requested:
        return _finish(run, RunStatus.STOPPED, now, "stopped by request", owes)
    if outcome is Outcome.STOPPED:
        return _finish(run, RunStatus.STOPPED, now, f"{attempt.job_name} was stopped by someone else", owes)
    match after_end(run, closed, facts.draw):
        case str() as final:
            return _finish(run, RunStatus.FAILED, now, final, owes)
        case relaunch if relaunch.wait_seconds is None:
            spent = replace(run, spent=relaunch.spent)
            return _plan(spent, outcome, facts, now, relaunch.reason, owes)
        case relaunch:
            return _backs_off(run, relaunch, relaunch.wait_seconds, now, owes)


def _backs_off(run: Run, relaunch: Relaunch, seconds: float, now: datetime, owes: Outbox) -> Decision:
    at = now + timedelta(seconds=seconds)
    reason = f"{relaunch.reason}; the next attempt is due in {seconds:.0f} s"
    return _becomes(run, now, reason, owes, status=RunStatus.PENDING, check_at=at, spent=relaunch.spent)


def _plan(
    run: Run,
    cause: str,
    facts: Facts,
    now: datetime,
    reason: str,
    owes: Outbox | None = None,
) -> Decision:
    """Plan the next attempt, from the newest checkpoint, and owe its launch."""
    attempt = next_attempt(run, facts.checkpoint, cause, now)
    source = attempt.resumes_from.key if attempt.resumes_from else "the beginning"
    launch = (owes or Outbox()) | Outbox(launch=attempt.number)
    reason = f"{reason}; {attempt.job_name} goes on from {source}"
    return _becomes(
        run.with_attempt(attempt),
        now,
        reason,
        launch,
        status=RunStatus.PENDING,
        check_at=now + OUTBOX_PATIENCE,
    )


def _launch_again(run: Run, attempt: Attempt, now: datetime, reason: str) -> Decision:
    planned = replace(attempt, status=AttemptStatus.PLANNED)
    owes = Outbox(launch=attempt.number)
    return _becomes(
        run.with_attempt(planned), now, reason, owes, status=RunStatus.PENDING, check_at=now + OUTBOX_PATIENCE
    )


def _launched(run: Run, answer: Launched, facts: Facts, now: datetime) -> Decision:
    attempt = run.attempt(answer.attempt)
    if attempt is None or attempt.status is AttemptStatus.IN_PROGRESS:
        return Decision(run, Outbox(), "the launch is known already")
    if attempt.status is AttemptStatus.ENDED:
        if attempt.outcome is Outcome.NEVER_CREATED:
            return Decision(run, Outbox(stop=attempt.job_name), "a job of a run that has given up on it is stopped")
        return Decision(run, Outbox(), "the launch is known already")
    lives = replace(attempt, status=AttemptStatus.IN_PROGRESS, arn=answer.arn, launched_at=now, refusals=0)
    owes = Outbox(measures=_adoption(run, attempt, now))
    # A launch that was refused before may have succeeded then, and its events have come and gone.
    soon = run.stop_requested or attempt.refusals > 0
    if run.stop_requested:
        owes |= Outbox(stop=attempt.job_name)
    return _becomes(
        run.with_attempt(lives),
        now,
        f"{attempt.job_name} was launched ({_because(attempt)})",
        owes,
        status=RunStatus.STOPPING if run.stop_requested else RunStatus.IN_PROGRESS,
        check_at=now + (CHECK_SOON if soon else facts.check_every),
    )


def _refused(run: Run, answer: Refused, facts: Facts, now: datetime) -> Decision:
    attempt = run.attempt(answer.attempt)
    if attempt is None or run.has_ended or attempt.status is not AttemptStatus.PLANNED:
        return Decision(run, Outbox(), "the refusal is out of date")
    message = without_secrets(answer.message, run.training_job)
    if not answer.refusal.passes:
        never = replace(
            attempt,
            status=AttemptStatus.ENDED,
            outcome=Outcome.NEVER_CREATED,
            failure_reason=message,
            ended_at=now,
        )
        status = RunStatus.STOPPED if run.stop_requested else RunStatus.FAILED
        reason = f"{attempt.job_name} could not be created: {message} {advice(answer.refusal, message)}"
        return _finish(run.with_attempt(never), status, now, reason)
    again = replace(attempt, refusals=attempt.refusals + 1)
    wait = run.policy.backoff.seconds(again.refusals, facts.draw)
    reason = f"{attempt.job_name} can't be created for now ({answer.refusal}): {message} It is tried again."
    return _becomes(run.with_attempt(again), now, reason, check_at=now + timedelta(seconds=wait))


def _stop(run: Run, now: datetime) -> Decision:
    """Stop a run for good. It ends when its job is described as ended, or at once if none can exist."""
    if run.has_ended:
        ended = f"the run has ended already: it is {run.status}"
        return Decision(run, Outbox(), ended, rejected=run.status is not RunStatus.STOPPED)
    if run.stop_requested:
        return Decision(run, Outbox(), "the run is being stopped already")
    attempt = run.current
    if attempt.status is AttemptStatus.ENDED:
        return _finish(replace(run, stop_requested=True), RunStatus.STOPPED, now, "stopped by request between attempts")
    lives = attempt.status is AttemptStatus.IN_PROGRESS
    # A launch that was refused may still be under way in a function that has not answered: wait until it can't be.
    wait = CHECK_SOON if lives else OUTBOX_PATIENCE
    owes = Outbox(stop=attempt.job_name if lives else None)
    reason = "a stop was requested"
    return _becomes(run, now, reason, owes, status=RunStatus.STOPPING, stop_requested=True, check_at=now + wait)


def _resume(run: Run, facts: Facts, now: datetime) -> Decision:
    """Let an ended run go on from its newest checkpoint, with fresh budgets."""
    if not run.has_ended:
        return Decision(run, Outbox(), f"the run has not ended: it is {run.status}", rejected=True)
    if run.status is RunStatus.COMPLETED:
        return Decision(run, Outbox(), "the run has completed; there is nothing to resume", rejected=True)
    open_again = replace(run, stop_requested=False, ended_at=None, spent=Spent())
    attempt = run.current
    if attempt.outcome is Outcome.NEVER_CREATED:
        anew = replace(attempt, outcome=None, failure_reason=None, ended_at=None, refusals=0, cause=measures.RESUMED)
        decision = _launch_again(open_again, anew, now, "resumed by request; the launch is tried again")
    elif forbidden := relaunch_forbidden(run):
        return Decision(run, Outbox(), forbidden, rejected=True)
    else:
        decision = _plan(open_again, measures.RESUMED, facts, now, "resumed by request")
    return replace(decision, owes=decision.owes | Outbox(announce=True))


def _adoption(run: Run, attempt: Attempt, now: datetime) -> tuple[Measure, ...]:
    """Count a launch when it becomes known, by its answer or, after a stop, by looking."""
    if attempt.status is not AttemptStatus.PLANNED:
        return ()
    return measures.launched(attempt, run.attempt(attempt.number - 1), now)


def _late(run: Run, attempt: Attempt, reason: str) -> Decision:
    return Decision(run, Outbox(measures=measures.late_event(attempt)), reason)


def _finish(run: Run, status: RunStatus, now: datetime, reason: str, owes: Outbox | None = None) -> Decision:
    ended = replace(run, status=status)
    duties = (owes or Outbox()) | Outbox(measures=measures.run_ended(ended), announce=True)
    return _becomes(run, now, reason, duties, status=status, ended_at=now, check_at=None)


def _becomes(run: Run, now: datetime, reason: str, owes: Outbox | None = None, **changes: Any) -> Decision:
    """Change the run; its status document follows, but after a launch, whose answer changes the run again."""
    owes = owes or Outbox()
    if owes.launch is None:
        owes |= Outbox(status=True)
    return Decision(replace(run, updated_at=now, reason=reason, **changes), owes, reason)


def _because(attempt: Attempt) -> str:
    return f"after {attempt.cause}" if attempt.number > 1 else attempt.cause.lower()
