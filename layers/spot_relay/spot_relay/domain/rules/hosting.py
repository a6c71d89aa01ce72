"""What there is to do with the model of a run that has completed, and when the next call to SageMaker is due."""

from __future__ import annotations

from datetime import datetime, timedelta

from spot_relay.domain.run.hosting import HostingKind, HostingStatus, HostingStep, HostingTask
from spot_relay.domain.run.run import OUTBOX_PATIENCE, Run

# With the backoff below, these take about four hours.
MOST_TRIES = 20
# Longer than any deployment takes; it may have to wait for another one on the same endpoint first.
PATIENCE = timedelta(hours=24)
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=10), timedelta(minutes=15)
_FIRST_STEPS = {
    HostingKind.REGISTER_MODEL: (HostingStep.MODEL_PACKAGE, "Registering the model."),
    HostingKind.DEPLOY: (HostingStep.MODEL, "Deploying the model."),
}
_NO_MODEL = "The run has left no model."


def list_wanted(run: Run) -> tuple[HostingKind, ...]:
    """Return what is to be done with the run's model once it has completed."""
    wanted = run.on_success
    registers = (HostingKind.REGISTER_MODEL,) if wanted.register_model is not None else ()
    return registers + ((HostingKind.DEPLOY,) if wanted.deploy is not None else ())


def begin_tasks(run: Run, now: datetime) -> tuple[HostingTask, ...]:
    """Return the tasks of a run that completes now. Without a model, they have failed."""
    if run.model_artifacts is None:
        return tuple(
            HostingTask(kind, _FIRST_STEPS[kind][0], HostingStatus.FAILED, _NO_MODEL, now, now, None, settled_at=now)
            for kind in list_wanted(run)
        )
    return tuple(
        HostingTask(kind, *_begin(kind), began_at=now, since=now, check_at=now + OUTBOX_PATIENCE)
        for kind in list_wanted(run)
    )


def _begin(kind: HostingKind) -> tuple[HostingStep, HostingStatus, str]:
    step, reason = _FIRST_STEPS[kind]
    return step, HostingStatus.IN_PROGRESS, reason


def list_due(run: Run, now: datetime) -> tuple[HostingKind, ...]:
    """Return the tasks of a run that are due for a look."""
    return tuple(task.kind for task in run.hosting if task.check_at is not None and now >= task.check_at)


def wait_after(tries: int, draw: float) -> timedelta:
    """Return how long to wait after so many refusals: jittered, at least half of a ceiling that doubles each time."""
    ceiling: timedelta = min(_LONGEST_WAIT, _FIRST_WAIT * (1 << min(tries - 1, MOST_TRIES)))
    return ceiling * (0.5 + draw / 2)
