"""The logs of all attempts of a run as one stream for each host, such as ``churn/algo-1``.

Real streams have names such as ``churn-relay-01/algo-1-1700000000``: each attempt has its own, and so has each restart
after an interruption. A token of a run's stream names a real one, and the token to read on with there.
"""

from __future__ import annotations

import base64
import json
import os
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from spot_relay.domain.shown.report import LOG_GROUP
from spot_relay_client.sagemaker.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# A real stream has a time after its host.
_OF_RUN: Final = re.compile(r"(?P<run>[^/]+)/(?P<host>algo-[0-9]+)")
_REAL: Final = re.compile(r"(?P<host>algo-[0-9]+)-(?P<began>[0-9]+)")
_DEFAULT_LIMIT: Final = 50
# An attempt's lines have times of its instances' clocks.
_CLOCKS: Final = timedelta(minutes=15)
_FIRST: Final = ("creationTime", "firstEventTimestamp")
_LAST: Final = ("lastEventTimestamp", "lastIngestionTime")


@dataclass(frozen=True)
class RealStream:
    """A stream of one attempt's host, as DescribeLogStreams has it."""

    attempt: int
    host: str
    described: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name of the stream."""
        name: str = self.described["logStreamName"]
        return name


@dataclass(frozen=True)
class Token:
    """Where to read on: in a direction, and in a real stream, unless there was none yet."""

    way: Literal["f", "b"]
    stream: str | None = None
    real: str | None = None

    def __str__(self) -> str:
        """Return the token as clients get it."""
        text = json.dumps([self.stream, self.real]).encode()
        return f"{self.way}/{base64.urlsafe_b64encode(text).decode()}"


def run_of_stream(name: str) -> tuple[str, str] | None:
    """Return the run and the host that a run's stream names, or None for the name of any other stream."""
    found = _OF_RUN.fullmatch(name)
    return (found["run"], found["host"]) if found else None


def read_token(text: str) -> Token:
    """Return a token that a client sends back."""
    way, _, rest = text.partition("/")
    try:
        stream, real = json.loads(base64.urlsafe_b64decode(rest))
    except ValueError:
        stream, real, way = None, None, ""
    if way not in ("f", "b"):
        raise ServiceError("InvalidParameterException", "The specified nextToken is invalid.")
    return Token("f" if way == "f" else "b", stream, real)


def find_streams(logs: Any, run: Mapping[str, Any]) -> list[RealStream]:
    """Return the streams of all attempts of a run, in the order in which they began."""
    prefixes = {attempt["log_stream_prefix"]: attempt["number"] for attempt in run["attempts"]}
    if not prefixes:
        return []
    # One call finds those of all attempts; it may find streams of other jobs as well.
    shared = os.path.commonprefix(list(prefixes))  # noqa: RUF071 (of the names, character by character)
    pages = logs.get_paginator("describe_log_streams").paginate(logGroupName=LOG_GROUP, logStreamNamePrefix=shared)
    found: list[tuple[int, int, RealStream]] = []
    try:
        for described in (stream for page in pages for stream in page["logStreams"]):
            job, slash, rest = described["logStreamName"].partition("/")
            number, parts = prefixes.get(job + slash), _REAL.fullmatch(rest)
            if number is not None and parts:
                found.append((number, int(parts["began"]), RealStream(number, parts["host"], described)))
    except logs.exceptions.ResourceNotFoundException:
        return []  # the group is made with the first stream of an account
    return [stream for *_, stream in sorted(found, key=lambda each: (*each[:2], each[2].name))]


def describe_streams(run: str, streams: list[RealStream], request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer of DescribeLogStreams: one stream for each host."""
    by_host: dict[str, list[Mapping[str, Any]]] = {}
    for stream in streams:
        by_host.setdefault(stream.host, []).append(stream.described)
    hosts = sorted(by_host, key=lambda host: int(host.removeprefix("algo-")))
    wanted = [host for host in hosts if f"{run}/{host}".startswith(request["logStreamNamePrefix"])]
    first, size = _read_position(request.get("nextToken")), request.get("limit", _DEFAULT_LIMIT)
    shown = [_merge(f"{run}/{host}", by_host[host]) for host in wanted[first : first + size]]
    onward = {"nextToken": str(first + size)} if len(wanted) > first + size else {}
    return {"logStreams": shown, **onward}


def read_events(logs: Any, run: Mapping[str, Any], host: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer of GetLogEvents: the next events of a host, of whichever attempt they are."""
    token = _token_of(request)
    span = {key: request[key] for key in ("startTime", "endTime", "limit", "unmask") if key in request}
    ended_early = _numbers_of_ended(run, request.get("startTime"))
    mine = [
        stream.name for stream in find_streams(logs, run) if stream.host == host and stream.attempt not in ended_early
    ]
    ahead = mine if token.way == "f" else mine[::-1]
    if token.stream is not None:
        ahead = [token.stream, *ahead[ahead.index(token.stream) + 1 :]] if token.stream in ahead else [token.stream]
    for name in ahead:
        real = token.real if name == token.stream else None
        for answer in _pages(logs, name, token.way, real, span):
            if answer["events"]:
                return {
                    "events": answer["events"],
                    "nextForwardToken": str(Token("f", name, answer["nextForwardToken"])),
                    "nextBackwardToken": str(Token("b", name, answer["nextBackwardToken"])),
                }
    # The same token again means that there is no more for now.
    return {
        "events": [],
        "nextForwardToken": str(Token("f", token.stream, token.real)),
        "nextBackwardToken": str(Token("b", token.stream, token.real)),
    }


def _pages(logs: Any, stream: str, way: str, real: str | None, span: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield answers until CloudWatch repeats a token; one in between may be empty."""
    while True:
        onward = {} if real is None else {"nextToken": real}
        answer = logs.get_log_events(
            logGroupName=LOG_GROUP, logStreamName=stream, startFromHead=way == "f", **span, **onward
        )
        yield answer
        following = answer["nextForwardToken" if way == "f" else "nextBackwardToken"]
        if following == real:
            return
        real = following


def _token_of(request: Mapping[str, Any]) -> Token:
    if request.get("nextToken"):
        return read_token(request["nextToken"])
    return Token("f" if request.get("startFromHead") else "b")


def _numbers_of_ended(run: Mapping[str, Any], start_time: int | None) -> set[int]:
    """Return the attempts that ended before a time in epoch milliseconds, and so have no events since."""
    if start_time is None:
        return set()
    ends = {a["number"]: datetime.fromisoformat(a["ended_at"]) + _CLOCKS for a in run["attempts"] if a["ended_at"]}
    return {number for number, end in ends.items() if end.timestamp() * 1000 < start_time}


def _read_position(token: str | None) -> int:
    if token is not None and not token.isdecimal():
        raise ServiceError("InvalidParameterException", "The specified nextToken is invalid.")
    return int(token or 0)


def _merge(name: str, described: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the streams of a host as one."""
    earliest = {key: min(s[key] for s in described if key in s) for key in _FIRST if any(key in s for s in described)}
    latest = {key: max(s[key] for s in described if key in s) for key in _LAST if any(key in s for s in described)}
    arns = [stream["arn"] for stream in described if "arn" in stream]
    arn = {"arn": f"{arns[0].rpartition(':log-stream:')[0]}:log-stream:{name}"} if arns else {}
    return {"logStreamName": name, **earliest, **latest, **arn, "storedBytes": 0}
