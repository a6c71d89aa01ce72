"""What a decision is made on, and which facts have to be gathered for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from spot_relay.domain.decide.markets import net_is_due
from spot_relay.domain.rules.progress import ended_uncounted
from spot_relay.domain.run.observation import CanaryChanged, Due, JobChanged, Observation, ResumeRequested
from spot_relay.domain.run.run import Attempt, AttemptStatus, Canary, CanaryStatus, Run, RunStatus
from spot_relay.domain.sagemaker.ending import Outcome, outcome_of
from spot_relay.domain.sagemaker.job import Absent, Checkpoint, Job, SecondaryStatus


@dataclass(frozen=True)
class Facts:
    """What the decision is about, and what was gathered for it.

    ``job`` is what DescribeTrainingJob said of the attempt's job, or None when it was not asked; of an attempt
    whose launch has not been answered it is the attempt's own job only, known by its tags.
    ``checkpoint`` is the newest one under the run's prefix, when it was looked up. ``canary`` is the described job
    of the run's canary. ``draw`` is a random number from [0, 1) for jitter. ``check_every`` is how long an open run
    may go unseen.
    """

    observation: Observation
    job: Job | Absent | None = None
    checkpoint: Checkpoint | None = None
    canary: Job | Absent | None = None
    draw: float = 0.5
    check_every: timedelta = timedelta(minutes=5)


def may_be_orphan(attempt: Attempt, seen: JobChanged) -> bool:
    """Tell whether an event speaks of a job that was given up as never created, and lives all the same."""
    return attempt.outcome is Outcome.NEVER_CREATED and not seen.says_ended


def attempt_to_look_at(run: Run, observation: Observation, now: datetime) -> Attempt | None:
    """Give the attempt whose training job the decision needs to see, or None if it needs none."""
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
                run.stop_requested and attempt.status is AttemptStatus.PLANNED
            )
            return attempt if may_live else None
        case _:
            return None


def is_due(run: Run, now: datetime) -> bool:
    """Tell whether an open run's `check_at` has come."""
    return not run.has_ended and (run.check_at is None or now >= run.check_at)


def says_net_is_due(run: Run, seen: JobChanged, now: datetime) -> bool:
    """Tell whether an event brings news of an interruption that the deadline may leave no time to wait out.

    That can't be left to the tick: on a market that comes and goes each look may find a job that has capacity.
    """
    attempt = run.attempt(seen.attempt)
    if attempt is None or seen.secondary_status != SecondaryStatus.INTERRUPTED:
        return False
    newer = attempt.heard_at is None or seen.at > attempt.heard_at
    return newer and net_is_due(run, now)


def canary_to_look_at(run: Run, observation: Observation, now: datetime) -> Canary | None:
    """Give the canary whose job the decision needs to see, or None."""
    canary = run.canary
    if canary is None or run.has_ended:
        return None
    match observation:
        case CanaryChanged() if observation.has_ended:
            return canary if canary.number == observation.canary else None
        case Due() if is_due(run, now) and canary.status is CanaryStatus.IN_PROGRESS:
            return canary
        case _:
            return None


def needs_checkpoint(run: Run, observation: Observation, job: Job | Absent | None, now: datetime) -> bool:
    """Tell whether the decision needs the newest checkpoint.

    It does at each end that may be followed by a relaunch, after an interruption, and to see a deadline's progress.
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
        case _ if job.has_ended:
            return outcome_of(job) is not Outcome.COMPLETED
        case _:
            return run.deadline_at is not None or ended_uncounted(run.current, job)
