"""Which facts a decision needs, so that no others are gathered."""

from __future__ import annotations

from datetime import datetime

from spot_relay.domain.decide.markets import is_net_due
from spot_relay.domain.rules.checkpoint_age import is_checkpoint_overdue, usual_interval
from spot_relay.domain.rules.progress import has_uncounted_end
from spot_relay.domain.rules.turns import LEAD
from spot_relay.domain.run.attempt import Attempt, AttemptStatus, Canary, CanaryStatus
from spot_relay.domain.run.observation import (
    CanaryChanged,
    DeadlineRequested,
    Due,
    JobChanged,
    Observation,
    PredecessorEnded,
    ResumeRequested,
)
from spot_relay.domain.run.run import Run, RunStatus
from spot_relay.domain.sagemaker.ending import Outcome, outcome_of
from spot_relay.domain.sagemaker.job import Absent, Job, SecondaryStatus


def attempt_to_look_at(run: Run, observation: Observation, now: datetime) -> Attempt | None:
    """Return the attempt whose training job the decision needs to see, or None."""
    match observation:
        case JobChanged():
            attempt = run.attempt(observation.attempt)
            if attempt is None:
                return None
            match attempt.status:
                case AttemptStatus.ENDED:
                    return attempt if may_be_orphan(attempt, observation) else None
                case AttemptStatus.PLANNED:
                    return attempt
                case AttemptStatus.IN_PROGRESS:
                    claims = observation.says_ended or says_net_is_due(run, observation, now)
                    return attempt if claims else None
        case Due() if is_due(run, now):
            attempt = run.current
            may_live = attempt.status is AttemptStatus.IN_PROGRESS or (
                attempt.status is AttemptStatus.PLANNED and (run.stop_requested or attempt.gives_up)
            )
            return attempt if may_live else None
        case DeadlineRequested() if _counts_training(run, observation):
            return run.current if run.current.status is AttemptStatus.IN_PROGRESS else None
    return None


def looks_at_predecessors(run: Run, observation: Observation, now: datetime) -> bool:
    """Whether the decision needs the runs that this one waits for to begin."""
    if run.has_ended or run.stop_requested or not run.waits_to_begin:
        return False
    return isinstance(observation, PredecessorEnded) or (isinstance(observation, Due) and is_due(run, now))


def canary_to_look_at(run: Run, observation: Observation, now: datetime) -> Canary | None:
    """Return the canary whose job the decision needs to see, or None."""
    canary = run.canary
    if canary is None or run.has_ended:
        return None
    match observation:
        case CanaryChanged() if observation.has_ended:
            return run.canary_beside(observation.canary)
        case Due() if is_due(run, now) and canary.status is CanaryStatus.IN_PROGRESS:
            return canary
    return None


def launch_shown_by(observation: Observation, run: Run) -> Attempt | Canary | None:
    """Return the attempt or the canary whose launch the run owes although an event is about its job, or None."""
    match observation:
        case JobChanged() if observation.attempt == run.outbox.launch:
            return run.attempt(observation.attempt)
        case CanaryChanged() if observation.canary == run.outbox.canary:
            return run.canary_beside(observation.canary)
    return None


def looks_again(run: Run, observation: Observation) -> bool:
    """Whether the run is looked at again in any case, so that a look that SageMaker did not answer can be left to that.

    What is known only from an event has to be kept: no look asks for a job or a canary that was given up.
    """
    if run.has_ended:
        return False
    match observation:
        case Due() | DeadlineRequested():
            return True
        case JobChanged():
            attempt = run.attempt(observation.attempt)
            return attempt is not None and attempt.status is not AttemptStatus.ENDED
        case CanaryChanged():
            canary = run.canary_beside(observation.canary)
            return canary is not None and canary.status is CanaryStatus.IN_PROGRESS
        case _:
            return False


def needs_checkpoint(run: Run, observation: Observation, job: Job | Absent | None, now: datetime) -> bool:
    """Whether the decision needs the newest checkpoint.

    It does after each end that a relaunch may follow, after an interruption, to measure progress under a deadline, also
    under one that is only asked for, and if the newest one that is known is so old that the next one is overdue.
    """
    if run.checkpoint_uri is None:
        return False
    match observation:
        case Due() if is_due(run, now) and run.current.status is AttemptStatus.ENDED:
            return True
        case ResumeRequested():
            return run.has_ended and run.status is not RunStatus.COMPLETED
        case _ if not isinstance(job, Job) or run.has_ended:
            return False
        case DeadlineRequested():
            return _counts_training(run, observation) and not job.has_ended
        case _ if job.has_ended:
            return outcome_of(job) is not Outcome.COMPLETED
        case Due() if is_checkpoint_overdue(job.transitions, run.current.checkpoint, now, usual_interval(run)):
            return True
        case _:
            return run.deadline_at is not None or has_uncounted_end(run.current, job)


def _counts_training(run: Run, request: DeadlineRequested) -> bool:
    """Whether a change of the deadline depends on the training that the run's checkpoints hold."""
    return request.change is not None and not (run.has_ended or run.stop_requested)


def is_due(run: Run, now: datetime) -> bool:
    """Whether an open run's `check_at` has come, or its turn to launch."""
    return not run.has_ended and (run.check_at is None or now >= run.check_at or _has_turn(run, now))


def _has_turn(run: Run, now: datetime) -> bool:
    attempt = run.current
    if attempt.status is not AttemptStatus.PLANNED or attempt.turn_at is None or run.stop_requested:
        return False
    return now >= attempt.turn_at - LEAD


def may_be_orphan(attempt: Attempt, event: JobChanged) -> bool:
    """Whether an event is about a job that was given up as never created, but may be running."""
    return attempt.outcome is Outcome.NEVER_CREATED and not event.says_ended


def says_net_is_due(run: Run, event: JobChanged, now: datetime) -> bool:
    """Whether an event reports an interruption that the deadline may leave no time to wait out.

    That cannot be left to the tick: when capacity comes and goes, each look may find a job that has some.
    """
    attempt = run.attempt(event.attempt)
    if attempt is None or event.secondary_status != SecondaryStatus.INTERRUPTED:
        return False
    newer = attempt.heard_at is None or event.at > attempt.heard_at
    return newer and is_net_due(run, now)
