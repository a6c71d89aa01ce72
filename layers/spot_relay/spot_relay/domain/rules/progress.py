"""What an attempt's training is worth: what its checkpoints hold, what was lost, and what its starts cost."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from spot_relay.domain.run.run import ProgressPoint
from spot_relay.domain.sagemaker.job import WAITING_FOR_CAPACITY, Market, SecondaryStatus, TrainingJobStatus
from spot_relay.domain.values import dataclass, replace

if TYPE_CHECKING:
    from spot_relay.domain.run.attempt import Attempt
    from spot_relay.domain.run.run import Run
    from spot_relay.domain.sagemaker.job import Checkpoint, Job

# The costs of this many recent starts are kept: enough for a 99th percentile, without a list that grows forever.
KEPT_CHANGEOVERS = 100
# How many points of the progress are kept: enough to draw it.
KEPT_POINTS = 100
# Once one of these follows a stretch of training, anything that was not in a checkpoint is lost.
_GOING_ON = WAITING_FOR_CAPACITY | {SecondaryStatus.TRAINING}


@dataclass(frozen=True)
class _Stretch:
    """A period of training without interruption."""

    start: datetime
    end: datetime | None
    """None while it lasts."""
    closed: bool
    """Whether it can leave no further checkpoint; not while its job still uploads or stops."""
    startup: float
    """The seconds on the instances before it began."""


def count_progress(run: Run, attempt: Attempt, job: Job, checkpoint: Checkpoint | None, now: datetime) -> Run:
    """Return the run with this attempt, and with its job's training since the last look added to the progress, once.

    Training up to the newest checkpoint is kept; what came after it is wasted once the stretch has ended. All of a
    completed job's last stretch is kept. Of several stretches since the last look, all but the last count as kept up
    to their end if a later checkpoint exists: what was lost between them can no longer be known.
    """
    kept, wasted, until = run.progress_seconds, 0.0, attempt.counted_until
    changeovers = run.changeovers
    saved_at = checkpoint.last_modified if checkpoint else None
    stretches = _stretches(attempt, job)
    newest = now
    for stretch in stretches:
        start = max(stretch.start, until or stretch.start)
        end = max(start, stretch.end or now)  # a function's clock may be behind SageMaker's
        if job.status == TrainingJobStatus.COMPLETED:
            saved_at = end if run.checkpoint_uri or stretch is stretches[-1] else None
        saved = min(max(saved_at, start), end) if saved_at else start
        kept += (saved - start).total_seconds()
        newest = saved if saved > start else newest
        if stretch.closed:
            lost = (end - saved).total_seconds()
            wasted += lost
            changeovers = (*changeovers, round(stretch.startup + lost))
            until = end
        elif saved > start:
            until = saved
    if until != attempt.counted_until:
        attempt = replace(attempt, wasted_seconds=attempt.wasted_seconds + round(wasted), counted_until=until)
    return replace(
        run,
        attempts=run.attempts_with(attempt),
        progress_seconds=round(kept, 3),
        progress_points=_add_point(run.progress_points, _seconds_of(run, newest), round(kept)),
        changeovers=changeovers[-KEPT_CHANGEOVERS:],
    )


def _seconds_of(run: Run, moment: datetime) -> int:
    return round((moment - run.created_at).total_seconds())


def _add_point(points: tuple[ProgressPoint, ...], after: int, seconds: int) -> tuple[ProgressPoint, ...]:
    """Return the points with another one if the progress has grown; one that is hardly missed makes room for it."""
    if seconds <= (points[-1].seconds if points else 0):
        return points
    points = (*points, ProgressPoint(max(after, points[-1].after) if points else after, seconds))
    if len(points) <= KEPT_POINTS:
        return points
    # Without the point whose neighbours are closest to each other, those that are left are spread as evenly as can be.
    least = min(range(1, len(points) - 1), key=lambda index: points[index + 1].after - points[index - 1].after)
    return (*points[:least], *points[least + 1 :])


def has_uncounted_end(attempt: Attempt, job: Job) -> bool:
    """Whether training has ended that is not counted yet; the newest checkpoint shows how much of it is lost."""
    return any(stretch.closed for stretch in _stretches(attempt, job))


def _stretches(attempt: Attempt, job: Job) -> tuple[_Stretch, ...]:
    """Return the stretches of training of an attempt's job that are not counted to their end.

    On spot, start-up begins when the wait for capacity ends; on-demand, it begins when the job is created.
    """
    found = []
    is_spot, until = attempt.placement.market is Market.SPOT, attempt.counted_until
    up_since = job.created_at
    for number, entry in enumerate(job.transitions, 1):
        if entry.status in WAITING_FOR_CAPACITY:
            waited_until = entry.ended_at or job.modified_at
            up_since = waited_until if is_spot else up_since
        elif entry.status == SecondaryStatus.TRAINING:
            end = entry.ended_at or (job.ended_at or job.modified_at if job.has_ended else None)
            if end is None or until is None or end > until:
                startup = max(0.0, (entry.started_at - up_since).total_seconds())
                goes_on = any(later.status in _GOING_ON for later in job.transitions[number:])
                found.append(_Stretch(entry.started_at, end, job.has_ended or goes_on, startup))
            up_since = end or up_since
    return tuple(found)
