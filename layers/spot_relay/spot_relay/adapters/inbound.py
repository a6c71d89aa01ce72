"""AWS's events, read: which run they are about, and what they tell of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from spot_relay.domain.errors import CallerError
from spot_relay.domain.run.launch import RUN_ID_TAG
from spot_relay.domain.run.observation import CanaryChanged, Due, JobChanged, Observation, RoomFreed
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import parse_attempt_name, parse_canary_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_lambda_powertools import Logger

RUN_DUE = "Run Due"
ROOM_FREED = "Room Freed"
# No name, key, version or status of AWS's is longer, and what is stored of an event has to fit an item of the table.
_LONGEST_TEXT = 1024
_SHOWN = 40
_LONGEST_REASON = 200
# What `next_token` looks like: when the page's last run was created, and its id.
_TOKEN = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z#[a-zA-Z0-9-]{1,63}", re.ASCII)
SUFFIXES = (".json", ".yaml", ".yml")


MAX_PAGE = 100


class InvalidQueryError(CallerError):
    """A query parameter is unknown or has an invalid value."""

    code = "InvalidQuery"


class UnreadableEventError(Exception):
    """A message is none that this function is meant for; the queue keeps it for an operator."""


@dataclass(frozen=True)
class Upload:
    """An object put into a bucket of specs."""

    bucket: str
    key: str
    version_id: str | None

    @property
    def is_spec(self) -> bool:
        """Whether it lies where specs do, and its ending is that of a format."""
        return self.key.startswith("runs/") and self.key.lower().endswith(SUFFIXES)


@dataclass(frozen=True)
class PageWanted:
    """Which runs a listing asks for."""

    status: RunStatus | None
    limit: int
    created_before: str | None


def handle_messages(event: Mapping[str, Any], handle: Callable[[str], None], logger: Logger) -> dict[str, Any]:
    """Handle the body of each SQS message of an event, and return the partial batch response.

    A message that fails is logged and returned to its queue; the others stay handled.
    """
    failed = []
    for message in event["Records"]:
        try:
            handle(message["body"])
        except Exception:
            # Whatever it is, the other messages must be handled all the same.
            logger.exception(
                "the message could not be handled; its queue delivers it again", message_id=message["messageId"]
            )
            failed.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failed}


def read_page(query: Mapping[str, str]) -> PageWanted:
    """Read the query of GET /runs: status, limit (1 to 100, default 25) and token."""
    if unknown := sorted(set(query) - {"status", "limit", "token"}):
        message = f"there is no query parameter {unknown[0][:_SHOWN]!r}; there are status, limit and token"
        raise InvalidQueryError(message)
    status, limit, token = query.get("status"), query.get("limit", "25"), query.get("token")
    if status is not None and status not in set(RunStatus):
        message = f"status is {status[:_SHOWN]!r}; it has to be one of {', '.join(RunStatus)}"
        raise InvalidQueryError(message)
    if not re.fullmatch(r"[0-9]{1,3}", limit) or not 1 <= int(limit) <= MAX_PAGE:
        message = f"limit is {limit[:_SHOWN]!r}; it has to be a whole number from 1 to {MAX_PAGE}"
        raise InvalidQueryError(message)
    if token is not None and not _TOKEN.fullmatch(token):
        message = "token is not the next_token of an earlier page"
        raise InvalidQueryError(message)
    return PageWanted(RunStatus(status) if status else None, int(limit), token)


def read_upload(body: str) -> Upload:
    """Read an S3 Object Created event."""
    detail = _envelope(body, source="aws.s3")["detail"]
    try:
        stored = detail["object"]
        version = _text(stored, "version-id") if "version-id" in stored else None
        return Upload(_text(detail["bucket"], "name"), _text(stored, "key"), version)
    except (KeyError, TypeError, ValueError) as error:
        message = f"the Object Created event can't be read: {_why(error)}"
        raise UnreadableEventError(message) from None


def run_due(run_id: str) -> str:
    """Write the message with which the tick asks for a look at a run."""
    return _message(RUN_DUE, run_id)


def room_freed(run_id: str) -> str:
    """Write the message that wakes a run which waits for room."""
    return _message(ROOM_FREED, run_id)


def read_observation(body: str) -> tuple[str, Observation] | None:
    """Read a message of the observe queue: run id and observation; None for a job that is no run's."""
    envelope = _envelope(body)
    try:
        match envelope["source"], envelope["detail-type"]:
            case "spot-relay", "Run Due":
                return _text(envelope["detail"], "run_id"), Due()
            case "spot-relay", "Room Freed":
                return _text(envelope["detail"], "run_id"), RoomFreed()
            case "aws.sagemaker", "SageMaker Training Job State Change":
                return _read_state_change(envelope)
            case source, kind:
                message = f"no event of {_shown(source)} / {_shown(kind)} is expected here"
                raise UnreadableEventError(message)
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        message = f"the event can't be read: {_why(error)}"
        raise UnreadableEventError(message) from None


def _read_state_change(envelope: dict[str, Any]) -> tuple[str, Observation] | None:
    detail = envelope["detail"]
    name = _text(detail, "TrainingJobName")
    if _tells_anothers(detail.get("Tags")):
        return None
    if attempt := parse_attempt_name(name):
        run_id, number = attempt
        changed = JobChanged(
            attempt=number,
            status=_text(detail, "TrainingJobStatus"),
            secondary_status=_text(detail, "SecondaryStatus"),
            at=_moment(detail.get("LastModifiedTime"), envelope["time"]),
        )
        return run_id, changed
    if canary := parse_canary_name(name):
        run_id, number = canary
        return run_id, CanaryChanged(number, _text(detail, "SecondaryStatus"))
    return None


def _tells_anothers(tags: object) -> bool:
    """Tell by a job's tags that no run of ours has it, whatever its name; without any tags they prove nothing."""
    return isinstance(tags, dict) and bool(tags) and RUN_ID_TAG not in tags


def _message(kind: str, run_id: str) -> str:
    return json.dumps({"source": "spot-relay", "detail-type": kind, "detail": {"run_id": run_id}})


def _text(members: Mapping[str, Any], name: str) -> str:
    """Give a member that has to be text: what is stored of an event is read back as text, or not at all.

    Text that is no UTF-8 could be neither stored nor logged.
    """
    value = members[name]
    if not isinstance(value, str) or not value:
        message = f"{name} is no text"
        raise TypeError(message)
    if len(value) > _LONGEST_TEXT:
        message = f"{name} has {len(value)} characters, and at most {_LONGEST_TEXT} can be meant"
        raise ValueError(message)
    value.encode()
    return value


def _moment(milliseconds: str | int | None, fallback: str) -> datetime:
    """Read epoch milliseconds, which the service writes as text or number; else the envelope's time."""
    if milliseconds is None:
        return datetime.fromisoformat(fallback).astimezone(UTC)
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)


def _envelope(body: str, source: str | None = None) -> dict[str, Any]:
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError) as error:
        # Not only what is no JSON: a number too long, or lists too deep, to be read.
        message = f"the message is not JSON: {error}"
        raise UnreadableEventError(message) from None
    if not isinstance(envelope, dict) or not isinstance(envelope.get("detail"), dict):
        message = "the message is no EventBridge event: it has no detail"
        raise UnreadableEventError(message)
    if source is not None and envelope.get("source") != source:
        message = f"no event of {_shown(envelope.get('source'))} is expected here"
        raise UnreadableEventError(message)
    return envelope


def _why(error: Exception) -> str:
    """Say what was wrong; Python quotes what it could not read, however long that is, and in whatever script."""
    return ascii(f"{type(error).__name__} {error}")[1:-1][:_LONGEST_REASON]


def _shown(value: Any) -> str:
    """Give a value as it may stand in a message: short, and without what can't be printed."""
    return ascii(value)[:_SHOWN] if isinstance(value, str) else type(value).__name__
