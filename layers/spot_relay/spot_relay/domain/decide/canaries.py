"""The canary: a spot job that sleeps beside an on-demand attempt, to find out whether there is spot capacity."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from spot_relay.domain.decide.steps import Decision, change, ignore_repeated_launch, record, unchanged
from spot_relay.domain.run.attempt import AttemptStatus, Canary, CanaryStatus
from spot_relay.domain.run.observation import CanaryChanged, CanaryCreated
from spot_relay.domain.run.outbox import Outbox, Room
from spot_relay.domain.sagemaker.job import WAITING_FOR_CAPACITY, Absent, Job, SecondaryStatus
from spot_relay.domain.sagemaker.redaction import hide_secrets
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.domain.values import as_sentence, replace

if TYPE_CHECKING:
    from spot_relay.domain.run.observation import CanaryRefused
    from spot_relay.domain.run.run import Run


def live_canary(run: Run) -> Canary | None:
    """Return the canary that the run has not given up, or None."""
    canary = run.canary
    given_up = run.has_ended or canary is None or canary.status is CanaryStatus.ENDED
    return None if given_up else canary


def follow_creation(run: Run, canary: Canary, answer: CanaryCreated, now: datetime) -> Decision:
    """Record that the canary exists."""
    if canary.status is CanaryStatus.IN_PROGRESS:
        return ignore_repeated_launch(run, canary.job_name)
    lives = replace(canary, status=CanaryStatus.IN_PROGRESS, arn=answer.arn, refusal=None)
    return change(run.with_canary(lives), now, f"Created {canary.job_name}. It waits for spot capacity.")


def follow_refusal(run: Run, canary: Canary, answer: CanaryRefused, now: datetime) -> Decision:
    """Do without a canary, until the next look or for good."""
    message = as_sentence(hide_secrets(answer.message, run.training_job))
    if answer.refusal.passes:
        reason = f"Could not create {canary.job_name} yet: {message} Trying again at the next check."
        if not answer.refusal.needs_room or canary.status is CanaryStatus.IN_PROGRESS:
            return unchanged(run, reason)
        return record(run.with_canary(replace(canary, refusal=answer.refusal)), now, reason)
    given_up = replace(canary, status=CanaryStatus.ENDED, refusal=answer.refusal)
    reason = f"Could not create {canary.job_name}, so the run stays on-demand: {message}"
    return change(run.with_canary(given_up), now, reason)


def follow_event(run: Run, canary: Canary, event: CanaryChanged, now: datetime) -> Decision:
    """Look at the run with the next tick if its canary may have capacity; while it waits, change nothing."""
    is_news = canary.status is CanaryStatus.IN_PROGRESS and event.secondary_status not in WAITING_FOR_CAPACITY
    due = run.check_at is None or run.check_at <= now
    if not is_news or due or run.current.status is not AttemptStatus.IN_PROGRESS:
        return unchanged(run, f"{canary.job_name} is {event.secondary_status}, which changes nothing.")
    return record(
        run, now, f"{canary.job_name} is {event.secondary_status}. Checking it within a minute.", check_at=now
    )


def follow_end(run: Run, canary: Canary, job: Job | Absent | None, now: datetime) -> Decision:
    """Record what a description shows of a canary that an event claims to have ended."""
    noted = note_description(run, canary, job)
    if noted is run or not isinstance(job, Job):
        return unchanged(run, f"SageMaker describes nothing new about {canary.job_name}.")
    status = f"has ended ({job.secondary_status})" if job.has_ended else f"is {job.secondary_status}"
    return change(noted, now, f"{canary.job_name} {status}.")


def note_description(run: Run, canary: Canary, job: Job | Absent | None) -> Run:
    """Return the run with what a description shows of its canary."""
    if not isinstance(job, Job):
        return run
    ended = job.has_ended or canary.status is CanaryStatus.ENDED
    found = replace(
        canary,
        status=CanaryStatus.ENDED if ended else CanaryStatus.IN_PROGRESS,
        phase=job.secondary_status,
        billable_seconds=job.billable_seconds,
        arn=job.arn,
        refusal=None,
    )
    return run if found == canary else run.with_canary(found)


def shows_life(canary: Canary, news: CanaryChanged | CanaryCreated | CanaryRefused) -> bool:
    """Whether a canary that was given up exists after all: a slow function may have created it since."""
    if isinstance(news, CanaryChanged):
        begins = news.secondary_status in WAITING_FOR_CAPACITY or news.secondary_status == SecondaryStatus.TRAINING
        return begins and canary.refusal is not Refusal.NAME_TAKEN
    return isinstance(news, CanaryCreated)


def room_of(canary: Canary) -> Outbox:
    """Return the news that a canary's room is free."""
    return Outbox(freed=(Room(canary.placement.pool),))
