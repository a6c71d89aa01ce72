"""The phases of a training job's life, as people think of them: fewer than SageMaker's secondary statuses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from spot_relay.domain.sagemaker.job import ENDED_SECONDARIES, Market, SecondaryStatus, Transition

# How many phases of a job are kept. An interruption takes two or three.
KEPT_PHASES = 40


class Stage(StrEnum):
    """What a training job does in a phase of its life."""

    WAITING = "waiting"
    """It waits for its first capacity."""
    STARTING = "starting"
    DOWNLOADING = "downloading"
    TRAINING = "training"
    INTERRUPTED = "interrupted"
    """It has lost its capacity, and waits for more."""
    UPLOADING = "uploading"
    STOPPING = "stopping"
    EARLIER = "earlier"
    """Several phases that lie too far back to be kept."""


class Phase(NamedTuple):
    """A phase of a job's life: a tuple of small values, because a run may store hundreds of them.

    Its times are seconds after the ``zero`` that it was read with.
    """

    stage: Stage
    begins: int
    ends: int | None = None
    """None while it lasts."""


# Statuses that are not in this table are recorded, and change nothing: the phase before them goes on.
_STAGES = {
    SecondaryStatus.STARTING: Stage.WAITING,
    SecondaryStatus.PENDING: Stage.WAITING,
    SecondaryStatus.LAUNCHING_ML_INSTANCES: Stage.WAITING,
    "PreparingTrainingStack": Stage.STARTING,
    "DownloadingTrainingImage": Stage.STARTING,
    "Restarting": Stage.STARTING,
    "Updating": Stage.STARTING,
    "Downloading": Stage.DOWNLOADING,
    SecondaryStatus.TRAINING: Stage.TRAINING,
    SecondaryStatus.INTERRUPTED: Stage.INTERRUPTED,
    "Uploading": Stage.UPLOADING,
    SecondaryStatus.STOPPING: Stage.STOPPING,
}


def read_phases(
    transitions: Iterable[Transition],
    market: Market,
    zero: datetime,
    since: datetime | None = None,
    until: datetime | None = None,
) -> tuple[Phase, ...]:
    """Return the phases that a job's transitions show, without gaps.

    ``since`` is when the job was created: what the transitions no longer show of it is one earlier phase. ``until`` is
    when it ended, None for a job that lives.
    """
    phases: list[Phase] = []
    for entry in transitions:
        at = _count(zero, entry.started_at)
        if not phases and since is not None and _count(zero, since) < at:
            phases.append(Phase(Stage.EARLIER, _count(zero, since)))
        stage = _find_stage(entry.status, market)
        if stage is None and entry.status not in ENDED_SECONDARIES:
            continue
        if phases and (phases[-1].stage is not stage):
            phases[-1] = _end(phases[-1], at)
        if stage is None:
            return merge_oldest(phases)
        if not phases or phases[-1].stage is not stage:
            phases.append(Phase(stage, at))
    if phases and until is not None:
        phases[-1] = _end(phases[-1], _count(zero, until))
    return merge_oldest(phases)


def merge_oldest(phases: Sequence[Phase], most: int = KEPT_PHASES) -> tuple[Phase, ...]:
    """Return at most so many phases: the newest, and one for all that came before them."""
    if len(phases) <= most:
        return tuple(phases)
    kept = phases[len(phases) - most + 1 :]
    merged = Phase(Stage.EARLIER, phases[0].begins, kept[0].begins if kept else phases[-1].ends)
    return (merged, *kept)


def _find_stage(status: str, market: Market) -> Stage | None:
    """Return the stage of a status. On-demand, a job that starts does not wait for capacity to appear."""
    stage = _STAGES.get(status)
    starts = status in {SecondaryStatus.STARTING, SecondaryStatus.LAUNCHING_ML_INSTANCES}
    return Stage.STARTING if starts and market is Market.ON_DEMAND else stage


def _end(phase: Phase, at: int) -> Phase:
    return phase._replace(ends=max(at, phase.begins))


def _count(zero: datetime, moment: datetime) -> int:
    return round((moment - zero).total_seconds())
