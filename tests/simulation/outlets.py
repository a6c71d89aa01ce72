"""Where the functions of a play send to: the queue of the observe function, and the log."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING

from spot_relay.adapters.inbound import write_room_freed, write_run_due
from tests.fakes import MemoryTelemetry

if TYPE_CHECKING:
    from datetime import timedelta

    from spot_relay.domain.run.run import Run
    from tests.simulation.play import Play


@dataclass
class Queue:
    """The queue of the observe function."""

    play: Play

    def wake(self, run_id: str) -> None:
        """Queue the news of room."""
        self._send(write_room_freed(run_id))

    def look(self, run_id: str, after: timedelta) -> None:
        """Queue a look at a run."""
        self._send(write_run_due(run_id), ceil(after.total_seconds()))

    def _send(self, body: str, seconds: int = 0) -> None:
        self.play.timeline.after(seconds + 0.2, lambda: self.play.deliver(body))


@dataclass
class Telemetry(MemoryTelemetry):
    """Logs nothing but to whoever wants to hear it."""

    play: Play = field(kw_only=True)

    def log_decision(self, run: Run, observation: str, reason: str) -> None:
        """Trace a decision, if somebody listens."""
        if self.play.tell:
            self.play._told(f"      {run.id} {observation}: {run.status}: {reason}")
