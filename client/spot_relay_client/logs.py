"""The log of a run: the lines of all attempts and hosts as one stream.

SageMaker writes a stream for each host of each training job, and a new one when a host is replaced.
`LogReader` keeps a position in each stream, so that every line is read once, and yields the lines in the order of
their times. While an attempt is running, lines are held back for a moment, because another host's earlier line can
arrive after them. What has ended is read page by page, so that a long log needs little memory.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from spot_relay_client.models import Attempt, Run

# How long lines are held back, and how long after the end of an attempt more of them may arrive.
HOLD_BACK: Final = timedelta(seconds=2)
LATE: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that the training printed."""

    at: datetime
    attempt: int
    host: str
    """Such as ``algo-1``."""
    text: str


class LogStreams(Protocol):
    """What is read from CloudWatch Logs."""

    def names(self, group: str, prefix: str) -> Sequence[str]:
        """Return the names of the streams that begin with a prefix."""

    def page(
        self, group: str, stream: str, token: str | None, since: datetime | None
    ) -> tuple[Sequence[tuple[datetime, str]], str]:
        """Return the lines after a token, and the token after them, which is the same one at the end of the stream."""


class CloudWatchStreams:
    """The streams in CloudWatch Logs, through a client of botocore."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def names(self, group: str, prefix: str) -> Sequence[str]:
        """Return the names of the streams that begin with a prefix; a group that does not exist yet has none."""
        pages = self._client.get_paginator("describe_log_streams")
        try:
            found = list(pages.paginate(logGroupName=group, logStreamNamePrefix=prefix))
        except self._client.exceptions.ResourceNotFoundException:
            return []
        return [stream["logStreamName"] for page in found for stream in page["logStreams"]]

    def page(
        self, group: str, stream: str, token: str | None, since: datetime | None
    ) -> tuple[Sequence[tuple[datetime, str]], str]:
        """Return the lines after a token, and the token after them."""
        wanted: dict[str, Any] = {"logGroupName": group, "logStreamName": stream, "startFromHead": True}
        if token is not None:
            wanted["nextToken"] = token
        if since is not None:
            wanted["startTime"] = round(since.timestamp() * 1000)
        answer = self._client.get_log_events(**wanted)
        lines = [(_moment(event["timestamp"]), event["message"]) for event in answer["events"]]
        return lines, answer["nextForwardToken"]


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


class LogReader:
    """Reads what is new in the log of one run, again and again."""

    def __init__(self, streams: LogStreams, *, attempt: int | None = None, since: datetime | None = None) -> None:
        self._streams = streams
        self._wanted = attempt
        self._since = since
        self._tokens: dict[str, str | None] = {}
        self._held: dict[int, list[LogLine]] = {}
        self._closed: set[int] = set()

    def read(self, run: Run, now: datetime) -> Iterator[LogLine]:
        """Yield the lines that are new and whose order is settled; has to be read to its end."""
        for attempt in self._open_attempts(run):
            if _is_complete(run, attempt, now):
                yield from merge([self._held.pop(attempt.number, []), *self._new_lines(run, attempt)])
                self._closed.add(attempt.number)
            else:
                yield from self._settled(attempt, merge(self._new_lines(run, attempt)), now - HOLD_BACK)

    def at_end(self, run: Run) -> bool:
        """Whether everything was read: the run had ended, and no line of it can arrive any more."""
        return run.ended and not self._open_attempts(run)

    def _open_attempts(self, run: Run) -> list[Attempt]:
        return [
            attempt
            for attempt in run.attempts
            if attempt.number not in self._closed and self._wanted in {None, attempt.number}
        ]

    def _settled(self, attempt: Attempt, new: Iterator[LogLine], until: datetime) -> list[LogLine]:
        """Return the lines up to a moment, and hold back the others."""
        lines = list(merge([self._held.get(attempt.number, []), new]))
        self._held[attempt.number] = [line for line in lines if line.at > until]
        return [line for line in lines if line.at <= until]

    def _new_lines(self, run: Run, attempt: Attempt) -> list[Iterator[LogLine]]:
        names = self._streams.names(run.log_group, attempt.log_stream_prefix)
        return [self._read_stream(run.log_group, name, attempt) for name in names]

    def _read_stream(self, group: str, stream: str, attempt: Attempt) -> Iterator[LogLine]:
        """Yield what a stream has after the last position; a page can be empty before the end."""
        host = _host(stream.removeprefix(attempt.log_stream_prefix))
        while True:
            token = self._tokens.get(stream)
            lines, after = self._streams.page(group, stream, token, self._since)
            self._tokens[stream] = after
            for at, text in lines:
                yield LogLine(at, attempt.number, host, text.rstrip("\n"))
            if after == token:
                return


def merge(streams: Iterable[Iterable[LogLine]]) -> Iterator[LogLine]:
    """Yield the lines of several streams in the order of their times; each stream is in order already.

    Lines of the same time stay in the order of their streams.
    """
    return heapq.merge(*streams, key=lambda line: line.at)


def _is_complete(run: Run, attempt: Attempt, now: datetime) -> bool:
    """Whether no more lines can arrive. The training job of an ended run may never have been created."""
    if not (attempt.ended or run.ended):
        return False
    ended_at = attempt.ended_at or run.ended_at
    return ended_at is None or now - ended_at > LATE


def _host(stream: str) -> str:
    """Return ``algo-1`` for ``algo-1-1700000000``."""
    return "-".join(stream.split("/")[-1].split("-")[:2])
