"""Read events from AWS: which run each one concerns, and what it says about it. Also the queries of the API."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from spot_relay.domain.errors import CallerError
from spot_relay.domain.run.launch import RUN_ID_TAG
from spot_relay.domain.run.observation import (
    CanaryChanged,
    Due,
    EndpointChanged,
    JobChanged,
    Observation,
    PredecessorEnded,
    RoomFreed,
)
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.run.template import Appointment, Arrival
from spot_relay.domain.sagemaker.job import parse_attempt_name, parse_canary_name, stands_for
from spot_relay.domain.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_lambda_powertools import Logger

# No name, key, version or status in AWS is longer, and whatever is stored from an event must fit into a DynamoDB item.
_MAX_TEXT = 1024
_MAX_QUOTE = 40
_MAX_REASON = 200
# As milliseconds this is in 1973, as seconds in 5138.
_LEAST_MILLISECONDS = 100_000_000_000
# The form of `next_token`: the creation time and the id of the last run on the page.
_TOKEN = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z#[a-zA-Z0-9-]{1,63}", re.ASCII)
SUFFIXES = (".json", ".yaml", ".yml")
SPECS, TEMPLATES = "runs/", "templates/"
MAX_PAGE = 100


class _OwnMessage(StrEnum):
    """The messages that Spot Relay puts into its own queues, by their detail-type."""

    RUN_DUE = "Run Due"
    ROOM_FREED = "Room Freed"
    PREDECESSOR_ENDED = "Predecessor Ended"
    TEMPLATE_DUE = "Template Due"
    """In the submit queue, from EventBridge Scheduler."""


class InvalidQueryError(CallerError):
    """A query parameter is unknown or has an invalid value."""

    code = "InvalidQuery"


class UnreadableEventError(Exception):
    """A message is not one that this function handles; its queue keeps it for an operator."""


@dataclass(frozen=True)
class Upload:
    """An object that was uploaded to the bucket for specs, or deleted from it."""

    bucket: str
    key: str
    version_id: str | None

    @property
    def is_spec(self) -> bool:
        """Whether the object is under runs/ and has the suffix of a spec."""
        return self.key.startswith(SPECS) and self.key.lower().endswith(SUFFIXES)

    @property
    def is_template(self) -> bool:
        """Whether the object is under templates/ and has the suffix of a spec."""
        return self.key.startswith(TEMPLATES) and self.key.lower().endswith(SUFFIXES)


@dataclass(frozen=True)
class PageQuery:
    """Which runs to list."""

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
            # Whatever happened, the other messages must still be handled.
            logger.exception(
                "the message could not be handled; its queue delivers it again", message_id=message["messageId"]
            )
            failed.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failed}


def read_page_query(query: Mapping[str, str]) -> PageQuery:
    """Read the query parameters of GET /runs: status, limit (1 to 100, default 25) and token."""
    if unknown := sorted(set(query) - {"status", "limit", "token"}):
        message = f"Unknown query parameter {unknown[0][:_MAX_QUOTE]!r}. Use status, limit or token."
        raise InvalidQueryError(message)
    status, limit, token = query.get("status"), query.get("limit", "25"), query.get("token")
    if status is not None and status not in set(RunStatus):
        message = f"status is {status[:_MAX_QUOTE]!r}, but it must be one of {', '.join(RunStatus)}."
        raise InvalidQueryError(message)
    if not re.fullmatch(r"[0-9]{1,3}", limit) or not 1 <= int(limit) <= MAX_PAGE:
        message = f"limit is {limit[:_MAX_QUOTE]!r}, but it must be a whole number from 1 to {MAX_PAGE}."
        raise InvalidQueryError(message)
    if token is not None and not _TOKEN.fullmatch(token):
        message = "token is invalid. Use the next_token of the previous page, or leave it out to start at the first."
        raise InvalidQueryError(message)
    return PageQuery(RunStatus(status) if status else None, int(limit), token)


def read_dry_run(query: Mapping[str, str]) -> bool:
    """Read the query parameter of POST /runs, dry_run: true or false.

    A misspelt one must not submit a spec that was only to be looked at, so all others are refused.
    """
    if unknown := sorted(set(query) - {"dry_run"}):
        message = f"Unknown query parameter {unknown[0][:_MAX_QUOTE]!r}. Use dry_run."
        raise InvalidQueryError(message)
    value = query.get("dry_run", "false")
    if value not in {"true", "false"}:
        message = f"dry_run is {value[:_MAX_QUOTE]!r}, but it must be true or false."
        raise InvalidQueryError(message)
    return value == "true"


def read_delivery(body: str, specs_bucket: str) -> Upload | Arrival | Appointment:
    """Read a message of the submit queue.

    It is about an upload to the bucket for specs, about an object that has arrived elsewhere, or from a schedule.
    """
    envelope = _read_envelope(body)
    try:
        if (envelope.get("source"), envelope.get("detail-type")) == ("spot-relay", _OwnMessage.TEMPLATE_DUE):
            return _read_appointment(envelope["detail"])
        _require_source(envelope, "aws.s3")
        if _get_text(envelope["detail"]["bucket"], "name") != specs_bucket:
            return _read_arrival(envelope)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        message = f"The event cannot be read: {_summarise(error)}"
        raise UnreadableEventError(message) from None
    return read_upload(body)


def _read_appointment(detail: dict[str, Any]) -> Appointment:
    key = _get_text(detail, "template")
    if not key.startswith(TEMPLATES):
        message = f"template is not under {TEMPLATES}"
        raise ValueError(message)
    return Appointment(key, _read_iso(detail, "at"))


def _read_arrival(envelope: dict[str, Any]) -> Arrival:
    """Read an Object Created event of a bucket with data.

    Each event about one version of an object has the same version id or, in a bucket without versions, the same entity
    tag and sequencer. A bucket whose versions are suspended calls each version null.
    """
    if envelope.get("detail-type") != "Object Created":
        message = f"{_quote(envelope.get('detail-type'))} is not the arrival of an object"
        raise ValueError(message)
    stored = envelope["detail"]["object"]
    if not isinstance(stored, dict):
        message = "object is not a mapping"
        raise TypeError(message)
    version = stored.get("version-id") or "null"
    names = ("version-id",) if version != "null" else ("etag", "sequencer")
    identity = " ".join(_get_text(stored, name) for name in names)
    bucket = _get_text(envelope["detail"]["bucket"], "name")
    return Arrival(bucket, _get_text(stored, "key"), identity, _read_iso(envelope, "time"))


def read_upload(body: str) -> Upload:
    """Read an S3 Object Created event."""
    detail = _read_envelope(body, source="aws.s3")["detail"]
    try:
        stored = detail["object"]
        has_version = "version-id" in stored and stored["version-id"] not in (None, "")
        version = _get_text(stored, "version-id") if has_version else None
        return Upload(_get_text(detail["bucket"], "name"), _get_text(stored, "key"), version)
    except (KeyError, TypeError, ValueError) as error:
        message = f"The Object Created event cannot be read: {_summarise(error)}"
        raise UnreadableEventError(message) from None


def write_run_due(run_id: str) -> str:
    """Return the message with which the tick requests a look at a run."""
    return _write_message(_OwnMessage.RUN_DUE, run_id)


def write_room_freed(run_id: str) -> str:
    """Return the message that wakes a run waiting for room."""
    return _write_message(_OwnMessage.ROOM_FREED, run_id)


def write_predecessor_ended(run_id: str) -> str:
    """Return the message that tells a run that one which it comes after has ended."""
    return _write_message(_OwnMessage.PREDECESSOR_ENDED, run_id)


def write_template_due(template: str, at: str) -> str:
    """Return the message with which a schedule starts a run of a template."""
    detail = {"template": template, "at": at}
    return json.dumps({"source": "spot-relay", "detail-type": _OwnMessage.TEMPLATE_DUE, "detail": detail})


def read_observation(body: str) -> tuple[str, Observation] | None:
    """Return the run id and the observation in a message of the observe queue; None if the job belongs to no run."""
    envelope = _read_envelope(body)
    try:
        match envelope["source"], envelope["detail-type"]:
            case "spot-relay", _OwnMessage.RUN_DUE:
                return _get_text(envelope["detail"], "run_id"), Due()
            case "spot-relay", _OwnMessage.ROOM_FREED:
                return _get_text(envelope["detail"], "run_id"), RoomFreed()
            case "spot-relay", _OwnMessage.PREDECESSOR_ENDED:
                return _get_text(envelope["detail"], "run_id"), PredecessorEnded()
            case "aws.sagemaker", "SageMaker Training Job State Change":
                return _read_state_change(envelope)
            case "aws.sagemaker", "SageMaker Endpoint State Change":
                return _read_endpoint_change(envelope)
            case source, kind:
                message = f"This function does not handle events of {_quote(source)} / {_quote(kind)}."
                raise UnreadableEventError(message)
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        message = f"The event cannot be read: {_summarise(error)}"
        raise UnreadableEventError(message) from None


def is_repeated(observation: Observation) -> bool:
    """Whether the tick repeats what a message says, as far as it still matters, so that it need not come again."""
    return isinstance(observation, Due | RoomFreed)


def _read_state_change(envelope: dict[str, Any]) -> tuple[str, Observation] | None:
    detail = envelope["detail"]
    name, tags = _get_text(detail, "TrainingJobName"), _read_tags(detail.get("Tags"))
    # The tags show that a job belongs to no run, despite its name. The absence of tags proves nothing.
    if tags and RUN_ID_TAG not in tags:
        return None
    if attempt := parse_attempt_name(name):
        (run_id, number), moment = attempt, detail.get("LastModifiedTime")
        changed = JobChanged(
            attempt=number,
            status=_get_text(detail, "TrainingJobStatus"),
            secondary_status=_get_text(detail, "SecondaryStatus"),
            at=_read_moment(envelope["time"] if moment is None or moment == "" else moment),
        )
        return _spell(run_id, tags), changed
    if canary := parse_canary_name(name):
        run_id, number = canary
        return _spell(run_id, tags), CanaryChanged(number, _get_text(detail, "SecondaryStatus"))
    return None


def _read_endpoint_change(envelope: dict[str, Any]) -> tuple[str, Observation] | None:
    """Return the run whose model an endpoint's configuration serves: the configuration is named after its job.

    The tags say which run has created the endpoint, and others may have updated it since.
    """
    attempt = parse_attempt_name(_get_text(envelope["detail"], "EndpointConfigName"))
    return None if attempt is None else (attempt[0], EndpointChanged())


def _spell(named: str, tags: Mapping[str, Any]) -> str:
    """Return a run's id as its tag spells it: the name of a job may be shortened, or in lower case as in the ARN."""
    tagged = tags.get(RUN_ID_TAG)
    return tagged if isinstance(tagged, str) and stands_for(named, tagged) else named


def _read_tags(tags: object) -> dict[str, Any]:
    """Return tags by their keys, from an object of keys and values as in events, or a list of pairs as in the API."""
    if isinstance(tags, dict):
        return tags
    listed = [tag for tag in tags if isinstance(tag, dict)] if isinstance(tags, list) else []
    pairs = [{key.lower(): item for key, item in tag.items()} for tag in listed]
    return {pair["key"]: pair.get("value") for pair in pairs if isinstance(pair.get("key"), str)}


def _write_message(kind: _OwnMessage, run_id: str) -> str:
    return json.dumps({"source": "spot-relay", "detail-type": kind, "detail": {"run_id": run_id}})


def _get_text(members: Mapping[str, Any], name: str) -> str:
    """Return a member that must be text, because what is stored from an event is read back as text.

    Text that is not valid UTF-8 could be neither stored nor logged.
    """
    value = members[name]
    if not isinstance(value, str) or not value:
        message = f"{name} is not text"
        raise TypeError(message)
    if len(value) > _MAX_TEXT:
        message = f"{name} has {len(value)} characters, but at most {_MAX_TEXT} are allowed"
        raise ValueError(message)
    value.encode()
    return value


def _read_moment(moment: str | float) -> datetime:
    """Return a time: SageMaker sends epoch milliseconds, as text or as a number.

    Epoch seconds, as in the API, and ISO 8601, as in the envelope, are read as well.
    """
    if isinstance(moment, str) and "-" in moment[1:]:
        return datetime.fromisoformat(moment).astimezone(UTC)
    number = float(moment)
    return datetime.fromtimestamp(number if abs(number) < _LEAST_MILLISECONDS else number / 1000, UTC)


def _read_iso(members: Mapping[str, Any], name: str) -> datetime:
    """Return a time in ISO 8601; without a time zone it would be another one elsewhere."""
    moment = datetime.fromisoformat(_get_text(members, name))
    if moment.tzinfo is None:
        message = f"{name} has no time zone"
        raise ValueError(message)
    return moment.astimezone(UTC)


def _read_envelope(body: str, source: str | None = None) -> dict[str, Any]:
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError) as error:
        # Besides invalid JSON, these also cover numbers too long and lists nested too deeply to be read.
        message = f"The message is not JSON: {error}"
        raise UnreadableEventError(message) from None
    if not isinstance(envelope, dict) or not isinstance(envelope.get("detail"), dict):
        message = "The message is not an EventBridge event: it has no detail."
        raise UnreadableEventError(message)
    if source is not None:
        _require_source(envelope, source)
    return envelope


def _require_source(envelope: dict[str, Any], source: str) -> None:
    if envelope.get("source") != source:
        message = f"This function does not handle events of {_quote(envelope.get('source'))}."
        raise UnreadableEventError(message)


def _summarise(error: Exception) -> str:
    """Return what was wrong, shortened and in ASCII: Python's messages quote the input, however long it is."""
    return ascii(f"{type(error).__name__} {error}")[1:-1][:_MAX_REASON]


def _quote(value: Any) -> str:
    """Return a value for a message: short and printable."""
    return ascii(value)[:_MAX_QUOTE] if isinstance(value, str) else type(value).__name__
