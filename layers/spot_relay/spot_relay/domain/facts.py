"""What a decision is made on, and which facts have to be gathered for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from spot_relay.domain.ending import Outcome, outcome_of
from spot_relay.domain.job import Absent, Checkpoint, Job
from spot_relay.domain.observation import Due, JobChanged, Observation, ResumeRequested
from spot_relay.domain.run import Attempt, AttemptStatus, Run, RunStatus


@dataclass(frozen=True)
class Facts:
    """What the decision is about, and what was gathered for it.

    ``job`` is what DescribeTrainingJob said of the observation's attempt, or None when it was not asked.
    ``checkpoint`` is the newest one under the run's prefix, when it was looked up. ``draw`` is a random number
    from [0, 1) for jitter. ``check_every`` is how long an open run may go unseen.
    """

    observation: Observation
    job: Job | Absent | None = None
    checkpoint: Checkpoint | None = None
    draw: float = 0.5
    check_every: timedelta = timedelta(minutes=5)


def may_be_orphan(attempt: Attempt, seen: JobChanged) -> bool:
    """Tell whether an event speaks of a job that was given up as never created, and lives all the same."""
    return attempt.outcome is Outcome.NEVER_CREATED and not seen.says_ended


def job_to_describe(run: Run, observation: Observation) -> str | None:
    """Name the training job whose description the decision needs, or None if it needs none."""
    match observation:
        case JobChanged():
            attempt = run.attempt(observation.attempt)
            if attempt is None:
                return None
            if attempt.status is AttemptStatus.ENDED:
                return attempt.job_name if may_be_orphan(attempt, observation) else None
            return attempt.job_name if observation.says_ended else None
        case Due() if not run.has_ended:
            attempt = run.current
            lives = attempt.status is AttemptStatus.IN_PROGRESS
            return (
                attempt.job_name if lives or (run.stop_requested and attempt.status is AttemptStatus.PLANNED) else None
            )
        case _:
            return None


def needs_checkpoint(run: Run, observation: Observation, job: Job | Absent | None) -> bool:
    """Tell whether the decision needs the newest checkpoint: at each end that may be followed by a relaunch."""
    if run.checkpoint_uri is None:
        return False
    match observation:
        case Due() if not run.has_ended and run.current.status is AttemptStatus.ENDED:
            return True
        case ResumeRequested():
            return run.has_ended and run.status is not RunStatus.COMPLETED
        case _:
            return isinstance(job, Job) and outcome_of(job) not in {None, Outcome.COMPLETED} and not run.has_ended
