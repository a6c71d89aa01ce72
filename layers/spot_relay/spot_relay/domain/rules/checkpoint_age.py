"""Whether a job that trains has gone too long without a new checkpoint: the one rule for metric, alarm and page."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.sagemaker.job import SecondaryStatus
from spot_relay.domain.values import replace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from spot_relay.domain.run.run import Run
    from spot_relay.domain.sagemaker.job import Checkpoint, Transition

# Longer than any interval between two saves in docs/checkpoints.md, which are the best for what a save costs.
CHECKPOINT_PATIENCE = timedelta(hours=3)
# Once it is known how often a run saves: this many of its intervals, but never less than a few looks take.
PATIENT_INTERVALS = 3
SHORTEST_PATIENCE = timedelta(minutes=15)
# Fewer points than this say nothing about how often checkpoints arrive.
_FEW_POINTS = 3


def usual_interval(run: Run) -> timedelta | None:
    """Return how much training usually lies between two checkpoints of a run; None if that is not known.

    The checkpoints of a run without a deadline are listed so seldom that long intervals are those between the looks.
    """
    points = run.progress_points
    if len(points) < _FEW_POINTS:
        return None
    usual = timedelta(seconds=median(newer.seconds - older.seconds for older, newer in pairwise(points)))
    is_looked_at_often = run.deadline_at is not None
    return usual if is_looked_at_often or _patience_with(usual) < CHECKPOINT_PATIENCE else None


def is_checkpoint_overdue(
    transitions: Sequence[Transition], newest: Checkpoint | None, now: datetime, usual: timedelta | None = None
) -> bool:
    """Whether a job with these transitions trains, and has for too long without a checkpoint newer than this one.

    ``usual`` is the interval at which its run saves, if that is known.
    """
    unsaved_since = _unsaved_since(transitions, newest)
    return unsaved_since is not None and now - unsaved_since >= _patience_with(usual)


def note_overdue(run: Run, now: datetime, *, has_listed: bool) -> Run:
    """Return the run with the time since when a checkpoint is missing that is overdue, or without one.

    Only a look for checkpoints (``has_listed``) shows that one is missing. From then on it is, until it arrives or the
    job no longer trains.
    """
    attempt = run.current
    is_overdue = (has_listed or attempt.unsaved_since is not None) and _is_overdue(run, now)
    since = _unsaved_since(attempt.transitions, attempt.checkpoint) if is_overdue else None
    return run if since == attempt.unsaved_since else run.with_attempt(replace(attempt, unsaved_since=since))


def _is_overdue(run: Run, now: datetime) -> bool:
    attempt = run.current
    goes_on = not run.has_ended and not run.stop_requested and attempt.switch_to is None
    trains = attempt.status is AttemptStatus.IN_PROGRESS and attempt.phase == SecondaryStatus.TRAINING
    if run.checkpoint_uri is None or not goes_on or not trains:
        return False
    return is_checkpoint_overdue(attempt.transitions, attempt.checkpoint, now, usual_interval(run))


def _patience_with(usual: timedelta | None) -> timedelta:
    return CHECKPOINT_PATIENCE if usual is None else max(PATIENT_INTERVALS * usual, SHORTEST_PATIENCE)


def _unsaved_since(transitions: Sequence[Transition], newest: Checkpoint | None) -> datetime | None:
    """Return since when a job trains without a new checkpoint; None if it does not train."""
    transition = transitions[-1] if transitions else None
    if transition is None or transition.status != SecondaryStatus.TRAINING or transition.ended_at is not None:
        return None
    return max(transition.started_at, newest.last_modified) if newest else transition.started_at
