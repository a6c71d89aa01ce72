"""The life of an attempt in phases, from whatever is known of it."""

from __future__ import annotations

from spot_relay.domain.run.attempt import Attempt
from spot_relay.domain.sagemaker.job import Transition
from spot_relay.domain.sagemaker.phase import Phase, merge_oldest, read_phases
from spot_relay.domain.values import replace


def phases_of(attempt: Attempt) -> tuple[Phase, ...]:
    """Return the phases of an attempt's job, oldest first, in seconds after it was planned; none if it has no job.

    An event may have reported a newer one than the last description. Of an attempt that was stored by an early
    release, or has dropped its transitions, there is less to show.
    """
    return _read_transitions(attempt) or attempt.phases or _read_times(attempt)


def _read_transitions(attempt: Attempt) -> tuple[Phase, ...]:
    if not attempt.transitions:
        return ()
    known, newest = attempt.transitions, attempt.transitions[-1]
    heard = attempt.heard_at
    if attempt.phase and attempt.phase != newest.status and heard is not None and heard > newest.started_at:
        known = (*known, Transition(attempt.phase, heard))
    return read_phases(known, attempt.placement.market, attempt.planned_at, attempt.created_at, attempt.ended_at)


def without_transitions(attempt: Attempt, most_phases: int) -> Attempt:
    """Return an attempt with only the phases of its life, and at most so many of them."""
    return replace(attempt, transitions=(), phases=merge_oldest(phases_of(attempt), most_phases))


def _read_times(attempt: Attempt) -> tuple[Phase, ...]:
    """Return the phases that the times of an attempt show: interruptions are not among them."""
    created, trained, ended = attempt.created_at or attempt.launched_at, attempt.training_started_at, attempt.ended_at
    if created is None:
        return ()
    times = [Transition("Starting", created)]
    if trained is not None and trained >= created:
        times.append(Transition("Training", trained))
    if ended is None and attempt.phase and attempt.heard_at and attempt.heard_at > times[-1].started_at:
        times.append(Transition(attempt.phase, attempt.heard_at))
    return read_phases(times, attempt.placement.market, attempt.planned_at, None, ended)
