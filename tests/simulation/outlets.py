"""Where the functions of a play send to: the queue of the observe function, tasks that wait, and the log."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any

from spot_relay.adapters.inbound import write_predecessor_ended, write_room_freed, write_run_due
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.values import No
from tests.fakes import MemoryAnnouncements, MemoryTelemetry
from tests.simulation.violation import ViolationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import timedelta

    from spot_relay.domain.run.run import Run
    from spot_relay.domain.shown.events import Event
    from tests.simulation.play import Play

# The queues' visibility timeout, and how often a message is received before it is dead.
VISIBILITY, RECEIVES = 360.0, 5


@dataclass
class Queue:
    """The queue of the observe function."""

    play: Play

    def wake(self, run_id: str) -> None:
        """Queue the news of room."""
        self._send(write_room_freed(run_id))

    def tell(self, run_ids: tuple[str, ...]) -> None:
        """Queue the news that a run has ended for those that come after it."""
        for run_id in run_ids:
            for delay in self.play.draw_delays():
                self._send(write_predecessor_ended(run_id), delay)

    def look(self, run_id: str, after: timedelta) -> None:
        """Queue a look at a run."""
        self._send(write_run_due(run_id), ceil(after.total_seconds()))

    def _send(self, body: str, seconds: float = 0) -> None:
        self.play.timeline.after(seconds + 0.2, lambda: self.play.deliver(body))


@dataclass
class Announcements(MemoryAnnouncements):
    """The event bus. Its ``watch`` hears each event."""

    watch: Callable[[Iterable[Event]], None] = lambda _: None

    def announce(self, events: Sequence[Event]) -> dict[str, str]:
        """Take events, except those that are rejected, of which there are none by themselves."""
        self.watch(events)
        return super().announce(events)

    def announce_some(self, events: Sequence[Event]) -> dict[str, str]:
        """Take every other event, and reject the rest."""
        self.announce(events[1::2])
        return {event.id: "InternalFailure" for event in events[::2]}


@dataclass
class Tasks:
    """Tasks of Step Functions: each waits until it is answered, once."""

    play: Play
    answers: dict[str, str] = field(default_factory=dict)
    """What each task was told of its run: the status."""

    def answer(self, token: str, error: str | None, summary: dict[str, Any]) -> No | None:
        """Take an answer, which has to be an end of the task's run that was saved."""
        run_id, status = token.partition("/")[0], str(summary["status"])
        if (run_id, status) not in self.play.watch.ends or summary["run_id"] != run_id:
            raise ViolationError(8, f"a task that waits for {run_id} is told that {summary['run_id']} is {status}")
        if (error is None) != (status == RunStatus.COMPLETED):
            raise ViolationError(8, f"a task is told {error} of {run_id}, which is {status}")
        if token in self.answers:
            return No("TaskTimedOut")
        self.answers[token] = status
        return None


@dataclass
class Telemetry(MemoryTelemetry):
    """Logs nothing but to whoever wants to hear it."""

    play: Play = field(kw_only=True)

    def log_decision(self, run: Run, observation: str, reason: str) -> None:
        """Trace a decision, if somebody listens."""
        if self.play.tell:
            self.play._told(f"      {run.id} {observation}: {run.status}: {reason}")
