"""The life of a training job as pure functions: no clock, no I/O, standard library only.

`begin` creates a job, `next_due` returns when the next thing happens to it, and `advance` lets time pass and applies
an input from outside. The HTTP server calls them by the real clock or a virtual one; simulations and trace replays
call the same functions directly. All times are epoch seconds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from simulator.life.capacity import Allocation
from simulator.life.job import (
    ENDED,
    CheckpointReached,
    CheckpointWritten,
    Happening,
    Input,
    Job,
    PhaseDone,
    Script,
    Secondary,
    Status,
    StopRequested,
    Terms,
    TrainingExited,
    Transition,
    Transitioned,
)
from simulator.life.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

_ON_INSTANCES: Final = frozenset({Secondary.DOWNLOADING, Secondary.TRAINING, Secondary.UPLOADING, Secondary.STOPPING})
_STATUS: Final = {
    Secondary.UPLOADING: Status.IN_PROGRESS,
    Secondary.STOPPING: Status.STOPPING,
    Secondary.STOPPED: Status.STOPPED,
    Secondary.MAX_RUNTIME_EXCEEDED: Status.STOPPED,
    Secondary.MAX_WAIT_TIME_EXCEEDED: Status.STOPPED,
    Secondary.COMPLETED: Status.COMPLETED,
    Secondary.FAILED: Status.FAILED,
}
_MESSAGES: Final = {
    Secondary.STARTING: "Starting the training job",
    Secondary.PENDING: "Waiting for the requested ML capacity",
    Secondary.DOWNLOADING: "Downloading the training image and the input data",
    Secondary.TRAINING: "Training in progress",
    Secondary.INTERRUPTED: "Spot capacity was taken away; waiting for it to return",
    Secondary.UPLOADING: "Uploading generated training model",
    Secondary.STOPPING: "Stopping the training job",
    Secondary.STOPPED: "Training job stopped",
    Secondary.MAX_RUNTIME_EXCEEDED: "Training job runtime exceeded MaxRuntimeInSeconds provided",
    Secondary.MAX_WAIT_TIME_EXCEEDED: "Training job wait time exceeded MaxWaitTimeInSeconds provided",
    Secondary.COMPLETED: "Training job completed",
}


class _Change(StrEnum):
    """What can come due; of things due at the same moment, the one listed first happens first."""

    CHECKPOINT = "checkpoint"
    FAILURE = "failure"
    PHASE_OVER = "phase over"
    MAX_RUNTIME = "max runtime"
    MAX_WAIT = "max wait"
    MAX_PENDING = "max pending"
    CAPACITY_LOST = "capacity lost"


_ORDER: Final = {change: place for place, change in enumerate(_Change)}


def begin(name: str, terms: Terms, script: Script, now: float, *, work: float = 0.0) -> tuple[Job, Transitioned]:
    """Create a job at ``now``; ``work`` is the training already in its checkpoints, in seconds."""
    first = Transition(Secondary.STARTING, now, _MESSAGES[Secondary.STARTING])
    job = Job(
        name=name,
        terms=terms,
        script=script,
        created_at=now,
        status=Status.IN_PROGRESS,
        secondary=Secondary.STARTING,
        since=now,
        transitions=(first,),
        asked_at=now,
        work=work,
        checkpoints=_checkpoints_in(work, script),
    )
    return job, Transitioned(job, now)


def next_due(job: Job) -> float | None:
    """Return when the next thing happens to ``job`` by itself, or ``None`` if nothing will."""
    due = _next(job)
    return None if due is None else due[0]


def advance(job: Job, now: float, happens: Input | None = None) -> tuple[Job, tuple[Happening, ...]]:
    """Let time pass until ``now``, then apply ``happens``; an input that does not fit changes nothing."""
    happenings: list[Happening] = []
    while (due := _next(job)) is not None and due[0] <= now:
        job, new = _change(job, due[1], due[0])
        happenings += new
    if happens is not None:
        job, new = _take(job, happens, now)
        happenings += new
        if new or isinstance(happens, PhaseDone | CheckpointReached):
            job, late = advance(job, now)
            happenings += late
    return job, tuple(happenings)


def training_seconds(job: Job, now: float) -> int | None:
    """Return TrainingTimeInSeconds: the time on instances, without waits; ``None`` if the job never had one."""
    if job.training_started_at is None:
        return None
    return max(1, round(_on_instances(job, now)))


def billable_seconds(job: Job, now: float) -> int | None:
    """Return BillableTimeInSeconds: all of the training time on-demand, the scripted share of it on spot."""
    trained = training_seconds(job, now)
    if trained is None or not job.terms.spot:
        return trained
    return max(1, round(trained * job.script.billable_share))


def work_done(job: Job, now: float) -> float:
    """Return the seconds of training done by ``now``, including what is not in a checkpoint yet."""
    began = job.allocation.training_began if job.allocation else None
    if job.secondary is not Secondary.TRAINING or began is None:
        return job.work
    return min(job.script.train_seconds, job.work + max(0.0, now - began))


def _on_instances(job: Job, now: float) -> float:
    running = 0.0 if job.on_instances_since is None else max(0.0, now - job.on_instances_since)
    return job.on_instances_before + running


def _next(job: Job) -> tuple[float, _Change] | None:
    # Nothing comes due before the phase began: a held phase may end late, never early.
    first: tuple[float, _Change] | None = None
    for when, change in _upcoming(job):
        due = max(when, job.since)
        if first is None or (due, _ORDER[change]) < (first[0], _ORDER[first[1]]):
            first = (due, change)
    return first


def _upcoming(job: Job) -> Iterator[tuple[float, _Change]]:
    if job.ended:
        return
    over = _phase_over(job)
    if over is not None:
        yield over, _Change.PHASE_OVER
    if job.secondary in (Secondary.STOPPING, Secondary.UPLOADING):
        return
    yield from _limits(job)
    failure = job.script.failure
    if failure is not None and failure.phase is job.secondary and job.interruptions == 0:
        yield job.since + failure.after_seconds, _Change.FAILURE
    if job.allocation is not None:
        lost = job.script.capacity.lost_at(job.allocation)
        if lost is not None and job.terms.spot:
            yield lost, _Change.CAPACITY_LOST
    if job.secondary is Secondary.TRAINING and job.script.checkpoint_every:
        yield _next_checkpoint(job, job.script.checkpoint_every), _Change.CHECKPOINT


def _limits(job: Job) -> Iterator[tuple[float, _Change]]:
    if job.terms.max_wait is not None:
        yield job.created_at + job.terms.max_wait, _Change.MAX_WAIT
        cut_short = job.script.expiry_after(job.interruptions)
        if job.secondary is Secondary.INTERRUPTED and cut_short is not None:
            yield job.since + cut_short, _Change.MAX_WAIT
    if job.terms.max_pending is not None and job.training_started_at is None:
        yield job.created_at + job.terms.max_pending, _Change.MAX_PENDING
    if job.on_instances_since is not None:
        left = job.terms.max_runtime - job.on_instances_before
        yield job.on_instances_since + left, _Change.MAX_RUNTIME


def _next_checkpoint(job: Job, every: float) -> float:
    return job.since + (job.checkpoints + 1) * every - job.work


def _phase_over(job: Job) -> float | None:
    match job.secondary:
        case Secondary.PENDING | Secondary.INTERRUPTED:
            return job.script.capacity.available_at(job.asked_at, job.interruptions)
        case Secondary.TRAINING:
            if Secondary.TRAINING in job.script.held:
                return None
            return job.since + max(0.0, job.script.train_seconds - job.work)
        case phase:
            ends = job.since + job.script.duration_of(phase)
            if phase not in job.script.held:
                return ends
            return None if job.released_at is None else max(ends, job.released_at)


def _change(job: Job, change: _Change, at: float) -> tuple[Job, list[Happening]]:
    match change:
        case _Change.CHECKPOINT:
            number = job.checkpoints + 1
            job = _count_checkpoint(replace(job, checkpoints=number), at)
            return job, [CheckpointWritten(job, at, number)]
        case _Change.FAILURE:
            reason = job.script.failure.reason if job.script.failure else ""
            return _fail(job, reason, at)
        case _Change.MAX_RUNTIME:
            return _stop(job, Secondary.MAX_RUNTIME_EXCEEDED, at)
        case _Change.MAX_WAIT:
            return _stop(job, Secondary.MAX_WAIT_TIME_EXCEEDED, at)
        case _Change.MAX_PENDING:
            # The service has no secondary status for it.
            return _stop(job, Secondary.STOPPED, at)
        case _Change.CAPACITY_LOST:
            return _interrupt(job, at)
        case _Change.PHASE_OVER:
            return _next_phase(job, at)


def _next_phase(job: Job, at: float) -> tuple[Job, list[Happening]]:
    match job.secondary:
        case Secondary.STARTING:
            granted = job.asked_at if job.interruptions else job.script.capacity.available_at(job.asked_at, 0)
            waits = job.terms.spot or job.script.on_demand_waits
            if waits and (granted is None or granted > at):
                return _enter(job, Secondary.PENDING, at)
            return _granted(job, at)
        case Secondary.PENDING:
            return _granted(job, at)
        case Secondary.INTERRUPTED:
            return _enter(replace(job, asked_at=at), Secondary.STARTING, at)
        case Secondary.DOWNLOADING:
            allocation = replace(job.allocation, training_began=at) if job.allocation else None
            return _enter(replace(job, allocation=allocation), Secondary.TRAINING, at)
        case Secondary.TRAINING:
            return _enter(replace(job, work=job.script.train_seconds), Secondary.UPLOADING, at)
        case Secondary.UPLOADING:
            return _enter(job, Secondary.COMPLETED, at)
        case _:
            return _enter(job, job.ending or Secondary.STOPPED, at)


def _granted(job: Job, at: float) -> tuple[Job, list[Happening]]:
    job = replace(
        job,
        allocation=Allocation(granted_at=at, interruptions=job.interruptions),
        on_instances_since=at,
        training_started_at=job.training_started_at if job.training_started_at is not None else at,
    )
    return _enter(job, Secondary.DOWNLOADING, at)


def _interrupt(job: Job, at: float) -> tuple[Job, list[Happening]]:
    job = replace(
        job,
        work=_kept(job, at),
        interruptions=job.interruptions + 1,
        asked_at=at,
        allocation=None,
        on_instances_before=_on_instances(job, at),
        on_instances_since=None,
    )
    return _enter(job, Secondary.INTERRUPTED, at)


def _stop(job: Job, ending: Secondary, at: float) -> tuple[Job, list[Happening]]:
    return _enter(replace(job, ending=ending, work=_kept(job, at)), Secondary.STOPPING, at)


def _kept(job: Job, at: float) -> float:
    """Return the training that survives when the job loses its instances."""
    every = job.script.checkpoint_every
    if every == 0:
        return work_done(job, at)
    return job.work if Secondary.TRAINING in job.script.held else job.checkpoints * (every or 0.0)


def _fail(job: Job, reason: str, at: float) -> tuple[Job, list[Happening]]:
    return _enter(replace(job, failure_reason=reason[:1024]), Secondary.FAILED, at)


def _enter(job: Job, secondary: Secondary, at: float) -> tuple[Job, list[Happening]]:
    last = replace(job.transitions[-1], ended_at=at)
    status = _STATUS.get(secondary, Status.IN_PROGRESS)
    message = _MESSAGES.get(secondary, job.failure_reason or "")
    ended = status in ENDED
    entered = Transition(secondary, at, message, at if ended else None)
    job = replace(
        job,
        status=status,
        secondary=secondary,
        since=at,
        released_at=None,
        transitions=(*job.transitions[:-1], last, entered),
    )
    if ended:
        job = replace(
            job,
            on_instances_before=_on_instances(job, at),
            on_instances_since=None,
            allocation=None,
            training_ended_at=at if job.training_started_at is not None else None,
        )
    return job, [Transitioned(job, at)]


def _count_checkpoint(job: Job, at: float) -> Job:
    if job.allocation is None:
        return job
    allocation = replace(job.allocation, checkpoints=job.allocation.checkpoints + 1, last_checkpoint_at=at)
    return replace(job, allocation=allocation)


def _take(job: Job, happens: Input, now: float) -> tuple[Job, list[Happening]]:
    if job.ended:
        return job, []
    match happens:
        case StopRequested():
            return (job, []) if job.status is Status.STOPPING else _stop(job, Secondary.STOPPED, now)
        case CheckpointReached():
            return (_count_checkpoint(job, now) if job.secondary is Secondary.TRAINING else job), []
        case PhaseDone(work=work):
            if job.secondary not in job.script.held or job.secondary is Secondary.TRAINING:
                return job, []
            return _release(job, work, now), []
        case TrainingExited(failure=failure):
            return _exited(job, failure, now)


def _release(job: Job, work: float | None, now: float) -> Job:
    if work is None:
        return replace(job, released_at=now)
    kept = _checkpoints_in(work, job.script) if job.script.checkpoint_every else job.checkpoints
    return replace(job, released_at=now, work=work, checkpoints=kept)


def _checkpoints_in(work: float, script: Script) -> int:
    """Return how many simulated checkpoints ``work`` seconds of training have written."""
    every = script.checkpoint_every
    return int(work / every + 1e-9) if every else 0


def _exited(job: Job, failure: str | None, now: float) -> tuple[Job, list[Happening]]:
    running = job.secondary in _ON_INSTANCES and job.status is Status.IN_PROGRESS
    if failure is not None and running:
        return _fail(job, failure, now)
    if failure is None and job.secondary is Secondary.TRAINING:
        return _enter(job, Secondary.UPLOADING, now)
    return job, []
