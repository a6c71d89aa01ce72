"""The hosts of a distributed training, connected by XGBoost's own collective."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from xgboost import collective
from xgboost.core import XGBoostError
from xgboost.tracker import RabitTracker

from examples.images.toolkit.container import StoppedError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from examples.images.toolkit.container import Hosts

# Where the hosts meet, at the address of the first one.
MEETING_PORT: Final = 9099
# How long a host waits for the others: they may still be reading their data.
_SECONDS_TO_MEET: Final = 300
# How long the first host waits for the others to disconnect, which all do after the same round.
_SECONDS_TO_PART: Final = 60
_POLL_SECONDS: Final = 0.2
_PORT_DIGITS: Final = 5


@dataclass(frozen=True)
class Cluster:
    """All hosts of a job; a job with one host needs nobody."""

    size: int
    rank: int

    @staticmethod
    @contextmanager
    def joined(hosts: Hosts, stop: threading.Event) -> Iterator[Cluster]:
        """Connect all hosts, and disconnect them at the end; raise StoppedError if ``stop`` is set while they meet.

        They meet before they use the collective. A process that waits in there can neither be stopped by a SIGTERM,
        nor try again to reach a tracker that is not there yet.
        """
        if len(hosts.names) == 1:
            yield Cluster(1, 0)
            return
        address = socket.gethostbyname(hosts.names[0])
        tracker = _host(address, len(hosts.names), stop) if hosts.rank == 0 else None
        port = int(tracker.worker_args()["dmlc_tracker_port"]) if tracker else _join(address, stop)
        connection: dict[str, str | int | None] = {
            "dmlc_tracker_uri": address,
            "dmlc_tracker_port": port,
            "dmlc_task_id": f"{hosts.rank:04}",
            "dmlc_timeout": _SECONDS_TO_MEET,
        }
        with collective.CommunicatorContext(**connection):
            yield Cluster(collective.get_world_size(), collective.get_rank())
        if tracker:
            _part(tracker)

    @property
    def is_first(self) -> bool:
        """Whether this host is the one that writes."""
        return self.rank == 0

    def largest(self, value: int) -> int:
        """Return the largest of the values that the hosts have."""
        if self.size == 1:
            return value
        return int(collective.allreduce(np.array([value], dtype=np.int64), collective.Op.MAX)[0])

    def as_on_first(self, value: Any) -> Any:
        """Return the value that the first host has."""
        return value if self.size == 1 else collective.broadcast(value, 0)


def _host(address: str, size: int, stop: threading.Event) -> RabitTracker:
    """Wait for the other hosts, start XGBoost's tracker, and send them its port."""
    until = time.monotonic() + _SECONDS_TO_MEET
    with ExitStack() as closing:
        server = closing.enter_context(socket.create_server((address, MEETING_PORT)))
        server.settimeout(_POLL_SECONDS)
        guests: list[socket.socket] = []
        while len(guests) < size - 1:
            try:
                guests.append(closing.enter_context(server.accept()[0]))
            except TimeoutError:
                _check(until, stop, f"{size - 1 - len(guests)} hosts have not come")
        tracker = RabitTracker(size, address, sortby="task", timeout=_SECONDS_TO_MEET)
        tracker.start()
        for guest in guests:
            guest.sendall(str(tracker.worker_args()["dmlc_tracker_port"]).zfill(_PORT_DIGITS).encode())
        return tracker


def _part(tracker: RabitTracker) -> None:
    """Wait until all hosts have disconnected: each does so through the tracker, which ends with this process."""
    try:
        tracker.wait_for(_SECONDS_TO_PART)
    except XGBoostError as error:
        raise RuntimeError(f"Not all hosts disconnected within {_SECONDS_TO_PART} seconds") from error


def _join(address: str, stop: threading.Event) -> int:
    """Wait until the first host sends the port of its tracker, and return that."""
    until = time.monotonic() + _SECONDS_TO_MEET
    while True:
        try:
            with socket.create_connection((address, MEETING_PORT), timeout=_POLL_SECONDS) as meeting:
                return _receive(meeting, until, stop)
        except (ConnectionError, TimeoutError):
            stop.wait(_POLL_SECONDS)
        _check(until, stop, "the first host has not come")


def _receive(meeting: socket.socket, until: float, stop: threading.Event) -> int:
    digits = b""
    while len(digits) < _PORT_DIGITS:
        try:
            received = meeting.recv(_PORT_DIGITS - len(digits))
        except TimeoutError:
            _check(until, stop, "another host has not come")
            continue
        if not received:
            raise ConnectionError("the first host has gone")
        digits += received
    return int(digits)


def _check(until: float, stop: threading.Event, what: str) -> None:
    if stop.is_set():
        raise StoppedError
    if time.monotonic() > until:
        raise RuntimeError(f"The hosts did not meet within {_SECONDS_TO_MEET} seconds: {what}")
