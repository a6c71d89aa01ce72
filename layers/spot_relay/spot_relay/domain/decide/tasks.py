"""What tasks of Step Functions ask of a run: to be told of its end."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from spot_relay.domain.decide.steps import Decision, unchanged
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import MAX_WAITING_TASKS, Run
from spot_relay.domain.values import replace

if TYPE_CHECKING:
    from spot_relay.domain.run.observation import TaskGone, TaskWaiting


def join(run: Run, task: TaskWaiting, now: datetime) -> Decision:
    """Add a task to those that wait for the run's end, or answer it at once if the run has ended.

    The oldest task makes way if there are too many: it is probably a try that has timed out.
    """
    if task.token in (*run.waiting_tasks, *run.outbox.tasks):
        return unchanged(run, "This task of Step Functions is waiting for the run already.")
    if run.has_ended and len(run.outbox.tasks) >= MAX_WAITING_TASKS:
        reason = "Other tasks of Step Functions have to be told of the end first. Submit the spec again later."
        return unchanged(run, reason, rejected=True)
    if run.has_ended:
        reason = "A task of Step Functions asks for the end of the run, which has ended."
        return Decision(replace(run, updated_at=now), Outbox(tasks=(task.token,)), reason)
    waiting = (*run.waiting_tasks, task.token)[-MAX_WAITING_TASKS:]
    reason = "Another task of Step Functions is waiting for the end of the run."
    return Decision(replace(run, updated_at=now, waiting_tasks=waiting), Outbox(), reason)


def follow_gone_task(run: Run, answer: TaskGone, now: datetime) -> Decision:
    """Record that a task was not waiting any more: it was answered before, has timed out, or never existed."""
    return Decision(replace(run, updated_at=now), Outbox(status=True), describe_gone_task(answer))


def describe_gone_task(answer: TaskGone) -> str:
    """Return the sentence about a task that was no longer waiting."""
    return f"A task of Step Functions no longer waits for the end of the run: its token was refused ({answer.error})."
