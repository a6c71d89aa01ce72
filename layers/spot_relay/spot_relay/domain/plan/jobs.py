"""The training jobs of a run that is played forward, in a world in which the luck with spot is known."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from itertools import zip_longest
from typing import TYPE_CHECKING

from spot_relay.domain.run.launch import launch_of_attempt
from spot_relay.domain.run.observation import JobChanged
from spot_relay.domain.sagemaker.job import (
    Job,
    Market,
    Placement,
    SecondaryStatus,
    TrainingJobStatus,
    Transition,
)
from spot_relay.domain.sagemaker.request import max_runtime_of
from spot_relay.domain.values import dataclass, replace

if TYPE_CHECKING:
    from spot_relay.domain.run.attempt import Attempt, Canary
    from spot_relay.domain.run.run import Run

# SageMaker gives a training job 120 seconds between a stop request and its end.
STOPPING = timedelta(seconds=120)
# A job that gets capacity at once has waited this long for it.
_AT_ONCE = timedelta(seconds=1)
_DOWNLOADING = "Downloading"


class Luck(StrEnum):
    """How a run fares with spot. On-demand capacity is always there."""

    AT_ONCE = "spot_at_once"
    """Spot capacity comes at once, and is never taken away."""
    NEVER = "spot_never"
    """Spot capacity never comes."""
    LOST = "spot_lost"
    """Spot capacity comes at once, but all that is trained on it is lost."""


@dataclass(frozen=True)
class PlayedJob:
    """The whole life of a training job, known from its launch on; a stop cuts it short."""

    number: int
    name: str
    placement: Placement
    created_at: datetime
    up_at: datetime | None
    """When it gets its instances; None if it never does. From then on, its time is billed and counts as training."""
    trains_at: datetime | None
    reclaimed_at: datetime | None
    """When it loses its instances for good."""
    done_at: datetime
    """When it completes, or begins to stop."""
    end: SecondaryStatus

    @property
    def ends_at(self) -> datetime:
        """When it has ended."""
        return self.done_at if self.end is SecondaryStatus.COMPLETED else self.done_at + STOPPING

    def saved_until(self, now: datetime) -> datetime | None:
        """Return up to when its training is saved by a moment, if none is lost; None if it has not trained by then."""
        until = min(now, self.done_at)
        return until if self.trains_at is not None and self.trains_at < until else None

    def stop(self, now: datetime) -> PlayedJob:
        """Return the job after a request to stop it."""
        return self if now >= self.done_at else replace(self, done_at=now, end=SecondaryStatus.STOPPED)

    def next_event(self, after: datetime) -> JobChanged | None:
        """Return the event of its first change after a moment."""
        entry = next((entry for entry in self._life() if entry.started_at > after), None)
        if entry is None:
            return None
        return JobChanged(self.number, self._status(entry.started_at), entry.status, entry.started_at)

    def describe(self, now: datetime) -> Job:
        """Return what DescribeTrainingJob returns at a moment."""
        begun = [entry for entry in self._life() if entry.started_at <= now]
        up_at = next((entry.started_at for entry in begun if entry.status == _DOWNLOADING), None)
        ended_at = self.ends_at if now >= self.ends_at else None
        following = (entry.started_at for entry in begun[1:])
        transitions = (Transition(entry.status, entry.started_at, at) for entry, at in zip_longest(begun, following))
        return Job(
            name=self.name,
            arn=f"arn:{self.name}",
            status=self._status(now),
            secondary_status=begun[-1].status,
            created_at=self.created_at,
            modified_at=begun[-1].started_at,
            placement=self.placement,
            training_started_at=up_at,
            ended_at=ended_at,
            training_seconds=self._count_seconds(up_at, ended_at) if up_at and ended_at else None,
            transitions=tuple(transitions),
        )

    def _status(self, now: datetime) -> TrainingJobStatus:
        if now < self.ends_at:
            return TrainingJobStatus.IN_PROGRESS if now < self.done_at else TrainingJobStatus.STOPPING
        completed = self.end is SecondaryStatus.COMPLETED
        return TrainingJobStatus.COMPLETED if completed else TrainingJobStatus.STOPPED

    def _count_seconds(self, up_at: datetime, ended_at: datetime) -> int:
        """Return its time on its instances, which SageMaker counts as training."""
        return round((min(self.reclaimed_at or ended_at, ended_at) - up_at).total_seconds())

    def _life(self) -> list[Transition]:
        moments = (
            (SecondaryStatus.STARTING, self.created_at),
            (_DOWNLOADING, self.up_at),
            (SecondaryStatus.TRAINING, self.trains_at),
            (SecondaryStatus.INTERRUPTED, self.reclaimed_at),
        )
        before = [Transition(status, at) for status, at in moments if at is not None and at < self.done_at]
        if self.end is not SecondaryStatus.COMPLETED:
            before.append(Transition(SecondaryStatus.STOPPING, self.done_at))
        return [*before, Transition(self.end, self.ends_at)]


def describe_canary(canary: Canary, luck: Luck) -> Job:
    """Return what DescribeTrainingJob returns for a canary: it trains, or waits for capacity."""
    waits = luck is Luck.NEVER
    return Job(
        name=canary.job_name,
        arn=f"arn:{canary.job_name}",
        status=TrainingJobStatus.IN_PROGRESS,
        secondary_status=SecondaryStatus.STARTING if waits else SecondaryStatus.TRAINING,
        created_at=canary.planned_at,
        modified_at=canary.planned_at,
        placement=canary.placement,
    )


def launch_job(
    run: Run, attempt: Attempt, luck: Luck, work: float, startup: float, reclaimed_at: datetime | None, now: datetime
) -> PlayedJob:
    """Return the job of an attempt that is launched now.

    ``work`` and ``startup`` are in seconds: the training that the run still needs, and what goes before it. A job whose
    training is lost trains until ``reclaimed_at`` if that is given, else until a limit ends it.
    """
    request = launch_of_attempt(run, attempt).request
    spot = attempt.placement.market is Market.SPOT
    waits, lost = spot and luck is Luck.NEVER, spot and luck is Luck.LOST
    up_at = None if waits else now + _AT_ONCE
    trains_at = None if waits else now + max(_AT_ONCE, timedelta(seconds=startup))
    ends: list[tuple[datetime, SecondaryStatus]] = []
    if trains_at is not None and not lost:
        ends.append((trains_at + timedelta(seconds=work), SecondaryStatus.COMPLETED))
    if up_at is not None and not (lost and reclaimed_at):
        limit = timedelta(seconds=max_runtime_of(run.training_job))
        ends.append((up_at + limit, SecondaryStatus.MAX_RUNTIME_EXCEEDED))
    if spot:
        wait = timedelta(seconds=request["StoppingCondition"]["MaxWaitTimeInSeconds"])
        # An attempt whose MaxWait is its MaxRuntime still gets all of it.
        ends.append(((up_at or now) + wait, SecondaryStatus.MAX_WAIT_TIME_EXCEEDED))
    # Of two ends at the same moment, the first in this list counts: the statuses sort in the same order.
    done_at, end = min(ends)
    reclaimed = max(reclaimed_at, trains_at) if lost and reclaimed_at and trains_at else None
    return PlayedJob(
        attempt.number, attempt.job_name, attempt.placement, now, up_at, trains_at, reclaimed, done_at, end
    )
