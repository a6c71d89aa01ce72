"""Sends the output of real processes to CloudWatch Logs."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.real.clients import Clients

GROUP: Final = "/aws/sagemaker/TrainingJobs"
_MOST_LINES: Final = 1000
_LONGEST_LINE: Final = 200_000
_SPREAD: Final = 0.2  # how long lines are collected, so that a process that prints much costs few calls
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Line:
    group: str
    stream: str
    text: str
    at: float


class LogShipper:
    """Sends lines to their streams from a thread of its own; what cannot be sent is lost, with a warning."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._lines: SimpleQueue[_Line | None] = SimpleQueue()
        self._groups: set[str] = set()
        self._streams: set[tuple[str, str]] = set()

    def ship(self, stream: str, text: str, at: float | None = None, *, group: str = GROUP) -> None:
        """Queue a line for a stream, with the time ``at`` in epoch seconds, or with this moment's."""
        if self._clients.has("logs"):
            self._lines.put(_Line(group, stream, text[:_LONGEST_LINE] or " ", time.time() if at is None else at))

    def run(self) -> None:
        """Send lines until `close` is called and the queue is empty."""
        open_ = True
        while open_:
            lines, open_ = self._gather()
            for place in dict.fromkeys((line.group, line.stream) for line in lines):
                self._send(*place, [line for line in lines if (line.group, line.stream) == place])

    def close(self) -> None:
        """Let `run` return once everything is sent."""
        self._lines.put(None)

    def _gather(self) -> tuple[list[_Line], bool]:
        lines: list[_Line] = []
        for line in self._arriving():
            if line is None:
                return lines, False
            lines.append(line)
            if len(lines) == _MOST_LINES:
                break
        return lines, True

    def _arriving(self) -> Iterator[_Line | None]:
        yield self._lines.get()
        until = time.monotonic() + _SPREAD
        while (left := until - time.monotonic()) > 0:
            try:
                yield self._lines.get(timeout=left)
            except Empty:
                return

    def _send(self, group: str, stream: str, lines: list[_Line]) -> None:
        try:
            self._open(group, stream)
            self._clients.logs.put_log_events(
                logGroupName=group,
                logStreamName=stream,
                logEvents=[{"timestamp": round(line.at * 1000), "message": line.text} for line in lines],
            )
        except (BotoCoreError, ClientError) as error:
            logger.warning("lost %d log lines of %s: %s", len(lines), stream, error)

    def _open(self, group: str, stream: str) -> None:
        if (group, stream) in self._streams:
            return
        logs = self._clients.logs
        there_already = logs.exceptions.ResourceAlreadyExistsException
        if group not in self._groups:
            with suppress(there_already):
                logs.create_log_group(logGroupName=group)
            self._groups.add(group)
        with suppress(there_already):
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
        self._streams.add((group, stream))
