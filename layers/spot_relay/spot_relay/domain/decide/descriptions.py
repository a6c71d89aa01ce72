"""What follows from the description of an attempt's job: it does not exist, it is alive, or it has ended."""

from __future__ import annotations

from datetime import datetime

from spot_relay.domain.decide import launch_answers
from spot_relay.domain.decide.ends import follow_outcome, wait_for_listing
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.decide.markets import next_look, steer
from spot_relay.domain.decide.steps import (
    CHECK_SOON,
    STOPPING_IT,
    Decision,
    change,
    close_uncreated,
    describe_giving_up,
    describe_interruption,
    finish,
    finish_stopped,
    forget_refusals,
    ignore_foreign_job,
    launch_again,
    record,
)
from spot_relay.domain.rules.next_place import move_to_job
from spot_relay.domain.rules.progress import count_progress
from spot_relay.domain.run.attempt import Attempt, AttemptStatus
from spot_relay.domain.run.observation import Due, JobChanged, Observation
from spot_relay.domain.run.outbox import Outbox, Room
from spot_relay.domain.run.run import ABSENCE_PATIENCE, Run, RunStatus
from spot_relay.domain.sagemaker.ending import Outcome, outcome_of
from spot_relay.domain.sagemaker.job import Absent, Job, SecondaryStatus, TrainingJobStatus, Transition
from spot_relay.domain.sagemaker.redaction import hide_secrets, hide_secrets_in
from spot_relay.domain.shown import metrics
from spot_relay.domain.text import MAX_MESSAGE_BYTES, MAX_STATUS_BYTES, clean_text, shorten
from spot_relay.domain.values import as_sentence, replace

# A job has some five of them, and two or three more for each interruption.
MOST_TRANSITIONS = 40
_CHECKING_SOON = f"Checking again in {CHECK_SOON.seconds} s."


def follow_description(run: Run, attempt: Attempt, facts: Facts, now: datetime) -> Decision:
    """Decide on what the description of the job shows."""
    match facts.job:
        case None:
            return _wait_for_description(run, attempt, facts, now)
        case Absent():
            return _follow_absence(run, attempt, facts, now)
        case Job() as job if job.has_ended:
            return _follow_end(run, attempt, job, facts, now)
        case Job() as job:
            return _follow_life(run, attempt, job, facts, now)


def _wait_for_description(run: Run, attempt: Attempt, facts: Facts, now: datetime) -> Decision:
    """Look again soon, and show an error that may not pass by itself, once."""
    error = facts.undescribed and hide_secrets(facts.undescribed, run.training_job)
    because = f": {as_sentence(error)}" if error else "."
    reason = f"SageMaker could not describe {attempt.job_name} just now{because} Checking again within a minute."
    note = change if error and reason != run.reason else record
    # Jitter, because whatever kept SageMaker from answering is likely to concern other runs, too.
    return note(run, now, reason, check_at=now + CHECK_SOON * (1 + facts.draw))


def _follow_absence(run: Run, attempt: Attempt, facts: Facts, now: datetime) -> Decision:
    began = attempt.launched_at
    if began is not None and now - began < ABSENCE_PATIENCE:
        reason = f"SageMaker created {attempt.job_name} but cannot find it yet. {_CHECKING_SOON}"
        return change(run, now, reason, check_at=now + CHECK_SOON)
    if run.stop_requested and not isinstance(facts.observation, Due):
        return ignore_foreign_job(run, attempt)
    if run.stop_requested or attempt.gives_up:
        owes = Outbox(freed=(Room(attempt.placement.pool, attempt.job_name),))
        never = run.with_attempt(close_uncreated(attempt, now, attempt.failure_reason))
        if run.stop_requested:
            return finish_stopped(never, now, owes, " No training job was created.")
        return finish(never, RunStatus.FAILED, now, describe_giving_up(run, attempt), owes)
    return launch_again(run, attempt, now, f"SageMaker has no training job {attempt.job_name}. Launching it.")


def _follow_life(run: Run, attempt: Attempt, job: Job, facts: Facts, now: datetime) -> Decision:
    """Record what a description shows of a live job, including what lost events would have reported."""
    missed, transitions = max(0, job.interruptions - attempt.interruptions), _record_transitions(run, job)
    described = replace(
        move_to_job(run, attempt, job.placement),
        status=AttemptStatus.IN_PROGRESS,
        arn=job.arn,
        launched_at=attempt.launched_at or now,
        phase=job.secondary_status,
        # The description covers everything before it, so an older event that arrives later is late.
        heard_at=_newest_news(attempt, job, facts.observation),
        created_at=job.created_at,
        training_started_at=job.training_started_at,
        interruptions=attempt.interruptions + missed,
        transitions=transitions,
        status_message=transitions[-1].message if transitions else None,
        gives_up=False,
        waits_for_room=False,
        waits_for_any_room=False,
        waiting_since=job.waiting_since,
    )
    if attempt.status is AttemptStatus.PLANNED:
        run = forget_refusals(run)
    run = _count(run, described, job, facts, now)
    adopted = launch_answers.measure_adoption(run, attempt, now)
    odd = metrics.measure_market(attempt, job.placement.market)
    owes = Outbox(measures=adopted + odd + metrics.measure_interruptions(attempt, missed))
    if run.stop_requested and job.status == TrainingJobStatus.IN_PROGRESS:
        owes = owes.then(Outbox(stop=attempt.job_name))
    steering = steer(run, facts, now)
    soon = run.stop_requested or _is_unconfirmed(facts.observation, missed)
    return change(
        steering.run,
        now,
        steering.reason or _describe_life(attempt, job, missed, facts.unlisted, owes),
        owes.then(steering.owes),
        status=RunStatus.STOPPING if run.stop_requested else RunStatus.IN_PROGRESS,
        check_at=now + CHECK_SOON if soon else next_look(steering.run, now, facts.check_every),
    )


def _describe_life(attempt: Attempt, job: Job, missed: int, unlisted: str | None, owes: Outbox) -> str:
    reason = f"{attempt.job_name} is {job.secondary_status}."
    if missed and job.waiting_since:
        reason = describe_interruption(attempt)
    if unlisted:
        reason = f"{reason} {unlisted}"
    return f"{reason} {STOPPING_IT}" if owes.stop else reason


def _newest_news(attempt: Attempt, job: Job, observation: Observation) -> datetime:
    reported = observation.at if isinstance(observation, JobChanged) else job.modified_at
    return max(job.modified_at, reported, attempt.heard_at or reported)


def _is_unconfirmed(observation: Observation, missed: int) -> bool:
    """Whether an event has claimed something that the description does not show yet."""
    if not isinstance(observation, JobChanged):
        return False
    return observation.says_ended or (observation.secondary_status == SecondaryStatus.INTERRUPTED and not missed)


def _follow_end(run: Run, attempt: Attempt, job: Job, facts: Facts, now: datetime) -> Decision:
    """Close an attempt that is described as ended, and continue by the table of ends.

    If its checkpoints cannot be listed, it is not known where to continue. Only a stop can do without that.
    """
    if facts.unlisted and not run.stop_requested:
        return wait_for_listing(run, f"{attempt.job_name} is {job.secondary_status}. {facts.unlisted}", facts, now)
    outcome = outcome_of(job) or Outcome.UNKNOWN_FAILURE
    missed, transitions = max(0, job.interruptions - attempt.interruptions), _record_transitions(run, job)
    closed = replace(
        move_to_job(run, attempt, job.placement),
        status=AttemptStatus.ENDED,
        arn=job.arn,
        launched_at=attempt.launched_at or job.created_at,
        phase=job.secondary_status,
        interruptions=job.interruptions if job.transitions else attempt.interruptions,
        outcome=outcome,
        failure_reason=job.failure_reason and hide_secrets(job.failure_reason, run.training_job),
        transitions=transitions,
        status_message=transitions[-1].message if transitions else None,
        model_artifacts=job.model_artifacts if outcome is Outcome.COMPLETED else None,
        created_at=job.created_at,
        training_started_at=job.training_started_at,
        ended_at=job.ended_at or job.modified_at,
        training_seconds=job.training_seconds,
        billable_seconds=job.billable_seconds,
        waited_seconds=job.seconds_waited(now),
        gives_up=False,
        waits_for_room=False,
        waits_for_any_room=False,
        waiting_since=None,
        unsaved_since=None,
    )
    if attempt.status is AttemptStatus.PLANNED:
        run = forget_refusals(run)
    run = _count(run, closed, job, facts, now)
    adopted = launch_answers.measure_adoption(run, attempt, now)
    odd = metrics.measure_market(attempt, job.placement.market)
    measures = adopted + odd + metrics.measure_interruptions(attempt, missed) + metrics.measure_attempt_end(closed)
    owes = Outbox(freed=(Room(closed.placement.pool, attempt.job_name),), measures=measures)
    return follow_outcome(run, outcome, facts, now, owes)


def _record_transitions(run: Run, job: Job) -> tuple[Transition, ...]:
    """Return the job's newest transitions as they are stored: clean, of a bounded size, and without secrets."""
    newest = job.transitions[-MOST_TRANSITIONS:]
    hidden = hide_secrets_in({entry.message for entry in newest if entry.message}, run.training_job)
    return tuple(
        entry._replace(
            status=clean_text(entry.status, MAX_STATUS_BYTES),
            message=shorten(hidden[entry.message], MAX_MESSAGE_BYTES) if entry.message else None,
        )
        for entry in newest
    )


def _count(run: Run, attempt: Attempt, job: Job, facts: Facts, now: datetime) -> Run:
    """Return the run with this attempt, what was found of its checkpoints, and the training that they hold."""
    if facts.unlisted:
        return run.with_attempt(attempt)
    if facts.checkpoint is not None or facts.ignored_objects is not None:
        attempt = replace(attempt, checkpoint=facts.checkpoint, ignored_objects=facts.ignored_objects)
    return count_progress(run, attempt, job, facts.checkpoint, now)
